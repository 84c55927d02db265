"""The battery: what each program comes to alone, always; with each distinct call made once."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from random import Random
from typing import Any

import numpy as np
import pytest
import tiny_language
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_language import language, random_program

from nbbatt import battery as module
from nbbatt.battery import Battery, merge, value_key
from nbbatt.languages import Language, PrimitiveError
from nbbatt.limits import Cancelled, SoftLimit, Status, TimeLimit, attempt, explain
from nbbatt.nodes import Node
from nbbatt.programs import Program
from nbbatt.scoring import DIFFERS, PairResult
from nbbatt.tasks import Grid, Pair, as_grid

TINY = language()
randoms = st.randoms(use_true_random=False)


def grid(*rows: list[int]) -> Grid:
    return as_grid(list(rows), "a test's grid")


DEMOS = (
    Pair(grid([1, 2], [3, 4]), grid([3, 1], [4, 2])),
    Pair(grid([1, 1], [1, 1]), grid([1, 1], [1, 1])),
    Pair(grid([0, 5, 0]), grid([0], [5], [0])),
)
TESTS = (Pair(grid([1], [2], [3]), grid([3, 2, 1])), Pair(grid([7, 7]), None))
PAIRS = DEMOS + TESTS


def told(result: PairResult) -> tuple[Status, bool | None, float, str]:
    """What is promised of a result: all but the words of its error, which may name a twin of the call."""
    return result.status, result.ok, result.differ, result.output


def alone(program: Program, early_stop: bool = False, differ: str = "cells") -> list[tuple[Any, ...]]:
    """The oracle: a plain loop over the pairs that shares nothing with the battery but the differs."""
    results: list[tuple[Any, ...]] = []
    for at, pair in enumerate(PAIRS):
        try:
            output = program.run(pair.input, DEMOS)
        except BaseException as reason:
            results.append((explain(reason)[0], None if pair.output is None else False, 0.0, ""))
        else:
            mark = blake2b(bytes(output.shape) + output.tobytes(), digest_size=8).hexdigest()
            part = 0.0 if pair.output is None else DIFFERS[differ](output, pair.output)
            results.append((Status.OK, None if pair.output is None else part == 1.0, part, mark))
        if early_stop and at < len(DEMOS) and not results[-1][1]:
            break
    return results


# ---------------------------------------------------------------------- the same as alone


@given(
    rng=randoms, count=st.integers(1, 12), early_stop=st.booleans(), differ=st.sampled_from(sorted(DIFFERS))
)
@settings(max_examples=120, deadline=None)
def test_every_program_comes_to_what_it_comes_to_alone(
    rng: Random, count: int, early_stop: bool, differ: str
) -> None:
    programs = [random_program(rng, TINY, rng.randint(0, 10)) for _ in range(count)]
    programs += [rng.choice(programs) for _ in range(3)]
    options: dict[str, Any] = {"early_stop": early_stop, "differ": differ}
    shared = merge(programs, TINY, DEMOS, TESTS, **options)
    for program, results in zip(programs, shared.results(), strict=True):
        expected = alone(program, early_stop, differ)
        assert [told(result) for result in results] == expected
        fresh = Battery(TINY, DEMOS, TESTS, **options).evaluate(program)
        assert [told(result) for result in fresh] == expected
        assert [told(result) for result in shared.evaluate(program)] == expected


@given(rng=randoms)
@settings(max_examples=60, deadline=None)
def test_mutants_of_one_program_come_to_what_they_come_to_alone(rng: Random) -> None:
    """Close relatives share the most: each differs from the parent in one place."""
    parent = random_program(rng, TINY, 12)
    programs = [parent]
    for _ in range(15):
        old = rng.choice(parent.nodes)
        new = rng.choice(random_program(rng, TINY, 4).nodes)
        made = {old.digest: new}
        for node in parent.calls:
            if node.digest not in made:
                made[node.digest] = Node("call", None, tuple(made.get(arg.digest, arg) for arg in node.args))
        programs.append(Program("solve_mutant", made.get(parent.root.digest, parent.root), TINY))
    rng.shuffle(programs)
    shared = Battery(TINY, DEMOS, TESTS)
    for program in programs:
        assert [told(result) for result in shared.evaluate(program)] == alone(program)


@given(rng=randoms)
@settings(max_examples=40, deadline=None)
def test_the_order_of_candidates_does_not_matter(rng: Random) -> None:
    programs = [random_program(rng, TINY, 8) for _ in range(8)]
    first = {
        p.digest: [told(r) for r in rs]
        for p, rs in zip(programs, merge(programs, TINY, DEMOS, TESTS).results())
    }
    rng.shuffle(programs)
    again = {
        p.digest: [told(r) for r in rs]
        for p, rs in zip(programs, merge(programs, TINY, DEMOS, TESTS).results())
    }
    assert first == again


def program(text: str, lang: Language = TINY) -> Program:
    return Program.parse("def solve_p(I):\n    " + text.replace("; ", "\n    "), lang)


AWKWARD = [
    "return brighter(I, told(1))",
    "return brighter(I, told(True))",
    "return brighter(I, told(ONE))",
    "return brighter(I, told(YES))",
    "return brighter(I, told(real(0)))",
    "return brighter(I, told(real(1)))",
    "return brighter(I, told(real(2)))",
    "return choose(twin(real(2), real(2)), I, flip(I))",
    "return choose(twin(real(2), real(6)), I, flip(I))",
    "return choose(twin(real(0), real(1)), I, flip(I))",
    "return choose(twin(1, True), I, flip(I))",
    "return brighter(I, told(MARKS))",
    "return brighter(I, leading(bag(1, 9)))",
    "return brighter(I, leading(bag(9, 1)))",
    "return brighter(I, leading(swollen(bag(1, 9))))",
    "return brighter(I, leading(swollen(bag(9, 1))))",
    "return brighter(I, leading(bag(True, 2)))",
    "return brighter(I, told(leading(bag(True, 2))))",
    "return brighter(I, told(leading(bag(1, 2))))",
    "return brighter(I, poke(nested(3)))",
    "n = nested(3); a = poke(n); b = poke(n); return brighter(brighter(I, a), b)",
    "return gridded(listed(turn(I)))",
    "return lazily(I)",
    "return spoil(I)",
    "return spoil(turn(I))",
    "return spoil(gridded(listed(I)))",
    "f = twice(turn); return f(I)",
    "f = twice(turn); g = after(f, flip); h = twice(g); return h(I)",
    "f = twice(fails); return f(I)",
    "f = after(turn, turn); return f(I)",
    "return leaves(I)",
    "return gives_up(I)",
    "return fails(I)",
    "return fails_when_tall(I)",
    "return join(fails_when_tall(I), fails(I))",
    "return join(fails(I), leaves(I))",
    "n = rows(I); return n(I)",
    "return rows(I)",
    "return I",
    "return turn(turn(turn(turn(I))))",
    "return brighter(I, rows)",
    "return turn()",
    "return turn(I, I)",
]


@pytest.mark.parametrize("seed", range(6))
def test_awkward_programs_together_come_to_what_they_come_to_alone(seed: int) -> None:
    programs = [program(text) for text in AWKWARD]
    Random(seed).shuffle(programs)
    shared = Battery(TINY, DEMOS, TESTS)
    for one in programs:
        assert [told(result) for result in shared.evaluate(one)] == alone(one), one.inline()


def test_a_failure_names_the_primitive_and_the_reason() -> None:
    shared = Battery(TINY, DEMOS[:1], ())
    errors = {text: shared.evaluate(program(text))[0].error for text in AWKWARD}
    assert errors["return fails(I)"] == "fails: KeyError: 'no such thing'"
    assert errors["return leaves(I)"] == "leaves: SystemExit: 1"
    assert errors["f = twice(fails); return f(I)"] == "a computed function: KeyError: 'no such thing'"
    assert "read-only" in errors["return spoil(I)"]
    assert errors["return rows(I)"] == "the result is a int, and a program must return a grid"


def test_with_early_stop_a_wrong_demo_is_the_last_that_is_run() -> None:
    seen: list[int] = []

    def noted(image: Grid) -> Grid:
        seen.append(image.size)
        return image

    lang = Language.from_functions(noted)
    one = program("return noted(I)", lang)
    assert len(Battery(lang, DEMOS, TESTS, early_stop=True).evaluate(one)) == 1 and len(seen) == 1
    right_then_wrong = Battery(lang, DEMOS[1:] + DEMOS[:1], TESTS, early_stop=True).evaluate(one)
    assert [result.ok for result in right_then_wrong] == [True, False]
    all_right = Battery(lang, DEMOS[1:2], TESTS, early_stop=True).evaluate(one)
    assert [result.ok for result in all_right] == [True, False, None]
    assert len(Battery(lang, DEMOS, TESTS).evaluate(one)) == len(PAIRS)


# ---------------------------------------------------------------------- each call once


def counting(calls: list[tuple[Any, ...]]) -> Language:
    """A language that notes the name and the arguments of each call."""

    def noted(name: str, fn: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(fn)
        def run(*args: Any) -> Any:
            calls.append((name, *[value_key(arg) for arg in args]))
            return fn(*args)

        return run

    names = (
        "turn",
        "flip",
        "brighter",
        "join",
        "choose",
        "tall",
        "rows",
        "fails",
        "fails_when_tall",
        "told",
        "listed",
        "gridded",
    )
    return Language.from_module(
        {name: noted(name, getattr(tiny_language, name)) for name in names}, name="counting"
    )


@given(rng=randoms, early_stop=st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_call_is_made_twice_on_a_pair_nor_one_that_nobody_makes_alone(
    rng: Random, early_stop: bool
) -> None:
    calls: list[tuple[Any, ...]] = []
    lang = counting(calls)
    programs = [random_program(rng, lang, 8) for _ in range(12)]
    needed: set[tuple[Any, ...]] = set()
    for one in programs:
        try:
            one.run(DEMOS[0].input, ())
        except Exception:
            continue
        finally:
            needed |= set(calls)
            calls.clear()
    shared = Battery(lang, DEMOS[:1], (), early_stop=early_stop)
    for one in [*programs, *programs]:
        shared.evaluate(one)
    assert set(calls) == needed and len(calls) == len(needed) == shared.calls_made


def test_calls_on_equal_values_are_made_once_whichever_way_they_came_about() -> None:
    calls: list[tuple[Any, ...]] = []
    lang = counting(calls)
    long_way = program("a = turn(turn(turn(turn(I)))); return join(flip(a), flip(flip(a)))", lang)
    short_way = program("return join(flip(I), I)", lang)
    shared = Battery(lang, DEMOS, TESTS)
    shared.evaluate(long_way)
    before = len(calls)
    results = shared.evaluate(short_way)
    assert len(calls) == before
    assert [told(result) for result in results] == alone(short_way)


def test_a_program_seen_before_costs_no_call() -> None:
    shared = Battery(TINY, DEMOS, TESTS)
    one = program("return fails_when_tall(turn(flip(I)))")
    first = shared.evaluate(one)
    made = shared.calls_made
    assert shared.evaluate(one) == first and shared.calls_made == made


def test_after_a_failure_nothing_more_is_called_on_that_pair() -> None:
    calls: list[tuple[Any, ...]] = []
    lang = counting(calls)
    Battery(lang, DEMOS, ()).evaluate(program("a = fails(I); b = turn(I); return join(a, b)", lang))
    assert [name for name, *_ in calls] == ["fails"] * 3
    calls.clear()
    Battery(lang, DEMOS + TESTS, ()).evaluate(
        program("a = fails_when_tall(I); return join(a, turn(I))", lang)
    )
    assert sum(name == "turn" for name, *_ in calls) == len(PAIRS) - 1


# ---------------------------------------------------------------------- values


def test_values_that_some_function_can_tell_apart_have_different_keys() -> None:
    one, other = frozenset([1, 9]), frozenset([9, 1])
    assert one == other and list(one) != list(other)
    values: list[Any] = [
        1, True, 0, False, "1", b"1", 1.0, 0.0, -0.0, (1,), (True,), (1.0,), (0.0,), (-0.0,), ((1, 2), 3), (1, (2, 3)), (), ((),), frozenset(), frozenset({1}), frozenset({True}),
        one, other, (one,), (other,), frozenset({one}), np.uint8(1), np.int8(1), np.bool_(True), None, np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8),
        np.zeros((2, 3), np.int8), np.zeros((2, 3), bool), np.zeros(6, np.uint8), np.zeros((2, 3), ">i2"), np.zeros((2, 3), "<i2"), (np.zeros(2, np.uint8),), (np.ones(2, np.uint8),),
        Frozen(1, (2,)), Frozen(True, (2,)), Frozen(1, (3,)), tiny_language.turn, tiny_language.flip, 10**30, -(10**30), (10**30,), 62, (62,), 103, (103,), "ab", ("ab",), ("a", "b"),
    ]  # fmt: skip
    keys = [value_key(value) for value in values]
    assert None not in keys and len(set(keys)) == len(keys)


@dataclass(frozen=True)
class Frozen:
    """A value class, known by its fields."""

    n: Any
    rest: tuple[Any, ...] = ()


@dataclass
class Loose:
    """A value class that can change."""

    n: int


class Sly:
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def key(self) -> int:
        return 1


def test_equal_values_have_equal_keys_and_what_cannot_be_compared_has_none() -> None:
    made: list[Callable[[], Any]] = [
        lambda: 5, lambda: (1, (2, frozenset({3}))), lambda: frozenset({(1, 2), (3, 4)}), lambda: np.arange(6, dtype=np.uint8), lambda: (np.arange(3),), lambda: Frozen(1, (np.arange(2),)),
        lambda: 10**25, lambda: "a" * 50, lambda: 0.5, lambda: (0.5, "x"), lambda: np.int16(4), lambda: frozenset({frozenset({1}), frozenset({2})}),
    ]  # fmt: skip
    for make in made:
        assert value_key(make()) == value_key(make()) is not None
    nan = float("nan")
    deep: Any = 1
    for _ in range(100_000):
        deep = (deep,)
    tower: Any = (1,)
    for _ in range(100):
        tower = (tower, tower)
    unknown: list[Any] = [
        nan, (nan,), ((1, nan), 2), frozenset({nan}), [1], {1: 2}, {1}, ([1],), Loose(1), Sly(), (Sly(),), Frozen(Sly()), Frozen([1]), np.array([None]), range(3), 1j, (1j,), deep, tower,
        Frozen(tower), tuple(range(50_000)), int, np.float64("nan"),
    ]  # fmt: skip
    assert [value_key(value) for value in unknown] == [None] * len(unknown)
    thing = object()
    assert value_key(thing) == value_key(thing) != value_key(object())


def test_a_value_class_that_cannot_be_looked_into_is_not_compared() -> None:
    @dataclass(frozen=True)
    class Broken:
        n: int

        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(name)

    knot: list[Any] = [1]
    tree = functools.reduce(lambda inner, _: Frozen(inner), range(5_000), Frozen(knot))
    assert value_key(Broken(1)) is None and value_key(tree) is None


# ---------------------------------------------------------------------- time


class Clock:
    """Seconds that pass only when somebody spends them."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


