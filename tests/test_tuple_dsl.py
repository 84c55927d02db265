"""A language and its solvers in the shape the field knows are dropped in as they are: no line of them is changed."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import nbbatt
from nbbatt.languages import Language
from nbbatt.library import Library
from nbbatt.programs import Program
from nbbatt.record import RunRecord
from nbbatt.tasks import Pair, Task, as_grid

FOLDER = Path(__file__).parent / "tuple_dsl"
NAMES = sorted(
    line[4:].split("(")[0]
    for line in (FOLDER / "solvers.py").read_text(encoding="utf-8").splitlines()
    if line.startswith("def ")
)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    monkeypatch.syspath_prepend(str(FOLDER))
    module, constants, solvers = map(importlib.import_module, ("dsl", "constants", "solvers"))
    yield Library.from_module(solvers, Language.from_module(module, constants=constants))


@pytest.fixture
def language(library: Library) -> Language:
    return library.language


def grid(*rows: list[int]) -> np.ndarray:
    return as_grid(list(rows), "a test's grid")


@pytest.fixture
def mirrored() -> Task:
    """A grid set beside its own mirror image, under the id of the task whose solver does that."""
    pairs = [
        Pair(g, as_grid(np.hstack([g, g[:, ::-1]]), "output"))
        for g in (grid([1, 2], [3, 4]), grid([5, 0, 7]))
    ]
    return Task("6d0aefbc", (pairs[0],), (pairs[1],), "made up")


# ---------------------------------------------------------------------- reading


def test_it_is_read_as_it_is(library: Library, language: Language) -> None:
    assert language.grids == "tuple"
    assert not language.trusted
    assert {"flip_rows", "components", "compose"} <= set(language.primitives)
    assert {"Any", "Counter", "Grid"}.isdisjoint(language.primitives)
    assert language.constants["F"] is False
    assert language.constants["DOWN"] == (1, 0)
    assert sorted(library.names) == NAMES
    assert len(NAMES) > 15


@pytest.mark.parametrize("name", NAMES)
def test_every_solver_reads_back_from_every_text_of_it(
    name: str, library: Library, language: Language
) -> None:
    program = library[name]
    assert program.name == name
    for text in (program.inline(), program.expand()):
        again = Program.parse(text, language)
        assert (again.name, again.digest, again) == (name, program.digest, program)
    assert Program.from_wire(program.wire(), language) == program
    assert pickle.loads(pickle.dumps(program.wire())) == program.wire()


@pytest.mark.parametrize("name", NAMES)
def test_every_solver_computes_what_its_python_does(name: str, library: Library) -> None:
    solvers = importlib.import_module("solvers")
    given = grid([6, 6, 6, 0, 5], [6, 0, 6, 0, 0], [6, 6, 6, 0, 8], [0, 0, 0, 0, 0], [0, 2, 2, 0, 0])
    try:
        expected = getattr(solvers, name)(tuple(map(tuple, given.tolist())))
    except Exception as reason:
        with pytest.raises(type(reason)):
            library[name].run(given)
        return
    assert library[name].values(given)[library[name].root.digest] == expected


def test_grids_arrive_as_nested_tuples_of_ints(language: Language) -> None:
    seen: list[object] = []

    def look(grid: tuple) -> tuple:
        seen.append(grid)
        return grid

    looking = Language.from_module([look], grids="tuple")
    out = Program.parse("def solve_it(I):\n    return look(I)\n", looking).run(grid([1, 2], [3, 4]))
    assert seen == [((1, 2), (3, 4))]
    assert type(seen[0][0][0]) is int
    assert out.dtype == np.uint8
    assert not out.flags.writeable
    assert language.from_grid(out) == seen[0]


# ---------------------------------------------------------------------- running


def outcome(record: RunRecord) -> list[tuple[object, ...]]:
    return [
        (r.digest, r.solved, r.score, r.demos_ok, r.tests_ok, r.status, r.source, r.kept) for r in record.rows
    ]


@pytest.mark.parametrize("workers", ["serial", 2])
def test_a_solver_solves_its_task_and_is_validated(
    workers: int | str, mirrored: Task, library: Library, tmp_path: Path
) -> None:
    texts = [library[name].expand() for name in ("solve_6d0aefbc", "solve_67a3c6ac", "solve_1cf80156")]
    record = nbbatt.run(
        mirrored, language=library.language, programs=texts, workers=workers, workspace=tmp_path
    )
    assert (record.status, record.workers, record.solved) == ("ok", workers, True)
    first, second, third = record.rows
    assert (first.solved, first.status, first.score, first.kept) == (True, "ok", 1.0, True)
    assert first.wall_ms is not None
    assert (
        first.source
        == "def solve_6d0aefbc(I):\n    x1 = fork(beside, identity, flip_columns)\n    return x1(I)\n"
    )
    assert not second.solved
    assert (second.status, third.solved) == ("ok", False)
    assert record.saved


def test_a_bred_run_is_the_same_in_this_process_and_in_workers(
    mirrored: Task, library: Library, tmp_path: Path
) -> None:
    records = [
        nbbatt.run(
            mirrored,
            language=library.language,
            library=library,
            candidates=60,
            seed=3,
            workers=workers,
            caches=False,
            workspace=tmp_path / str(workers),
        )
        for workers in ("serial", 2)
    ]
    assert outcome(records[0]) == outcome(records[1])
    assert len(records[0].rows) == 60
    assert records[0].spec["library_left_out"] == 1
    assert {row.status for row in records[0].rows} & {"ok"}
