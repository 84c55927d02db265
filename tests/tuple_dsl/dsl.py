"""A small language in the shape the field knows: pure annotated functions over nested tuples and frozensets."""

from collections import Counter

from grid_types import *

# ---------------------------------------------------------------------- numbers and truth


def identity(x: Any) -> Any:
    """The value itself."""
    return x


def plus(a: Numerical, b: Numerical) -> Numerical:
    """The sum of two numbers, of two pairs, or of a number and each of a pair."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    first = a if isinstance(a, tuple) else (a, a)
    second = b if isinstance(b, tuple) else (b, b)
    return (first[0] + second[0], first[1] + second[1])


def negative(a: Numerical) -> Numerical:
    """The number or the pair with its signs turned."""
    return -a if isinstance(a, int) else (-a[0], -a[1])


def times(a: Integer, b: Integer) -> Integer:
    """The product."""
    return a * b


def halved(n: Integer) -> Integer:
    """The number divided by two, downwards."""
    return n // 2


def same(a: Any, b: Any) -> Boolean:
    """Whether two values are equal."""
    return a == b


def greater(a: Integer, b: Integer) -> Boolean:
    """Whether the first is greater."""
    return a > b


def negate(b: Boolean) -> Boolean:
    """The other truth."""
    return not b


def both(a: Boolean, b: Boolean) -> Boolean:
    """Whether both are true."""
    return a and b


def branch(condition: Boolean, yes: Any, no: Any) -> Any:
    """One of two values."""
    return yes if condition else no


# ---------------------------------------------------------------------- containers


def pair(a: Any, b: Any) -> Tuple:
    """A tuple of two."""
    return (a, b)


def single(x: Any) -> FrozenSet:
    """A set of one."""
    return frozenset({x})


def size(container: Container) -> Integer:
    """How many items there are."""
    return len(container)


def first(container: Container) -> Any:
    """The first item."""
    return next(iter(container))


def final(container: Container) -> Any:
    """The last item."""
    return max(enumerate(container))[1]


def contained(x: Any, container: Container) -> Boolean:
    """Whether an item is in a container."""
    return x in container


def union(a: FrozenSet, b: FrozenSet) -> FrozenSet:
    """What is in either."""
    return a | b


def common(a: FrozenSet, b: FrozenSet) -> FrozenSet:
    """What is in both."""
    return a & b


def without(a: FrozenSet, b: FrozenSet) -> FrozenSet:
    """What is in the first alone."""
    return a - b


def merged(containers: ContainerContainer) -> Container:
    """The items of all containers in one."""
    return type(containers)(item for container in containers for item in container)


def ordered(container: Container, key: Callable) -> Tuple:
    """The items by a key."""
    return tuple(sorted(container, key=key))


def repeated(x: Any, times: Integer) -> Tuple:
    """A tuple of one item several times."""
    return (x,) * times


def span(start: Integer, stop: Integer, step: Integer) -> Tuple:
    """Numbers from a start to before a stop."""
    return tuple(range(start, stop, step))


def crossed(a: Container, b: Container) -> FrozenSet:
    """All pairs of an item of one and an item of the other."""
    return frozenset((x, y) for x in a for y in b)


# ---------------------------------------------------------------------- functions from functions


def compose(outer: Callable, inner: Callable) -> Callable:
    """The inner, then the outer."""
    return lambda x: outer(inner(x))


def chain(h: Callable, g: Callable, f: Callable) -> Callable:
    """Three in a row, from the right."""
    return lambda x: h(g(f(x)))


def rbind(function: Callable, fixed: Any) -> Callable:
    """A function of two with its second argument given."""
    return lambda x: function(x, fixed)


def lbind(function: Callable, fixed: Any) -> Callable:
    """A function of two or three with its first argument given."""
    return lambda *rest: function(fixed, *rest)


def fork(outer: Callable, left: Callable, right: Callable) -> Callable:
    """Two functions of one value, and a third of their results."""
    return lambda x: outer(left(x), right(x))


def matching(function: Callable, target: Any) -> Callable:
    """Whether a function comes to a value."""
    return lambda x: function(x) == target


def power(function: Callable, n: Integer) -> Callable:
    """A function applied so many times."""

    def run(x):
        for _ in range(n):
            x = function(x)
        return x

    return run


def apply(function: Callable, container: Container) -> Container:
    """A function of every item."""
    return type(container)(function(item) for item in container)


def mapply(function: Callable, container: ContainerContainer) -> FrozenSet:
    """A function of every item, its results merged."""
    return merged(apply(function, container))


def papply(function: Callable, a: Tuple, b: Tuple) -> Tuple:
    """A function of two along two tuples."""
    return tuple(function(x, y) for x, y in zip(a, b, strict=False))


def sfilter(container: Container, condition: Callable) -> Container:
    """The items that a condition holds for."""
    return type(container)(item for item in container if condition(item))


def mfilter(container: Container, condition: Callable) -> FrozenSet:
    """The items that a condition holds for, merged."""
    return merged(sfilter(container, condition))


def extract(container: Container, condition: Callable) -> Any:
    """The first item that a condition holds for."""
    return next(item for item in container if condition(item))


def argmax(container: Container, measure: Callable) -> Any:
    """The item of the greatest measure."""
    return max(container, key=measure)


def argmin(container: Container, measure: Callable) -> Any:
    """The item of the least measure."""
    return min(container, key=measure)


# ---------------------------------------------------------------------- grids


def height(piece: Piece) -> Integer:
    """How many rows it takes."""
    if isinstance(piece, tuple):
        return len(piece)
    rows = [i for i, _ in indices(piece)]
    return max(rows) - min(rows) + 1


def width(piece: Piece) -> Integer:
    """How many columns it takes."""
    if isinstance(piece, tuple):
        return len(piece[0])
    columns = [j for _, j in indices(piece)]
    return max(columns) - min(columns) + 1


def shape(piece: Piece) -> IntegerTuple:
    """Height and width."""
    return (height(piece), width(piece))


def flip_rows(grid: Grid) -> Grid:
    """Top and bottom exchanged."""
    return tuple(reversed(grid))


def flip_columns(grid: Grid) -> Grid:
    """Left and right exchanged."""
    return tuple(tuple(reversed(row)) for row in grid)


def flip_diagonal(grid: Grid) -> Grid:
    """Rows and columns exchanged."""
    return tuple(zip(*grid, strict=True))


def turn(grid: Grid) -> Grid:
    """A quarter turn clockwise."""
    return flip_diagonal(flip_rows(grid))


def beside(a: Grid, b: Grid) -> Grid:
    """Two grids side by side."""
    return tuple(left + right for left, right in zip(a, b, strict=True))


def above(a: Grid, b: Grid) -> Grid:
    """One grid on top of another."""
    return a + b


def magnified(grid: Grid, factor: Integer) -> Grid:
    """Every cell as a square."""
    return tuple(tuple(cell for cell in row for _ in range(factor)) for row in grid for _ in range(factor))


def cropped(grid: Grid, start: IntegerTuple, dims: IntegerTuple) -> Grid:
    """A part of a grid from a corner on."""
    (top, left), (high, wide) = start, dims
    return tuple(row[left : left + wide] for row in grid[top : top + high])


def replaced(grid: Grid, old: Integer, new: Integer) -> Grid:
    """One colour in place of another."""
    return tuple(tuple(new if cell == old else cell for cell in row) for row in grid)


def switched(grid: Grid, a: Integer, b: Integer) -> Grid:
    """Two colours exchanged."""
    swap = {a: b, b: a}
    return tuple(tuple(swap.get(cell, cell) for cell in row) for row in grid)


def blank(value: Integer, dims: IntegerTuple) -> Grid:
    """A grid of one colour."""
    return ((value,) * dims[1],) * dims[0]


def cellwise(a: Grid, b: Grid, fallback: Integer) -> Grid:
    """Where two grids agree, and a colour where they do not."""
    return tuple(
        tuple(x if x == y else fallback for x, y in zip(one, other, strict=True))
        for one, other in zip(a, b, strict=True)
    )


def palette(element: Element) -> IntegerSet:
    """The colours there are."""
    if isinstance(element, tuple):
        return frozenset(cell for row in element for cell in row)
    return frozenset(colour for colour, _ in element)


def colour_count(element: Element, colour: Integer) -> Integer:
    """How many cells have a colour."""
    if isinstance(element, tuple):
        return sum(row.count(colour) for row in element)
    return sum(one == colour for one, _ in element)


def main_colour(element: Element) -> Integer:
    """The colour of most cells."""
    cells = (
        [cell for row in element for cell in row] if isinstance(element, tuple) else [c for c, _ in element]
    )
    return min(Counter(cells).items(), key=lambda item: (-item[1], item[0]))[0]


def rare_colour(element: Element) -> Integer:
    """The colour of fewest cells."""
    cells = (
        [cell for row in element for cell in row] if isinstance(element, tuple) else [c for c, _ in element]
    )
    return min(Counter(cells).items(), key=lambda item: (item[1], item[0]))[0]


# ---------------------------------------------------------------------- patches and objects


def indices(patch: Patch) -> Indices:
    """The places of a patch, without colours."""
    if not patch:
        return frozenset()
    if isinstance(next(iter(patch))[1], tuple):
        return frozenset(place for _, place in patch)
    return patch


def places_of(grid: Grid, colour: Integer) -> Indices:
    """The places where a grid has a colour."""
    return frozenset((i, j) for i, row in enumerate(grid) for j, cell in enumerate(row) if cell == colour)


def as_object(grid: Grid) -> Object:
    """All cells of a grid."""
    return frozenset((cell, (i, j)) for i, row in enumerate(grid) for j, cell in enumerate(row))


def corner(patch: Patch) -> IntegerTuple:
    """The upper left corner of the box around a patch."""
    places = indices(patch)
    return (min(i for i, _ in places), min(j for _, j in places))


def moved(patch: Patch, by: IntegerTuple) -> Patch:
    """A patch somewhere else."""
    di, dj = by
    if patch and isinstance(next(iter(patch))[1], tuple):
        return frozenset((colour, (i + di, j + dj)) for colour, (i, j) in patch)
    return frozenset((i + di, j + dj) for i, j in patch)


def boxed(patch: Patch) -> Indices:
    """All places in the box around a patch."""
    (top, left), (high, wide) = corner(patch), shape(patch)
    return frozenset((i, j) for i in range(top, top + high) for j in range(left, left + wide))


def inside(patch: Patch) -> Indices:
    """The places in the box around a patch that are not in it."""
    return boxed(patch) - indices(patch)


def subgrid(patch: Patch, grid: Grid) -> Grid:
    """The part of a grid around a patch."""
    return cropped(grid, corner(patch), shape(patch))


def filled(grid: Grid, colour: Integer, patch: Patch) -> Grid:
    """A grid with the places of a patch in one colour."""
    places = indices(patch)
    return tuple(
        tuple(colour if (i, j) in places else cell for j, cell in enumerate(row))
        for i, row in enumerate(grid)
    )


def painted(grid: Grid, thing: Object) -> Grid:
    """A grid with an object on it, as far as it lies inside."""
    at = {place: colour for colour, place in thing}
    return tuple(tuple(at.get((i, j), cell) for j, cell in enumerate(row)) for i, row in enumerate(grid))


def recoloured(patch: Patch, colour: Integer) -> Object:
    """A patch in one colour."""
    return frozenset((colour, place) for place in indices(patch))


def components(grid: Grid, one_colour: Boolean, diagonal: Boolean, background: Boolean) -> Objects:
    """Connected cells; with ``background`` those of the main colour count, too."""
    skipped = None if background else main_colour(grid)
    left = {(i, j): cell for i, row in enumerate(grid) for j, cell in enumerate(row) if cell != skipped}
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i or j) and (diagonal or not (i and j))]
    found = set()
    while left:
        place, colour = next(iter(left.items()))
        del left[place]
        thing, edge = {(colour, place)}, [place]
        while edge:
            i, j = edge.pop()
            for di, dj in steps:
                near = (i + di, j + dj)
                if near in left and (not one_colour or left[near] == colour):
                    thing.add((left.pop(near), near))
                    edge.append(near)
        found.add(frozenset(thing))
    return frozenset(found)


def touches_border(patch: Patch, grid: Grid) -> Boolean:
    """Whether a patch has a place at the edge of a grid."""
    last_row, last_column = len(grid) - 1, len(grid[0]) - 1
    return any(i in (0, last_row) or j in (0, last_column) for i, j in indices(patch))