def timed(clock: Clock) -> Language:
    def slow(image: Grid) -> Grid:
        clock.time += 0.4
        return image

    def slower(image: Grid) -> Grid:
        clock.time += 0.7
        return np.flip(image)

    def quick(image: Grid) -> Grid:
        return image[::-1]

    def endless(image: Grid) -> Grid:
        clock.time += 1.0
        raise TimeLimit

    return Language.from_functions(slow, slower, quick, endless)


def test_a_candidate_has_its_seconds_for_all_pairs_together() -> None:
    clock = Clock()
    lang = timed(clock)
    for pairs, status in ((DEMOS[:2], Status.OK), (DEMOS[:3], Status.TIMEOUT)):
        results = Battery(lang, pairs, (), seconds=1.0, now=clock).evaluate(program("return slow(I)", lang))
        assert [result.status for result in results] == [status] * len(pairs)
    assert results[0].error == "ran into its time limit" and not results[0].ok


def test_a_timeout_leaves_the_others_what_they_need() -> None:
    clock = Clock()
    lang = timed(clock)
    shared = Battery(lang, DEMOS[:1], (), seconds=1.0, now=clock)
    assert shared.evaluate(program("return slower(slow(I))", lang))[0].status is Status.TIMEOUT
    assert shared.evaluate(program("return quick(slow(I))", lang))[0].status is Status.OK
    assert shared.evaluate(program("return slower(quick(I))", lang))[0].status is Status.OK
    assert shared.evaluate(program("return quick(I)", lang))[0].status is Status.OK


