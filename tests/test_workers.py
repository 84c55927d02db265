"""The rooms as they are used: outcomes, several maps, dropping a map, closing; and how items are dealt."""

from __future__ import annotations

import gc
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from faulty_items import busy, make_faults
from hypothesis import given, settings
from hypothesis import strategies as st

from nbbatt.errors import NbbattError
from nbbatt.limits import Limits, SoftLimit, Status
from nbbatt.workers import Job, Outcome, Workers, WorkersError, make_workers, usable_cores
from nbbatt.workers.channel import Channel, wait
from nbbatt.workers.deal import Deal
from nbbatt.workers.launch import SpawnLauncher
from nbbatt.workers.processes import ProcessWorkers

FAULTS = Job(make_faults, (), "faults")
EASY = Limits(soft_s=20, hard_s=30)


@pytest.fixture(params=["serial", 2])
def room(request: pytest.FixtureRequest) -> Iterator[Workers]:
    made = make_workers(request.param)
    yield made
    made.close()


@pytest.fixture
def pool() -> Iterator[ProcessWorkers]:
    made = ProcessWorkers(2)
    yield made
    made.close()


def ordered(outcomes: Iterator[Outcome]) -> list[Outcome]:
    return sorted(outcomes, key=lambda outcome: outcome.index)


def values(room: Workers, job: Job, items: Sequence[Any], limits: Limits = EASY) -> list[Any]:
    outcomes = ordered(room.map(job, items, limits))
    assert [o.error for o in outcomes] == [""] * len(items)
    return [o.value for o in outcomes]


def make_adder(offset: int, limit: SoftLimit) -> Callable[[int], int]:
    return lambda x: x + offset


def make_sleeper(limit: SoftLimit) -> Callable[[float], None]:
    return time.sleep


def make_busy(limit: SoftLimit) -> Callable[[float], float]:
    return busy


# ---------------------------------------------------------------------- every room


def test_one_outcome_an_item_with_its_times(room: Workers) -> None:
    began = time.monotonic()
    outcomes = ordered(room.map(Job(make_adder, (10,)), [1, 2, 3], EASY))
    assert [(o.index, o.status, o.value, o.error, o.traceback) for o in outcomes] == [
        (n, Status.OK, n + 11, "", "") for n in range(3)
    ]
    for outcome in outcomes:
        assert 0 <= outcome.worker < room.count
        assert began <= outcome.started <= time.monotonic()
        assert 0 <= outcome.wall_s < 10
        assert 0 <= outcome.cpu_s < 10


def test_no_items_no_outcomes(room: Workers) -> None:
    assert list(room.map(FAULTS, [], EASY)) == []


def test_several_maps_with_different_jobs(room: Workers) -> None:
    for offset in (1, 100, 1):
        assert values(room, Job(make_adder, (offset,)), range(50)) == [n + offset for n in range(50)]


def test_sleep_is_wall_and_work_is_cpu(room: Workers) -> None:
    (slept,) = room.map(Job(make_sleeper), [0.3], EASY)
    assert slept.wall_s >= 0.3
    assert slept.cpu_s < 0.1
    (worked,) = room.map(Job(make_busy), [0.2], EASY)
    assert worked.wall_s >= worked.cpu_s * 0.9
    assert worked.cpu_s >= 0.19


def test_a_handler_may_charge_its_limit(room: Workers) -> None:
    def make(limit: SoftLimit) -> Callable[[float], None]:
        def handle(seconds: float) -> None:
            limit.charge(seconds)
            while True:
                pass

        return handle

    (outcome,) = room.map(Job(make), [59.9], Limits(soft_s=60, hard_s=70))
    assert outcome.status is Status.TIMEOUT
    assert outcome.wall_s < 10


def test_cancel_before_the_start(room: Workers) -> None:
    cancel = threading.Event()
    cancel.set()
    outcomes = ordered(room.map(FAULTS, range(5), EASY, cancel))
    assert [(o.status, o.worker) for o in outcomes] == [(Status.CANCELLED, -1)] * 5


