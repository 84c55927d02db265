"""Items a second through worker processes, against the pools people would otherwise use."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import loky
import multiprocess
import pytest

from nbbatt.limits import Limits
from nbbatt.workers import Job
from nbbatt.workers.processes import ProcessWorkers

ITEMS = 20_000
COUNT = 2


def square(number: int) -> float:
    return math.sqrt(number) + number


def make_square(limit: object) -> Callable[[int], float]:
    return square


@pytest.fixture
def ours() -> Any:
    pools = {chunk: ProcessWorkers(COUNT, chunk=chunk) for chunk in (1, None)}
    yield pools
    for pool in pools.values():
        pool.close()


def through(pool: ProcessWorkers, items: int) -> Callable[[], object]:
    job = Job(make_square, (), "square")
    limits = Limits()

    def run() -> object:
        done = sum(outcome.value is not None for outcome in pool.map(job, range(items), limits))
        assert done == items
        return done

    run()
    return run


def test_against_pool_at_chunk_1(versus: Callable[..., float], ours: Any) -> None:
    with multiprocess.get_context("forkserver").Pool(COUNT) as pool:
        ratio = versus(
            through(ours[1], 5_000),
            lambda: list(pool.imap_unordered(square, range(5_000), chunksize=1)),
            rounds=5,
            what="workers against multiprocess.Pool, both one item at a time",
        )
    assert ratio > 1


def test_against_pool_adaptive(versus: Callable[..., float], ours: Any) -> None:
    with multiprocess.get_context("forkserver").Pool(COUNT) as pool:
        ratio = versus(
            through(ours[None], ITEMS),
            lambda: list(pool.imap_unordered(square, range(ITEMS), chunksize=1)),
            rounds=5,
            what="workers (adaptive chunks) against multiprocess.Pool (chunk 1)",
        )
    assert ratio > 5


def test_against_executor(versus: Callable[..., float], ours: Any) -> None:
    from multiprocessing import get_context

    with ProcessPoolExecutor(COUNT, mp_context=get_context("forkserver")) as pool:
        list(pool.map(square, range(100)))
        ratio = versus(
            through(ours[None], 5_000),
            lambda: list(pool.map(square, range(5_000))),
            rounds=5,
            what="workers (adaptive) against ProcessPoolExecutor (its default)",
        )
    assert ratio > 5


def test_against_loky(versus: Callable[..., float], ours: Any) -> None:
    pool = loky.ProcessPoolExecutor(COUNT)
    try:
        list(pool.map(square, range(100)))
        ratio = versus(
            through(ours[None], 5_000),
            lambda: list(pool.map(square, range(5_000))),
            rounds=5,
            what="workers (adaptive) against loky (its default)",
        )
    finally:
        pool.shutdown(wait=True)
    assert ratio > 5


def test_two_busy_workers_use_two_cores(versus: Callable[..., float], tmp_path: Path) -> None:
    from nbbatt.languages import Language
    from nbbatt.pipeline import run
    from nbbatt.tasks import Pair, Task, as_grid

    sys.path.insert(0, str(Path(__file__).parents[1]))
    import hostile

    grid = as_grid([[1, 2], [3, 4]], "a benchmark's grid")
    task = Task("burn", (Pair(grid, grid),), (Pair(grid, grid),), "made up")
    programs = [f"def solve_a(I):\n    return burns(I, {shade})\n" for shade in range(1, 61)]
    language = Language.from_module(hostile, name="hostile")
    record = run(task, language=language, programs=programs, workers=2, limit_s=60, workspace=tmp_path)
    row = {row.phase: row for row in record.profile.rows()}["check_batt"]
    versus(lambda: None, lambda: None, rounds=1, what=f"two burning workers used {row.cores_used:.2f} cores")
    assert row.cores_used == pytest.approx(2, abs=0.3)
