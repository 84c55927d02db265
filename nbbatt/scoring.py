"""How good a candidate is: differs (partial credit for one pair) and the score over all pairs.

A differ maps an output and the expected grid to [0, 1]; 1.0 means equal, and only equal. Ranking uses the demo pairs
alone: what a program does on test pairs is reported, and never helps it to be kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from nbbatt.limits import Status
from nbbatt.tasks import Grid

Differ = Callable[[Grid, Grid], float]
NEAR = 0.999
"""The most that an unequal output can get, whatever its differ rounds to."""


class PairResult(NamedTuple):
    """A program on one pair. ``ok`` is None when the pair's expected output is not known."""

    status: Status
    ok: bool | None
    differ: float
    output: str
    """Digest of the output grid, "" when there is none."""
    error: str = ""


class Score(NamedTuple):
    """A program on a task. ``value`` is the mean differ over the demo pairs, in [0, 1]."""

    value: float
    demos_ok: int
    demos: int
    tests_ok: int
    tests: int
    """Test pairs that were run and whose output is known."""

    @property
    def solved(self) -> bool:
        """Right on every demo pair, and on every test pair that was run and whose output is known."""
        return self.demos_ok == self.demos and self.tests_ok == self.tests and self.demos > 0


def score(results: Sequence[PairResult], demos: int) -> Score:
    """The score of a program's results, demo pairs first; demo pairs that were not run count as wrong."""
    first, rest = results[:demos], results[demos:]
    known = [r for r in rest if r.ok is not None]
    return Score(
        sum(r.differ for r in first) / demos if demos else 0.0,
        sum(r.ok is True for r in first),
        demos,
        sum(r.ok is True for r in known),
        len(known),
    )


def cells(output: Grid, expected: Grid) -> float:
    """The share of equal cells; 0 when the shapes differ."""
    if output.shape != expected.shape:
        return 0.0
    return _below_one(np.count_nonzero(output == expected) / expected.size)


def foreground(output: Grid, expected: Grid) -> float:
    """Intersection over union of the cells that either grid gives another colour than the expected background.

    Unlike ``cells`` it does not reward a program for leaving a mostly empty grid alone.
    """
    if output.shape != expected.shape:
        return 0.0
    background = int(np.bincount(expected.ravel(), minlength=10).argmax())
    either = (output != background) | (expected != background)
    union = int(np.count_nonzero(either))
    if not union:
        return 1.0
    return _below_one(np.count_nonzero((output == expected) & either) / union)


def shape(output: Grid, expected: Grid) -> float:
    """Half for the right shape, the other half for the right cells; below half, how near the shape is."""
    if output.shape == expected.shape:
        return _below_one(0.5 + 0.5 * np.count_nonzero(output == expected) / expected.size)
    near = [min(a, b) / max(a, b) for a, b in zip(output.shape, expected.shape)]
    return float(0.5 * near[0] * near[1])


def exact(output: Grid, expected: Grid) -> float:
    """1 when equal, else 0."""
    return float(output.shape == expected.shape and bool((output == expected).all()))


def _below_one(share: float) -> float:
    return 1.0 if share == 1.0 else min(float(share), NEAR)


DIFFERS: Mapping[str, Differ] = MappingProxyType(
    {"cells": cells, "foreground": foreground, "shape": shape, "exact": exact}
)
