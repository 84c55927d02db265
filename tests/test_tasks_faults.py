"""Two hundred bad task files, made by kind: each is a TaskError that names it, and nothing is written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from nbbatt.sources import load_task, load_tasks
from nbbatt.tasks import TaskError

GOOD: dict[str, Any] = {
    "train": [
        {"input": [[1, 2], [3, 4]], "output": [[5]]},
        {"input": [[0, 9, 0]], "output": [[1, 1], [2, 2]]},
    ],
    "test": [{"input": [[7, 7], [8, 8]], "output": [[6, 6, 6]]}],
}
PLACES = [("train", 0, "input"), ("train", 1, "output"), ("test", 0, "input"), ("test", 0, "output")]
SAID = {"train": "demo", "test": "test"}

Bad = tuple[str, bytes, str]  # name of the case, the file's bytes, a part of the message


def dumped(value: object) -> bytes:
    return json.dumps(value).encode()


def bad_cells() -> Iterator[Bad]:
    """One wrong cell in each place of the task."""
    cells: list[object] = [
        10,
        -1,
        255,
        2**63,
        -(2**80),
        1.0,
        0.5,
        1e400,
        float("nan"),
        float("-inf"),
        True,
        False,
        None,
    ]
    for key, index, side in PLACES:
        for cell in [*cells, "1", "", "<b>", [1], {}]:
            task = deepcopy(GOOD)
            task[key][index][side][0][-1] = cell
            yield f"cell {cell!r:.12}", dumped(task), f"{SAID[key]} {index + 1} {side}: row 1, column "


def bad_shapes() -> Iterator[Bad]:
    """Grids of wrong size or form in each place of the task."""
    shapes: list[tuple[object, str]] = [
        ([], "0 rows"),
        ([[]], "0 cells in row 1"),
        ([[0], []], "0 cells in row 2"),
        ([[0] * 31] * 31, "31 rows"),
        ([[0]] * 31, "31 rows"),
        ([[0] * 31], "31 cells in row 1"),
        ([[0]] * 5000, "5000 rows"),
        ([[1, 2], [3]], "row 2 has 1 cells"),
        ([[1], [2], [3, 4]], "row 3 has 2 cells"),
        ([1, 2], "row 1 is 1"),
        ([[1], None], "row 2 is None"),
        ([[1], "2"], "row 2 is '2'"),
        ([[1], {"0": 1}], "row 2 is {"),
        ([[[1]]], "row 1, column 1 is [1]"),
        ("123", "'123' is not a grid"),
        (5, "5 is not a grid"),
        ({"0": [1]}, "is not a grid"),
    ]
    for key, index, side in PLACES:
        for grid, said in shapes:
            task = deepcopy(GOOD)
            task[key][index][side] = grid
            yield f"shape {said}", dumped(task), said


def bad_structures() -> Iterator[Bad]:
    """Missing and wrong parts around the grids."""
    for key in ("train", "test"):
        yield f"no {key}", dumped({k: v for k, v in GOOD.items() if k != key}), f'has no "{key}"'
        yield f"empty {key}", dumped({**GOOD, key: []}), f"has no {SAID[key]} pair"
        values: list[object] = [None, 1, "x", {}, {"input": [[1]]}]
        for value in values:
            yield f"{key} {value!r}", dumped({**GOOD, key: value}), f'its "{key}" is'
        pairs: list[object] = [None, [], "x", 3, {}, {"output": [[1]]}, {"Input": [[1]]}]
        for pair in pairs:
            yield f"{key} pair {pair!r}", dumped({**GOOD, key: [pair]}), f"{SAID[key]} 1 is"
    yield "no output", dumped({**GOOD, "train": [{"input": [[1]]}]}), "demo 1 has no output"
    yield "null output", dumped({**GOOD, "train": [{"input": [[1]], "output": None}]}), "demo 1 has no output"
    for whole in (None, [], [GOOD], 1, True, "task", 1.5):
        yield f"value {whole!r:.12}", dumped(whole), "is"


def bad_texts() -> Iterator[Bad]:
    """What is not JSON, not UTF-8, or too much of it."""
    whole = dumped(GOOD)
    for end in range(0, len(whole) - 1, 9):
        yield f"cut at {end}", whole[:end], "is not JSON"
    yield "two values", whole + whole, "Extra data"
    yield "comment", b"// a task\n" + whole, "is not JSON"
    yield "single quotes", whole.replace(b'"', b"'"), "is not JSON"
    yield "trailing comma", whole[:-1] + b",}", "is not JSON"
    yield "python", repr(GOOD).encode(), "is not JSON"
    yield "binary", bytes(range(256)), "is not UTF-8"
    yield "latin-1", b'{"train": "\xe9"}', "byte 11 is not UTF-8"
    yield "utf-16", json.dumps(GOOD).encode("utf-16"), "is not UTF-8"
    yield "nul", b"\0" * 64, "is not JSON"
    yield "two marks", b"\xef\xbb\xbf" * 2 + whole, "is not JSON"
    yield "pickle", b"\x80\x04cos\nsystem\n", "is not UTF-8"
    yield "long number", b'{"train": ' + b"9" * 5000 + b"}", "is not JSON"
    for opening in (b"[", b'{"a":', b'{"train":[', b"[[["):
        yield f"depth {opening!r}", opening * 100_000, "nested too deep"
    closed = b'{"train": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    yield "depth closed", closed, "nested too deep"


ALL = [*bad_cells(), *bad_shapes(), *bad_structures(), *bad_texts()]


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.lstat().st_size, p.lstat().st_mtime_ns) for p in [folder, *folder.rglob("*")]}


def refusal(call: Callable[[], object]) -> str:
    """The sentence of the TaskError that `call` must end in; any other exception fails the test."""
    with pytest.raises(TaskError) as caught:
        call()
    message = str(caught.value)
    assert len(message) < 900 and "\n" not in message
    return message


def test_there_are_two_hundred() -> None:
    assert len(ALL) >= 200 and len({raw for _, raw, _ in ALL}) >= 190


@pytest.mark.parametrize("make", [bad_cells, bad_shapes, bad_structures, bad_texts])
def test_bad_files_are_refused_by_name(make: Callable[[], Iterator[Bad]], in_tmp: Path) -> None:
    folder = in_tmp / "tasks"
    folder.mkdir()
    cases = {f"bad{i}": (raw, said) for i, (_, raw, said) in enumerate(make())}
    for id, (raw, _) in cases.items():
        (folder / f"{id}.json").write_bytes(raw)
    (folder / "good.json").write_bytes(dumped(GOOD))
    before = snapshot(in_tmp)
    tasks = load_tasks(folder)
    for id, (_, said) in cases.items():
        for call in (partial(tasks.__getitem__, id), partial(load_task, id, folder)):
            message = refusal(call)
            assert id in message and said in message
    assert tasks["good"].to_json() == GOOD, "the bad ones do not spoil the good one"
    assert snapshot(in_tmp) == before


@pytest.mark.parametrize("make", [bad_cells, bad_shapes, bad_structures, bad_texts])
def test_the_same_in_a_file_of_its_own(make: Callable[[], Iterator[Bad]], in_tmp: Path) -> None:
    file = in_tmp / "lonely.json"
    for name, raw, _ in make():
        file.write_bytes(raw)
        before = snapshot(in_tmp)
        assert "lonely" in refusal(lambda: list(load_tasks(file))), name
        assert snapshot(in_tmp) == before


@pytest.mark.parametrize("make", [bad_cells, bad_shapes, bad_structures])
def test_the_same_in_a_kaggle_file(make: Callable[[], Iterator[Bad]], in_tmp: Path) -> None:
    file = in_tmp / "arc-agi_test_challenges.json"
    cases = {f"bad{i}": (json.loads(raw), said) for i, (_, raw, said) in enumerate(make())}
    file.write_bytes(dumped({id: value for id, (value, _) in cases.items()} | {"good": GOOD}))
    before = snapshot(in_tmp)
    tasks = load_tasks(in_tmp)
    for id, (_, said) in cases.items():
        message = refusal(lambda id=id: tasks[id])  # type: ignore[misc]
        assert id in message and said in message
    assert tasks["good"].to_json() == GOOD and snapshot(in_tmp) == before


@pytest.mark.parametrize(
    "bad", [[], 3, "x", [[[1]], [[2]]], [[[10]]], [[[1], [1, 2]]], [[]], [[[True]]], [{"output": [[1]]}], {}]
)
def test_bad_solutions_are_refused(bad: object, in_tmp: Path) -> None:
    (in_tmp / "arc-agi_training_challenges.json").write_bytes(dumped({"one": GOOD, "two": GOOD}))
    (in_tmp / "arc-agi_training_solutions.json").write_bytes(dumped({"one": bad}))
    tasks = load_tasks(in_tmp)
    assert "'one'" in refusal(lambda: tasks["one"]) and tasks["two"].to_json() == GOOD
    (in_tmp / "arc-agi_training_solutions.json").write_bytes(dumped(bad) if bad != {} else b"[]")
    assert "arc-agi_training_solutions.json' is" in refusal(lambda: load_tasks(in_tmp))


@pytest.mark.parametrize(
    "id", ["../up", "a/b", "..", "", "a" * 65, "a b", "<script>", "a\0b", "ü", "a.b", "C:x"]
)
def test_ids_cannot_leave_their_folder(id: str, in_tmp: Path) -> None:
    (in_tmp / "up.json").write_bytes(dumped(GOOD))
    inner = in_tmp / "inner"
    inner.mkdir()
    file = inner / "arc-agi_training_challenges.json"
    file.write_bytes(dumped({"fine": GOOD, id: GOOD}))
    before = snapshot(in_tmp)
    assert str(file) in refusal(lambda: load_tasks(inner)) and "is not valid" in refusal(
        lambda: load_tasks(inner)
    )
    assert "is not valid" in refusal(lambda: load_task(id, inner))
    assert snapshot(in_tmp) == before


def test_file_names_that_are_no_ids_are_said(in_tmp: Path) -> None:
    for name in ("a b.json", "x" * 70 + ".json", "a.b.json", "<b>.json"):
        (in_tmp / name).write_bytes(dumped(GOOD))
        assert repr(Path(name).stem)[:20] in refusal(lambda: load_tasks(in_tmp))
        assert "move the file away" in refusal(lambda name=name: load_tasks(in_tmp / name))  # type: ignore[misc]
        (in_tmp / name).unlink()


def test_a_huge_file_is_refused_before_it_is_read(in_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    for name in ("huge.json", "arc-agi_test_challenges.json"):
        with (in_tmp / name).open("wb") as file:
            file.truncate(2 * 2**30 + 1)  # a claim: the file takes no room on the disk
    assert "2,048 MB: a task file has at most 256 MB" in refusal(lambda: load_tasks(in_tmp / "huge.json"))
    assert "2,048 MB" in refusal(lambda: load_tasks(in_tmp))
    (in_tmp / "arc-agi_test_challenges.json").unlink()
    assert "huge.json' has 2,048 MB" in refusal(lambda: load_tasks(in_tmp)["huge"])


def test_only_regular_files_are_opened(in_tmp: Path) -> None:
    folder = in_tmp / "tasks"
    folder.mkdir()
    os.mkfifo(folder / "pipe.json")  # opening it would wait for ever
    (folder / "zero.json").symlink_to("/dev/zero")
    (folder / "folder.json").mkdir()
    (folder / "loop.json").symlink_to("loop.json")
    (folder / "gone.json").symlink_to("nowhere")
    tasks = load_tasks(folder)
    for id in ("pipe", "zero", "folder"):
        assert f"{id}.json' is not a regular file" in refusal(lambda id=id: tasks[id])  # type: ignore[misc]
    for id in ("loop", "gone"):
        assert f"{id}.json' cannot be read" in refusal(lambda id=id: tasks[id])  # type: ignore[misc]
    assert "is neither a file" in refusal(lambda: load_tasks(folder / "pipe.json"))


def test_a_file_that_vanishes_or_is_locked_is_said(in_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (in_tmp / "a.json").write_bytes(dumped(GOOD))
    tasks = load_tasks(in_tmp)
    (in_tmp / "a.json").unlink()
    assert "a.json' cannot be read (No such file" in refusal(lambda: tasks["a"])
    (in_tmp / "a.json").write_bytes(dumped(GOOD))

    def locked(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", locked)  # root may read anything, so the file's mode would not do
    assert "a.json' cannot be read (Permission denied)" in refusal(lambda: tasks["a"])


def test_a_file_too_large_for_the_memory_is_said(in_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> bytes:
        raise MemoryError

    (in_tmp / "a.json").write_bytes(dumped(GOOD))
    tasks = load_tasks(in_tmp)
    monkeypatch.setattr(Path, "read_bytes", full)
    assert "a.json' does not fit into memory" in refusal(lambda: tasks["a"])


def test_odd_but_sound_files_are_taken(in_tmp: Path) -> None:
    twice = b'{"train": [], ' + dumped(GOOD)[1:]  # of duplicate keys the last counts, as everywhere
    extra = dumped({"name": "<b>", "note": float("nan"), **GOOD, "deep": [[[[]]]]})
    marked = b"\xef\xbb\xbf" + dumped(GOOD)
    for raw in (twice, extra, marked, b" \n" + dumped(GOOD) + b"\n\n"):
        (in_tmp / "odd.json").write_bytes(raw)
        assert load_task("odd", in_tmp).to_json() == GOOD