def test_cancel_half_way_keeps_what_is_done(room: Workers) -> None:
    cancel = threading.Event()
    timer = threading.Timer(0.1, cancel.set)
    items = [1, 2, 3, ("never_ends",), ("never_ends",), ("never_ends",)]
    done: dict[int, Outcome] = {}
    for outcome in room.map(FAULTS, items, EASY, cancel):
        done[outcome.index] = outcome
        if len(done) == 3:
            timer.start()
    timer.join()
    assert [done[n].value for n in range(3)] == [1, 4, 9]
    assert [done[n].status for n in range(3, 6)] == [Status.CANCELLED] * 3


def make_broken(limit: SoftLimit) -> Any:
    raise ValueError("the reason")


def make_exit(limit: SoftLimit) -> Any:
    sys.exit("leaving")


@pytest.mark.parametrize("make", [make_broken, make_exit])
def test_a_job_that_does_not_load_is_one_clear_error(room: Workers, make: Any) -> None:
    with pytest.raises(WorkersError, match=r"the job 'mine' cannot be loaded.*(the reason|leaving)"):
        list(room.map(Job(make, (), "mine"), range(100), EASY))
    assert values(room, Job(make_adder, (1,)), [1]) == [2]


def test_closed_is_closed(room: Workers) -> None:
    values(room, Job(make_adder, (1,)), [1])
    assert room.close() == room.close() >= 0.0
    with pytest.raises(WorkersError, match="closed"):
        room.map(FAULTS, [1], EASY)


def test_dropping_a_map_half_way_leaves_the_room_usable(room: Workers) -> None:
    for _ in range(3):
        drawn = room.map(FAULTS, [*range(30), *[("sleep", 0.05)] * 100], EASY)
        assert [next(drawn).status for _ in range(10)] == [Status.OK] * 10
        del drawn
        assert values(room, Job(make_adder, (5,)), range(20)) == list(range(5, 25))


@pytest.mark.parametrize("spec", [0, -1, True, 1.5, "two", "dask", None, 10**6])
def test_rooms_that_cannot_be(spec: Any) -> None:
    with pytest.raises(WorkersError, match="workers is") as caught:
        make_workers(spec)
    assert isinstance(caught.value, NbbattError)


# ---------------------------------------------------------------------- the serial room


def test_serial_is_in_order_in_this_thread_and_leaves_no_thread() -> None:
    room = make_workers("serial")
    threads = threading.active_count()

    def make(limit: SoftLimit) -> Callable[[int], int]:
        return lambda x: threading.get_ident()

    outcomes = list(room.map(Job(make), range(5), EASY))
    assert [o.index for o in outcomes] == list(range(5))
    assert {o.value for o in outcomes} == {threading.get_ident()}
    assert threading.active_count() == threads
    assert room.close() == 0.0
    assert (room.name, room.count) == ("serial", 1)


def test_serial_stops_what_swallows_once_and_closing_cancels_the_rest() -> None:
    room = make_workers("serial")
    drawn = room.map(FAULTS, [("never_ends",), 2, 3], Limits(soft_s=0.05, hard_s=1))
    assert next(drawn).status is Status.TIMEOUT
    room.close()
    assert [o.status for o in drawn] == [Status.CANCELLED] * 2


# ---------------------------------------------------------------------- the process room


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_a_fixed_chunk_gives_the_same(chunk: int) -> None:
    room = ProcessWorkers(2, chunk)
    assert values(room, Job(make_adder, (1,)), range(500)) == list(range(1, 501))
    room.close()


def test_a_value_is_what_it_was_when_its_item_ended(pool: ProcessWorkers) -> None:
    def make(limit: SoftLimit) -> Callable[[int], list[int]]:
        seen: list[int] = []

        def handle(x: int) -> list[int]:
            seen.append(x)
            return seen

        return handle

    for outcome in pool.map(Job(make), range(300), EASY):
        assert outcome.value[-1] == outcome.index


