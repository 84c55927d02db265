"""A language of a dozen primitives with every awkward habit a language may have, and random programs over it."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nbbatt.languages import Language
from nbbatt.nodes import Node
from nbbatt.programs import Program

Grid = NDArray[np.uint8]
Function = Callable[[Grid], Grid]
Shared = tuple[Any, ...]


def turn(grid: Grid) -> Grid:
    return np.rot90(grid)


def flip(grid: Grid) -> Grid:
    return grid[::-1]


def brighter(grid: Grid, by: int) -> Grid:
    return (grid + np.uint8(by % 10)) % np.uint8(10)


def join(a: Grid, b: Grid) -> Grid:
    return np.concatenate([a, b], axis=1)[:20, :20]


def choose(flag: bool, a: Grid, b: Grid) -> Grid:
    return a if flag else b


def tall(grid: Grid) -> bool:
    return grid.shape[0] > grid.shape[1]


def rows(grid: Grid) -> int:
    return int(grid.shape[0])


def told(x: Any) -> int:
    """Tells True from 1, 0.0 from -0.0, and NaN from all."""
    if x is True:
        return 1
    if isinstance(x, float):
        return 2 if math.isnan(x) else 3 if math.copysign(1, x) < 0 else 4
    return 5 if isinstance(x, int) else 6


def real(n: int) -> float:
    return (0.0, -0.0, math.nan, 1.5)[n % 4]


def twin(a: Any, b: Any) -> bool:
    """Equality as a container sees it: NaN equals itself when it is the same object."""
    return (a,) == (b,)


def listed(grid: Grid) -> list[list[int]]:
    return grid.tolist()


def gridded(cells: list[list[int]]) -> Grid:
    return np.array(cells, np.uint8)


def nested(n: int) -> Shared:
    return (n, [n, {n: [n]}], np.array([[n % 10]], np.uint8))


def poke(value: Shared) -> int:
    """Tries to change its argument, at whichever level it lets it."""
    done = 0
    for change in (
        lambda: value[1].append(0),
        lambda: value[1][1].update({0: 0}),
        lambda: value[1][1][value[0]].append(0),
        lambda: value[2].fill(7),
    ):
        try:
            change()
            done += 1
        except (AttributeError, TypeError, ValueError, KeyError):
            continue
    return done


def spoil(grid: Grid) -> Grid:
    grid[0, 0] = 9
    return grid


def lazily(grid: Grid) -> Any:
    return (row for row in grid.tolist())


def bag(a: Any, b: Any) -> frozenset[Any]:
    return frozenset({a, b}) if isinstance(a, int) and isinstance(b, int) else frozenset({1})


def swollen(things: frozenset[Any]) -> frozenset[Any]:
    """Equal to its argument, though it may be read in another order."""
    return frozenset([*range(100, 140), *things]) - frozenset(range(100, 140))


def leading(things: frozenset[Any]) -> int:
    return int(next(iter(things), 0))


def twice(f: Function) -> Function:
    return lambda grid: f(f(grid))


def after(f: Function, g: Function) -> Function:
    return lambda grid: f(g(grid))


def fails(grid: Grid) -> Grid:
    raise KeyError("no such thing")


def fails_when_tall(grid: Grid) -> Grid:
    if tall(grid):
        raise ValueError("too tall")
    return grid


def leaves(grid: Grid) -> Grid:
    raise SystemExit(1)


def gives_up(grid: Grid) -> Grid:
    raise GeneratorExit


ZERO = 0
ONE = 1
YES = True
CORNER = (0, 0)
MARKS = (True, 1)


def language(left_out: tuple[str, ...] = ()) -> Language:
    """All of it, less the primitives named."""
    import tiny_language

    whole = Language.from_module(tiny_language, name="tiny")
    own = {"language", "random_program", *left_out}
    functions = {name: p.fn for name, p in whole.primitives.items() if name not in own}
    return Language.from_module(functions, constants=whole.constants, name="tiny")


def random_program(rng: Random, lang: Language, calls: int = 8, name: str = "solve_tiny") -> Program:
    """A program grown call by call from its inputs, each argument of a fitting type where there is one."""
    pool = [(Node("input", "I"), "Grid")]
    primitives = list(lang.primitives.values())
    for _ in range(calls):
        primitive = rng.choice(primitives)
        args = [Node("primitive", primitive.name)]
        for wanted in primitive.params:
            fitting = [node for node, kind in pool if lang.fits(kind, wanted)]
            leaves = [Node("constant", key) for key in lang.constants_for(wanted)]
            leaves += [Node("primitive", key) for key in lang.functions_for(wanted)]
            if wanted in ("int", "Any"):
                leaves += [Node("literal", value) for value in (0, 1, 2, -1)]
            if wanted in ("bool", "Any"):
                leaves += [Node("literal", True), Node("literal", False)]
            if wanted == "Any":
                leaves += [Node("literal", (1, 2)), Node("literal", (True, (2,)))]
            choices = fitting if fitting and rng.random() < 0.7 else [*fitting, *leaves]
            if not choices:
                break
            args.append(rng.choice(choices))
        else:
            pool.append((Node("call", None, tuple(args)), primitive.result))
            if primitive.result == "Function" and rng.random() < 0.8:
                grids = [node for node, kind in pool if kind == "Grid"]
                pool.append((Node("call", None, (pool[-1][0], rng.choice(grids))), "Grid"))
    ends = [node for node, kind in pool[1:] if kind in ("Grid", "Any")] or [node for node, _ in pool]
    return Program(name, rng.choice(ends[-3:]), lang)
