"""Turning, mirroring, cutting, repeating and moving whole grids."""

from __future__ import annotations

import numpy as np

from nbbatt.dsl.values import Direction, Int, Mask, check_same_shape, check_size
from nbbatt.languages import PrimitiveError
from nbbatt.tasks import Grid


def rot90(grid: Grid) -> Grid:
    """The grid turned a quarter clockwise: height × width becomes width × height."""
    return grid[::-1].T.copy()


def rot180(grid: Grid) -> Grid:
    """The grid turned by half, of the same shape."""
    return grid[::-1, ::-1].copy()


def rot270(grid: Grid) -> Grid:
    """The grid turned a quarter counter-clockwise: height × width becomes width × height."""
    return grid.T[::-1].copy()


def mirror_lr(grid: Grid) -> Grid:
    """The grid with left and right exchanged, of the same shape."""
    return grid[:, ::-1].copy()


def mirror_ud(grid: Grid) -> Grid:
    """The grid with top and bottom exchanged, of the same shape."""
    return grid[::-1].copy()


def transpose(grid: Grid) -> Grid:
    """The grid with rows and columns exchanged: mirrored at the diagonal from the top left."""
    return grid.T.copy()


def anti_transpose(grid: Grid) -> Grid:
    """The grid mirrored at the diagonal from the top right: height × width becomes width × height."""
    return grid[::-1, ::-1].T.copy()


def height(grid: Grid) -> Int:
    """How many rows a grid has."""
    return int(grid.shape[0])


def width(grid: Grid) -> Int:
    """How many columns a grid has."""
    return int(grid.shape[1])


def crop(grid: Grid, top: Int, left: Int, height: Int, width: Int) -> Grid:
    """The height × width part from the cell (top, left) on, from 0; PrimitiveError unless it lies inside."""
    high, wide = grid.shape
    if top < 0 or left < 0 or height < 1 or width < 1 or top + height > high or left + width > wide:
        raise PrimitiveError(
            f"a crop of {height}×{width} at ({top}, {left}) is asked for, and the grid is {high}×{wide}"
        )
    return grid[top : top + height, left : left + width].copy()


def crop_to(grid: Grid, mask: Mask) -> Grid:
    """The smallest part of a grid that holds all cells of a mask of its shape; PrimitiveError for none."""
    check_same_shape(grid, mask)
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise PrimitiveError("a crop to an empty mask is asked for, and it must hold a cell")
    return grid[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1].copy()


def trim(grid: Grid) -> Grid:
    """The smallest part of a grid that holds all cells that are not black; PrimitiveError if all is black."""
    return crop_to(grid, grid != 0)


def drop_empty(grid: Grid) -> Grid:
    """The grid without its wholly black rows and columns; PrimitiveError if all is black."""
    filled = grid != 0
    rows, cols = filled.any(axis=1), filled.any(axis=0)
    if not rows.any():
        raise PrimitiveError("empty lines of an all-black grid are dropped, and one cell must remain")
    return np.ascontiguousarray(grid[rows][:, cols])


def drop_repeats(grid: Grid) -> Grid:
    """The grid with neighbouring equal rows, then neighbouring equal columns, merged into one."""
    rows = np.ones(grid.shape[0], np.bool_)
    (grid[1:] != grid[:-1]).any(axis=1, out=rows[1:])
    kept = grid[rows]
    cols = np.ones(grid.shape[1], np.bool_)
    (kept[:, 1:] != kept[:, :-1]).any(axis=0, out=cols[1:])
    return np.ascontiguousarray(kept[:, cols])


def top_half(grid: Grid) -> Grid:
    """The upper half, without the middle row of an odd height; PrimitiveError for a single row."""
    return grid[: _half(grid.shape[0])].copy()


def bottom_half(grid: Grid) -> Grid:
    """The lower half, without the middle row of an odd height; PrimitiveError for a single row."""
    return grid[grid.shape[0] - _half(grid.shape[0]) :].copy()


def left_half(grid: Grid) -> Grid:
    """The left half, without the middle column of an odd width; PrimitiveError for a single column."""
    return grid[:, : _half(grid.shape[1])].copy()


def right_half(grid: Grid) -> Grid:
    """The right half, without the middle column of an odd width; PrimitiveError for a single column."""
    return grid[:, grid.shape[1] - _half(grid.shape[1]) :].copy()


def _half(side: int) -> int:
    if side < 2:
        raise PrimitiveError(f"half of a side of {side} is asked for, and it needs 2 cells or more")
    return side // 2


def tile(grid: Grid, rows: Int, cols: Int) -> Grid:
    """The grid repeated, ``rows`` × ``cols`` copies; PrimitiveError below 1 or when too large."""
    check_size(grid.shape[0] * rows, grid.shape[1] * cols)
    return np.tile(grid, (rows, cols))


def scale_up(grid: Grid, factor: Int) -> Grid:
    """Each cell as a square of factor × factor; PrimitiveError below 1 or when too large."""
    check_size(grid.shape[0] * factor, grid.shape[1] * factor)
    return grid.repeat(factor, axis=0).repeat(factor, axis=1)


def scale_down(grid: Grid, factor: Int) -> Grid:
    """The top left cell of each factor × factor square; PrimitiveError unless both sides divide by it."""
    if factor < 1 or grid.shape[0] % factor or grid.shape[1] % factor:
        raise PrimitiveError(
            f"a grid of {grid.shape[0]}×{grid.shape[1]} is scaled down by {factor}, and must divide by it"
        )
    return grid[::factor, ::factor].copy()


def shift(grid: Grid, rows: Int, cols: Int) -> Grid:
    """The grid moved down by ``rows`` and right by ``cols`` (negative: up, left); black enters."""
    high, wide = grid.shape
    moved = np.zeros_like(grid)
    if abs(rows) < high and abs(cols) < wide:
        moved[max(rows, 0) : high + min(rows, 0), max(cols, 0) : wide + min(cols, 0)] = grid[
            max(-rows, 0) : high - max(rows, 0), max(-cols, 0) : wide - max(cols, 0)
        ]
    return moved


def gravity(grid: Grid, direction: Direction) -> Grid:
    """All cells that are not black fallen in a direction, each line by itself, keeping their order."""
    fallen = downward(grid, direction)
    order = np.argsort(fallen != 0, axis=0, kind="stable")
    return upward(fallen[order, np.arange(fallen.shape[1])], direction)


def downward(grid: Grid, direction: Direction) -> Grid:
    """A view in which the direction points down; PrimitiveError for no such direction."""
    if direction == 0:
        return grid[::-1]
    if direction == 1:
        return grid
    if direction == 2:
        return grid[:, ::-1].T
    if direction == 3:
        return grid.T
    raise PrimitiveError(f"{direction} is given as a direction, and those are UP, DOWN, LEFT and RIGHT")


def upward(grid: Grid, direction: Direction) -> Grid:
    """What ``downward`` turned, turned back and made contiguous."""
    if direction == 2:
        return grid.T[:, ::-1].copy()
    return np.ascontiguousarray(downward(grid, direction))
