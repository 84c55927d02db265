"""Objects: finding connected cells, choosing among them, moving, cutting out and painting them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nbbatt.dsl.masks import cells_under
from nbbatt.dsl.regions import Numbers, Places, label
from nbbatt.dsl.values import (
    MAX_OFFSET,
    Colour,
    Grids,
    Int,
    Neighbours,
    Object,
    Objects,
    Pieces,
    check_colour,
    frozen,
)
from nbbatt.languages import PrimitiveError
from nbbatt.tasks import Grid


def components(grid: Grid, kind: Neighbours) -> Objects:
    """Connected cells of one colour, black apart, in reading order of their first cells."""
    return _regions(grid, grid, kind)


def clusters(grid: Grid, kind: Neighbours) -> Objects:
    """Connected cells of any colours but black, in reading order of their first cells."""
    return _regions(grid, grid != 0, kind)


def colour_groups(grid: Grid) -> Objects:
    """All cells of a colour as one object, black apart, by rising colour."""
    flat = grid.ravel()
    places = flat.nonzero()[0]
    return _sorted(grid, places, flat[places].astype(np.int16), 10)


def _regions(grid: Grid, cells: npt.NDArray[Any], kind: Neighbours) -> Objects:
    if kind not in (4, 8):
        raise PrimitiveError(f"{kind} is given as the kind of neighbours, and there are FOUR and EIGHT")
    return _sorted(grid, *label(cells, diagonal=kind == 8))


def _sorted(grid: Grid, places: Places, numbers: Numbers, count: int) -> Objects:
    """Objects of the cells that bear equal numbers, by rising number."""
    places = places[numbers.argsort(kind="stable")]
    sizes = np.bincount(numbers, minlength=count)
    starts = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=starts[1:])
    if (
        not sizes.all()
    ):  # empty numbers begin where the next one does; starts are in order, so neighbours tell
        starts = starts[np.concatenate(([True], starts[1:] != starts[:-1]))]
    rows, cols = np.divmod(places.astype(np.int16), np.int16(grid.shape[1]))
    return Objects(frozen(starts), frozen(rows), frozen(cols), frozen(grid.ravel()[places]))


def _some(objects: Objects) -> Objects:
    if not len(objects):
        raise PrimitiveError("one of no objects is asked for, and there must be one")
    return objects


def largest(objects: Objects) -> Object:
    """The object with most cells, the first of equal ones; PrimitiveError if there is none."""
    return objects[int(_some(objects).sizes.argmax())]


def smallest(objects: Objects) -> Object:
    """The object with fewest cells, the first of equal ones; PrimitiveError if there is none."""
    return objects[int(_some(objects).sizes.argmin())]


def nth(objects: Objects, at: Int) -> Object:
    """The object at a place, counted from 0, or from -1 backwards; PrimitiveError if there is none."""
    if not -len(objects) <= at < len(objects):
        raise PrimitiveError(f"object {at} of {len(objects)} is asked for, and they are counted from 0")
    return objects[at % len(objects)]


def count(objects: Objects) -> Int:
    """How many objects there are."""
    return len(objects)


def size(object: Object) -> Int:
    """How many cells an object has."""
    return len(object)


def colour_of(object: Object) -> Colour:
    """The colour that most cells of an object have; of equally many, the lowest."""
    return object.colour


def of_colour(objects: Objects, colour: Colour) -> Objects:
    """The objects all of whose cells have one colour."""
    check_colour(colour)
    if not len(objects):
        return objects
    return objects.where(np.logical_and.reduceat(objects.colours == colour, objects.starts[:-1]))


def of_size(objects: Objects, cells: Int) -> Objects:
    """The objects of exactly so many cells."""
    return objects.where(objects.sizes == cells)


def at_border(objects: Objects, grid: Grid) -> Objects:
    """The objects that have a cell on the border of a grid, or outside it."""
    high, wide = grid.shape
    if not len(objects):
        return objects
    rows, cols = objects.rows, objects.cols
    outer = (rows <= 0) | (rows >= high - 1) | (cols <= 0) | (cols >= wide - 1)
    return objects.where(np.logical_or.reduceat(outer, objects.starts[:-1]))


def without(objects: Objects, others: Objects) -> Objects:
    """The objects that are not among others, in their order."""
    known = set(others)
    return objects.where(np.array([one not in known for one in objects], np.bool_))


def crop_object(object: Object) -> Grid:
    """An object's own cells on black, in the smallest grid that holds them; PrimitiveError when too large."""
    return object.crop


def crop_box(grid: Grid, object: Object) -> Grid:
    """The part of a grid under the smallest box around an object; PrimitiveError unless it lies inside."""
    top, left, high, wide = object.box
    if top < 0 or left < 0 or top + high > grid.shape[0] or left + wide > grid.shape[1]:
        raise PrimitiveError("the box around an object is cropped, and it must lie inside the grid")
    return grid[top : top + high, left : left + wide].copy()


def crops(objects: Objects) -> Grids:
    """Each object's own cells on black, in the smallest grid that holds them."""
    return tuple([frozen(one.crop) for one in objects])


def paint(grid: Grid, pieces: Pieces) -> Grid:
    """The grid with one or several objects painted at their places, later ones on top; outside is cut off."""
    rows, cols, colours = pieces.rows, pieces.cols, pieces.colours
    inside = pieces.inside(*grid.shape)
    if not inside.all():
        rows, cols, colours = rows[inside], cols[inside], colours[inside]
    painted = grid.copy()
    painted[rows, cols] = colours
    return painted


def erase(grid: Grid, pieces: Pieces) -> Grid:
    """The grid with the cells of one or several objects become black; outside is passed over."""
    return np.where(cells_under(grid, pieces), np.uint8(0), grid)


def dye(objects: Objects, colour: Colour) -> Objects:
    """The objects with all their cells in one colour."""
    check_colour(colour)
    colours = frozen(np.full_like(objects.colours, colour))
    return Objects(objects.starts, objects.rows, objects.cols, colours)


def dye_object(object: Object, colour: Colour) -> Object:
    """The object with all its cells in one colour."""
    check_colour(colour)
    return Object(object.rows, object.cols, frozen(np.full_like(object.colours, colour)))


def move(object: Object, rows: Int, cols: Int) -> Object:
    """The object moved down by ``rows``, right by ``cols`` (negative: up, left); PrimitiveError too far."""
    top, left, high, wide = object.box
    if max(abs(top + rows), abs(left + cols), abs(top + rows + high), abs(left + cols + wide)) > MAX_OFFSET:
        raise PrimitiveError(f"an object is moved {rows} down and {cols} right, over {MAX_OFFSET} cells away")
    return Object(frozen(object.rows + np.int16(rows)), frozen(object.cols + np.int16(cols)), object.colours)


def box_of(object: Object) -> Object:
    """All cells of the smallest box around an object, in the object's colour."""
    top, left, high, wide = object.box
    colours = np.full(high * wide, object.colour, np.uint8)
    rows = np.arange(top, top + high, dtype=np.int16).repeat(wide)
    cols = np.tile(np.arange(left, left + wide, dtype=np.int16), high)
    return Object(frozen(rows), frozen(cols), frozen(colours))
