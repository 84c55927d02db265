"""The built-in language: one worked example a primitive, what holds for all of them, and the whole."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dsl_examples import EXAMPLES, LANGUAGE, OUTSIDE, SHAPES, evaluated, grid, grids, shown
from hypothesis import given, settings
from hypothesis import strategies as st

from nbbatt import dsl
from nbbatt.dsl import assembly, colour, combinators, geometry, masks, objects
from nbbatt.dsl.combinators import bind_last, compose, fork, repeat
from nbbatt.dsl.values import MAX_SIDE, Object, Objects, content_key
from nbbatt.languages import PrimitiveError


@pytest.mark.parametrize("name", LANGUAGE.primitives)
def test_example(name: str) -> None:
    text, start, expected = EXAMPLES[name]
    assert f"{name}(" in text
    assert shown(evaluated(text, start)) == expected


def test_every_primitive_has_its_example() -> None:
    assert set(EXAMPLES) == set(LANGUAGE.primitives)
    assert set(OUTSIDE) <= set(EXAMPLES)


@pytest.mark.parametrize(("text", "start"), [case for cases in OUTSIDE.values() for case in cases])
def test_outside_its_domain(text: str, start: str) -> None:
    with pytest.raises(PrimitiveError) as caught:
        evaluated(text, start)
    assert 20 < len(str(caught.value)) < 200 and "\n" not in str(caught.value)


# ---------------------------------------------------------------------- what holds for every primitive

EXAMPLES_EACH = 40
FUNCTIONS = [
    *(p.fn for p in LANGUAGE.primitives.values()),
    compose(geometry.rot90, geometry.mirror_lr),
    compose(objects.size, objects.box_of),
    fork(assembly.hconcat, geometry.mirror_lr, geometry.rot180),
    bind_last(masks.cells_of, 2),
    repeat(geometry.rot90, 3),
]
FITTING: dict[str, list[Callable[..., Any]]] = {
    "GridFunction": [geometry.rot90, geometry.trim, FUNCTIONS[-1]],
    "GridJoin": [assembly.hconcat, assembly.overlay, lambda one, other: other],
    "GridMeasure": [colour.count_colours, colour.most_common, geometry.height],
    "ObjectFunction": [objects.box_of, bind_last(objects.dye_object, 3)],
    "ObjectMeasure": [objects.size, objects.colour_of],
}


@st.composite
def several(draw: st.DrawFn, shape: tuple[int, int]) -> Objects:
    """Objects of a grid, moved so that some may be outside or over each other."""
    found = objects.components(draw(grids(shape)), draw(st.sampled_from([4, 8])))
    down, right = draw(st.integers(-9, 9)), draw(st.integers(-9, 9))
    return combinators.map_objects(lambda one: objects.move(one, down, right * (len(one) % 2)), found)


@st.composite
def argument(draw: st.DrawFn, kind: str, shape: tuple[int, int]) -> Any:
    """A value of a type, in its domain or not."""
    if draw(st.integers(0, 9)) == 0:
        shape = draw(SHAPES)
    if kind == "Grid":
        return draw(grids(shape))
    if kind == "Mask":
        return draw(grids(shape)) != 0
    if kind == "Grids":
        return tuple(draw(grids(shape)) for _ in range(draw(st.integers(0, 4))))
    if kind in ("Object", "Objects", "Pieces"):
        found = draw(several(shape))
        return found[0] if kind != "Objects" and len(found) else found if kind != "Object" else _dot()
    if kind in ("Colour", "Direction", "Diagonal"):
        return draw(st.integers(0, 3) | st.integers(0, 3) | st.integers(-1, 10))
    if kind == "Neighbours":
        return draw(st.sampled_from([4, 8, 4, 8, 4, 8, 0]))
    if kind == "Int":
        wild = draw(st.integers(0, 5)) == 5
        return draw(st.integers(-70, 70) | st.sampled_from([-(10**9), 10**9]) if wild else st.integers(0, 3))
    if kind == "Any":
        return draw(argument(draw(st.sampled_from(["Grid", "Colour", "Mask", "Object"])), shape))
    assert kind == "Function" or kind.startswith(("Grid", "Object")), f"no strategy for the type {kind}"
    wild = draw(st.integers(0, 3)) == 3
    return draw(st.sampled_from(FUNCTIONS if wild else FITTING.get(kind, FUNCTIONS)))


def _dot() -> Object:
    return objects.components(grid("1"), 4)[0]


def check_value(value: Any, kind: str) -> None:
    """A value is what its type's name promises."""
    if kind in ("Grid", "Mask"):
        assert type(value) is np.ndarray and value.dtype == (np.uint8 if kind == "Grid" else np.bool_)
        assert value.ndim == 2 and value.flags.c_contiguous
        assert min(value.shape) >= 1 and max(value.shape) <= MAX_SIDE
        assert kind == "Mask" or value.max() <= 9
    elif kind == "Grids":
        assert type(value) is tuple
        for one in value:
            check_value(one, "Grid")
    elif kind in ("Object", "Objects"):
        assert type(value) is (Object if kind == "Object" else Objects)
        columns = (value.rows, value.cols, value.colours)
        assert [c.dtype for c in columns] == [np.int16, np.int16, np.uint8]
        assert not any(c.flags.writeable for c in columns) and len({len(c) for c in columns}) == 1
        assert kind == "Objects" or len(value) > 0
        assert kind == "Object" or (value.starts[0] == 0 and value.starts[-1] == len(value.rows))
        assert kind == "Object" or (value.sizes > 0).all()
    elif kind == "Function":
        assert callable(value)
    else:
        assert type(value) is int and kind in ("Int", "Colour")
        assert kind == "Int" or 0 <= value <= 9