def test_items_that_cannot_travel_are_errors_of_their_own(pool: ProcessWorkers) -> None:
    class Odd:
        def __reduce__(self) -> Any:
            return (int, ("not a number",))

    def make(limit: SoftLimit) -> Callable[[Any], str]:
        return lambda item: type(item).__name__

    items = [*range(50), (n for n in "ab"), *range(50), Odd(), lambda: None]
    outcomes = ordered(pool.map(Job(make), items, EASY))
    assert [o.index for o in outcomes if o.status is not Status.OK] == [50, 101]
    assert "cannot be sent" in outcomes[50].error
    assert "cannot be read in a worker (ValueError" in outcomes[101].error
    assert outcomes[102].value == "function"  # by value, as dill does it


def test_a_job_that_cannot_be_sent_is_a_clear_error(pool: ProcessWorkers) -> None:
    with pytest.raises(WorkersError, match="the job 'mine' cannot be sent"):
        list(pool.map(Job(make_adder, ((n for n in "ab"),), "mine"), [1], EASY))


def make_dead(limit: SoftLimit) -> Any:
    os._exit(3)


def test_a_job_that_ends_its_worker_is_a_clear_error(pool: ProcessWorkers) -> None:
    with pytest.raises(WorkersError, match="ends the worker that loads it: exit code 3"):
        list(pool.map(Job(make_dead), range(10), EASY))
    assert values(pool, Job(make_adder, (1,)), [1]) == [2]


