"""Partial credit lies in [0, 1] and is 1 for the right answer alone; scores count what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbatt.limits import Status
from nbbatt.scoring import DIFFERS, NEAR, PairResult, Score, cells, exact, foreground, score, shape
from nbbatt.tasks import Grid, as_grid

differs = pytest.mark.parametrize("name", sorted(DIFFERS))


@st.composite
def grids(draw: st.DrawFn, side: int = 5, colours: int = 3) -> Grid:
    height, width = draw(st.integers(1, side)), draw(st.integers(1, side))
    values = draw(st.lists(st.integers(0, colours - 1), min_size=height * width, max_size=height * width))
    return as_grid(np.array(values, np.uint8).reshape(height, width), "a drawn grid")


def grid(*rows: list[int]) -> Grid:
    return as_grid(list(rows), "a test's grid")


@differs
@given(data=st.data())
def test_credit_is_a_share_and_whole_only_for_the_equal(name: str, data: Any) -> None:
    output, expected = data.draw(grids()), data.draw(grids())
    part = DIFFERS[name](output, expected)
    assert type(part) is float
    assert 0.0 <= part <= 1.0
    assert (part == 1.0) == np.array_equal(output, expected)


@differs
@given(data=st.data())
def test_credit_on_one_shape_is_whole_only_for_the_equal(name: str, data: Any) -> None:
    expected = data.draw(grids())
    output = expected.copy()
    assert DIFFERS[name](output, expected) == 1.0
    row = data.draw(st.integers(0, expected.shape[0] - 1))
    column = data.draw(st.integers(0, expected.shape[1] - 1))
    output[row, column] = (output[row, column] + 1) % 10
    assert 0.0 <= DIFFERS[name](output, expected) <= NEAR


@differs
def test_one_wrong_cell_of_the_largest_grid_is_not_whole(name: str) -> None:
    expected = np.ones((30, 30), np.uint8)
    expected[:, ::2] = 2
    output = expected.copy()
    output[29, 29] = 0
    assert DIFFERS[name](output, expected) <= NEAR


def test_cells_is_the_share_of_equal_cells() -> None:
    assert cells(grid([1, 2], [3, 4]), grid([1, 2], [3, 0])) == 0.75
    assert cells(grid([1, 2]), grid([1], [2])) == 0.0


def test_foreground_does_not_reward_an_empty_grid() -> None:
    expected = grid([0, 0, 0], [0, 5, 5])
    assert foreground(grid([0, 0, 0], [0, 0, 0]), expected) == 0.0
    assert foreground(grid([0, 0, 0], [0, 5, 0]), expected) == 0.5
    assert foreground(grid([7, 0, 0], [0, 5, 5]), expected) == pytest.approx(2 / 3)
    assert foreground(grid([0, 0]), grid([0, 0])) == 1.0


def test_shape_gives_half_for_the_shape_and_less_for_a_near_one() -> None:
    assert shape(grid([9, 9]), grid([1, 1])) == 0.5
    assert shape(grid([1, 9]), grid([1, 1])) == 0.75
    assert shape(grid([1]), grid([1, 1])) == 0.25
    assert shape(grid([1], [1]), grid([1, 1])) == 0.125


def test_exact_is_all_or_nothing() -> None:
    assert exact(grid([1, 2]), grid([1, 2])) == 1.0
    assert exact(grid([1, 2]), grid([1, 3])) == exact(grid([1]), grid([1, 1])) == 0.0


# ---------------------------------------------------------------------- scores


def result(ok: bool | None, differ: float = 0.0) -> PairResult:
    return PairResult(Status.OK, ok, 1.0 if ok else differ, "mark")


def test_a_score_is_the_mean_over_the_demos_and_counts_both_kinds() -> None:
    got = score([result(True), result(False, 0.5), result(True), result(False)], 2)
    assert got == Score(0.75, 1, 2, 1, 2)
    assert not got.solved


@pytest.mark.parametrize(
    ("results", "demos", "expected", "solved"),
    [
        ([result(True), result(True)], 2, Score(1.0, 2, 2, 0, 0), True),
        ([result(True), result(True), result(True)], 2, Score(1.0, 2, 2, 1, 1), True),
        ([result(True), result(True), result(False)], 2, Score(1.0, 2, 2, 0, 1), False),
        ([result(True), result(True), result(None)], 2, Score(1.0, 2, 2, 0, 0), True),
        ([result(True)], 2, Score(0.5, 1, 2, 0, 0), False),
        ([], 3, Score(0.0, 0, 3, 0, 0), False),
        ([], 0, Score(0.0, 0, 0, 0, 0), False),
    ],
    ids=["demos", "tests", "wrong test", "unknown test", "stopped early", "not run", "no demos"],
)
def test_what_counts_as_solved(results: list[PairResult], demos: int, expected: Score, solved: bool) -> None:
    assert score(results, demos) == expected
    assert score(results, demos).solved is solved


def test_a_test_pair_never_changes_the_value() -> None:
    demos = [result(True), result(False, 0.25)]
    values = {score([*demos, test], 2).value for test in (result(True), result(False, 0.9), result(None))}
    assert values == {0.625}
