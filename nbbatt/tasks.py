"""What an ARC task is: pairs of grids under an id, and sets of tasks.

Promises: a Grid is a read-only, C-contiguous uint8 array of shape (height, width), 1..30 each, values 0..9,
and stays so through pickling; a Task has a valid id, at least one demo pair (always with its output) and at
least one test pair (whose output may be unknown); a TaskSet is opened without building its tasks, each is
built and checked when it is asked for. What breaks these rules is a TaskError with the place, the value, the
rule and the remedy.

Leaves to others: where tasks come from (sources.py) and how they look (views/).
"""

from __future__ import annotations

import operator
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import blake2b
from typing import Any, SupportsIndex, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from nbbatt.errors import NbbattError

Grid: TypeAlias = npt.NDArray[np.uint8]

MAX_SIDE = 30
COLOURS = 10

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class TaskError(NbbattError):
    """A task, a grid or a place where tasks should be is not what it has to be."""


def as_grid(value: object, where: str) -> Grid:
    """Check a grid and return it as a read-only uint8 array of shape (height, width).

    `value` is a list (or tuple) of rows of whole numbers, or a 2-D integer array; booleans, floats and text
    are refused even where they equal a colour. The result shares no memory with `value` unless that is such a
    grid. `where` is the subject of the TaskError that a bad value raises; rows and columns are counted from 1
    in it.
    """
    if isinstance(value, np.ndarray):
        return _from_array(value, where)
    return _from_rows(value, where)


def check_id(id: object) -> str:
    """The id itself, or a TaskError: ids become file names, so they are held to letters, digits, _ and -."""
    if isinstance(id, str) and _ID.fullmatch(id):
        return id
    remedy = "correct it" if isinstance(id, str) else "put it in quotes"
    raise TaskError(
        f"task id {shorten(id)} is not valid: an id is text of 1 to 64 letters, digits, _ or -, "
        f"such as '00576224', so {remedy}"
    )


def shorten(value: object, limit: int = 80) -> str:
    """repr(value) for an error sentence: one line, at most `limit` characters, whatever the value."""
    try:
        text = repr(value) if isinstance(value, str) and len(value) < limit else reprlib.repr(value)
    except Exception:  # an object whose repr fails must not hide the error being reported
        text = f"<{type(value).__name__}>"
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _from_array(value: npt.NDArray[Any], where: str) -> Grid:
    if value.dtype.kind not in "iu" or value.ndim != 2:
        raise TaskError(
            f"{where}: an array of {value.ndim} dimensions and type {value.dtype} is not a grid: a grid has "
            f"2 dimensions and an integer type, so convert it first"
        )
    _check_length(value.shape[0], "rows", where)
    _check_length(value.shape[1], "columns", where)
    outside = (value < 0) | (value >= COLOURS)
    if outside.any():
        row, column = (int(i) for i in np.argwhere(outside)[0])
        raise _bad_cell(value[row, column].item(), row, column, where)
    if value.dtype == np.uint8 and value.flags.c_contiguous and _is_frozen(value):
        return value
    return _freeze(value.astype(np.uint8).tobytes(), value.shape[0], value.shape[1])


def _from_rows(value: object, where: str) -> Grid:
    if not isinstance(value, (list, tuple)):
        raise TaskError(
            f"{where}: {shorten(value)} is not a grid: a grid is a list of rows, each a list of whole "
            f"numbers 0 to 9, so write it as one"
        )
    _check_length(len(value), "rows", where)
    packed = [_pack_row(row, number, where) for number, row in enumerate(value)]
    width = len(packed[0])
    for number, row in enumerate(packed):
        if len(row) != width:
            raise TaskError(
                f"{where}: row {number + 1} has {len(row)} cells where row 1 has {width}: all rows of a grid "
                f"are equally long, so fill it up or cut it"
            )
    return _freeze(b"".join(packed), len(packed), width)


def _pack_row(row: object, number: int, where: str) -> bytes:
    """The row's cells as bytes; refuses what is not a whole number 0 to 9."""
    cells = row.tolist() if isinstance(row, np.ndarray) else row
    if not isinstance(cells, (list, tuple)):
        raise TaskError(
            f"{where}: row {number + 1} is {shorten(row)}: a row is a list of whole numbers 0 to 9, "
            f"so write it as one"
        )
    _check_length(len(cells), f"cells in row {number + 1}", where)
    if {*map(type, cells)} != {int} or min(cells) < 0 or max(cells) >= COLOURS:
        for column, cell in enumerate(cells):
            if not _is_colour(cell):
                raise _bad_cell(cell, number, column, where)
    return bytes(cells)


def _is_colour(cell: object) -> bool:
    return isinstance(cell, (int, np.integer)) and not isinstance(cell, bool) and 0 <= int(cell) < COLOURS


