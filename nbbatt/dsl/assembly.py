"""Putting grids together and taking them apart: joins, overlays, mirrored copies, panels, tilings."""

from __future__ import annotations

import numpy as np

from nbbatt.dsl.values import Colour, Grids, Int, Mask, check_colour, check_same_shape, check_size, frozen
from nbbatt.languages import PrimitiveError
from nbbatt.tasks import Grid


def hconcat(left: Grid, right: Grid) -> Grid:
    """Two grids side by side; PrimitiveError unless their heights are equal."""
    if left.shape[0] != right.shape[0]:
        raise PrimitiveError(f"heights {left.shape[0]} and {right.shape[0]} are joined, and must be equal")
    check_size(left.shape[0], left.shape[1] + right.shape[1])
    return np.concatenate((left, right), axis=1)


def vconcat(top: Grid, bottom: Grid) -> Grid:
    """One grid above another; PrimitiveError unless their widths are equal."""
    if top.shape[1] != bottom.shape[1]:
        raise PrimitiveError(f"widths {top.shape[1]} and {bottom.shape[1]} are joined, and must be equal")
    check_size(top.shape[0] + bottom.shape[0], top.shape[1])
    return np.concatenate((top, bottom))


def overlay(bottom: Grid, top: Grid) -> Grid:
    """The top grid, the bottom grid where that is black; PrimitiveError unless their shapes are equal."""
    check_same_shape(bottom, top)
    return np.where(top, top, bottom)


def unfold(grid: Grid) -> Grid:
    """The grid with its mirror image to the right, and both mirrored below; PrimitiveError when too large."""
    check_size(2 * grid.shape[0], 2 * grid.shape[1])
    upper = np.concatenate((grid, grid[:, ::-1]), axis=1)
    return np.concatenate((upper, upper[::-1]))


def surround(grid: Grid, width: Int, colour: Colour) -> Grid:
    """The grid with a frame of a width and colour around it; PrimitiveError below 1 or when too large."""
    if width < 1:
        raise PrimitiveError(f"a frame of width {width} is asked for, and it has 1 or more")
    high, wide = grid.shape
    check_size(high + 2 * width, wide + 2 * width)
    check_colour(colour)
    framed = np.full((high + 2 * width, wide + 2 * width), colour, np.uint8)
    framed[width:-width, width:-width] = grid
    return framed


def cut(grid: Grid, rows: Int, cols: Int) -> Grids:
    """The grid in ``rows`` × ``cols`` equal panels, in reading order; PrimitiveError unless it divides."""
    high, wide = grid.shape
    if rows < 1 or cols < 1 or high % rows or wide % cols:
        raise PrimitiveError(f"a grid of {high}×{wide} is cut into {rows}×{cols}, and its sides must divide")
    panels = grid.reshape(rows, high // rows, cols, wide // cols).swapaxes(1, 2)
    return tuple([frozen(panel.copy()) for row in panels for panel in row])


def split(grid: Grid) -> Grids:
    """The panels between full lines of one colour, in reading order; PrimitiveError without such lines.

    Black lines separate only where no line of another colour does.
    """
    rows, cols = (grid == grid[:, :1]).all(axis=1), (grid == grid[:1]).all(axis=0)
    lines = np.bincount(np.concatenate((grid[rows, 0], grid[0, cols])), minlength=10)
    if not lines.any():
        raise PrimitiveError("a grid is split that no full line of one colour runs through; one must")
    colour = lines[1:].argmax() + 1 if lines[1:].any() else 0
    tops, lefts = _gaps(rows & (grid[:, 0] == colour)), _gaps(cols & (grid[0] == colour))
    if not tops or not lefts:
        raise PrimitiveError("a grid of separating lines alone is split, and it must have panels")
    return tuple([frozen(grid[top:end, left:right].copy()) for top, end in tops for left, right in lefts])


def _gaps(lines: Mask) -> list[tuple[int, int]]:
    """Begin and end of each stretch between lines."""
    edges = np.diff(np.concatenate(([1], lines, [1])).astype(np.int8)).nonzero()[0].tolist()
    return list(zip(edges[::2], edges[1::2]))


def panel(grids: Grids, at: Int) -> Grid:
    """The grid at a place, counted from 0, or from -1 backwards; PrimitiveError if there is none."""
    if not -len(grids) <= at < len(grids):
        raise PrimitiveError(f"grid {at} of {len(grids)} is asked for, and they are counted from 0")
    return grids[at]


def odd_one_out(grids: Grids) -> Grid:
    """The grid that fewest of several are equal to, the first of those; PrimitiveError if there is none."""
    return _by_twins(grids, least=True)


def most_repeated(grids: Grids) -> Grid:
    """The grid that most of several are equal to, the first of those; PrimitiveError if there is none."""
    return _by_twins(grids, least=False)


def _by_twins(grids: Grids, *, least: bool) -> Grid:
    if not grids:
        raise PrimitiveError("one of no grids is asked for, and there must be one")
    keys = [(grid.shape, grid.tobytes()) for grid in grids]
    chosen = (min if least else max)(keys, key=keys.count)
    return grids[keys.index(chosen)]


def complete_tiling(grid: Grid, colour: Colour) -> Grid:
    """The grid with the cells of a colour filled in from the smallest tile that all others repeat.

    PrimitiveError if nothing repeats, or if a cell has no like of another colour or two that differ.
    """
    check_colour(colour)
    high, wide = grid.shape
    down, right = _period(grid, colour), _period(grid.T, colour)
    if down == high and right == wide:
        raise PrimitiveError("a tiling is completed in a grid that does not repeat; it must")
    least, most = _likes(grid, colour, down, right)
    if (least == 10).any():
        raise PrimitiveError("a tiling is completed in which a cell has no like to see; each must")
    if (most != least).any():
        raise PrimitiveError("a tiling is completed whose rows and columns do not repeat together; they must")
    return np.tile(most, (-(-high // down), -(-wide // right)))[:high, :wide].copy()


def _period(grid: Grid, colour: Colour) -> int:
    """The smallest step down at which cells of other colours meet only their like; the height for none."""
    high, wide = grid.shape
    known = grid != colour
    for step in range(1, high):
        if not ((grid[step:] != grid[:-step]) & known[step:] & known[:-step]).any():  # most steps end here
            least, most = _likes(grid, colour, step, wide)
            if ((least == most) | (least == 10)).all():
                return step
    return int(high)


def _likes(grid: Grid, colour: Colour, down: int, right: int) -> tuple[Grid, Grid]:
    """The least (10 for none) and greatest (0 for none) other colour at each place of a down × right tile."""
    (high, wide), rows, cols = grid.shape, -(-grid.shape[0] // down), -(-grid.shape[1] // right)
    padded = np.full((rows * down, cols * right), colour, np.uint8)
    padded[:high, :wide] = grid
    panels = padded.reshape(rows, down, cols, right)
    seen = panels != colour
    least = np.where(seen, panels, np.uint8(10)).min(axis=(0, 2))
    most = np.where(seen, panels, np.uint8(0)).max(axis=(0, 2))
    return least, most
