"""Colours: which a grid holds, and exchanging them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nbbatt.dsl.values import Colour, Int, check_colour, check_size
from nbbatt.languages import PrimitiveError
from nbbatt.tasks import Grid


def most_common(grid: Grid) -> Colour:
    """The colour that most cells have, black included; of equally many, the lowest."""
    return Colour(int(np.bincount(grid.ravel()).argmax()))


def least_common(grid: Grid) -> Colour:
    """The colour that fewest cells have among those present, black included; of equally many, the lowest."""
    counts = np.bincount(grid.ravel())
    return Colour(int(np.where(counts, counts, grid.size + 1).argmin()))


def main_colour(grid: Grid) -> Colour:
    """The commonest colour, black apart; of equally many, the lowest; PrimitiveError if all is black."""
    return _ranked(grid, least=False)


def rare_colour(grid: Grid) -> Colour:
    """The rarest colour, black apart; of equally many, the lowest; PrimitiveError if all is black."""
    return _ranked(grid, least=True)


def _ranked(grid: Grid, *, least: bool) -> Colour:
    counts = np.bincount(grid.ravel())
    counts[0] = 0
    found = int(np.where(counts, counts, grid.size + 1).argmin() if least else counts.argmax())
    if not counts[found]:
        raise PrimitiveError("a colour is looked for in a grid that is all black; it must hold another")
    return Colour(found)


def colour_at(grid: Grid, row: Int, col: Int) -> Colour:
    """The colour of a cell, counted from 0, or from -1 backwards; PrimitiveError outside the grid."""
    high, wide = grid.shape
    if not (-high <= row < high and -wide <= col < wide):
        raise PrimitiveError(f"the cell ({row}, {col}) is asked for, and the grid is {high}×{wide}")
    return Colour(int(grid[row, col]))


def count_colours(grid: Grid) -> Int:
    """How many colours a grid holds, black apart."""
    return int(np.count_nonzero(np.bincount(grid.ravel())[1:]))


def replace(grid: Grid, old: Colour, new: Colour) -> Grid:
    """The grid with one colour become another."""
    table = _table(old, new)
    table[old] = new
    return table[grid]


def swap_colours(grid: Grid, one: Colour, other: Colour) -> Grid:
    """The grid with two colours exchanged."""
    table = _table(one, other)
    table[one], table[other] = other, one
    return table[grid]


def keep_colour(grid: Grid, colour: Colour) -> Grid:
    """The grid with every cell of another colour become black."""
    check_colour(colour)
    return np.where(grid == colour, grid, np.uint8(0))


def remove_colour(grid: Grid, colour: Colour) -> Grid:
    """The grid with every cell of one colour become black."""
    return replace(grid, colour, Colour(0))


def recolour(grid: Grid, colour: Colour) -> Grid:
    """The grid with every cell that is not black become one colour."""
    check_colour(colour)
    return np.where(grid, np.uint8(colour), np.uint8(0))


def invert(grid: Grid) -> Grid:
    """Black cells in the grid's main colour, all others black; PrimitiveError if all are black."""
    return np.where(grid, np.uint8(0), np.uint8(main_colour(grid)))


def canvas(height: Int, width: Int, colour: Colour) -> Grid:
    """A grid of height × width in one colour; PrimitiveError for sides that no grid may have."""
    check_size(height, width)
    check_colour(colour)
    return np.full((height, width), colour, np.uint8)


def canvas_like(grid: Grid, colour: Colour) -> Grid:
    """A grid of another's shape in one colour."""
    check_colour(colour)
    return np.full(grid.shape, colour, np.uint8)


def _table(*colours: Colour) -> npt.NDArray[np.uint8]:
    """Each colour under its own number, to be changed; PrimitiveError when one of those asked for is none."""
    for colour in colours:
        check_colour(colour)
    return np.arange(10, dtype=np.uint8)