def _bad_cell(cell: object, row: int, column: int, where: str) -> TaskError:
    what = f"{shorten(cell)} (a {type(cell).__name__})" if not isinstance(cell, (str, int)) else shorten(cell)
    return TaskError(
        f"{where}: row {row + 1}, column {column + 1} is {what}: a cell is a whole number from 0 to 9, "
        f"so correct that cell"
    )


def _check_length(count: int, things: str, where: str) -> None:
    if not 1 <= count <= MAX_SIDE:
        raise TaskError(
            f"{where}: {count} {things} are not a grid's: it has 1 to {MAX_SIDE} rows of 1 to {MAX_SIDE} "
            f"cells, so cut or split it"
        )


def _freeze(cells: bytes, height: int, width: int) -> Grid:
    """Over bytes, because such an array cannot be made writeable again."""
    return np.frombuffer(cells, np.uint8).reshape(height, width)


def _is_frozen(array: npt.NDArray[Any]) -> bool:
    owner: object = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    return isinstance(owner, bytes)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Pair:
    """An input grid and the output it asks for; `output` is None where it is not known (a Kaggle test)."""

    input: Grid
    output: Grid | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "input", as_grid(self.input, "the pair's input"))
        if self.output is not None:
            object.__setattr__(self, "output", as_grid(self.output, "the pair's output"))

    def __reduce__(self) -> tuple[type[Pair], tuple[Grid, Grid | None]]:
        # numpy unpickles arrays as writeable; building the pair anew freezes them again
        return Pair, (self.input, self.output)

    def __eq__(self, other: object) -> bool:
        return self._content == other._content if isinstance(other, Pair) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._content)

    def __repr__(self) -> str:
        output = "?" if self.output is None else size_text(self.output)
        return f"<Pair {size_text(self.input)} → {output}>"

    @property
    def _content(self) -> bytes:
        """The grids as bytes, from which they could be rebuilt."""
        grids = (g for g in (self.input, self.output) if g is not None)
        return b"".join(bytes(g.shape) + g.tobytes() for g in grids)

    def to_json(self) -> dict[str, list[list[int]]]:
        """{"input": rows, "output": rows}, the latter only where it is known."""
        known = {"input": self.input, "output": self.output}
        return {name: grid.tolist() for name, grid in known.items() if grid is not None}


@dataclass(frozen=True, repr=False)
class Task:
    """One ARC task: demo pairs to learn from, test pairs to solve. Equal when id and grids are equal."""

    id: str
    demos: tuple[Pair, ...]
    tests: tuple[Pair, ...]
    source: str = field(default="", compare=False)  # what load_tasks takes to find it again

    def __post_init__(self) -> None:
        check_id(self.id)
        object.__setattr__(self, "demos", tuple(self.demos))
        object.__setattr__(self, "tests", tuple(self.tests))
        subject = _subject(self.id, self.source)
        for name, pairs in (("demo", self.demos), ("test", self.tests)):
            if not pairs:
                raise TaskError(f"{subject} has no {name} pair: a task needs at least one, so add one")
        for number, pair in enumerate(self.demos, 1):
            if pair.output is None:
                raise TaskError(
                    f"{subject}, demo {number} has no output: only test pairs may lack one, so add it"
                )

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Demo pairs, then test pairs."""
        return self.demos + self.tests

    @cached_property
    def digest(self) -> str:
        """32 hex digits over all grids and their roles; neither the id nor the source counts."""
        hashed = blake2b(f"task {len(self.demos)} {len(self.tests)}".encode(), digest_size=16)
        for pair in self.pairs:
            hashed.update(b"+" if pair.output is None else b"=")
            hashed.update(pair._content)
        return hashed.hexdigest()

    @property
    def summary(self) -> str:
        """Its measures in one line: "2 demos · 1 test · 2×2 → 6×6", the sizes those of the demos."""
        before = _sizes([p.input for p in self.demos])
        after = _sizes([p.output for p in self.demos if p.output is not None])
        return f"{_count(len(self.demos), 'demo')} · {_count(len(self.tests), 'test')} · {before} → {after}"

    def __repr__(self) -> str:
        return f"<Task {self.id} · {self.summary}>"

    @classmethod
    def from_json(cls, id: str, data: object, source: str = "") -> Task:
        """The task of an ARC JSON value {"train": [pair, ...], "test": [pair, ...]}.

        A pair is {"input": rows, "output": rows}; test pairs may lack their output. Other keys are ignored.
        Raises TaskError.
        """
        subject = _subject(check_id(id), source)
        if not isinstance(data, Mapping):
            raise TaskError(
                f'{subject} is {shorten(data)}: a task is an object with the lists "train" and "test", '
                f"so write it as one"
            )
        demos = _read_pairs(data, "train", "demo", subject)
        return cls(id, demos, _read_pairs(data, "test", "test", subject), source)

    def to_json(self) -> dict[str, list[dict[str, list[list[int]]]]]:
        """The ARC JSON value that from_json reads."""
        return {"train": [p.to_json() for p in self.demos], "test": [p.to_json() for p in self.tests]}


def size_text(grid: Grid) -> str:
    """A grid's rows × columns, as ARC's own editor and numpy's shape give them: "12×9"."""
    return f"{grid.shape[0]}×{grid.shape[1]}"