def test_shared_heavy_calls_are_charged_to_everybody_who_uses_them() -> None:
    clock = Clock()
    lang = timed(clock)
    shared = Battery(lang, DEMOS[:1], (), seconds=1.0, now=clock)
    assert shared.evaluate(program("return slow(I)", lang))[0].status is Status.OK
    assert shared.evaluate(program("return slower(I)", lang))[0].status is Status.OK
    began, made = clock.time, shared.calls_made
    assert shared.evaluate(program("return quick(slower(I))", lang))[0].status is Status.OK
    assert clock.time == began and shared.calls_made == made + 1
    both = program("a = slow(I); b = slower(I); return quick(a)", lang)
    assert shared.evaluate(both)[0].status is Status.OK  # b is a dead line
    for text in ("return slower(slow(I))", "a = slower(I); return slow(quick(a))"):
        one = program(text, lang)
        fresh = Battery(lang, DEMOS[:1], (), seconds=1.0, now=clock).evaluate(one)[0].status
        assert shared.evaluate(one)[0].status is fresh is Status.TIMEOUT


def test_a_call_that_used_up_a_whole_limit_has_timed_out_for_everyone() -> None:
    clock = Clock()
    lang = timed(clock)
    shared = Battery(lang, DEMOS, (), seconds=1.0, now=clock)
    assert {r.status for r in shared.evaluate(program("return endless(I)", lang))} == {Status.TIMEOUT}
    began, made = clock.time, shared.calls_made
    assert {r.status for r in shared.evaluate(program("return quick(endless(I))", lang))} == {Status.TIMEOUT}
    assert {r.status for r in shared.evaluate(program("return quick(endless(quick(quick(I))))", lang))} == {
        Status.TIMEOUT
    }
    assert clock.time == began and shared.calls_made == made + 6
    assert {r.status for r in shared.evaluate(program("return quick(I)", lang))} == {Status.OK}


