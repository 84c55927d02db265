"""Lines drawn from the cells that are there: rays, connections, whole rows and columns."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from nbbatt.dsl.geometry import downward, upward
from nbbatt.dsl.values import Diagonal, Direction, Mask
from nbbatt.languages import PrimitiveError
from nbbatt.tasks import Grid


def extend(grid: Grid, direction: Direction) -> Grid:
    """The grid with a ray from each cell that is not black, over black cells until another stops it."""
    lines = downward(grid, direction)
    places = np.arange(lines.shape[0])[:, None]
    last = np.maximum.accumulate(np.where(lines, places, 0), axis=0)  # row 0 stands for none: black or itself
    return upward(lines[last, np.arange(lines.shape[1])], direction)


def extend_diagonal(grid: Grid, diagonal: Diagonal) -> Grid:
    """The grid with a slanted ray from each cell that is not black, over black until another stops it."""
    if diagonal not in (0, 1, 2, 3):
        raise PrimitiveError(f"{diagonal} is given as a diagonal, and those are UP_LEFT to DOWN_RIGHT")
    drawn = grid.copy()
    turned = drawn[:: 1 if diagonal >= 2 else -1, :: 1 if diagonal % 2 else -1]  # a view: all go down right
    for above, row in pairwise(turned):
        row[1:] += above[:-1] * (row[1:] == 0)
    return drawn


def connect_rows(grid: Grid) -> Grid:
    """The grid with black stretches in a row between two cells of one colour filled with it."""
    before = extend(grid, Direction(3))
    after = extend(grid, Direction(2))
    return np.where(before == after, before, grid)


def connect_columns(grid: Grid) -> Grid:
    """The grid with black stretches in a column between two cells of one colour filled with it."""
    before = extend(grid, Direction(1))
    after = extend(grid, Direction(0))
    return np.where(before == after, before, grid)


def full_rows(mask: Mask) -> Mask:
    """All cells of the rows that hold a cell of the mask."""
    return mask.any(axis=1).repeat(mask.shape[1]).reshape(mask.shape)


def full_columns(mask: Mask) -> Mask:
    """All cells of the columns that hold a cell of the mask."""
    return np.repeat(mask.any(axis=0, keepdims=True), mask.shape[0], axis=0)
