"""Languages: any namespace of annotated functions, with types known by the names people gave them."""

from __future__ import annotations

import functools
import itertools
import linecache
import math
import sys
from collections.abc import Callable, Container, Iterable, Sequence
from types import ModuleType
from typing import Annotated, Any, NewType, Optional, TypeVar, Union

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from nbbatt.languages import Language, LanguageError, PrimitiveError, checked_grid
from nbbatt.signatures import TypeTable, annotation_name, value_fits
from nbbatt.tasks import Grid, as_grid

numbers = itertools.count()


def cell(source: str, **names: Any) -> dict[str, Any]:
    """What a notebook cell leaves behind: its functions have source that only linecache knows."""
    file = f"<cell {next(numbers)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space: dict[str, Any] = {"__name__": "__main__", **names}
    exec(compile(source, file, "exec", dont_inherit=True), space)
    return space


def module(name: str, source: str) -> ModuleType:
    made = ModuleType(name)
    exec(compile(source, name, "exec", dont_inherit=True), vars(made))
    return made


# ---------------------------------------------------------------------- what becomes part of one


def test_a_module_gives_its_own_public_functions_and_upper_case_constants() -> None:
    made = module(
        "own_dsl",
        "import functools, os\n"
        "from math import floor\n"
        "from nbbatt.tasks import as_grid\n"
        "Grid = tuple[tuple[int, ...], ...]\n"
        "ZERO, T, PAIR, NAMES, WORD = 0, True, (1, 2), frozenset({1}), 'x'\n"
        "lower, HALF, TABLE, LOOSE, I, Kind = 5, 0.5, {1: 2}, ([1],), 3, 4\n"
        "def turn(grid: Grid, times: int = 1) -> Grid:\n"
        "    '''Turned\n    by quarters.\n\n    More words.'''\n"
        "    return grid\n"
        "@functools.cache\n"
        "def known(grid: Grid) -> int:\n    return 1\n"
        "def _helper(x):\n    return x\n"
        "class Thing:\n    def method(self): ...\n",
    )
    lang = Language.from_module(made)
    assert list(lang.primitives) == ["turn", "known"]
    assert lang.constants == {"ZERO": 0, "T": True, "PAIR": (1, 2), "NAMES": frozenset({1}), "WORD": "x"}
    turn = lang.primitives["turn"]
    assert (turn.params, turn.required, turn.result) == (("Grid", "int"), 1, "Grid")
    assert turn.signature == "turn(Grid, int=…) -> Grid"
    assert turn.doc == "Turned by quarters." and turn.theme == "own_dsl"
    assert (lang.name, lang.grids, len(lang), lang.trusted) == ("own_dsl", "tuple", 2, False)
    assert repr(lang) == "<Language own_dsl · 2 primitives · 5 constants>"


def test_constants_of_another_module_replace_the_modules_own() -> None:
    made = module("own_dsl", "MAX = 9\ndef turn(grid): return grid\n")
    assert set(Language.from_module(made).constants) == {"MAX"}
    assert set(Language.from_module(made, constants=module("constants", "ONE = 1\n")).constants) == {"ONE"}
    assert Language.from_module(made, constants={"TWO": 2, "small": 1}).constants == {"TWO": 2}
    assert Language.from_module(made, constants={}).constants == {}


def test_a_cells_namespace_is_a_language() -> None:
    space = cell(
        "from typing import Callable\n"
        "Grid = tuple\n"
        "ONE: int = 1\n"
        "def turn(grid: Grid) -> Grid:\n    return tuple(zip(*grid[::-1]))\n"
        "def twice(f: Callable) -> Callable:\n    return lambda g: f(f(g))\n"
    )
    lang = Language.from_module(space, name="cell")
    assert set(lang.primitives) == {"turn", "twice"} and lang.constants == {"ONE": 1}
    assert lang.constant_types == {"ONE": "int"} and lang.grids == "tuple"
    assert lang.to_grid(lang.primitives["turn"].fn(((1, 2),))).tolist() == [[1], [2]]