def test_a_pause_of_the_machine_is_nobodys_timeout() -> None:
    """A process stopped in the middle of a call: the watchdog does not count the pause, and nor do those who share it."""
    clock = Clock()
    pause = [60.0]

    def paused(image: Grid) -> Grid:
        clock.time += pause[0]
        pause[0] = 0.0
        return image

    lang = Language.from_functions(paused, tiny_language.flip)
    charged: list[float] = []

    class Watchdog:
        charge = staticmethod(charged.append)

    shared = Battery(lang, DEMOS, (), seconds=1.0, now=clock, limit=Watchdog())  # type: ignore[arg-type]
    for text in ("return paused(I)", "return flip(paused(I))", "return flip(flip(paused(I)))"):
        assert {r.status for r in shared.evaluate(program(text, lang))} == {Status.OK}
    assert charged == []


def test_the_watchdog_is_told_what_is_charged() -> None:
    clock = Clock()
    lang = timed(clock)
    charged: list[float] = []

    class Watchdog:
        charge = staticmethod(charged.append)

    shared = Battery(lang, DEMOS[:2], (), seconds=2.0, now=clock, limit=Watchdog())  # type: ignore[arg-type]
    shared.evaluate(program("return slow(I)", lang))
    assert charged == []
    shared.evaluate(program("return quick(slow(I))", lang))
    assert charged == pytest.approx([0.4, 0.4])