def test_a_path_added_after_the_start_is_known(
    pool: ProcessWorkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert values(pool, Job(make_adder, (1,)), [1]) == [2]
    (tmp_path / "late_module_of_a_test.py").write_text("def make(limit):\n    return lambda x: -x\n")
    monkeypatch.syspath_prepend(tmp_path)
    import late_module_of_a_test  # type: ignore[import-not-found]

    assert values(pool, Job(late_module_of_a_test.make), [1, 2]) == [-1, -2]


def test_a_second_map_ends_the_first(pool: ProcessWorkers) -> None:
    first = pool.map(FAULTS, [("sleep", 0.01)] * 100, EASY)
    next(first)
    assert values(pool, Job(make_adder, (1,)), range(10)) == list(range(1, 11))
    with pytest.raises(WorkersError, match="given up"):
        list(first)


def test_an_error_in_the_loop_over_a_map_does_not_disturb_the_next(pool: ProcessWorkers) -> None:
    kept = None
    try:
        for _ in pool.map(FAULTS, range(1000), EASY):
            raise LookupError
    except LookupError as error:
        kept = error  # its traceback keeps the half-drawn map alive, as a notebook's last error does
    assert values(pool, Job(make_adder, (1,)), range(10)) == list(range(1, 11))
    assert kept is not None


def test_closing_from_another_thread_ends_a_map(pool: ProcessWorkers) -> None:
    timer = threading.Timer(0.1, pool.close)
    statuses = []
    for outcome in pool.map(FAULTS, [1, *[("never_ends",)] * 10], EASY):
        statuses.append(outcome.status)
        if len(statuses) == 1:
            timer.start()
    timer.join()
    assert statuses == [Status.OK] + [Status.CANCELLED] * 10


def test_close_counts_the_cpu_of_all_processes(pool: ProcessWorkers) -> None:
    outcomes = list(pool.map(Job(make_busy), [0.2] * 5 + [0.1] * 2, EASY))
    (killed,) = pool.map(FAULTS, [("one_long_c_call",)], Limits(soft_s=0.2, hard_s=0.4))
    seen = sum(o.cpu_s for o in [*outcomes, killed])
    assert seen > 1.2
    assert killed.cpu_s > 0.01
    total = pool.close()
    assert seen <= total < seen + 5.0
    assert not [p for p in psutil.Process().children(recursive=True) if p.name().startswith("nbbatt")]


def test_a_room_that_is_let_go_is_closed() -> None:
    room = ProcessWorkers(2)
    values(room, Job(make_adder, (1,)), [1])
    del room
    gc.collect()
    assert not [p for p in psutil.Process().children(recursive=True) if p.name().startswith("nbbatt")]


def test_rooms_that_are_started_and_closed_at_once() -> None:
    for count in (1, 8):
        room = ProcessWorkers(count)
        room.start()
        room.start()
        assert room.close() < 10
    assert ProcessWorkers(2).close() == 0.0


def test_an_interpreter_with_a_forgotten_room_ends(tmp_path: Path) -> None:
    script = """
from nbbatt.limits import Limits
from nbbatt.workers import Job, make_workers
import threading, time
def make(limit):
    return lambda x: x
def make_stuck(limit):
    def handle(x):
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass
    return handle
room = make_workers(2)
print(sum(o.value for o in room.map(Job(make), range(100), Limits())))
drawn = room.map(Job(make_stuck), range(100), Limits(soft_s=50, hard_s=60))
threading.Thread(target=lambda: next(drawn, None), daemon=True).start()
time.sleep(0.3)
"""
    path = tmp_path / "forgets.py"
    path.write_text(script, encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    line = [sys.executable, str(path)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=30, env=env, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "4950\n", "")


def test_workers_have_no_descriptor_but_their_pipe(pool: ProcessWorkers) -> None:
    def make(limit: SoftLimit) -> Callable[[int], list[str]]:
        return lambda _: [entry.name for entry in Path("/proc/self/fd").iterdir() if int(entry.name) > 2]

    assert all(
        len(found) == 2 for found in values(pool, Job(make), range(4))
    )  # the pipe, and the listing itself


# ---------------------------------------------------------------------- spawned workers (other platforms)


def test_the_spawned_room_does_the_same() -> None:
    room = ProcessWorkers(2, launcher=SpawnLauncher(2))
    items = [*range(20), ("_exit", 3), ("swallows_everything",), ("raises", "SystemExit"), *range(20)]
    outcomes = ordered(room.map(FAULTS, items, Limits(soft_s=0.2, hard_s=0.5)))
    assert [o.value for o in outcomes[:20]] == [n * n for n in range(20)]
    assert [o.status for o in outcomes[20:23]] == [Status.DIED, Status.KILLED, Status.ERROR]
    assert outcomes[20].error == "exit code 3"
    assert [o.value for o in outcomes[23:]] == [n * n for n in range(20)]
    assert room.close() > 0.0


# ---------------------------------------------------------------------- the deal


class Hostile:
    """A make-believe pool: lanes that finish, die or lose chunks as a list of choices says."""

    def __init__(self, deal: Deal, lanes: int) -> None:
        self.deal = deal
        self.held: list[list[list[int]]] = [[] for _ in range(lanes)]
        self.alone = [False] * lanes
        self.settled: list[int] = []
        self.died: list[int] = []

    def refill(self) -> None:
        for lane, chunks in enumerate(self.held):
            if not chunks and (index := self.deal.take_alone()) is not None:
                chunks.append([index])
                self.alone[lane] = True
        for depth in range(self.deal.depth):
            for lane, chunks in enumerate(self.held):
                if len(chunks) == depth and not self.alone[lane] and self.deal.waiting:
                    chunks.append(self.deal.take())
                    assert chunks[-1]

    def settle(self, index: int) -> None:
        if self.deal.settle(index):
            self.settled.append(index)

    def act(self, lane: int, choice: int) -> None:
        held = [index for chunk in self.held[lane] for index in chunk]
        if not held:
            return
        if choice < 6:
            chunk = self.held[lane].pop(0)
            for index in chunk:
                self.settle(index)
            self.deal.measured(0.0001 * 10**choice * len(chunk), len(chunk))
        else:
            culprit = held[0] if choice < 8 else None
            if choice == 6 and len(held) > 1:
                self.settle(held[-1])
            gone = self.deal.lost(held, culprit, alone=self.alone[lane])
            if gone is not None:
                self.settle(gone)
                self.died.append(gone)
            self.held[lane].clear()
        if not self.held[lane]:
            self.alone[lane] = False


@settings(max_examples=60, deadline=None)
@given(
    total=st.integers(0, 300),
    lanes=st.integers(1, 8),
    chunk=st.one_of(st.none(), st.integers(1, 50)),
    choices=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 9)), max_size=200),
)
def test_every_item_is_settled_once_whatever_happens(
    total: int, lanes: int, chunk: int | None, choices: list[tuple[int, int]]
) -> None:
    pool = Hostile(Deal(total, lanes, chunk), lanes)
    for lane, choice in choices:
        pool.refill()
        pool.act(lane % lanes, choice)
    for _ in range(4 * total + 4):
        pool.refill()
        for lane in range(lanes):
            pool.act(lane, 0)
    assert sorted(pool.settled) == list(range(total))
    assert pool.deal.left == 0
    assert not pool.deal.open()


