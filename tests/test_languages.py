"""Languages: any namespace of annotated functions, what its types are called, what fits where, and the grids' edge."""

from __future__ import annotations

import collections.abc
import math
import pickle
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NewType, Optional, Union

import numpy as np
import pytest
import tiny_language
from hypothesis import given
from hypothesis import strategies as st

from nbbatt.languages import MAX_SIDE, Language, LanguageError, PrimitiveError
from nbbatt.programs import Program
from nbbatt.tasks import as_grid

CELL = """
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Annotated, Any, FrozenSet, List, NewType, Optional, Tuple, TypeVar, Union

Colour = NewType("Colour", int)
Size = NewType("Size", int)
Grid = Tuple[Tuple[int, ...], ...]
Indices = FrozenSet[Tuple[int, int]]
Patch = Union[Grid, Indices]
Number = int | Tuple[int, int]
Maybe = Optional[Indices]
T = TypeVar("T")

class Shape: ...
class Square(Shape): ...

def paint(grid: Grid, colour: Colour, patch: Patch) -> Grid:
    '''Paint a patch. Everything
    outside it stays.

    The second paragraph is for those who read on.
    '''
    return grid

def find(grid: "Grid", number: "Number" = 1) -> "Maybe": ...
def each(fn: Callable[[Grid], Grid], things: Container[int], more: Iterable) -> list[int]: ...
def turn(grid: Grid) -> Grid: return tuple(zip(*grid[::-1]))
def hue(grid: Grid) -> Colour: ...
def height(grid: Grid) -> Size: ...
def odd(number: int) -> bool: ...
def square(size: Size) -> Square: ...
def area(shape: Shape) -> int: ...
def same(thing: T) -> T: return thing
def first(pair: tuple[int, bool]) -> Annotated[int, "small"]: ...
def call(fn: Callable, x: Any) -> Any: ...
def count(f: Callable[[Shape], int]) -> List[int]: ...
def free(a, b=2): return a
"""


def cell(text: str, **more: Any) -> dict[str, Any]:
    """The names a notebook has after a cell, less the types that the cell imports; functions know no module."""
    space: dict[str, Any] = dict(more)
    exec(
        compile(text, "<cell>", "exec", dont_inherit=True), space
    )  # else annotations would be texts, as here
    imported = vars(typing) | vars(collections.abc)
    return {key: value for key, value in space.items() if imported.get(key) is not value}


RICH = Language.from_module(cell(CELL), name="rich")


def one(annotation: Any, **scope: Any) -> Language:
    """A language of one function, which takes this annotation."""

    def it(x: Any) -> Any:
        return x

    it.__annotations__ = {"x": annotation, "return": annotation}
    return Language.from_module({"it": it, **scope})


# ---------------------------------------------------------------------- naming


def test_types_go_by_the_names_people_gave_them() -> None:
    shown = [primitive.signature for primitive in RICH.primitives.values()]
    assert shown == [
        "paint(Grid, Colour, Patch) -> Grid",
        "find(Grid, Number=…) -> Maybe",
        "each(Callable[[Grid], Grid], Container[int], Iterable) -> list[int]",
        "turn(Grid) -> Grid",
        "hue(Grid) -> Colour",
        "height(Grid) -> Size",
        "odd(int) -> bool",
        "square(Size) -> Square",
        "area(Shape) -> int",
        "same(T) -> T",
        "first(tuple[int, bool]) -> Annotated[int, small]",
        "call(Callable, Any) -> Any",
        "count(Callable[[Shape], int]) -> list[int]",
        "free(Any, Any=…) -> Any",
    ]