def test_a_real_limit_stops_a_loop_and_the_rest_are_unharmed() -> None:
    def loops(image: Grid) -> Grid:
        while True:
            pass

    def swallows(image: Grid) -> Grid:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            try:
                while time.monotonic() < end:
                    pass
            except BaseException:
                continue
        return image

    lang = Language.from_functions(loops, swallows, tiny_language.flip, tiny_language.turn)
    texts = [
        "return turn(flip(I))",
        "return loops(flip(I))",
        "return flip(I)",
        "return swallows(turn(I))",
        "return turn(loops(flip(I)))",
        "return turn(turn(I))",
        "return flip(swallows(turn(I)))",
    ]
    with SoftLimit() as limit:
        shared = Battery(lang, DEMOS, TESTS, limit=limit, seconds=0.15)
        began = time.monotonic()
        ended = {text: attempt(limit, shared.evaluate, program(text, lang), 0.15) for text in texts}
    assert time.monotonic() - began < 30
    for text, outcome in ended.items():
        if "loops" in text or "swallows" in text:
            assert outcome.status is Status.TIMEOUT or {r.status for r in outcome.value} == {Status.TIMEOUT}
        else:
            assert [told(result) for result in outcome.value] == alone(program(text, lang))


def test_an_exception_of_the_watchdog_may_strike_anywhere() -> None:
    """Cut short at every single step of an evaluation, a battery still tells the truth to whoever comes next."""
    import sys

    long = program(
        "a = turn(I); b = flip(a); c = join(a, b); d = brighter(c, rows(b)); return join(d, flip(d))"
    )
    other = program("a = turn(I); b = flip(a); return join(join(a, b), b)")
    for early_stop in (False, True):
        steps = 0
        while True:
            shared = Battery(TINY, DEMOS, TESTS, early_stop=early_stop)
            left = [steps]

            def strike(frame: Any, event: str, arg: object) -> Any:
                if frame.f_globals.get("__name__") != module.__name__:
                    return None
                left[0] -= 1
                if left[0] < 0:
                    sys.settrace(None)
                    raise TimeLimit
                return strike

            sys.settrace(strike)
            try:
                shared.evaluate(long)
            except TimeLimit:
                pass
            finally:
                sys.settrace(None)
            for one in (other, long):
                assert [told(result) for result in shared.evaluate(one)] == alone(one, early_stop)
            if left[0] >= 0:
                break
            steps += 1
        assert steps > 100