def test_functions_are_a_language() -> None:
    def turn(grid: Grid, flag: bool) -> Grid:
        return grid

    lang = Language.from_functions(turn, math.floor, name="two", constants={"ONE": 1})
    assert [p.signature for p in lang.primitives.values()] == [
        "turn(Grid, bool) -> Grid",
        "floor(Any) -> Any",
    ]
    assert lang.constants == {"ONE": 1} and lang.grids == "array"
    assert Language.from_module([turn]).name == "own"


def test_what_cannot_be_a_language_says_why_and_what_to_do() -> None:
    def many(*grids: Any) -> Any: ...
    def named(grid: Any, *, key: int) -> Any: ...
    def fine(grid: Any, *, key: int = 1) -> Any: ...
    def größe(grid: Any) -> Any: ...

    refused: list[tuple[str, Callable[[], object]]] = [
        ("'empty' holds no public function", lambda: Language.from_module(ModuleType("empty"))),
        ("'many' takes \\*grids", lambda: Language.from_functions(many)),
        ("'named' takes key: 'int', .* fixed number of positional", lambda: Language.from_functions(named)),
        ("has no usable name", lambda: Language.from_functions(lambda x: x)),
        ("two functions are named 'fine'", lambda: Language.from_functions(fine, _named(fine, "fine"))),
        ("uses the name 'I' twice or for an input", lambda: Language.from_module({"I": fine})),
        ("uses the name 'ONE' twice", lambda: Language.from_module({"ONE": fine}, constants={"ONE": 1})),
        ("has the name 'größe', which no program can write", lambda: Language.from_functions(größe)),
        ("has the name 'lambda', which no program", lambda: Language.from_module({"lambda": fine})),
        ("has the name 'a b', which no program", lambda: Language.from_module({"a b": fine})),
        (
            "grids='list' is no form of grids; choose",
            lambda: Language.from_functions(fine).from_module([fine], grids="list"),
        ),  # type: ignore[arg-type]
    ]
    for sentence, build in refused:
        with pytest.raises(LanguageError, match=sentence) as caught:
            build()
        assert "\n" not in str(caught.value)
    assert Language.from_functions(fine).primitives["fine"].params == ("Any",)


