"""Limits, statuses, and the soft limit: it strikes where it should, and never after."""

from __future__ import annotations

import gc
import math
import random
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nbbatt.errors import NbbattError
from nbbatt.limits import (
    Cancelled,
    Limits,
    LimitsError,
    SoftLimit,
    Status,
    TimeLimit,
    attempt,
    explain,
)


@pytest.fixture
def limit() -> Iterator[SoftLimit]:
    with SoftLimit() as made:
        yield made


def loop(_: object = None) -> None:
    while True:
        pass


def swallow(_: object) -> str:
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        try:
            loop()
        except BaseException:
            continue
    return "a wrong value"


# ---------------------------------------------------------------------- limits and words


@pytest.mark.parametrize(
    "wrong",
    [
        {"soft_s": 0},
        {"soft_s": -1.0},
        {"soft_s": math.nan},
        {"soft_s": True},
        {"hard_s": "2"},
        {"memory_mb": 0},
        {"result_mb": -3},
        {"soft_s": 2.0, "hard_s": 2.0},
        {"soft_s": 3.0},
    ],
)
def test_limits_no_item_can_run_under_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(LimitsError, match=r"limit (soft|hard|memory|result)_") as caught:
        Limits(**wrong)
    assert isinstance(caught.value, NbbattError)


def test_limits_may_be_infinite_at_the_hard_end() -> None:
    assert Limits(soft_s=1e9, hard_s=math.inf).hard_s == math.inf


class Unshowable(Exception):
    def __str__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize(
    ("raised", "status", "line"),
    [
        (TimeLimit(), Status.TIMEOUT, "ran into its time limit"),
        (Cancelled(), Status.CANCELLED, "cancelled"),
        (MemoryError(), Status.MEMORY, "MemoryError"),
        (RecursionError("too deep"), Status.MEMORY, "RecursionError: too deep"),
        (ValueError("two\nlines"), Status.ERROR, "ValueError: two lines"),
        (SystemExit(3), Status.ERROR, "SystemExit: 3"),
        (KeyboardInterrupt(), Status.ERROR, "KeyboardInterrupt"),
        (GeneratorExit(), Status.ERROR, "GeneratorExit"),
        (Unshowable(), Status.ERROR, "Unshowable: (its message cannot be shown: ValueError)"),
    ],
)
def test_explain_names_the_status_in_one_line(raised: BaseException, status: Status, line: str) -> None:
    assert explain(raised) == (status, line)


def test_explain_is_bounded() -> None:
    assert len(explain(ValueError("x" * 10_000))[1]) == 300


# ---------------------------------------------------------------------- the soft limit