@pytest.mark.parametrize(
    ("annotation", "name"),
    [
        ("Grid", "Grid"),
        ("'Grid'", "Grid"),
        ("types.Grid", "Grid"),
        ("tuple[int,  int]", "tuple[int, int]"),
        (int, "int"),
        (None, "None"),
        (Any, "Any"),
        (Optional[int], "int | None"),  # noqa: UP045
        (Union[int, str], "int | str"),  # noqa: UP007
        (int | str, "int | str"),
        (tuple[int, ...], "tuple[int, ...]"),
        (frozenset[tuple[int, int]], "frozenset[tuple[int, int]]"),
        (Callable[[int, bool], str], "Callable[[int, bool], str]"),
        (Callable[..., int], "Callable[..., int]"),
        (Callable, "Callable"),
        (NewType("Hue", int), "Hue"),
        (list, "list"),
    ],
    ids=str,
)
def test_annotations_of_any_style_have_a_name(annotation: Any, name: str) -> None:
    primitive = one(annotation).primitives["it"]
    assert (primitive.params, primitive.result) == ((name,), name)


def test_an_alias_gives_its_name_to_every_way_of_writing_the_type() -> None:
    Pair = tuple[int, int]
    for written in (Pair, tuple[int, int], "Pair"):
        assert one(written, Pair=Pair).primitives["it"].params == ("Pair",)
    assert one(Pair, pair=Pair).primitives["it"].params == ("tuple[int, int]",), "types have capitals"


def test_annotations_that_mean_nothing_are_names_that_fit_themselves_and_any() -> None:
    lang = one("Nowhere")
    assert lang.primitives["it"].signature == "it(Nowhere) -> Nowhere"
    assert lang.fits("Nowhere", "Nowhere") and lang.fits("Nowhere", "Any") and lang.fits("Any", "Nowhere")
    assert not lang.fits("Elsewhere", "Nowhere") and not lang.fits("int", "Elsewhere")


# ---------------------------------------------------------------------- fitting

FITS = [
    ("Grid", "Grid"),
    ("Grid", "Any"),
    ("Any", "Grid"),
    ("Grid", "Patch"),
    ("Indices", "Patch"),
    ("Patch", "Indices"),
    ("Indices", "Maybe"),
    ("None", "Maybe"),
    ("int", "Number"),
    ("tuple[int, int]", "Number"),
    ("Grid", "Iterable"),
    ("list[int]", "Iterable"),
    ("list[int]", "Container[int]"),
    ("Square", "Shape"),
    ("Grid", "T"),
    ("T", "Grid"),
    ("Callable[[Grid], Grid]", "Callable"),
    ("Callable", "Callable[[Grid], Grid]"),
    ("bool", "bool"),
    ("Annotated[int, small]", "int"),
]
FITS_NOT = [
    ("Indices", "Grid"),
    ("Grid", "Maybe"),
    ("None", "Patch"),
    ("Colour", "Size"),
    ("Size", "Colour"),
    ("int", "Colour"),
    ("bool", "int"),
    ("int", "bool"),
    ("bool", "Number"),
    ("Shape", "Square"),
    ("Grid", "Number"),
    ("int", "Iterable"),
    ("Grid", "Callable"),
    ("Callable[[Shape], int]", "Callable[[Grid], Grid]"),
    ("list[int]", "Grid"),
]


def typed() -> Language:
    """The rich language with a type of its own for each name in the two tables above."""
    extra = "def extra(a: Indices, b: Tuple[int, int], c: None) -> int: ...\n"
    return Language.from_module(cell(CELL + extra))


@pytest.mark.parametrize(("result", "param"), FITS)
def test_fits(result: str, param: str) -> None:
    assert typed().fits(result, param)


@pytest.mark.parametrize(("result", "param"), FITS_NOT)
def test_fits_not(result: str, param: str) -> None:
    assert not typed().fits(result, param)


FRESH = Language.from_module(cell(CELL), name="fresh")
names = st.sampled_from(sorted({n for p in RICH.primitives.values() for n in (*p.params, p.result)}))


@given(a=names, b=names)
def test_every_type_fits_itself_and_any_and_answers_are_the_same_when_remembered(a: str, b: str) -> None:
    assert RICH.fits(a, a) and RICH.fits(a, "Any") and RICH.fits("Any", a)
    assert RICH.fits(a, b) == RICH.fits(a, b) == FRESH.fits(a, b)


