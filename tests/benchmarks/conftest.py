"""Speed as ratios: what is compared runs interleaved in one session, and medians of the repeats are divided.

Run with ``pytest tests/benchmarks --benchmark-only``. A ratio says how many times longer the other way takes.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

_LINES: list[str] = []


@pytest.fixture(autouse=True)
def leak_check() -> None:
    """Not here: the pools we compare with leave servers of their own behind."""


@pytest.fixture
def versus(benchmark: Any, request: pytest.FixtureRequest) -> Callable[..., float]:
    """``versus(ours, theirs, rounds=7, what="...")``: median time of theirs over median time of ours."""

    def compare(
        ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int = 7, what: str = ""
    ) -> float:
        times: tuple[list[float], list[float]] = ([], [])
        gc.collect()
        for _ in range(rounds):
            for run, kept in zip((ours, theirs), times):
                start = time.perf_counter()
                run()
                kept.append(time.perf_counter() - start)
        mine, other = map(statistics.median, times)
        ratio = other / mine
        benchmark.extra_info["ratio"] = ratio
        benchmark.pedantic(ours, rounds=1)
        _LINES.append(
            f"{what or request.node.name}: {ratio:.2f}x ({1000 * mine:.3g} ms against {1000 * other:.3g} ms)"
        )
        return ratio

    return compare


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for line in _LINES:
        terminalreporter.write_line(line)
