"""The laws that tie the built-in primitives to each other and to slow, plain ways of doing the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dsl_examples import SHAPES, grid, grids
from hypothesis import given, settings
from hypothesis import strategies as st

from nbbatt.dsl import assembly, colour, combinators, geometry, lines, masks, objects
from nbbatt.dsl.combinators import bind_first, bind_last, compose, repeat
from nbbatt.dsl.values import Objects, content_key
from nbbatt.languages import PrimitiveError

GRIDS = SHAPES.flatmap(grids)
SMALL = st.tuples(st.integers(1, 8), st.integers(1, 8)).flatmap(grids)


@given(GRIDS)
def test_symmetries_form_their_group(one: np.ndarray) -> None:
    same = content_key
    g = geometry
    assert same(repeat(g.rot90, 4)(one)) == same(one)
    for twice in (g.mirror_lr, g.mirror_ud, g.transpose, g.anti_transpose, g.rot180):
        assert same(twice(twice(one))) == same(one)
    assert same(g.rot270(g.rot90(one))) == same(one)
    assert same(g.transpose(g.mirror_ud(one))) == same(g.rot90(one))
    assert same(g.rot180(g.transpose(one))) == same(g.anti_transpose(one))


@given(SMALL, st.integers(1, 3), st.integers(1, 3))
def test_joins_and_cuts_undo_each_other(one: np.ndarray, rows: int, cols: int) -> None:
    tiled = geometry.tile(one, rows, cols)
    panels = assembly.cut(tiled, rows, cols)
    assert len(panels) == rows * cols and all(np.array_equal(panel, one) for panel in panels)
    assert np.array_equal(geometry.scale_down(geometry.scale_up(one, rows), rows), one)
    assert np.array_equal(geometry.left_half(assembly.hconcat(one, one)), one)
    assert np.array_equal(geometry.bottom_half(assembly.vconcat(one, one)), one)
    framed = assembly.surround(one, rows, 5)
    assert np.array_equal(geometry.crop(framed, rows, rows, *one.shape), one)
    assert np.array_equal(masks.stamp(np.ones((rows, cols), np.bool_), one), tiled)


def flooded(cells: np.ndarray, steps: list[tuple[int, int]]) -> list[set[tuple[int, int]]]:
    """Regions of equal value other than 0, cell by cell: what the fast way must agree with."""
    left = {(r, c) for r, c in zip(*(axis.tolist() for axis in cells.nonzero()))}
    found = []
    for start in sorted(left):
        if start not in left:
            continue
        region, edge = {start}, [start]
        left.discard(start)
        while edge:
            r, c = edge.pop()
            for dr, dc in steps:
                near = (r + dr, c + dc)
                if near in left and cells[near] == cells[r, c]:
                    left.discard(near)
                    region.add(near)
                    edge.append(near)
        found.append(region)
    return found


STEPS = {
    4: [(0, 1), (1, 0), (0, -1), (-1, 0)],
    8: [(r, c) for r in (-1, 0, 1) for c in (-1, 0, 1) if (r, c) != (0, 0)],
}


@settings(deadline=None)
@given(GRIDS, st.sampled_from([4, 8]))
def test_regions_agree_with_a_flood(one: np.ndarray, kind: int) -> None:
    for found, cells in ((objects.components(one, kind), one), (objects.clusters(one, kind), (one != 0) * 1)):
        places = [set(zip(each.rows.tolist(), each.cols.tolist())) for each in found]
        assert places == flooded(cells, STEPS[kind])
        assert all((one[each.rows, each.cols] == each.colours).all() for each in found)
        assert np.array_equal(objects.paint(np.zeros_like(one), found), one)
        assert not objects.erase(one, found).any()


def test_regions_of_a_long_snake() -> None:
    snake = np.zeros((60, 60), np.uint8)
    snake[::2] = 1
    snake[1::4, -1] = snake[3::4, 0] = 1
    assert objects.count(objects.components(snake, 4)) == 1
    assert objects.count(objects.components(1 - snake, 4)) == 30


@settings(deadline=None)
@given(SMALL)
def test_enclosed_cells_are_those_no_path_leaves(one: np.ndarray) -> None:
    mask = one != 0
    padded = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    outside = flooded(padded, STEPS[4])[0]
    expected = ~mask
    for row, col in np.argwhere(expected).tolist():
        expected[row, col] = (row + 1, col + 1) not in outside
    assert np.array_equal(masks.enclosed(mask), expected)


@given(GRIDS)
def test_cell_logic_and_surroundings(one: np.ndarray) -> None:
    mask, border = one != 0, masks.border(one)
    for kind in (4, 8):
        ring = masks.neighbours(mask, kind)
        assert not (ring & mask).any() and (masks.neighbours(mask, 4) <= masks.neighbours(mask, 8)).all()
        inner = masks.interior(mask, kind)
        assert not (inner & (border | ~mask)).any()
        assert (masks.neighbours(inner, kind) <= mask).all()
    assert np.array_equal(masks.mask_xor(mask, border), masks.mask_minus(mask, border) | (border & ~mask))
    assert np.array_equal(assembly.overlay(one, masks.keep_cells(one, border)), one)
    assert np.array_equal(masks.choose(mask, one, one), one)


@given(GRIDS, st.sampled_from([0, 1, 2, 3]))
def test_gravity_and_rays(one: np.ndarray, direction: int) -> None:
    fallen = geometry.gravity(one, direction)
    assert np.array_equal(np.bincount(fallen.ravel(), minlength=10), np.bincount(one.ravel(), minlength=10))
    assert np.array_equal(geometry.gravity(fallen, direction), fallen)
    rays = lines.extend(one, direction)
    assert (rays[one != 0] == one[one != 0]).all()
    assert np.array_equal(lines.extend(rays, direction), rays)
    reversed_ = geometry.gravity(geometry.rot180(one), direction ^ 1)
    assert np.array_equal(geometry.rot180(reversed_), fallen)
    slanted = lines.extend_diagonal(one, direction)
    assert (slanted[one != 0] == one[one != 0]).all()
    assert np.array_equal(lines.extend_diagonal(slanted, direction), slanted)


@given(SMALL, st.integers(2, 4), st.integers(2, 4))
def test_a_tiling_with_holes_is_completed(one: np.ndarray, rows: int, cols: int) -> None:
    tiled = np.tile(np.maximum(one, 1), (rows, cols))
    holed = tiled.copy()
    holed[: one.shape[0], : one.shape[1]][one > 4] = 0  # each of them has a like in the next tile
    assert np.array_equal(assembly.complete_tiling(holed, 0), tiled)


@given(GRIDS)
def test_colours(one: np.ndarray) -> None:
    counts = np.bincount(one.ravel(), minlength=10)
    assert counts[colour.most_common(one)] == counts.max()
    assert counts[colour.least_common(one)] == counts[counts > 0].min()
    assert np.array_equal(colour.swap_colours(colour.swap_colours(one, 1, 2), 1, 2), one)
    kept = [colour.keep_colour(one, c) for c in range(1, 10)]
    assert np.array_equal(sum(kept), one)
    assert combinators.apply(objects.count, objects.colour_groups(one)) == colour.count_colours(one)


# ---------------------------------------------------------------------- values and functions


def test_values_compare_by_content_and_type() -> None:
    one, same = (objects.components(grid("110/002"), 4) for _ in range(2))
    assert one == same and hash(one) == hash(same) and one[0] == same[0] and hash(one[0]) == hash(same[0])
    assert one != objects.components(grid("110/003"), 4) and one[0] != one
    assert Objects.of(list(one)) == one and Objects.of([]) == objects.components(grid("0"), 4)
    unlike = (1, True, "1", (1,), (True,), grid("1"), grid("1") != 0, grid("11/11"), grid("1111"))
    assert len({content_key(value) for value in unlike}) == len(unlike)
    assert content_key([1]) != content_key([1])  # of an unknown value only the identity is known
    with pytest.raises(AttributeError):
        one[0].rows = None  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        one.colours[0] = 3


def test_made_functions_are_equal_when_made_alike() -> None:
    one, same = (compose(bind_last(masks.cells_of, 2), geometry.rot90) for _ in range(2))
    assert one == same and hash(one) == hash(same)
    assert one != compose(bind_last(masks.cells_of, 3), geometry.rot90)
    assert bind_last(masks.cells_of, 2) != bind_first(masks.cells_of, 2)
    assert bind_last(masks.cells_of, 1) != bind_last(masks.cells_of, True)
    assert bind_first(assembly.overlay, grid("12")) == bind_first(assembly.overlay, grid("12"))


def test_made_functions_are_bounded() -> None:
    made: Any = geometry.rot90
    with pytest.raises(PrimitiveError, match="100 is the limit"):
        for _ in range(200):
            made = compose(made, made)
    deep: Any = geometry.rot90
    with pytest.raises(PrimitiveError, match="100 is the limit"):
        for _ in range(200):
            deep = compose(geometry.rot90, deep)
    assert deep(grid("12")).size == 2


def test_functions_stop_at_what_they_cannot_take() -> None:
    wrong = compose(geometry.rot90, objects.size)
    with pytest.raises(PrimitiveError, match="'size' cannot take"):
        wrong(3)

    def full(_: object) -> object:
        raise MemoryError

    with pytest.raises(MemoryError):
        combinators.map_grids(full, (grid("1"),))