def test_annotations_that_are_all_texts_mean_the_same() -> None:
    texts = Language.from_module(cell("from __future__ import annotations\n" + CELL))
    assert texts.primitives["paint"].signature == RICH.primitives["paint"].signature
    for a in ("Grid", "Colour", "Patch", "Maybe", "Square", "Shape", "Iterable", "int", "bool"):
        for b in ("Grid", "Colour", "Patch", "Maybe", "Square", "Shape", "Iterable", "int", "bool"):
            assert texts.fits(a, b) == RICH.fits(a, b), (a, b)


def test_a_pickled_type_table_answers_alike() -> None:
    lang = tiny_language.language()
    again = pickle.loads(pickle.dumps(lang.types))
    types_named = sorted({n for p in lang.primitives.values() for n in (*p.params, p.result)})
    assert all(again.fits(a, b) == lang.fits(a, b) for a in types_named for b in types_named)


def test_functions_stand_where_functions_are_asked_for_and_by_their_signature() -> None:
    assert RICH.functions_for("Callable[[Grid], Grid]") == ("turn", "same", "free")
    assert RICH.functions_for("Callable[[Shape], int]") == ("area", "same", "free")
    assert set(RICH.functions_for("Callable")) == set(RICH.primitives)
    assert RICH.functions_for("Any") == RICH.functions_for("Grid") == RICH.functions_for("Iterable") == ()


# ---------------------------------------------------------------------- constants


def test_constants_stand_by_declared_type_or_by_value() -> None:
    values = "RED: Colour = 2\nWIDE: 'Size' = 9\nTWO = 2\nYES = True\nORIGIN = (0, 0)\nROW = (1, 2, 3)\n"
    values += "SPOTS = frozenset({(0, 1)})\nNONE = frozenset()\nWORD = 'w'\nSMALL: Grid = ((0,),)\nOTHER = ((1, 2),)\n"
    lang = Language.from_module(cell(CELL + values))
    assert lang.constant_types == {"RED": "Colour", "WIDE": "Size", "SMALL": "Grid"}
    # a bare 2 may be a colour or a size; one that is declared is what it says
    assert lang.constants_for("Colour") == ("RED", "TWO")
    assert lang.constants_for("Size") == ("WIDE", "TWO")
    assert lang.constants_for("int") == ("TWO",)
    assert lang.constants_for("bool") == ("YES",)
    assert set(lang.constants_for("Number")) >= {"TWO", "ORIGIN"} and "YES" not in lang.constants_for(
        "Number"
    )
    assert set(lang.constants_for("Patch")) == {"SPOTS", "NONE", "SMALL", "OTHER"}
    assert lang.constants_for("Maybe") == ("SPOTS", "NONE")
    assert lang.constants_for("Grid") == ("SMALL", "OTHER")
    assert set(lang.constants_for("Any")) == set(lang.constants)
    assert lang.constants_for("Callable") == ()


def test_constants_are_upper_case_and_cannot_change() -> None:
    given = {
        "A": (1, [2]),
        "B": 1.5,
        "C": None,
        "D": [1],
        "E_1": frozenset({1}),
        "low": 1,
        "F": True,
        "G2": "w",
    }
    given |= {"I": 1, "S": 2, "H": (np.zeros(2),), "K": {"a": 1}, "_L": 3}
    lang = Language.from_functions(tiny_language.turn, constants=given)
    assert lang.constants == {"E_1": frozenset({1}), "F": True, "G2": "w", "_L": 3}


def test_constants_come_from_where_they_are_said_to_be() -> None:
    space = cell("def f(x: int) -> int: return x\nONE = 1\n")
    assert Language.from_module(space).constants == {"ONE": 1}
    assert Language.from_module(space, constants={"TWO": 2}).constants == {"TWO": 2}
    assert Language.from_functions(space["f"]).constants == {}
    assert Language.from_module(space, constants=tiny_language).constants["CORNER"] == (0, 0)


# ---------------------------------------------------------------------- what becomes a language