def test_cancelling_and_the_users_interrupt_pass_through() -> None:
    for kind in (Cancelled, KeyboardInterrupt):

        def stops(image: Grid, kind: type[BaseException] = kind) -> Grid:
            raise kind

        lang = Language.from_functions(stops, tiny_language.flip)
        shared = Battery(lang, DEMOS, TESTS)
        with pytest.raises(kind):
            shared.evaluate(program("return stops(I)", lang))
        one = program("return flip(I)", lang)
        assert [told(result) for result in shared.evaluate(one)] == alone(one)


# ---------------------------------------------------------------------- memory


def test_values_of_others_are_let_go_before_a_candidate_runs_out_of_memory() -> None:
    held: list[int] = []

    def hoard(image: Grid) -> Grid:
        held.append(1)
        return image + np.uint8(len(held))

    def greedy(image: Grid) -> Grid:
        if held:
            held.clear()  # the first try finds memory full of what others left
            raise MemoryError
        return image

    def glutton(image: Grid) -> Grid:
        raise MemoryError("never enough")

    lang = Language.from_functions(hoard, greedy, glutton)
    shared = Battery(lang, DEMOS[:1], ())
    shared.evaluate(program("return hoard(I)", lang))
    assert shared.evaluate(program("return greedy(I)", lang))[0].status is Status.OK
    bomb = shared.evaluate(program("return glutton(I)", lang))[0]
    assert bomb.status is Status.MEMORY and "never enough" in bomb.error
    made = shared.calls_made
    assert shared.evaluate(program("return greedy(glutton(I))", lang))[0].status is Status.MEMORY
    assert shared.calls_made == made


