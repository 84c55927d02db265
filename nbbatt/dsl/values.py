"""The kinds of value that programs of the built-in language pass around.

A Grid is a contiguous uint8 array (height, width) of colours 0 to 9, a Mask such a bool array. Black, 0, is
the empty colour. An Object is a set of coloured cells at absolute places, rows counted downwards from 0.
Objects are several, in columns so that work on all of them is one numpy call. They may reach outside a
grid: painting clips. Values are shared between programs, so none can be changed: arrays inside them are
read-only, and ``key()`` gives equal keys to equal contents. Sides of intermediate values end at MAX_SIDE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any, NewType, TypeAlias

import numpy as np
import numpy.typing as npt

from nbbatt.languages import PrimitiveError
from nbbatt.tasks import Grid

MAX_SIDE = 60
MAX_OFFSET = 120
"""How far from the origin an object's cells may be moved."""

Mask: TypeAlias = npt.NDArray[np.bool_]
Grids: TypeAlias = tuple[Grid, ...]
Int: TypeAlias = int
Bool: TypeAlias = bool
Colour = NewType("Colour", int)
Direction = NewType("Direction", int)
"""One of four straight directions."""
Diagonal = NewType("Diagonal", int)
"""One of four slanted directions."""
Neighbours = NewType("Neighbours", int)
"""4 (sharing an edge) or 8 (sharing an edge or a corner)."""
Function: TypeAlias = Callable[..., Any]
GridFunction: TypeAlias = Callable[[Grid], Grid]
GridJoin: TypeAlias = Callable[[Grid, Grid], Grid]
GridMeasure: TypeAlias = Callable[[Grid], int]
ObjectFunction: TypeAlias = Callable[["Object"], "Object"]
ObjectMeasure: TypeAlias = Callable[["Object"], int]

_Places: TypeAlias = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """One or more coloured cells: ``rows``, ``cols`` (int16), ``colours`` (uint8), each of shape (cells,)."""

    rows: _Places
    cols: _Places
    colours: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.rows)

    def key(self) -> tuple[bytes, bytes, bytes]:
        """Equal for objects of equal cells in equal order."""
        return self.rows.tobytes(), self.cols.tobytes(), self.colours.tobytes()

    def __eq__(self, other: object) -> bool:
        return type(other) is Object and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def __repr__(self) -> str:
        top, left, height, width = self.box
        return f"<Object of {len(self)} cells in {height}×{width} at ({top}, {left})>"

    def inside(self, height: int, width: int) -> Mask:
        """Which cells lie in a grid of this size, as a mask of shape (cells,)."""
        return inside(self.rows, self.cols, height, width)

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Top, left, height and width of the smallest rectangle that holds all cells."""
        top, left = int(self.rows.min()), int(self.cols.min())
        return top, left, int(self.rows.max()) - top + 1, int(self.cols.max()) - left + 1

    @property
    def colour(self) -> Colour:
        """The colour that most of its cells have; of equally many, the lowest."""
        return Colour(int(np.bincount(self.colours).argmax()))

    @property
    def crop(self) -> Grid:
        """Its cells on black, in its box."""
        top, left, height, width = self.box
        check_size(height, width)
        grid = np.zeros((height, width), np.uint8)
        grid[self.rows - top, self.cols - left] = self.colours
        return grid


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """Objects in an order: the i-th has the cells ``starts[i]`` to ``starts[i + 1]`` of the three columns."""

    starts: npt.NDArray[np.int32]
    rows: _Places
    cols: _Places
    colours: npt.NDArray[np.uint8]

    @classmethod
    def of(cls, objects: list[Object]) -> Objects:
        """These objects, in this order."""
        starts = np.zeros(len(objects) + 1, np.int32)
        if not objects:
            places = frozen(np.zeros(0, np.int16))
            return cls(frozen(starts), places, places, frozen(np.zeros(0, np.uint8)))
        np.cumsum([len(one) for one in objects], out=starts[1:])
        rows = np.concatenate([one.rows for one in objects])
        cols = np.concatenate([one.cols for one in objects])
        colours = np.concatenate([one.colours for one in objects])
        return cls(frozen(starts), frozen(rows), frozen(cols), frozen(colours))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, at: int) -> Object:
        begin, end = self.starts[at], self.starts[at + 1]
        return Object(self.rows[begin:end], self.cols[begin:end], self.colours[begin:end])

    def __iter__(self) -> Iterator[Object]:
        return (self[i] for i in range(len(self)))

    def key(self) -> tuple[bytes, bytes, bytes, bytes]:
        """Equal for equal objects in equal order."""
        return self.starts.tobytes(), self.rows.tobytes(), self.cols.tobytes(), self.colours.tobytes()

    def __eq__(self, other: object) -> bool:
        return type(other) is Objects and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def __repr__(self) -> str:
        return f"<Objects: {len(self)}>"

    def inside(self, height: int, width: int) -> Mask:
        """Which cells lie in a grid of this size, as a mask of shape (cells,)."""
        return inside(self.rows, self.cols, height, width)

    @property
    def sizes(self) -> npt.NDArray[np.int32]:
        """How many cells each has."""
        return np.diff(self.starts)

    def where(self, keep: Mask) -> Objects:
        """Those whose place in ``keep``, of shape (objects,), is true."""
        if keep.all():
            return self
        cells = keep.repeat(self.sizes)
        starts = np.zeros(int(keep.sum()) + 1, np.int32)
        np.cumsum(self.sizes[keep], out=starts[1:])
        return Objects(
            frozen(starts), frozen(self.rows[cells]), frozen(self.cols[cells]), frozen(self.colours[cells])
        )


Pieces: TypeAlias = Object | Objects


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array itself, made read-only."""
    array.setflags(write=False)
    return array


def inside(rows: _Places, cols: _Places, height: int, width: int) -> Mask:
    """Which of the places lie in a grid of this size."""
    mask: Mask = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    return mask


def check_size(height: int, width: int) -> None:
    """PrimitiveError unless a grid may have this size."""
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise PrimitiveError(f"a grid of {height}×{width} is asked for, and sides go from 1 to {MAX_SIDE}")


def check_colour(colour: int) -> None:
    """PrimitiveError unless it is one of the ten."""
    if not 0 <= colour <= 9:
        raise PrimitiveError(f"{colour} is given as a colour, and colours are 0 to 9")


def check_same_shape(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> None:
    """PrimitiveError unless both have one height and one width."""
    if one.shape != other.shape:
        a, b = ("×".join(map(str, array.shape)) for array in (one, other))
        raise PrimitiveError(f"shapes {a} and {b} are combined cell by cell, and must be equal")


class _Itself:
    """Stands in a key for a value of which only the identity is known, and keeps it alive."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return type(other) is _Itself and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def content_key(value: Any) -> Any:
    """Hashable, and equal for values of one type and content; functions are equal to themselves."""
    if type(value) is np.ndarray:
        return value.dtype.char, value.shape, value.tobytes()
    if type(value) is tuple:
        return (tuple, *map(content_key, value))
    if type(value) in (int, bool, str):
        return type(value), value
    own = None if isinstance(value, FunctionType | type) else getattr(value, "key", None)
    return _Itself(value) if own is None else (type(value), own())