def test_a_module_gives_the_public_functions_written_in_it() -> None:
    module = types.ModuleType("made_up")
    text = "from math import sqrt\nfrom json import dumps\ndef f(x): return x\ndef _g(x): return x\nclass C: ...\n"
    exec(text + "from functools import cache\n@cache\ndef h(x): return x\n", module.__dict__)
    lang = Language.from_module(module)
    assert list(lang.primitives) == ["f", "h"] and lang.name == "made_up"
    assert Language.from_module({"sqrt": math.sqrt, "f": module.f}).primitives.keys() == {"sqrt", "f"}


def test_functions_of_a_notebook_cell_work() -> None:
    lang = Language.from_module(cell(CELL), name="cell")
    program = Program.parse("def solve_it(I):\n    return turn(same(I))\n", lang)
    assert program.run(as_grid([[1, 2], [3, 4]], "a test's grid")).tolist() == [[3, 1], [4, 2]]
    main = cell("def f(grid): return grid\n", __name__="__main__")
    assert Language.from_functions(main["f"]).primitives["f"].theme == "__main__"
    assert lang.primitives["turn"].theme == "" and len(lang.version) == 32


def test_an_edited_cell_is_another_version_and_the_same_cell_the_same() -> None:
    edited = CELL.replace("return grid\n", "return grid[::-1]\n")
    assert (
        Language.from_module(cell(CELL)).version == RICH.version != Language.from_module(cell(edited)).version
    )


def test_len_table_and_repr() -> None:
    assert len(RICH) == 14 and repr(RICH) == "<Language rich · 14 primitives · 0 constants>"
    table = RICH.table()
    assert list(table.columns) == ["name", "signature", "theme", "sentence"] and len(table) == 14
    assert table.name[0] == "paint" and table.signature[0] == "paint(Grid, Colour, Patch) -> Grid"
    assert table.sentence[0].startswith("Paint a patch.") and "second paragraph" not in table.sentence[0]
    assert table.sentence[3] == ""
    tiny = tiny_language.language().table()
    assert set(tiny.theme) == {"tiny_language"} and len(tiny) == len(tiny_language.language())


def test_an_empty_language_cannot_be_but_keyword_only_defaults_can() -> None:
    def told(x: int, *, quietly: bool = True) -> int:
        return x

    lang = Language.from_functions(told, cache(tiny_language.turn))
    assert lang.primitives["told"].signature == "told(int) -> int"
    assert lang.primitives["turn"].params == ("Grid",)


def starred(*grids: Any) -> Any:
    return grids


def keyed(grid: Any, *, way: int) -> Any:
    return grid, way


def plain(grid: Any) -> Any:
    return grid


def named(name: str) -> Callable[[Any], Any]:
    def it(grid: Any) -> Any:
        return grid

    it.__name__ = name
    return it


@pytest.mark.parametrize(
    ("source", "constants", "sentence"),
    [
        ((), None, "'own' holds no public function defined in it, and a language needs one; pass the module"),
        ({"x": 5, "_f": plain}, None, "holds no public function"),
        (math, None, "'math' holds no public function defined in it"),
        (5, None, "a int holds no functions, and a language is made of some; pass the module, dict or list"),
        ({5: plain}, None, "holds no public function"),
        ([5], None, "5 has no usable name, and a primitive is called by name; use a def"),
        ([lambda x: x], None, "has no usable name"),
        (
            [plain, named("plain")],
            None,
            "two functions are named 'plain', and a name means one thing; rename one",
        ),
        ([min], None, "'min' has no readable signature .* wrap it in a def with annotations"),
        ([starred], None, r"'starred' takes \*grids.*, and a primitive takes a fixed number of positional"),
        ([keyed], None, "'keyed' takes way.*, and a primitive takes a fixed number"),
        ([named("I")], None, "uses the name 'I' twice or for an input .* rename it"),
        ([named("S")], None, "uses the name 'S' twice or for an input"),
        ({"G": plain}, {"G": 1}, "uses the name 'G' twice"),
        ({"größe": plain}, None, "has the name 'größe', which no program can write"),
        ({"if": plain}, None, "has the name 'if', which no program can write: .* no keywords"),
        ({"a b": plain}, None, "has the name 'a b', which no program can write"),
        ([plain], {"ÄRA": 1}, "has the name 'ÄRA', which no program can write"),
    ],
    ids=lambda value: "" if isinstance(value, Mapping | types.ModuleType) else None,
)
def test_what_cannot_be_a_language_is_refused_in_a_sentence(
    source: Any, constants: Any, sentence: str
) -> None:
    with pytest.raises(LanguageError, match=sentence):
        Language.from_module(source, constants=constants)


