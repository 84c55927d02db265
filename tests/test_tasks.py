"""Tasks, grids and sets of tasks."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nbbatt.sources import load_task
from nbbatt.tasks import Grid, Pair, Task, TaskError, TaskSet, as_grid, check_id, shorten

GRIDS = arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.integers(0, 9))
SMALL = arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 4)), elements=st.integers(0, 9))
IDS = st.text("abcXYZ019_-", min_size=1, max_size=64)
TASKS = st.builds(
    Task,
    IDS,
    st.lists(st.builds(Pair, SMALL, SMALL), min_size=1, max_size=3).map(tuple),
    st.lists(st.builds(Pair, SMALL, st.none() | SMALL), min_size=1, max_size=3).map(tuple),
)
ONE = {"train": [{"input": [[1, 2]], "output": [[3]]}], "test": [{"input": [[4]], "output": [[5]]}]}


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(TaskError) as caught:
        call()
    return str(caught.value)


# ---- grids ----


@settings(deadline=None)
@given(GRIDS)
def test_a_grid_survives_every_spelling(cells: Grid) -> None:
    spellings: list[object] = [
        cells,
        cells.tolist(),
        tuple(map(tuple, cells.tolist())),
        [list(row) for row in cells],  # rows of numpy integers
        list(cells),
        cells.astype(np.int64),
        np.asfortranarray(cells),
        np.repeat(cells, 2, axis=1)[:, ::2],
    ]
    for spelling in spellings:
        grid = as_grid(spelling, "it")
        assert grid.dtype == np.uint8 and np.array_equal(grid, cells)
        assert grid.flags.c_contiguous and not grid.flags.writeable


def test_a_grid_cannot_be_written_nor_unlocked_nor_changed_from_outside() -> None:
    cells = np.zeros((2, 3), np.uint8)
    grid = as_grid(cells, "it")
    cells[:] = 9
    assert not grid.any()
    with pytest.raises(ValueError):
        grid[0, 0] = 1
    with pytest.raises(ValueError):
        grid.setflags(write=True)
    view = cells.view()
    view.setflags(write=False)  # read-only, but somebody else can still write it
    frozen = as_grid(view % 8, "it")
    view = as_grid(cells, "it")
    cells[:] = 1
    assert (view == 9).all() and as_grid(frozen, "it") is frozen


@pytest.mark.parametrize(
    "value, said",
    [
        (None, "None is not a grid"),
        (3, "3 is not a grid"),
        ("12", "'12' is not a grid"),
        ({"a": 1}, "is not a grid"),
        ([], "0 rows"),
        ([[]], "0 cells in row 1"),
        ([[0]] * 31, "31 rows"),
        ([[0] * 31], "31 cells in row 1"),
        ([[1, 2], [3]], "row 2 has 1 cells where row 1 has 2"),
        ([[1], 2], "row 2 is 2"),
        ([[1], "2"], "row 2 is '2'"),
        ([[0, 10]], "row 1, column 2 is 10"),
        ([[0], [-1]], "row 2, column 1 is -1"),
        ([[True]], "row 1, column 1 is True"),
        ([[np.True_]], "(a bool"),
        ([[1.0]], "is 1.0 (a float)"),
        ([[float("nan")]], "is nan (a float)"),
        ([["1"]], "is '1'"),
        ([[None]], "is None"),
        ([[[1]]], "is [1] (a list)"),
        ([[10**5000]], "row 1, column 1"),
        (np.zeros((2, 2)), "type float64"),
        (np.zeros((2, 2), bool), "type bool"),
        (np.zeros((2, 2), object), "type object"),
        (np.zeros(4, np.uint8), "1 dimensions"),
        (np.zeros((0, 3), np.uint8), "0 rows"),
        (np.zeros((3, 31), np.uint8), "31 columns"),
        (np.full((2, 2), -1), "row 1, column 1 is -1"),
        (np.array([[0, 255]], np.uint8), "row 1, column 2 is 255"),
    ],
)
def test_what_is_no_grid_is_refused_with_its_place(value: object, said: str) -> None:
    message = refusal(lambda: as_grid(value, "demo 1 input"))
    assert message.startswith("demo 1 input: ") and said in message and len(message) < 400


@settings(deadline=None)
@given(GRIDS, st.data())
def test_one_bad_cell_is_found_wherever_it_is(cells: Grid, data: st.DataObject) -> None:
    y, x = data.draw(st.integers(0, cells.shape[0] - 1)), data.draw(st.integers(0, cells.shape[1] - 1))
    bad = data.draw(st.sampled_from([10, -1, 255, 2**70, True, False, 1.0, "1", None]))
    rows = cells.tolist()
    rows[y][x] = bad
    assert f"row {y + 1}, column {x + 1} is {bad!r}" in refusal(lambda: as_grid(rows, "it"))


def test_shorten_bounds_anything() -> None:
    class Rude:
        def __repr__(self) -> str:
            raise RuntimeError

    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]
    for value in ("x" * 10**6, [0] * 10**6, deep, 10**5000, Rude(), "a\nb\x1b[0m"):
        assert len(shorten(value)) <= 80 and "\n" not in shorten(value) and "\x1b" not in shorten(value)


# ---- pairs and tasks ----


@settings(deadline=None)
@given(TASKS)
def test_a_task_survives_json_and_pickle(original: Task) -> None:
    through_json = Task.from_json(original.id, json.loads(json.dumps(original.to_json())))
    through_pickle = pickle.loads(pickle.dumps(original))
    for copy in (through_json, through_pickle):
        assert copy == original and hash(copy) == hash(original) and copy.digest == original.digest
        for pair in copy.pairs:
            assert not pair.input.flags.writeable and (pair.output is None or not pair.output.flags.writeable)
            with pytest.raises(ValueError):
                pair.input.setflags(write=True)


@settings(deadline=None)
@given(TASKS, st.data())
def test_the_digest_sees_every_cell_and_neither_id_nor_source(original: Task, data: st.DataObject) -> None:
    assert Task("other", original.demos, original.tests, "elsewhere").digest == original.digest
    changed = original.to_json()
    pair = data.draw(st.sampled_from(changed[data.draw(st.sampled_from(["train", "test"]))]))
    rows = pair[data.draw(st.sampled_from(sorted(pair)))]
    row = rows[data.draw(st.integers(0, len(rows) - 1))]
    row[data.draw(st.integers(0, len(row) - 1))] += 1
    for line in rows:
        line[:] = [cell % 10 for cell in line]
    other = Task.from_json(original.id, changed)
    assert other.digest != original.digest and other != original


def test_the_digest_sees_roles_order_and_missing_outputs() -> None:
    a, b = Pair([[1]], [[2]]), Pair([[3]], [[4]])  # type: ignore[arg-type]
    unknown = Pair(b.input, None)
    tasks = [
        Task("t", (a,), (b,)),
        Task("t", (b,), (a,)),
        Task("t", (a,), (unknown,)),
        Task("t", (a, b), (b,)),
        Task("t", (a,), (b, b)),
        Task("t", (b, a), (b,)),
        Task("t", (a,), (Pair([[3], [4]], None),)),  # type: ignore[arg-type]
    ]
    assert len({t.digest for t in tasks}) == len(tasks) == len(set(tasks))


def test_a_task_is_a_value() -> None:
    it = Task.from_json("t", ONE, "here")
    assert it == Task.from_json("t", ONE, "there") != Task.from_json("u", ONE)
    assert it.pairs == it.demos + it.tests and it.pairs[0] != "a pair"
    with pytest.raises(AttributeError):
        it.id = "u"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        it.demos[0].input = it.tests[0].input  # type: ignore[misc]
    assert repr(it) == "<Task t · 1 demo · 1 test · 1×2 → 1×1>"
    assert repr(it.demos[0]) == "<Pair 1×2 → 1×1>"


def test_the_summary_gives_ranges() -> None:
    demos = (Pair([[1, 2]], [[0]]), Pair([[1, 2]] * 3, [[0]]))  # type: ignore[arg-type]
    it = Task("t", demos, (Pair([[1]], None),))  # type: ignore[arg-type]
    assert it.summary == "2 demos · 1 test · 1–3×2 → 1×1"
    assert repr(it.tests[0]) == "<Pair 1×1 → ?>"


@pytest.mark.parametrize(
    "data, said",
    [
        (None, "is None"),
        ([], "is []"),
        ({}, 'has no "train"'),
        ({"train": ONE["train"]}, 'has no "test"'),
        ({**ONE, "train": {}}, 'its "train" is {}'),
        ({**ONE, "train": []}, "has no demo pair"),
        ({**ONE, "test": []}, "has no test pair"),
        ({**ONE, "train": [3]}, "demo 1 is 3"),
        ({**ONE, "test": [{"output": [[1]]}]}, "test 1 is {'output'"),
        ({**ONE, "train": [{"input": [[1]]}]}, "demo 1 has no output"),
        (
            {**ONE, "train": [*ONE["train"], {"input": [[1]], "output": [[11]]}]},
            "demo 2 output: row 1, column 1",
        ),
    ],
)
def test_what_is_no_task_is_refused(data: object, said: str) -> None:
    message = refusal(lambda: Task.from_json("abc", data, "a place"))
    assert message.startswith("task 'abc' of 'a place'") and said in message


def test_a_test_without_its_output_is_fine() -> None:
    for missing in ({"input": [[4]]}, {"input": [[4]], "output": None}):
        it = Task.from_json("t", {**ONE, "test": [missing]})
        assert it.tests[0].output is None and it.to_json()["test"] == [{"input": [[4]]}]


@pytest.mark.parametrize(
    "id", ["", "a" * 65, "../x", "a/b", "a.json", "a b", "é", "a\n", "<b>", 576224, None, b"a"]
)
def test_ids_are_safe_names(id: object) -> None:
    assert "is not valid" in refusal(lambda: check_id(id))
    assert "is not valid" in refusal(lambda: load_task(id))  # type: ignore[arg-type]
    assert "is not valid" in refusal(lambda: Task(id, (), ()))  # type: ignore[arg-type]


# ---- sets ----

HELD = (Pair(as_grid([[4]], "it"), None),)


def made(count: int) -> list[Task]:
    """Tasks t0, t1, ... that differ in their demo."""
    return [
        Task(f"t{i}", (Pair(as_grid([[i]], "it"), as_grid([[i]], "it")),), HELD, "made up")
        for i in range(count)
    ]


def test_a_set_is_read_by_id_position_and_slice() -> None:
    tasks = made(5)
    chosen = TaskSet.of("mine", tasks)
    assert list(chosen) == tasks and len(chosen) == 5 and chosen.ids == ("t0", "t1", "t2", "t3", "t4")
    assert chosen["t3"] is chosen[3] is chosen[-2] is chosen[np.int64(3)] is tasks[3]
    assert "t3" in chosen and tasks[3] in chosen and "t9" not in chosen and 3 not in chosen
    assert Task.from_json("t3", ONE) not in chosen
    part = chosen[1:4:2]
    assert isinstance(part, TaskSet) and part.ids == ("t1", "t3") and part[0] is tasks[1]
    assert repr(chosen) == "<TaskSet mine · 5 tasks>" and repr(part) == "<TaskSet mine[1:4:2] · 2 tasks>"
    assert repr(chosen[:1]) == "<TaskSet mine[:1] · 1 task>"
    assert pickle.loads(pickle.dumps(chosen))["t2"] == tasks[2]


def test_a_set_says_what_it_does_not_hold() -> None:
    chosen = TaskSet.of("mine", made(5))
    assert refusal(lambda: chosen["t9"]).startswith("task 't9' is not in mine (5 tasks); nearest ids: t")
    assert "(0 tasks)" in refusal(lambda: chosen[5:]["t1"])
    assert len(refusal(lambda: chosen["x" * 10**6])) < 300
    for position in (5, -6):
        with pytest.raises(IndexError, match="outside mine"):
            chosen[position]
    with pytest.raises(TypeError):
        chosen[1.0]  # type: ignore[call-overload]


def test_a_set_builds_a_task_only_when_asked_and_once() -> None:
    built: list[str] = []

    def build(id: str) -> Task:
        built.append(id)
        return Task.from_json(id, ONE)

    chosen = TaskSet("lazy", {id: lambda id=id: build(id) for id in ("a", "b", "c")})  # type: ignore[misc]
    assert not built and "a" in chosen and not built
    assert chosen[:2]["b"] is chosen["b"] and built == ["b"]