@pytest.mark.parametrize("name", LANGUAGE.primitives)
def test_pure_typed_and_total(name: str) -> None:
    """Arguments unchanged, results as annotated and nobody else's to change, no error but PrimitiveError."""
    primitive = LANGUAGE.primitives[name]
    inside = 0

    @settings(max_examples=EXAMPLES_EACH, deadline=None, derandomize=True)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        nonlocal inside
        shape = data.draw(SHAPES)
        arguments = [data.draw(argument(kind, shape)) for kind in primitive.params]
        before = content_key(tuple(arguments))
        try:
            result = primitive.fn(*arguments)
        except PrimitiveError:
            return
        finally:
            assert content_key(tuple(arguments)) == before
        inside += 1
        check_value(result, primitive.result)
        if primitive.result != "Function":
            assert content_key(primitive.fn(*arguments)) == content_key(result)
        for array in result if type(result) is tuple else (result,):
            if type(array) is np.ndarray and array.flags.writeable:  # new, so nobody else's
                assert not any(np.shares_memory(array, a) for a in arguments if type(a) is np.ndarray)

    run()
    assert inside, "no drawn arguments were in its domain, so nothing was tested"


@pytest.mark.parametrize("name", LANGUAGE.primitives)
def test_annotated_and_described(name: str) -> None:
    primitive = LANGUAGE.primitives[name]
    untyped = [p for p in (*primitive.params, primitive.result) if p == "Any"]
    assert untyped == (["Any"] if name.startswith("bind_") else [])
    assert primitive.doc.endswith(".") and primitive.doc.count(". ") == 0
    assert primitive.theme in dsl.THEMES
    assert inspect.signature(primitive.fn).return_annotation


# ---------------------------------------------------------------------- the language


def test_the_language_is_one_and_trusted() -> None:
    assert dsl.language() is LANGUAGE and LANGUAGE.trusted and LANGUAGE.grids == "array"
    assert set(LANGUAGE.constants) == set(LANGUAGE.constant_types)
    assert LANGUAGE.constants_for("Colour")[0] == "BLACK" and len(LANGUAGE.constants_for("Colour")) == 10
    assert LANGUAGE.constants_for("Neighbours") == ("FOUR", "EIGHT") and not LANGUAGE.constants_for("Int")


@pytest.mark.parametrize(
    ("result", "param", "fits"),
    [
        ("Colour", "Int", False),
        ("Int", "Colour", False),
        ("Mask", "Grid", False),
        ("Grid", "Mask", False),
        ("Grid", "Grids", False),
        ("Direction", "Diagonal", False),
        ("Object", "Objects", False),
        ("Object", "Pieces", True),
        ("Objects", "Pieces", True),
        ("Grid", "Pieces", False),
        ("Function", "GridFunction", True),
        ("Grid", "Function", False),
    ],
)
def test_types_keep_apart_what_does_not_mix(result: str, param: str, fits: bool) -> None:
    assert LANGUAGE.fits(result, param) is fits


def test_the_seed_task_can_be_said() -> None:
    """Three bands of copies, the middle one mirrored."""
    text = "x1 = tile(I, 1, 3)\nx2 = mirror_lr(x1)\nvconcat(vconcat(x1, x2), x1)"
    assert shown(evaluated(text, "12/34")) == "121212/343434/212121/434343/121212/343434"


def elsewhere(code: str) -> str:
    """What a new interpreter prints when it runs this."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def test_loading_brings_numpy_alone() -> None:
    code = (
        "import sys, numpy; before = set(sys.modules); import nbbatt.dsl; nbbatt.dsl.language(); "
        "print(*{m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    assert set(elsewhere(code).split()) <= {"nbbatt", "numpy"}


def test_the_version_is_the_same_in_every_process() -> None:
    code = "import nbbatt.dsl; print(nbbatt.dsl.language().version)"
    assert elsewhere(code) == LANGUAGE.version
