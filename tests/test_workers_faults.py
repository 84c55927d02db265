"""What items can do to their workers, and others to workers and owner: FAULTS rows 1 and 4 to 23."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from faulty_items import make_faults, make_hoarder, make_large

from nbbatt.limits import Limits, SoftLimit, Status
from nbbatt.workers import Job, Outcome, Workers, make_workers
from nbbatt.workers.processes import ProcessWorkers

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="what these faults leave is looked for in /proc"
)

BRIEF = Limits(soft_s=0.2, hard_s=0.5, memory_mb=256)
ROOT = Path(__file__).parent.parent


FAULTS = Job(make_faults, (), "faults")


@pytest.fixture
def pool() -> Iterator[ProcessWorkers]:
    made = ProcessWorkers(2)
    yield made
    made.close()


def run(
    workers: Workers, items: list[Any] | range, limits: Limits = BRIEF, cancel: threading.Event | None = None
) -> list[Outcome]:
    """Outcomes in the items' order; one for each is asserted."""
    outcomes = sorted(workers.map(FAULTS, items, limits, cancel), key=lambda outcome: outcome.index)
    assert [outcome.index for outcome in outcomes] == list(range(len(items)))
    return outcomes


def surrounded(bad: Any, before: int = 20, after: int = 20) -> list[Any]:
    return [*range(before), bad, *range(after)]


def one_bad(workers: Workers, bad: Any, limits: Limits = BRIEF) -> Outcome:
    """Run a bad item amid good ones; the good ones must be as ever."""
    items = surrounded(bad)
    outcomes = run(workers, items, limits)
    for item, outcome in zip(items, outcomes):
        if item is not bad:
            assert (outcome.status, outcome.value, outcome.error) == (Status.OK, item * item, "")
    return outcomes[items.index(bad)]


def workers_of(pid: int) -> list[psutil.Process]:
    return [p for p in psutil.Process(pid).children(recursive=True) if p.name() == "nbbatt-worker"]


def gone(pids: list[int], within_s: float) -> bool:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
            return True
        time.sleep(0.02)
    return False


# ---------------------------------------------------------------------- 1: many items


@pytest.mark.parametrize("count", [2, 8])
def test_100_000_items_are_each_done_once(count: int) -> None:
    items = range(100_000)
    serial = [o.value for o in make_workers("serial").map(FAULTS, items[:2000], BRIEF)]
    with_pool = ProcessWorkers(count)
    outcomes = run(with_pool, items)
    with_pool.close()
    assert all(o.status is Status.OK for o in outcomes)
    assert [o.value for o in outcomes] == [*serial, *(n * n for n in items[2000:])]


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 8])
def test_a_million_items_with_deaths_among_them(count: int, tmp_path: Path) -> None:
    items = [("dies_once", str(tmp_path / str(n))) if n % 20_000 == 7 else n for n in range(1_000_000)]
    workers = ProcessWorkers(count)
    outcomes = run(workers, items)
    workers.close()
    assert Counter(o.status for o in outcomes) == {Status.OK: 1_000_000}


# ---------------------------------------------------------------------- 4, 5, 6: time


def test_endless_loops_in_a_twentieth_of_the_items_time_out(pool: ProcessWorkers) -> None:
    items = [("never_ends",) if n % 20 == 3 else n for n in range(400)]
    outcomes = run(pool, items, Limits(soft_s=0.1, hard_s=2.0))
    for item, outcome in zip(items, outcomes):
        assert outcome.status is (Status.OK if isinstance(item, int) else Status.TIMEOUT)
        if outcome.status is Status.TIMEOUT:
            assert 0.1 <= outcome.wall_s < 0.1 + 0.5
            assert outcome.error == "stopped at its soft limit of 0.1 s"


@pytest.mark.parametrize("way", ["one_long_c_call", "swallows_everything"])
def test_what_cannot_be_stopped_is_killed(pool: ProcessWorkers, way: str) -> None:
    outcome = one_bad(pool, (way,))
    assert outcome.status is Status.KILLED
    assert outcome.error == "killed at its hard limit of 0.5 s"
    assert 0.5 <= outcome.wall_s < 0.5 + 1.0
    assert outcome.cpu_s > 0.01


# ---------------------------------------------------------------------- 7, 8, 9: death