def _named(fn: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(fn)
    def other(grid: Any) -> Any:
        return grid

    other.__name__ = name
    return other


def test_a_function_without_a_readable_signature_is_refused() -> None:
    with pytest.raises(LanguageError, match="'add' has no readable signature|'min' has no readable"):
        Language.from_module({"min": min, "add": min})


def test_extended_adds_and_replaces() -> None:
    def turn(grid: Grid) -> Grid: ...
    def flip(grid: Grid) -> Grid: ...

    one = Language.from_functions(turn, name="one", constants={"ONE": 1, "TWO": 2})
    two = Language.from_functions(flip, name="two", constants={"TWO": 3})
    both = one.extended(two)
    assert set(both.primitives) == {"turn", "flip"} and both.constants == {"ONE": 1, "TWO": 3}
    assert both.name == "one" and one.extended(two, "both").name == "both" and set(one.primitives) == {"turn"}
    assert len({one.version, two.version, both.version}) == 3
    tuples = Language.from_module([flip], grids="tuple", name="flat")
    with pytest.raises(LanguageError, match="'one' takes grids as arrays and 'flat' as tuples"):
        one.extended(tuples)


def test_a_language_shows_as_a_table() -> None:
    def turn(grid: Grid) -> Grid:
        """Turned."""

    table = Language.from_functions(turn).table()
    assert table.columns.tolist() == ["name", "signature", "theme", "sentence"]
    assert table.iloc[0].tolist() == ["turn", "turn(Grid) -> Grid", "test_language", "Turned."]


# ---------------------------------------------------------------------- types

Integer = int
Boolean = bool
Colour = NewType("Colour", int)
Side = NewType("Side", int)
Pair = tuple[int, int]
Objects = frozenset[frozenset[tuple[int, Pair]]]
Piece = Union[NDArray[np.uint8], Objects]
Maybe = Optional[Pair]
Marked = Annotated[int, "how many"]
Kind = TypeVar("Kind")
Step = Callable[[Pair], Pair]


class Base: ...


class Derived(Base): ...


FITS = [
    # result, param, whether
    ("Integer", "Integer", True),
    ("int", "Integer", True),
    ("Integer", "int", True),
    ("Boolean", "Integer", False),
    ("Boolean", "bool", True),
    ("Colour", "Colour", True),
    ("Colour", "Side", False),
    ("Colour", "Integer", False),
    ("Integer", "Colour", False),
    ("Pair", "Maybe", True),
    ("Maybe", "Pair", True),
    ("Objects", "Piece", True),
    ("Pair", "Piece", False),
    ("Pair", "tuple", True),
    ("tuple", "Pair", True),
    ("Pair", "Objects", False),
    ("Pair", "tuple[int, ...]", True),
    ("Pair", "tuple[bool, ...]", False),
    ("Pair", "tuple[int, int, int]", False),
    ("Pair", "Container", True),
    ("Objects", "Container", True),
    ("Integer", "Container", False),
    ("Container", "Pair", False),
    ("Pair", "Sequence[int]", True),
    ("Objects", "frozenset[frozenset]", True),
    ("Derived", "Base", True),
    ("Base", "Derived", False),
    ("Marked", "Integer", True),
    ("Any", "Pair", True),
    ("Pair", "Any", True),
    ("Pair", "object", True),
    ("Kind", "Pair", True),
    ("Step", "Callable", True),
    ("Callable", "Step", True),
    ("Step", "Callable[[Pair], Pair]", True),
    ("Step", "Callable[[int], Pair]", False),
    ("Step", "Callable[..., Any]", True),
    ("Integer", "Callable", False),
    ("Nowhere", "Nowhere", True),
    ("Nowhere", "Pair", False),
    ("Pair", "Nowhere", False),
    ("None", "Maybe", True),
]


def typed() -> Language:
    """A language whose signatures name every type that the table above has."""

    def all_of(
        a: Integer, b: Boolean, c: Colour, d: Side, e: Pair, f: Objects, g: Piece, h: Maybe, i: Marked, j: Kind, k: Step, l: Base,  # noqa: E741
        m: Derived, n: tuple[int, ...], o: tuple[int, int, int], p: Container, q: Sequence[int], r: frozenset[frozenset], s: Callable[[Pair], Pair],
        t: Callable[[int], Pair], u: Callable[..., Any], v: tuple[bool, ...], w: Iterable,
    ) -> None: ...  # fmt: skip

    return Language.from_functions(all_of)


@pytest.mark.parametrize(("result", "param", "whether"), FITS)
def test_fits_answers_by_structure(result: str, param: str, whether: bool) -> None:
    assert typed().fits(result, param) is whether


def test_annotations_as_text_and_as_objects_are_the_same_types() -> None:
    source = (
        "import typing as t\n"
        "from typing import Any, Callable, FrozenSet, NewType, Optional, Tuple, Union\n"
        "Integer = int\nGrid = Tuple[Tuple[Integer]]\nCell = Tuple[Integer, Tuple[Integer, Integer]]\nObject = FrozenSet[Cell]\n"
        "Piece = Union[Grid, Object]\nColour = NewType('Colour', int)\n"
        "def turn(grid: Grid, by: Integer, as_piece: Piece, maybe: Optional[Integer], c: Colour, f: Callable, x: t.Any,\n"
        "         y: Tuple[int, int], z: 'Object', n: None) -> 'Grid': ...\n"
        "def paint(piece: Piece) -> Grid: ...\n"
    )
    plain, lazy = (
        Language.from_module(cell(text)) for text in (source, "from __future__ import annotations\n" + source)
    )
    names = ("Grid", "Integer", "Piece", "Colour", "Callable", "Any", "Object", "None")
    for lang in (plain, lazy):
        params = lang.primitives["turn"].params
        assert set(names) <= {*params, lang.primitives["turn"].result}
        assert lang.grids == "tuple" and lang.grid_type == "Grid"
        assert (
            lang.fits("Grid", "Piece") and lang.fits("Object", "Piece") and not lang.fits("Integer", "Piece")
        )
        assert lang.fits("Integer", params[3]) and not lang.fits("Colour", params[3])
        assert lang.fits(params[7], "tuple") and not lang.fits(params[7], "Object")
    assert plain.primitives["turn"].params[3] == "Integer | None"
    assert lazy.primitives["turn"].params[3] == "Optional[Integer]"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the type statement is new in 3.12")
def test_type_statements_are_aliases() -> None:
    lang = Language.from_module(
        cell(
            "type Grid = tuple[tuple[int, ...], ...]\ntype Piece = Grid | frozenset\ndef turn(g: Grid, p: Piece) -> Grid: ...\n"
        )
    )
    assert lang.primitives["turn"].params == ("Grid", "Piece") and lang.grids == "tuple"
    assert lang.fits("Grid", "Piece") and not lang.fits("int", "Piece")


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        (int, "Integer"),
        (Callable[[int], Any], "Callable[[Integer], Any]"),
        (Callable[..., bool], "Callable[..., bool]"),
        (Optional[int], "Integer | None"),
        (tuple[int, ...], "tuple[Integer, ...]"),
        (Colour, "Colour"),
        (None, "None"),
        ("np.Grid", "Grid"),
        ("'Object'", "Object"),
        ("Tuple[int,   int]", "Tuple[int, int]"),
    ],
)
def test_types_go_by_the_names_people_gave_them(annotation: Any, name: str) -> None:
    assert annotation_name(annotation, {int: "Integer"}) == name


