"""Primitives that misbehave in every way we know, for languages made in tests."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.uint8]


def same(grid: Grid) -> Grid:
    return grid


def turned(grid: Grid) -> Grid:
    return np.rot90(grid)


def loops(grid: Grid) -> Grid:
    while True:
        pass


def loops_in_c(grid: Grid) -> Grid:
    return sum(range(10**14))  # type: ignore[return-value]


def swallows(grid: Grid) -> Grid:
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue


def exits(grid: Grid) -> Grid:
    sys.exit(3)


def interrupts(grid: Grid) -> Grid:
    raise KeyboardInterrupt


def kills_itself(grid: Grid) -> Grid:
    os.kill(os.getpid(), signal.SIGKILL)
    return grid


def leaves(grid: Grid) -> Grid:
    os._exit(0)


def eats_memory(grid: Grid) -> Grid:
    hoard = []
    while True:
        hoard.append(np.empty(100_000_000, np.uint8))


def recurses(grid: Grid) -> Grid:
    return recurses(grid)


def unpicklable(grid: Grid) -> Grid:
    return lambda: grid  # type: ignore[return-value]


def chatters(grid: Grid) -> Grid:
    for _ in range(2_000):
        print("x" * 100_000)
    return grid


def sleeps(grid: Grid, shade: int) -> Grid:
    """Waits 50 ms; another grid for another shade, so that no two calls are alike."""
    time.sleep(0.05)
    return (grid + np.uint8(shade)) % np.uint8(10)


def burns(grid: Grid, shade: int) -> Grid:
    """Computes for 50 ms of CPU time."""
    end = time.thread_time() + 0.05
    while time.thread_time() < end:
        pass
    return (grid + np.uint8(shade)) % np.uint8(10)


_CALLS = [0]


def counts(grid: Grid) -> Grid:
    """Not pure: another answer at every call."""
    _CALLS[0] += 1
    return np.full((1, 1), _CALLS[0] % 10, np.uint8)