def test_an_item_whose_worker_dies_gets_one_more_try(pool: ProcessWorkers, tmp_path: Path) -> None:
    items = [("dies_once", str(tmp_path / str(n))) if n % 10 == 0 else n for n in range(300)]
    outcomes = run(pool, items)
    assert {o.status for o in outcomes} == {Status.OK}
    assert [o.value for o in outcomes[::10]] == ["on the second try"] * 30


def test_busy_workers_killed_from_outside_lose_nothing(pool: ProcessWorkers) -> None:
    items = [("sleep", 0.02) for _ in range(150)]
    outcomes = []
    for outcome in pool.map(FAULTS, items, Limits(soft_s=5, hard_s=10)):
        outcomes.append(outcome)
        if len(outcomes) % 10 == 0 and len(outcomes) <= 100:
            workers_of(os.getpid())[0].kill()
    assert len(outcomes) == 150
    assert Counter(o.status for o in outcomes)[Status.OK] >= 148  # one may have been hit twice
    assert {o.status for o in outcomes} <= {Status.OK, Status.DIED}


def test_idle_workers_killed_from_outside_are_replaced(pool: ProcessWorkers) -> None:
    for _ in range(10):
        assert [o.value for o in run(pool, range(5))] == [0, 1, 4, 9, 16]
        for worker in workers_of(os.getpid()):
            worker.kill()


def test_the_server_killed_from_outside_is_replaced(pool: ProcessWorkers) -> None:
    outcomes = []
    for outcome in pool.map(FAULTS, [("sleep", 0.02) for _ in range(60)], Limits(soft_s=5, hard_s=10)):
        outcomes.append(outcome)
        if len(outcomes) in (10, 30):
            next(p for p in psutil.Process().children() if p.name() == "nbbatt-server").kill()
    assert Counter(o.status for o in outcomes) == {Status.OK: 60}


def test_an_item_that_ends_its_worker_has_died(pool: ProcessWorkers) -> None:
    ends = {
        ("segfault",): "killed by signal 11 (SIGSEGV)",
        ("abort",): "killed by signal 6 (SIGABRT)",
        ("_exit", 0): "exit code 0",
        ("_exit", 7): "exit code 7",
    }
    for bad, error in ends.items():
        outcome = one_bad(pool, bad)
        assert (outcome.status, outcome.error, outcome.value) == (Status.DIED, error, None)


# ---------------------------------------------------------------------- 10 to 13: what comes out of an item


@pytest.mark.parametrize("room", ["serial", 2])
def test_what_is_not_an_exception_is_an_error_like_any(room: int | str) -> None:
    workers = make_workers(room)
    for name in ("SystemExit", "KeyboardInterrupt", "GeneratorExit"):
        outcome = one_bad(workers, ("raises", name))
        assert (outcome.status, outcome.error) == (Status.ERROR, f"{name}: x")
    workers.close()


def test_its_worker_lives_on() -> None:
    workers = ProcessWorkers(1)
    run(workers, [1])
    before = workers_of(os.getpid())
    run(
        workers, [("raises", "SystemExit"), ("raises", "KeyboardInterrupt"), ("cannot_be_pickled", "lock"), 1]
    )
    assert workers_of(os.getpid()) == before
    workers.close()


def test_a_result_that_cannot_be_pickled_is_an_error(pool: ProcessWorkers) -> None:
    for kind in ("lambda", "generator", "lock", "module"):
        outcome = one_bad(pool, ("cannot_be_pickled", kind))
        assert outcome.status is Status.ERROR
        assert "cannot be pickled" in outcome.error


def test_a_result_of_200_mb_is_refused_and_smaller_ones_pass(pool: ProcessWorkers) -> None:
    items = [1, 200, 2, -30, 15, 16, 3]  # 16 MB and a few bytes is too much
    limits = Limits(soft_s=20, hard_s=30, memory_mb=1024)
    outcomes = sorted(pool.map(Job(make_large), items, limits), key=lambda o: o.index)
    ok = [o.status is Status.OK for o in outcomes]
    assert ok == [True, False, True, False, True, False, True]
    assert [len(o.value) for o in outcomes if o.status is Status.OK] == [n << 20 for n in (1, 2, 15, 3)]
    assert all("16 MB (Limits.result_mb)" in o.error for o in outcomes if not o.value)
    assert "200.0 MB" in outcomes[1].error