@pytest.mark.parametrize(
    ("value", "annotation", "fits"),
    [
        (1, int, True), (True, int, False), (True, bool, True), (1, bool, False), (1, Colour, True), (True, Colour, False), ((1, 2), Pair, True),
        ((1, True), Pair, False), ((1, 2, 3), Pair, False), ((1, 2, 3), tuple[int, ...], True), (frozenset({1}), frozenset[int], True),
        (frozenset({(1, 2)}), frozenset[int], False), (1, Maybe, False), ((1, 2), Maybe, True), ((1, 2), Container, True), (1, Container, False),
        (1, Any, True), ("x", str, True), (1, Callable, False), (1, Marked, True), (1, object, True), (1, Kind, True),
    ],
)  # fmt: skip
def test_constants_without_a_declaration_are_typed_by_value(value: Any, annotation: Any, fits: bool) -> None:
    assert value_fits(value, annotation) is fits


def test_constants_stand_where_their_declaration_or_value_fits() -> None:
    space = cell(
        "from typing import NewType\nGrid = tuple\nColour = NewType('Colour', int)\n"
        "RED: Colour = Colour(2)\nTWO = 2\nYES = True\nCORNER = (0, 0)\n"
        "def paint(g: Grid, c: Colour, n: int, b: bool, at: tuple[int, int], x: object) -> Grid: ...\n"
    )
    lang = Language.from_module(space)
    wanted = {"Colour": ("RED", "TWO"), "int": ("TWO",), "bool": ("YES",), "tuple[int, int]": ("CORNER",)}
    assert {kind: lang.constants_for(kind) for kind in wanted} == wanted
    assert lang.constants_for("object") == ("RED", "TWO", "YES", "CORNER") == lang.constants_for("object")


def test_primitives_stand_where_a_function_of_their_signature_is_asked_for() -> None:
    space = cell(
        "from collections.abc import Callable\nfrom typing import Any\nGrid = tuple\n"
        "def turn(g: Grid) -> Grid: ...\ndef rows(g: Grid) -> int: ...\ndef join(a: Grid, b: Grid, gap: int = 0) -> Grid: ...\n"
        "def use(f: Callable[[Grid], Grid], g: Callable[[Grid, Grid], Any], h: Callable, i: Any, j: object) -> Grid: ...\n"
    )
    lang = Language.from_module(space)
    unary, binary, some, anything, thing = lang.primitives["use"].params
    assert lang.functions_for(unary) == ("turn",)
    assert lang.functions_for(binary) == ("join",)
    assert set(lang.functions_for(some)) == {"turn", "rows", "join", "use"}
    assert lang.functions_for(anything) == lang.functions_for(thing) == lang.functions_for("Grid") == ()


def test_grids_are_found_by_name_or_by_being_the_commonest_argument() -> None:
    def turn(grid: list, by: int) -> list: ...
    def flip(grid: list) -> int: ...
    def bare(grid): ...  # type: ignore[no-untyped-def]

    assert Language.from_functions(turn, flip).grid_type == "list"
    assert Language.from_functions(bare).grid_type == "Any"
    assert typed().grid_type == "Integer"