def test_call_returns_the_value_or_what_was_raised(limit: SoftLimit) -> None:
    assert limit.call(lambda x: x + 1, 1, 5.0) == (2, None)
    value, error = limit.call(lambda x: 1 // x, 0, 5.0)
    assert value is None
    assert isinstance(error, ZeroDivisionError)


@pytest.mark.parametrize("way", [loop, swallow])
def test_a_loop_is_stopped_even_if_it_swallows(limit: SoftLimit, way: Callable[[Any], Any]) -> None:
    began = time.monotonic()
    value, error = limit.call(way, None, 0.05)
    assert value is None
    assert isinstance(error, TimeLimit)
    assert 0.05 <= time.monotonic() - began < 2.0


def test_it_works_in_any_thread(limit: SoftLimit) -> None:
    found: list[BaseException | None] = []
    thread = threading.Thread(target=lambda: found.append(limit.call(loop, None, 0.05)[1]))
    thread.start()
    thread.join(10)
    assert isinstance(found[0], TimeLimit)


def test_cancel_stops_what_runs() -> None:
    cancel = threading.Event()
    timer = threading.Timer(0.05, cancel.set)
    with SoftLimit(cancel=cancel) as limit:
        timer.start()
        _, error = limit.call(loop, None, 60.0)
    timer.join()
    assert isinstance(error, Cancelled)


def test_charge_takes_from_what_is_left(limit: SoftLimit) -> None:
    def charged(_: object) -> None:
        limit.charge(59.9)
        loop()

    began = time.monotonic()
    assert isinstance(limit.call(charged, None, 60.0)[1], TimeLimit)
    assert time.monotonic() - began < 5.0


def test_one_who_catches_it_and_disarms_keeps_his_value(limit: SoftLimit) -> None:
    def partial(_: object) -> tuple[str, bool]:
        try:
            loop()
        except TimeLimit:
            struck = limit.struck
            limit.disarm()
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            pass
        return "what there is", struck

    assert limit.call(partial, None, 0.05) == (("what there is", True), None)


def test_after_a_sleep_of_the_watchdog_a_call_is_still_watched(limit: SoftLimit) -> None:
    time.sleep(0.4)
    began = time.monotonic()
    assert isinstance(limit.call(loop, None, 0.03)[1], TimeLimit)
    assert time.monotonic() - began < 2.0


def test_tick_is_called_in_the_watchdogs_thread() -> None:
    called = threading.Event()
    seen: list[str] = []

    def tick() -> None:
        seen.append(threading.current_thread().name)
        called.set()

    with SoftLimit(tick=tick):
        assert called.wait(5)
    assert set(seen) == {"nbbatt-softlimit"}


def test_start_and_close_may_be_repeated() -> None:
    limit = SoftLimit()
    for _ in range(2):
        limit.start()
        limit.start()
        assert isinstance(limit.call(loop, None, 0.02)[1], TimeLimit)
        limit.close()
        limit.close()
    assert not [t for t in threading.enumerate() if t.name == "nbbatt-softlimit"]


def test_what_a_failed_call_held_is_let_go(limit: SoftLimit) -> None:
    class Big:
        pass

    held: list[weakref.ref[Big]] = []

    def fail(_: object) -> None:
        big = Big()
        held.append(weakref.ref(big))
        raise ValueError("with a traceback")

    gc.disable()
    try:
        assert attempt(limit, fail, None, 5.0).status is Status.ERROR
        assert held[0]() is None
    finally:
        gc.enable()


def work(n: int) -> int:
    total = 0
    try:
        for i in range(n):
            total += i
    finally:
        for i in range(30):
            total += i
    return total


def stubborn(n: int) -> int:
    total = 0
    while total < n:
        try:
            for i in range(n):
                total += i
        except BaseException:
            total += 1
    return total


def test_no_exception_ever_comes_late() -> None:
    """Deadlines pass just around the ends of calls; watchdog and thread switching are hectic."""
    random.seed(20)
    interval = sys.getswitchinterval()
    ends = {"value": 0, "limit": 0}
    sys.setswitchinterval(1e-6)
    try:
        with SoftLimit(tick_s=0.00002) as limit:
            for turn in range(20_000):
                way = stubborn if turn % 2 else work
                _, error = limit.call(way, random.randrange(1, 3000), random.random() * 0.0002)
                ends["value" if error is None else "limit"] += 1
                for _ in range(20):  # whatever is late would arrive here, and fail the test
                    pass
    finally:
        sys.setswitchinterval(interval)
    assert min(ends.values()) > 50


def test_after_disarm_no_exception_comes_late() -> None:
    random.seed(21)
    interval = sys.getswitchinterval()
    struck = 0
    sys.setswitchinterval(1e-6)
    try:
        with SoftLimit(tick_s=0.0002) as limit:
            for _ in range(10_000):
                try:
                    try:
                        limit.arm(random.random() * 0.0002)
                        work(random.randrange(1, 3000))
                    except TimeLimit:
                        struck += 1
                    limit.disarm()
                except TimeLimit:  # disarm may raise the last one itself
                    try:
                        limit.disarm()
                    except TimeLimit:
                        limit.disarm()
                for _ in range(20):
                    pass
    finally:
        sys.setswitchinterval(interval)
    assert struck > 20


# ---------------------------------------------------------------------- attempts


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, ValueError])
def test_attempt_lets_nothing_out(limit: SoftLimit, kind: type[BaseException]) -> None:
    def raises(item: object) -> None:
        raise kind(item)

    for interrupts in (False, True):
        ended = attempt(limit, raises, "why", 5.0, interrupts=interrupts)
        assert (ended.status, ended.error) == (Status.ERROR, f"{kind.__name__}: why")
        assert "raise kind(item)" in ended.traceback
        assert "nbbatt/limits.py" not in ended.traceback


def test_attempt_lets_the_users_own_interrupt_out(limit: SoftLimit) -> None:
    def interrupted(_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        loop()

    with pytest.raises(KeyboardInterrupt):
        attempt(limit, interrupted, None, 5.0, interrupts=True)
    assert attempt(limit, interrupted, None, 5.0).status is Status.ERROR


def test_attempt_says_which_limit_it_was(limit: SoftLimit) -> None:
    ended = attempt(limit, loop, None, 0.05)
    assert (ended.status, ended.error) == (Status.TIMEOUT, "stopped at its soft limit of 0.05 s")


def test_a_message_that_never_ends_does_not_hold_us_up(limit: SoftLimit) -> None:
    class Endless(Exception):
        def __str__(self) -> str:
            loop()
            return ""

    def raises(_: object) -> None:
        raise Endless

    began = time.monotonic()
    ended = attempt(limit, raises, None, 5.0)
    assert (ended.status, ended.error) == (Status.ERROR, "Endless")
    assert time.monotonic() - began < 4.0


def test_deep_tracebacks_are_bounded(limit: SoftLimit) -> None:
    def deep(n: Any) -> Any:
        return deep(n + 1)

    ended = attempt(limit, deep, 0, 5.0)
    assert ended.status is Status.MEMORY
    assert len(ended.traceback) <= 4000