def test_large_items_pass(pool: ProcessWorkers) -> None:
    def make(limit: SoftLimit) -> Callable[[bytes], int]:
        return len

    items = [bytes(3 << 20)] * 8
    assert {o.value for o in pool.map(Job(make), items, BRIEF)} == {3 << 20}


def test_printing_a_gigabyte_goes_nowhere(pool: ProcessWorkers, capfd: pytest.CaptureFixture[str]) -> None:
    assert one_bad(pool, ("prints_much",), Limits(soft_s=20, hard_s=30)).value == "done"
    clue = one_bad(pool, ("prints_and_fails",)).traceback
    assert "printed:\na clue xxx" in clue
    assert len(clue) < 7000
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------------- 14, 15: memory, processes, files


@pytest.mark.parametrize("bomb", ["list_bomb", "tuple_bomb", "array_bomb", "string_bomb", "recursion_bomb"])
def test_memory_bombs_end_as_memory(pool: ProcessWorkers, bomb: str) -> None:
    outcome = one_bad(pool, (bomb,), Limits(soft_s=20, hard_s=30, memory_mb=256))
    assert outcome.status in (Status.MEMORY, Status.DIED)


def test_an_item_is_not_blamed_for_what_others_left_in_memory() -> None:
    workers = ProcessWorkers(1)
    limits = Limits(soft_s=20, hard_s=30, memory_mb=256)
    outcomes = list(workers.map(Job(make_hoarder), [60] * 20, limits))
    assert Counter(o.status for o in outcomes) == {Status.OK: 20}
    outcomes = list(workers.map(Job(make_hoarder), [60] * 5 + [300] + [60] * 5, limits))
    assert Counter(o.status for o in outcomes) == {Status.OK: 10, Status.MEMORY: 1}
    workers.close()


def test_items_start_no_processes(pool: ProcessWorkers) -> None:
    for bad in (("forks",), ("starts_process",)):
        outcome = one_bad(pool, bad)
        assert outcome.status is Status.ERROR
        assert "may not start processes" in outcome.error


def test_grandchildren_that_slip_through_are_killed_with_their_worker(
    pool: ProcessWorkers, tmp_path: Path
) -> None:
    left = one_bad(pool, ("escapes", False, str(tmp_path)))
    assert left.status is Status.OK
    assert one_bad(pool, ("escapes", True, str(tmp_path))).status is Status.KILLED
    grandchild = int((tmp_path / "escaped").read_text(encoding="ascii"))
    assert grandchild != left.value
    assert gone([grandchild], 5.0)
    pool.close()
    assert gone([left.value], 5.0)


def test_a_huge_file_is_refused(pool: ProcessWorkers, tmp_path: Path) -> None:
    outcome = one_bad(pool, ("huge_file", str(tmp_path)), Limits(soft_s=10, hard_s=20))
    assert outcome.status is Status.ERROR
    assert "File too large" in outcome.error
    assert (tmp_path / "huge").stat().st_size <= 8 << 20


# ---------------------------------------------------------------------- 16, 17, 18: stopping


def test_stop_while_eight_loops_run() -> None:
    workers = ProcessWorkers(8, chunk=1)
    run(workers, range(16))
    items = [*range(50), *[("swallows_everything",)] * 20, *range(50)]
    cancel = threading.Event()
    outcomes: list[Outcome] = []
    busy: list[int] = []
    stopped = 0.0

    def stop() -> None:
        nonlocal stopped
        busy.extend(p.pid for p in workers_of(os.getpid()))
        stopped = time.monotonic()
        cancel.set()

    timer = threading.Timer(0.5, stop)
    for outcome in workers.map(FAULTS, items, Limits(soft_s=60, hard_s=120), cancel):
        outcomes.append(outcome)
        if len(outcomes) == 50:
            timer.start()
    timer.join()
    assert len(busy) == 8
    assert gone(busy, 0.2 + 1.0)
    assert time.monotonic() - stopped < 0.2 + 1.0
    assert sorted(o.index for o in outcomes) == list(range(len(items)))
    assert [o.value for o in outcomes if o.status is Status.OK] == [o.index**2 for o in outcomes[:50]]
    assert [o.status for o in outcomes[50:]] == [Status.CANCELLED] * 70
    assert sum(o.worker >= 0 for o in outcomes[50:]) == 8
    assert [o.value for o in run(workers, range(5))] == [0, 1, 4, 9, 16]
    workers.close()