def test_the_form_of_grids_is_one_of_three() -> None:
    with pytest.raises(
        LanguageError, match="grids='list' is no form of grids; choose 'auto', 'array' or 'tuple'"
    ):
        Language.from_functions(plain).from_module({"plain": plain}, grids="list")  # type: ignore[arg-type]


def test_extended_adds_and_the_others_names_win() -> None:
    base = Language.from_functions(plain, tiny_language.turn, constants={"ONE": 1})
    more = Language.from_module(
        {"plain": starless, "flip": tiny_language.flip}, constants={"ONE": 2, "TWO": 3}
    )
    both = base.extended(more, "both")
    assert list(both.primitives) == ["plain", "turn", "flip"] and both.name == "both"
    assert both.primitives["plain"].fn is starless and both.constants == {"ONE": 2, "TWO": 3}
    assert list(base.primitives) == ["plain", "turn"] and base.extended(more).name == base.name
    assert len({base.version, more.version, both.version}) == 3
    with pytest.raises(
        LanguageError, match=r"takes grids as arrays and 'rich' as tuples, .* build one of them with"
    ):
        base.extended(RICH)
    with pytest.raises(LanguageError, match="uses the name 'ONE' twice"):
        base.extended(Language.from_functions(named("ONE")))


def starless(grid: Any) -> Any:
    return grid


# ---------------------------------------------------------------------- the edge

GRID = as_grid([[1, 2, 3], [4, 5, 6]], "a test's grid")


def test_grids_are_handed_over_as_the_language_wants_them() -> None:
    assert RICH.grids == "tuple" and RICH.grid_type == "Grid"
    assert RICH.from_grid(GRID) == ((1, 2, 3), (4, 5, 6)) and type(RICH.from_grid(GRID)[0][0]) is int
    array = Language.from_module(tiny_language)
    assert array.grids == "array" and array.from_grid(GRID) is GRID
    assert Language.from_module(cell(CELL), grids="array").grids == "array"
    assert Language.from_module(tiny_language, grids="tuple").from_grid(GRID) == ((1, 2, 3), (4, 5, 6))
    assert Language.from_functions(plain).grids == "array"


@pytest.mark.parametrize(
    ("grid", "form"),
    [
        ("tuple[tuple[int, ...], ...]", "tuple"),
        ("Tuple[Tuple[int]]", "tuple"),
        ("tuple", "tuple"),
        ("NewType('Grid', tuple)", "tuple"),
        ("NewType('Grid', tuple[tuple[int, ...], ...])", "tuple"),
        ("Annotated[tuple[tuple[int, ...], ...], 'cells']", "tuple"),
        ("np.ndarray", "array"),
        ("NDArray[np.uint8]", "array"),
        ("NewType('Grid', np.ndarray)", "array"),
    ],
)
def test_the_form_of_grids_is_that_of_the_type_named_grid(grid: str, form: str) -> None:
    head = (
        "from typing import NewType, Annotated, Tuple\nimport numpy as np\nfrom numpy.typing import NDArray\n"
    )
    space: dict[str, Any] = {}
    exec(f"{head}Grid = {grid}\ndef f(g: Grid) -> Grid: return g\n", space)
    lang = Language.from_functions(space["f"])
    assert lang.grids == form and lang.primitives["f"].params == ("Grid",)


