"""Masks: cells chosen by colour, place or surroundings; logic on them; and painting through them."""

from __future__ import annotations

import numpy as np

from nbbatt.dsl.regions import label
from nbbatt.dsl.values import (
    Colour,
    Int,
    Mask,
    Neighbours,
    Pieces,
    check_colour,
    check_same_shape,
    check_size,
)
from nbbatt.languages import PrimitiveError
from nbbatt.tasks import Grid


def content(grid: Grid) -> Mask:
    """The cells that are not black, as a mask of the grid's shape."""
    mask: Mask = grid != 0
    return mask


def cells_of(grid: Grid, colour: Colour) -> Mask:
    """The cells of one colour, as a mask of the grid's shape."""
    check_colour(colour)
    mask: Mask = grid == colour
    return mask


def same_cells(one: Grid, other: Grid) -> Mask:
    """The cells in which two grids agree; PrimitiveError unless their shapes are equal."""
    check_same_shape(one, other)
    mask: Mask = one == other
    return mask


def mask_not(mask: Mask) -> Mask:
    """The cells that a mask leaves out."""
    return ~mask


def mask_and(one: Mask, other: Mask) -> Mask:
    """The cells that are in both masks; PrimitiveError unless their shapes are equal."""
    check_same_shape(one, other)
    return one & other


def mask_or(one: Mask, other: Mask) -> Mask:
    """The cells that are in either mask or both; PrimitiveError unless their shapes are equal."""
    check_same_shape(one, other)
    return one | other


def mask_xor(one: Mask, other: Mask) -> Mask:
    """The cells that are in exactly one of two masks; PrimitiveError unless their shapes are equal."""
    check_same_shape(one, other)
    return one ^ other


def mask_minus(one: Mask, other: Mask) -> Mask:
    """The cells of the first mask that are not in the second; PrimitiveError unless shapes are equal."""
    check_same_shape(one, other)
    return one & ~other


def border(grid: Grid) -> Mask:
    """The outermost cells of a grid's shape."""
    mask = np.ones(grid.shape, np.bool_)
    mask[1:-1, 1:-1] = False
    return mask


def neighbours(mask: Mask, kind: Neighbours) -> Mask:
    """The cells outside a mask that have one of the FOUR or EIGHT neighbours in it."""
    return _widened(mask, kind) & ~mask


def interior(mask: Mask, kind: Neighbours) -> Mask:
    """The cells of a mask whose FOUR or EIGHT neighbours are all in it; those on the border lack some."""
    inner = mask & ~_widened(~mask, kind)
    inner[[0, -1]] = inner[:, [0, -1]] = False
    return inner


def enclosed(mask: Mask) -> Mask:
    """The cells outside a mask that no path over edges leads from to the border without crossing it."""
    high, wide = mask.shape
    open_cells = np.ones((high + 2, wide + 2), np.bool_)  # the ring joins all that reaches the border
    open_cells[1:-1, 1:-1] = ~mask
    places, regions, _ = label(open_cells, diagonal=False)
    shut = np.zeros(open_cells.size, np.bool_)
    shut[places[regions != 0]] = True
    return shut.reshape(high + 2, wide + 2)[1:-1, 1:-1].copy()


def cells_under(grid: Grid, pieces: Pieces) -> Mask:
    """The cells of a grid's shape that an object, or one of several, covers."""
    mask = np.zeros(grid.shape, np.bool_)
    inside = pieces.inside(*grid.shape)
    mask[pieces.rows[inside], pieces.cols[inside]] = True
    return mask


def count_cells(mask: Mask) -> Int:
    """How many cells are in a mask."""
    return int(np.count_nonzero(mask))


def to_grid(mask: Mask, colour: Colour) -> Grid:
    """The mask's cells in a colour, on black."""
    check_colour(colour)
    return np.where(mask, np.uint8(colour), np.uint8(0))


def fill(grid: Grid, mask: Mask, colour: Colour) -> Grid:
    """The grid with the mask's cells in a colour; PrimitiveError unless the shapes are equal."""
    check_same_shape(grid, mask)
    check_colour(colour)
    return np.where(mask, np.uint8(colour), grid)


def keep_cells(grid: Grid, mask: Mask) -> Grid:
    """The grid's cells that are in the mask, on black; PrimitiveError unless the shapes are equal."""
    check_same_shape(grid, mask)
    return np.where(mask, grid, np.uint8(0))


def choose(mask: Mask, inside: Grid, outside: Grid) -> Grid:
    """One grid's cells inside a mask, another's outside; PrimitiveError unless the three shapes are equal."""
    check_same_shape(mask, inside)
    check_same_shape(mask, outside)
    return np.where(mask, inside, outside)


def stamp(mask: Mask, grid: Grid) -> Grid:
    """A copy of the grid for each cell in the mask, black for the others; PrimitiveError when too large."""
    (rows, cols), (high, wide) = mask.shape, grid.shape
    check_size(rows * high, cols * wide)
    return (mask[:, None, :, None] * grid[None, :, None, :]).reshape(rows * high, cols * wide)


def _widened(mask: Mask, kind: Neighbours) -> Mask:
    """The mask and its neighbours."""
    if kind not in (4, 8):
        raise PrimitiveError(f"{kind} is given as the kind of neighbours, and there are FOUR and EIGHT")
    wider = mask.copy()
    wider[1:] |= mask[:-1]
    wider[:-1] |= mask[1:]
    across = wider.copy() if kind == 8 else mask
    wider[:, 1:] |= across[:, :-1]
    wider[:, :-1] |= across[:, 1:]
    return wider