Script = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Script]:
    """Starts an owner of its own: a script without a main guard that leads its own process group."""
    started: list[subprocess.Popen[str]] = []

    def start(body: str) -> subprocess.Popen[str]:
        path = tmp_path / "owner.py"
        path.write_text(textwrap.dedent(body), encoding="utf-8")
        paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
        env = {**os.environ, "PYTHONPATH": paths, "TMPDIR": str(tmp_path)}
        line = [sys.executable, str(path)]
        started.append(
            subprocess.Popen(
                line, stdout=subprocess.PIPE, text=True, start_new_session=True, env=env, cwd=tmp_path
            )
        )
        return started[-1]

    yield start
    for owner in started:
        if owner.poll() is None:
            owner.send_signal(signal.SIGCONT)
            owner.kill()
        owner.communicate()


def test_an_interrupt_of_the_whole_group_stops_the_map_and_the_next_one_works(script: Script) -> None:
    owner = script(
        """
        from nbbatt.limits import Limits
        from nbbatt.workers.processes import ProcessWorkers
        import test_workers_faults as t
        workers = ProcessWorkers(2)
        t.run(workers, range(4))
        for turn in range(2):
            try:
                print("running", flush=True)
                list(workers.map(t.FAULTS, [("never_ends",)] * 4, Limits(soft_s=50, hard_s=60)))
            except KeyboardInterrupt:
                print("stopped", flush=True)
            print([o.value for o in t.run(workers, range(4))], flush=True)
        workers.close()
        """
    )
    assert owner.stdout is not None
    for _ in range(2):
        assert owner.stdout.readline() == "running\n"
        time.sleep(0.3)
        os.killpg(owner.pid, signal.SIGINT)
        assert owner.stdout.readline() == "stopped\n"
        assert owner.stdout.readline() == "[0, 1, 4, 9]\n"
    assert owner.wait(20) == 0