def test_the_type_of_grids_is_the_first_parameters_where_none_is_named_grid() -> None:
    space = cell(
        "def f(b: Board) -> Board: ...\ndef g(b: Board) -> int: ...\ndef h(n: int) -> int: ...\n", Board=tuple
    )
    assert Language.from_module(space).grid_type == "Board"
    assert Language.from_functions(*(cell("def f(): ...\n")[name] for name in "f")).grid_type == "Any"


both_forms = pytest.mark.parametrize("lang", [RICH, tiny_language.language()], ids=["tuple", "array"])


@both_forms
@pytest.mark.parametrize(
    "value",
    [
        ((1, 2, 3), (4, 5, 6)),
        [[1, 2, 3], [4, 5, 6]],
        [(1, 2, 3), [4, 5, 6]],
        GRID,
        GRID.astype(np.int64),
        GRID.astype(np.int8),
        np.asfortranarray(GRID),
        np.array([[6, 5, 4], [3, 2, 1]])[::-1, ::-1],
        tuple(map(tuple, GRID)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_results_of_either_form_are_grids(lang: Language, value: Any) -> None:
    grid = lang.to_grid(value)
    assert (grid == GRID).all() and grid.dtype == np.uint8 and grid.shape == (2, 3)
    assert grid.flags.c_contiguous and not grid.flags.writeable


@both_forms
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (None, "the result is a NoneType, and a program must return a grid"),
        (5, "the result is a int"),
        ("12", "the result is a str"),
        ({(0, 0)}, "the result is a set"),
        (frozenset(), "the result is a frozenset"),
        ((1, 2), "the result is a tuple, and"),
        ([np.array([1, 2])], "the result is a list"),
        (np.ma.array([[1]]), "the result is a MaskedArray"),
        ([], "the result is 0×0, and a grid has 1 to 30 rows and columns"),
        ([[]], "the result is 1×0"),
        ([[1]] * 31, "the result is 31×1"),
        ([[1] * 31], "the result is 1×31"),
        (np.zeros((0, 3), int), "the result is 0×3"),
        (np.zeros((31, 31), np.uint8), "the result is 31×31"),
        ([[1], [1, 2]], "rows differ in length, and a grid is a rectangle"),
        ([[1.0]], "a cell that is a float, and a grid's cells are colours 0 to 9"),
        ([[True]], "a cell that is a bool"),
        ([[1, np.bool_(True)]], "a cell that is a bool"),
        ([[None]], "a cell that is a NoneType"),
        ([["1"]], "a cell that is a str"),
        ([[[1]]], "a cell that is a list"),
        ([[10]], "values outside 0 to 9"),
        ([[-1]], "values outside 0 to 9"),
        ([[2**70]], "values outside 0 to 9"),
        (np.array([[256]]), "values outside 0 to 9"),
        (np.array([[-256]]), "values outside 0 to 9"),
        (np.array([[2**63]], np.uint64), "values outside 0 to 9"),
        (np.array([[10]], np.uint8), "values outside 0 to 9"),
        (np.zeros((2, 2)), "an array of 2 dimensions and type float64, and a grid has two, of ints"),
        (np.zeros((2, 2), bool), "type bool"),
        (np.zeros(4, int), "an array of 1 dimensions"),
        (np.zeros((1, 1, 1), int), "an array of 3 dimensions"),
        (np.array([[1]], object), "type object"),
        (np.array([["1"]]), "type <U1"),
    ],
)
def test_results_that_are_no_grids_are_refused_in_a_sentence(
    lang: Language, value: Any, sentence: str
) -> None:
    with pytest.raises(PrimitiveError, match=sentence):
        lang.to_grid(value)


@st.composite
def rectangles(draw: st.DrawFn) -> list[list[int]]:
    width = draw(st.integers(1, MAX_SIDE))
    row = st.lists(st.integers(0, 9), min_size=width, max_size=width)
    return draw(st.lists(row, min_size=1, max_size=MAX_SIDE))


@both_forms
@given(cells=rectangles())
def test_the_edge_gives_back_what_it_was_given(lang: Language, cells: list[list[int]]) -> None:
    grid = as_grid(cells, "a test's grid")
    assert (lang.to_grid(lang.from_grid(grid)) == grid).all()