def test_an_item_that_always_kills_is_settled_after_its_second_death() -> None:
    deal = Deal(10, 1)
    assert deal.take() == [0]
    assert deal.lost([0], 0, alone=False) is None
    assert deal.take_alone() == 0
    assert deal.lost([0], 0, alone=True) == 0


def test_an_item_whose_worker_is_always_lost_comes_to_an_end() -> None:
    deal = Deal(1, 1)
    assert deal.take() == [0]
    for _ in range(20):
        gone = deal.lost([0], None, alone=deal.waiting == 0)
        if gone is not None:
            break
        if deal.take_alone() is None:
            deal.take()
    assert gone == 0


def test_chunks_grow_with_short_items_and_shrink_to_the_end() -> None:
    deal = Deal(10_000, 2)
    sizes = []
    while deal.waiting:
        chunk = deal.take()
        sizes.append(len(chunk))
        deal.measured(1e-5 * len(chunk), len(chunk))
    assert sizes[:4] == [1, 2, 4, 8]
    assert 500 < max(sizes) <= 1000
    assert sizes[-1] == 1


def test_long_items_travel_alone() -> None:
    deal = Deal(100, 2)
    for _ in range(100):
        assert len(deal.take()) == 1
        deal.measured(0.02, 1)
    assert deal.depth == 1


def test_heavy_chunks_are_made_lighter() -> None:
    deal = Deal(10_000, 2)
    for _ in range(12):
        chunk = deal.take()
        deal.measured(1e-6 * len(chunk), len(chunk))
        deal.weighed(len(chunk) << 16, len(chunk))
    assert len(deal.take()) <= 16


# ---------------------------------------------------------------------- the pipe's end


def test_a_channel_never_blocks_and_loses_nothing() -> None:
    import multiprocess

    ours, theirs = multiprocess.Pipe()
    channel = Channel(ours)
    messages = [os.urandom(size) for size in (0, 1, 5_000, 3_000_000, 20_000, 7)]
    for message in messages:
        channel.send(message)  # far more than the pipe takes, and nobody reads
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.extend(theirs.recv_bytes() for _ in messages))
    reader.start()
    while not channel.flush():
        time.sleep(0.001)
    reader.join(10)
    assert got == messages
    writer = threading.Thread(target=lambda: [theirs.send_bytes(message) for message in messages])
    writer.start()
    back: list[bytes] = []
    while len(back) < len(messages):
        wait([channel], 5)
        back.extend(channel.receive())
    writer.join(10)
    assert back == messages
    assert not channel.ended
    theirs.close()
    assert channel.receive() == []
    assert channel.ended
    channel.send(b"to nobody")
    channel.close()


def test_half_a_message_does_not_block_and_nonsense_ends_a_channel() -> None:
    import multiprocess

    ours, theirs = multiprocess.Pipe()
    channel = Channel(ours)
    os.write(theirs.fileno(), b"\0\0\1\0only half of it")
    assert channel.receive() == []
    assert not channel.ended
    os.write(theirs.fileno(), bytes(0x100 - 15) + b"\xff\xff\xff\xfe")
    assert [len(message) for message in channel.receive()] == [0x100]
    assert channel.ended
    theirs.close()
    channel.close()


# ---------------------------------------------------------------------- cores


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, math.inf),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, math.inf),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}, 3),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "100000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/../host/path\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        (
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/docker/x\n1:memory:/\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            2,
        ),
        (
            {
                "proc/self/cgroup": "2:cpu:/x\n",
                "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000\n",
            },
            math.inf,
        ),
        ({"proc/self/cgroup": "nonsense\n\n::\n"}, math.inf),
    ],
)
def test_usable_cores_minds_affinity_and_quotas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: float
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert usable_cores(tree(tmp_path, files)) == min(8, cores)


def test_usable_cores_here() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