@pytest.mark.parametrize("busy_with", ["one_long_c_call", "swallows_everything", "escapes"])
def test_kill_9_of_the_owner_leaves_nothing(script: Script, tmp_path: Path, busy_with: str) -> None:
    owner = script(
        f"""
        from nbbatt.limits import Limits
        from nbbatt.workers.processes import ProcessWorkers
        import test_workers_faults as t
        workers = ProcessWorkers(2)
        t.run(workers, range(4))
        print("running", flush=True)
        bad = [("escapes", True, ".") if "{busy_with}" == "escapes" else ("{busy_with}",)]
        list(workers.map(t.FAULTS, bad, Limits(soft_s=50, hard_s=60)))
        """
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "running\n"
    time.sleep(0.5)
    family = [p.pid for p in psutil.Process(owner.pid).children(recursive=True)]
    assert len(family) >= 3
    owner.kill()
    owner.wait()
    assert gone(family, 2.0)
    assert {path.name for path in tmp_path.iterdir()} <= {"owner.py", "__pycache__", "escaped"}


def test_a_forked_copy_of_the_owner_changes_nothing(script: Script) -> None:
    owner = script(
        """
        import os, time
        from nbbatt.limits import Limits
        from nbbatt.workers.processes import ProcessWorkers
        import test_workers_faults as t
        rooms = [ProcessWorkers(2), ProcessWorkers(2)]
        for room in rooms:
            t.run(room, range(4))
        copy = os.fork()
        if copy == 0:
            try:
                rooms[0].map(t.FAULTS, [1], Limits())
            except ValueError as error:
                print(error, rooms[0].close(), flush=True)
            time.sleep(60)
            os._exit(0)
        time.sleep(0.2)
        began = time.monotonic()
        print(rooms[0].close() > 0, time.monotonic() - began < 2, flush=True)
        print(copy, [o.value for o in t.run(rooms[1], range(4))], flush=True)
        time.sleep(60)
        """
    )
    assert owner.stdout is not None
    lines = [owner.stdout.readline() for _ in range(3)]
    copy = int(lines[2].split()[0])
    family = [p.pid for p in psutil.Process(owner.pid).children(recursive=True) if p.pid != copy]
    owner.kill()
    owner.wait()
    try:
        assert lines[0].startswith("these workers belong to the process this one was forked from")
        assert lines[0].endswith(" 0.0\n")
        assert lines[1:] == ["True True\n", f"{copy} [0, 1, 4, 9]\n"]
        assert len(family) == 3
        assert gone(family, 2.0)
    finally:
        os.kill(copy, signal.SIGKILL)


# ---------------------------------------------------------------------- 3: for long


@pytest.mark.slow
def test_a_long_life_of_maps_deaths_and_kills_leaves_nothing_behind(tmp_path: Path) -> None:
    room = ProcessWorkers(2)
    owner = psutil.Process()

    def measure() -> tuple[int, int, int]:
        server = next(p for p in owner.children() if p.name() == "nbbatt-server")
        return owner.num_fds(), server.num_fds(), owner.memory_info().rss + server.memory_info().rss

    for turn in range(150):
        items: list[Any] = [
            *range(2000),
            ("dies_once", str(tmp_path / str(turn))),
            ("_exit", 1),
            ("never_ends",),
        ]
        outcomes = run(room, items, Limits(soft_s=0.05, hard_s=0.2))
        assert Counter(o.status for o in outcomes) == {Status.OK: 2001, Status.DIED: 1, Status.TIMEOUT: 1}
        drawn = room.map(FAULTS, [("swallows_everything",)] * 3, Limits(soft_s=0.01, hard_s=0.02))
        assert next(drawn).status is Status.KILLED
        del drawn
        if turn == 20:
            early = measure()
    late = measure()
    room.close()
    assert late[0] <= early[0] + 2
    assert late[1] <= early[1] + 2
    assert late[2] <= early[2] + (20 << 20)


# ---------------------------------------------------------------------- 21, 22, 23: where it is started


def test_functions_classes_and_closures_of_a_script_without_a_guard_work(script: Script) -> None:
    owner = script(
        """
        import math
        from dataclasses import dataclass
        from nbbatt.limits import Limits
        from nbbatt.workers import Job, make_workers

        print("main runs")
        FACTOR = 3

        @dataclass(frozen=True)
        class Scaled:
            by: int
            def of(self, x):
                return FACTOR * self.by * x

        def closure(offset):
            def add(x):
                return helper(x) + offset
            return add

        def helper(x):
            return math.floor(x)

        def make(scaled, add, limit):
            def handle(x):
                return add(scaled.of(x))
            return handle

        workers = make_workers(2)
        job = Job(make, (Scaled(2), closure(100)))
        print(sorted(o.value for o in workers.map(job, [1, 2.5], Limits())))
        FACTOR = 4
        print(sorted(o.value for o in workers.map(job, [1, 2.5], Limits())))
        workers.close()
        """
    )
    out, _ = owner.communicate(timeout=30)
    assert (owner.returncode, out) == (0, "main runs\n[106, 115]\n[108, 120]\n")


def test_locks_held_by_other_threads_do_no_harm() -> None:
    import logging

    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        logging._acquireLock() if hasattr(logging, "_acquireLock") else logging._lock.acquire()
        held.set()
        release.wait(30)
        logging._releaseLock() if hasattr(logging, "_releaseLock") else logging._lock.release()

    def make(limit: SoftLimit) -> Callable[[int], int]:
        import logging

        def handle(x: int) -> int:
            logging.getLogger(f"a new one {x}").debug("x")
            return x

        return handle

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(5)
        workers = ProcessWorkers(2)
        outcomes = list(workers.map(Job(make), range(20), Limits()))
        workers.close()
        assert {o.status for o in outcomes} == {Status.OK}
    finally:
        release.set()
        thread.join()


def test_a_pause_of_everything_makes_no_false_results(script: Script) -> None:
    owner = script(
        """
        from collections import Counter
        from nbbatt.limits import Limits
        from nbbatt.workers.processes import ProcessWorkers
        import test_workers_faults as t
        workers = ProcessWorkers(2)
        t.run(workers, range(4))
        print("running", flush=True)
        outcomes = t.run(workers, [("busy", 0.1) for _ in range(20)], Limits(soft_s=1.2, hard_s=1.8))
        print(Counter(o.status.value for o in outcomes), flush=True)
        workers.close()
        """
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "running\n"
    time.sleep(0.3)
    family = [psutil.Process(owner.pid), *psutil.Process(owner.pid).children(recursive=True)]
    for process in family:
        process.suspend()
    time.sleep(2.5)
    for process in reversed(family):
        process.resume()
    assert owner.stdout.readline() == "Counter({'ok': 20})\n"
    assert owner.wait(20) == 0