def test_a_table_is_not_worn_out_by_odd_annotations() -> None:
    scope = {"Odd": Annotated[int, []], "Grid": tuple, "Fine": int, "Any": Any}
    table = TypeTable.of_scope(scope, {})
    assert table.name(int) == "Fine" and table.fits("Odd", "Odd") and not table.fits("Odd", "Fine")
    assert table.merged(TypeTable.of_scope({"Grid": list}, {})).annotation("Grid") is list


# ---------------------------------------------------------------------- the edge


ARRAYS = Language.from_module([as_grid], grids="array")
TUPLES = Language.from_module([as_grid], grids="tuple")
GRID = as_grid([[0, 1], [2, 9], [3, 3]], "a test's grid")


@given(cells=st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=5))
def test_a_grid_goes_in_and_comes_out_the_same(cells: list[list[int]]) -> None:
    grid = as_grid(cells, "a test's grid")
    for lang in (ARRAYS, TUPLES):
        handed = lang.from_grid(grid)
        assert type(handed) is (np.ndarray if lang is ARRAYS else tuple)
        back = lang.to_grid(handed)
        assert (back == grid).all() and back.dtype == np.uint8 and not back.flags.writeable


@pytest.mark.parametrize("lang", [ARRAYS, TUPLES])
def test_every_form_of_a_grid_is_taken_back(lang: Language) -> None:
    forms: list[Any] = [
        GRID.tolist(), tuple(map(tuple, GRID.tolist())), [tuple(row) for row in GRID], GRID.astype(np.int64), GRID.T.copy().T, GRID[::-1][::-1],
        GRID.astype(">i4"), GRID.astype(np.int8),
    ]  # fmt: skip
    for form in forms:
        back = lang.to_grid(form)
        assert back.tolist() == GRID.tolist() and back.flags.c_contiguous and back.dtype == np.uint8
    assert lang.to_grid([[1] * 30] * 30).shape == (30, 30)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "the result is a NoneType, and a program must return a grid"),
        (5, "the result is a int, and a program"),
        ("grid", "the result is a str, and a program"),
        (frozenset({(1, 2)}), "the result is a frozenset"),
        ((1, 2), "the result is a tuple, and a program must return a grid"),
        (((1, 2), 3), "the result is a tuple, and a program"),
        ((), "the result is 0×0, and a grid has 1 to 30"),
        (((),), "the result is 1×0, and a grid has 1 to 30"),
        (((1, 2), (3,)), "rows differ in length"),
        (((True, 1),), "a cell that is a bool"),
        (((1.0, 1),), "a cell that is a float"),
        (((None, 1),), "a cell that is a NoneType"),
        ((((1,), 1),), "a cell that is a tuple"),
        (((10, 1),), "values outside 0 to 9"),
        (((-1, 1),), "values outside 0 to 9"),
        (((10**30, 1),), "values outside 0 to 9"),
        (((1,) * 31,), "the result is 1×31"),
        (((1,),) * 31, "the result is 31×1"),
        (np.zeros((2, 2), bool), "2 dimensions and type bool"),
        (np.zeros((2, 2)), "2 dimensions and type float64"),
        (np.zeros(3, np.uint8), "1 dimensions"),
        (np.zeros((2, 2, 2), np.uint8), "3 dimensions"),
        (np.zeros((0, 2), np.uint8), "the result is 0×2"),
        (np.zeros((2, 31), np.uint8), "the result is 2×31"),
        (np.full((2, 2), 10, np.uint8), "values outside 0 to 9"),
        (np.full((2, 2), 256, np.int64), "values outside 0 to 9"),
        (np.full((2, 2), -1, np.int64), "values outside 0 to 9"),
        (np.array([[1, None]]), "type object"),
    ],
)
def test_what_is_no_grid_is_refused_in_a_sentence(value: Any, sentence: str) -> None:
    for lang in (ARRAYS, TUPLES):
        with pytest.raises(PrimitiveError, match=sentence):
            lang.to_grid(value)


def test_a_checked_grid_is_read_only_and_its_own() -> None:
    loose = np.ones((2, 3), np.int64)
    grid = checked_grid(loose)
    loose[0, 0] = 7
    assert grid[0, 0] == 1 and not grid.flags.writeable