def test_recursion_without_end_is_memory() -> None:
    def recurses(image: Grid) -> Grid:
        return recurses(image)

    lang = Language.from_functions(recurses)
    assert Battery(lang, DEMOS, ()).evaluate(program("return recurses(I)", lang))[0].status is Status.MEMORY


def test_a_battery_does_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 50)
    rng = Random(1)
    shared = Battery(TINY, DEMOS, TESTS)
    rows: list[int] = []
    for _ in range(60):
        one = random_program(rng, TINY, 8)
        assert [told(result) for result in shared.evaluate(one)] == alone(one)
        rows.append(sum(len(group.known) for group in shared._groups))
    assert max(rows) < 200 and any(b < a for a, b in zip(rows, rows[1:]))


def test_towers_of_pairs_cost_no_more_than_alone() -> None:
    def pair(a: Any, b: Any) -> tuple[Any, Any]:
        return (a, b)

    def first(a: Any) -> Any:
        return a[0]

    lang = Language.from_functions(pair, first)
    lines = "; ".join(["x0 = pair(I, I)", *[f"x{i} = pair(x{i - 1}, x{i - 1})" for i in range(1, 200)]])
    down = "; ".join([f"y{i} = first({f'y{i - 1}' if i else 'x199'})" for i in range(200)])
    tower = program(f"{lines}; {down}; return y199", lang)
    expected = [
        (r.status, r.ok) for r in Battery(lang, DEMOS, ()).evaluate(program("return first(pair(I, I))", lang))
    ]
    assert [(r.status, r.ok) for r in Battery(lang, DEMOS, ()).evaluate(tower)] == expected


# ---------------------------------------------------------------------- odds and ends


def test_merge_takes_options_and_gives_results_in_order() -> None:
    programs = [program("return turn(I)"), program("return flip(I)"), program("return turn(I)")]
    shared = merge(iter(programs), TINY, DEMOS, TESTS, differ="exact")
    results = shared.results()
    assert shared.programs == programs and len(results) == 3 and results[0] == results[2]
    assert all(result.differ in (0.0, 1.0) for row in results for result in row)
    assert shared.calls_made <= 2 * len(PAIRS)


def test_no_pairs_no_results() -> None:
    for early_stop in (False, True):
        assert Battery(TINY, (), (), early_stop=early_stop).evaluate(program("return turn(I)")) == ()
        assert len(Battery(TINY, (), TESTS, early_stop=early_stop).evaluate(program("return turn(I)"))) == 2


def test_an_unknown_differ_is_not_accepted() -> None:
    with pytest.raises(KeyError):
        Battery(TINY, DEMOS, TESTS, differ="nonsense")


def test_demos_are_what_s_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(demos: Any, image: Grid) -> Grid:
        return next((out for one, out in demos if one.shape == image.shape and (one == image).all()), image)

    lang = Language.from_functions(answer)
    reads = Program.parse("def solve_s(I, S):\n    return answer(S, I)\n", lang)
    assert [r.ok for r in Battery(lang, DEMOS, TESTS).evaluate(reads)] == [True, True, True, False, None]


def chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]


def test_split_over_several_batteries_the_results_are_the_same() -> None:
    rng = Random(9)
    programs = [random_program(rng, TINY, 8) for _ in range(40)]
    whole = merge(programs, TINY, DEMOS, TESTS).results()
    for size in (1, 7, 20):
        split = [row for part in chunks(programs, size) for row in merge(part, TINY, DEMOS, TESTS).results()]
        assert [[told(r) for r in row] for row in split] == [[told(r) for r in row] for row in whole]


def test_primitive_errors_are_errors() -> None:
    def refuses(image: Grid) -> Grid:
        raise PrimitiveError("not that one")

    lang = Language.from_functions(refuses)
    result = Battery(lang, DEMOS, ()).evaluate(program("return refuses(I)", lang))[0]
    assert result.status is Status.ERROR and result.error == "refuses: PrimitiveError: not that one"
