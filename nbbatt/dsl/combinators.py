"""Functions made from functions, and functions applied to many values.

A made function is a value like any other: equal to one made alike, and applied by writing a call. Whatever a
function does with values it was not meant for comes out as PrimitiveError. How many calls a made function
stands for is bounded, so that every program ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nbbatt.dsl.values import (
    Function,
    GridFunction,
    GridJoin,
    GridMeasure,
    Grids,
    Int,
    Object,
    ObjectFunction,
    ObjectMeasure,
    Objects,
    check_colour,
    check_size,
    content_key,
    frozen,
)
from nbbatt.languages import PrimitiveError
from nbbatt.tasks import Grid

MAX_CALLS = 100
"""How many calls a made function may stand for; it also bounds how deep they nest."""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A function made by a combinator from ``parts``: functions, and for a bound one a value."""

    parts: tuple[Any, ...]

    def __call__(self, *values: Any) -> Any:
        raise NotImplementedError

    def key(self) -> Any:
        """Equal for functions made alike from equal parts."""
        return content_key(self.parts)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    @property
    def calls(self) -> int:
        """How many calls one call of it makes, its own included."""
        return 1 + sum(calls(part) for part in self.parts)


class Composed(Made):
    """The second applied, then the first to its result."""

    __slots__ = ()

    def __call__(self, *values: Any) -> Any:
        outer, inner = self.parts
        return apply(outer, apply(inner, *values))


class Forked(Made):
    """Two functions applied to the same, and a third to both results."""

    __slots__ = ()

    def __call__(self, *values: Any) -> Any:
        join, left, right = self.parts
        return apply(join, apply(left, *values), apply(right, *values))


class BoundFirst(Made):
    """A function with its first argument given."""

    __slots__ = ()

    def __call__(self, *values: Any) -> Any:
        function, first = self.parts
        return apply(function, first, *values)


class BoundLast(Made):
    """A function with its last argument given."""

    __slots__ = ()

    def __call__(self, *values: Any) -> Any:
        function, last = self.parts
        return apply(function, *values, last)


class Repeated(Made):
    """A function applied again and again."""

    __slots__ = ()

    def __call__(self, value: Any) -> Any:
        function, times = self.parts
        for _ in range(times):
            value = apply(function, value)
        return value

    @property
    def calls(self) -> int:
        return 1 + calls(self.parts[0]) * int(self.parts[1])


def calls(part: Any) -> int:
    """How many calls a function stands for; 0 for a value that is none."""
    if isinstance(part, Made):
        return part.calls
    return int(callable(part))


def apply(function: Function, *values: Any) -> Any:
    """The function's result, arrays read-only; whatever it cannot take or do is a PrimitiveError."""
    try:
        result = function(*values)
    except (PrimitiveError, MemoryError, RecursionError):
        raise
    except Exception as reason:
        name = getattr(function, "__name__", type(function).__name__.lower())
        raise PrimitiveError(f"{name!r} cannot take what it is given ({reason}); see its types") from None
    return frozen(result) if type(result) is np.ndarray else result


def _made(made: Made, *functions: Function) -> Made:
    for function in functions:
        if not callable(function):
            raise PrimitiveError(f"a {type(function).__name__} is used as a function, and is none; name one")
    if made.calls > MAX_CALLS:
        raise PrimitiveError(f"a function of {made.calls:,} calls is made, and {MAX_CALLS} is the limit")
    return made


def compose(outer: Function, inner: Function) -> Function:
    """The function that applies ``inner`` and then ``outer`` to its result; PrimitiveError over 100 calls."""
    return _made(Composed((outer, inner)), outer, inner)


def fork(join: Function, left: Function, right: Function) -> Function:
    """The function that gives ``join`` what ``left`` and ``right`` give; PrimitiveError over 100 calls."""
    return _made(Forked((join, left, right)), join, left, right)


def bind_first(function: Function, value: Any) -> Function:
    """The function with its first argument given; PrimitiveError over 100 calls."""
    return _made(BoundFirst((function, value)), function)


def bind_last(function: Function, value: Any) -> Function:
    """The function with its last argument given; PrimitiveError over 100 calls."""
    return _made(BoundLast((function, value)), function)


def repeat(function: Function, times: Int) -> Function:
    """The function applied so many times in turn; PrimitiveError below 1 time or beyond 100 calls."""
    if times < 1:
        raise PrimitiveError(f"a function is repeated {times} times, and 1 is the least")
    return _made(Repeated((function, times)), function)


def map_objects(function: ObjectFunction, objects: Objects) -> Objects:
    """Each object through a function; PrimitiveError if a result is no object."""
    return Objects.of([_object(apply(function, one)) for one in objects])


def map_grids(function: GridFunction, grids: Grids) -> Grids:
    """Each grid through a function; PrimitiveError if a result is no grid."""
    return tuple([_grid(apply(function, one)) for one in grids])


def fold(join: GridJoin, grids: Grids) -> Grid:
    """Grids joined from the first on by a function of two; PrimitiveError for none or a result not a grid."""
    if not grids:
        raise PrimitiveError("no grids are joined into one, and there must be one")
    joined = grids[0]
    for grid in grids[1:]:
        joined = _grid(apply(join, joined, grid))
    return joined


def object_of_most(measure: ObjectMeasure, objects: Objects) -> Object:
    """The object of the greatest measure, the first of equal ones; PrimitiveError for none or no number."""
    return _chosen(measure, tuple(objects), max)  # type: ignore[no-any-return]


def object_of_least(measure: ObjectMeasure, objects: Objects) -> Object:
    """The object of the least measure, the first of equal ones; PrimitiveError for none or no number."""
    return _chosen(measure, tuple(objects), min)  # type: ignore[no-any-return]


def grid_of_most(measure: GridMeasure, grids: Grids) -> Grid:
    """The grid of the greatest measure, the first of equal ones; PrimitiveError for none or no number."""
    return _chosen(measure, grids, max)  # type: ignore[no-any-return]


def grid_of_least(measure: GridMeasure, grids: Grids) -> Grid:
    """The grid of the least measure, the first of equal ones; PrimitiveError for none or no number."""
    return _chosen(measure, grids, min)  # type: ignore[no-any-return]


def objects_with(measure: ObjectMeasure, value: Int, objects: Objects) -> Objects:
    """The objects whose measure has a value; PrimitiveError if it is no number."""
    return objects.where(np.array([_number(apply(measure, one)) == value for one in objects], np.bool_))


def _chosen(measure: Function, values: tuple[Any, ...], better: Function) -> Any:
    if not values:
        raise PrimitiveError("the best of nothing is asked for, and there must be one")
    numbers = [_number(apply(measure, value)) for value in values]
    return values[numbers.index(better(numbers))]


def _grid(value: Any) -> Grid:
    if type(value) is not np.ndarray or value.dtype != np.uint8 or value.ndim != 2:
        raise PrimitiveError(f"a function gave a {type(value).__name__}, and it must give a grid here")
    check_size(*value.shape)
    check_colour(int(value.max()))  # a mask's logic over grids can leave the ten colours
    return value


def _object(value: Any) -> Object:
    if type(value) is not Object:
        raise PrimitiveError(f"a function gave a {type(value).__name__}, and it must give an object here")
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise PrimitiveError(f"a measure gave a {type(value).__name__}, and it must give a number")
    return value