def _subject(id: str, source: str) -> str:
    return f"task {id!r} of {source!r}" if source else f"task {id!r}"


def _read_pairs(data: Mapping[Any, Any], key: str, role: str, subject: str) -> tuple[Pair, ...]:
    if key not in data:
        raise TaskError(
            f'{subject} has no "{key}": a task is an object with the lists "train" and "test", so add it'
        )
    items = data[key]
    if not isinstance(items, (list, tuple)):
        raise TaskError(
            f'{subject}: its "{key}" is {shorten(items)}: it must be a list of pairs, so write it as one'
        )
    pairs = []
    for number, item in enumerate(items, 1):
        where = f"{subject}, {role} {number}"
        if not isinstance(item, Mapping) or "input" not in item:
            raise TaskError(
                f'{where} is {shorten(item)}: a pair is an object with "input" and "output", '
                f"so write it as one"
            )
        output = item.get("output")
        pairs.append(
            Pair(
                as_grid(item["input"], f"{where} input"),
                None if output is None else as_grid(output, f"{where} output"),
            )
        )
    return tuple(pairs)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _sizes(grids: Sequence[Grid]) -> str:
    """Their size, with ranges where they differ: "3–10×7"."""
    spans = []
    for lengths in zip(*(g.shape for g in grids)):
        low, high = min(lengths), max(lengths)
        spans.append(str(low) if low == high else f"{low}–{high}")
    return "×".join(spans)


class TaskSet:
    """Tasks under a name, by id, position or slice; iterating gives tasks in the set's order.

    A task is built and checked when it is first asked for: opening a set is cheap, and one bad task spoils no
    other.
    """

    __slots__ = ("_build", "_built", "ids", "name")

    name: str
    ids: tuple[str, ...]

    def __init__(self, name: str, build: Mapping[str, Callable[[], Task]]) -> None:
        """`build` maps each id to what makes its task; its order is the set's order."""
        self.name = name
        self.ids = tuple(check_id(id) for id in build)
        self._build = build
        self._built: dict[str, Task] = {}

    @classmethod
    def of(cls, name: str, tasks: Iterable[Task]) -> TaskSet:
        """A set of tasks at hand; of two with one id the later counts."""
        return cls(name, {task.id: partial(_itself, task) for task in tasks})

    @overload
    def __getitem__(self, key: str | SupportsIndex) -> Task: ...
    @overload
    def __getitem__(self, key: slice) -> TaskSet: ...
    def __getitem__(self, key: str | SupportsIndex | slice) -> Task | TaskSet:
        """By id (TaskError where there is none), by position (IndexError), or a slice as a TaskSet."""
        if isinstance(key, slice):
            return self._part(key)
        if isinstance(key, str):
            return self._by_id(key)
        position = operator.index(key)
        if not -len(self.ids) <= position < len(self.ids):
            raise IndexError(
                f"position {position} is outside {self.name}, which holds {_count(len(self), 'task')}: "
                f"positions count from 0"
            )
        return self._by_id(self.ids[position])

    def __iter__(self) -> Iterator[Task]:
        return map(self._by_id, self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, item: object) -> bool:
        """Whether it holds this id, or an equal task."""
        if isinstance(item, Task):
            return item.id in self._build and self._by_id(item.id) == item
        return isinstance(item, str) and item in self._build

    def __repr__(self) -> str:
        return f"<TaskSet {self.name} · {_count(len(self), 'task')}>"

    def _by_id(self, id: str) -> Task:
        if id not in self._build:
            raise TaskError(
                f"task {shorten(id)} is not in {self.name} "
                f"({_count(len(self), 'task')}){nearest(id, self.ids)}"
            )
        if (task := self._built.get(id)) is None:
            task = self._built[id] = self._build[id]()
        return task

    def _part(self, part: slice) -> TaskSet:
        bounds = ("" if i is None else str(i) for i in (part.start, part.stop))
        step = "" if part.step is None else f":{part.step}"
        name = f"{self.name}[{':'.join(bounds)}{step}]"
        chosen = TaskSet(name, {id: self._build[id] for id in self.ids[part]})
        chosen._built = self._built  # built once, whichever slice asked
        return chosen


def nearest(id: str, ids: Iterable[str], count: int = 3) -> str:
    """How a sentence about an unknown id ends: "; nearest ids: a, b, c", or nothing where there are none."""
    from difflib import get_close_matches  # 7 ms that only a slip has to pay

    found = get_close_matches(id[:64], sorted(ids), n=count, cutoff=0.0)
    return f"; nearest ids: {', '.join(found)}" if found else ""


def _itself(task: Task) -> Task:
    return task
