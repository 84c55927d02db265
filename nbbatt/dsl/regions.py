"""Connected cells, found by runs: what components, clusters and enclosed regions have in common.

A grid's rows are cut into runs of one value by numpy; runs that touch in neighbouring rows are joined by a
small union-find. So the Python loop is over touching runs, never over cells.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Places: TypeAlias = npt.NDArray[np.intp]
Numbers: TypeAlias = npt.NDArray[np.int16]


def label(cells: npt.NDArray[Any], *, diagonal: bool) -> tuple[Places, Numbers, int]:
    """Places (flat, rising) of the cells that are not 0, the number of each one's region, the count of them.

    Cells of one region are connected through cells of equal value. Regions are numbered from 0, by their
    first cell.
    """
    high, wide = cells.shape
    begins = cells != 0
    places = begins.ravel().nonzero()[0]
    begins[:, 1:] &= cells[:, 1:] != cells[:, :-1]
    runs = begins.ravel().cumsum()
    count = int(runs[-1]) if len(runs) else 0
    joints = _joints(cells, runs.reshape(high, wide), diagonal)
    number, regions = _numbered(count, joints)
    return places, number[runs[places]], regions


def _joints(cells: npt.NDArray[Any], runs: Places, diagonal: bool) -> set[tuple[int, int]]:
    """Pairs of runs that touch."""
    meetings = [(cells[:-1], cells[1:], runs[:-1], runs[1:])]
    if diagonal:
        meetings.append((cells[:-1, :-1], cells[1:, 1:], runs[:-1, :-1], runs[1:, 1:]))
        meetings.append((cells[:-1, 1:], cells[1:, :-1], runs[:-1, 1:], runs[1:, :-1]))
    joints: set[tuple[int, int]] = set()
    for above, below, runs_above, runs_below in meetings:
        same = (above == below) & (above != 0)
        joints.update(zip(runs_above[same].tolist(), runs_below[same].tolist()))
    return joints


def _numbered(count: int, joints: set[tuple[int, int]]) -> tuple[Numbers, int]:
    """The region of each run, and how many regions there are; run 0 stands for no run."""
    parent = list(range(count + 1))
    for a, b in joints:
        while parent[a] != a:
            parent[a] = a = parent[parent[a]]  # halving the path, so that long snakes stay cheap
        while parent[b] != b:
            parent[b] = b = parent[parent[b]]
        if a < b:
            parent[b] = a
        else:
            parent[a] = b
    number = [-1] * (count + 1)
    regions = 0
    for run in range(1, count + 1):  # a parent comes before its children, so it has its number
        if parent[run] == run:
            number[run] = regions
            regions += 1
        else:
            number[run] = number[parent[run]]
    return np.array(number, np.int16), regions
