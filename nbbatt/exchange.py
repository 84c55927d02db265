"""Solvers in and out of a workspace as plain files, one program each.

What comes in is only text: it is parsed, run on its task like any candidate, and kept if it gets a demo pair right.
Nobody's word for a score is taken, and nothing in a file is executed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nbbatt.languages import Language
from nbbatt.library import Library
from nbbatt.nodes import ProgramError
from nbbatt.pipeline import run
from nbbatt.programs import Program
from nbbatt.record import CandidateRow
from nbbatt.store import DEFAULT_FOLDER, SolverRow, Workspace, write_atomically

_NAMED = re.compile(r"solve_([A-Za-z0-9]+)")
_SUFFIXES = (".py", ".txt")
MAX_FILE = 1_000_000


class Imported(NamedTuple):
    """What became of one file: its candidate's row, or the reason why there is none."""

    path: Path
    task_id: str
    row: CandidateRow | None
    error: str = ""


def export_solvers(
    folder: Path | str, *, task: str | None = None, workspace: Path | str | None = None
) -> list[Path]:
    """Write a workspace's solvers as ``<folder>/<task>/<name>.py``, each with a comment line on how it did."""
    with Workspace(Path(workspace or DEFAULT_FOLDER)).open(create=False) as store:
        rows = store.solvers(task)
    written = []
    for row in rows:
        path = Path(folder) / row.task_id / f"{row.name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _headed(row))
        written.append(path)
    return written


def _headed(row: SolverRow) -> str:
    how = "solves every pair" if row.solved else f"{row.demos_ok} demo and {row.tests_ok} test pairs right"
    return f"# task {row.task_id}: {how}; language {row.language} {row.language_version[:8]}\n{row.text}"


def import_solvers(
    path: Path | str,
    *,
    language: Language | None = None,
    workspace: Path | str | None = None,
    **settings: Any,
) -> list[Imported]:
    """Run every solver found at a file or below a folder on its task and keep the ones that get a demo pair right.

    A solver's task is told by its name (``solve_<task>``), else by its folder. A file that is no solver is reported
    with its reason and stops nothing.
    """
    found: dict[str, list[tuple[Path, str]]] = {}
    answers: list[Imported] = []
    for file in _files(Path(path)):
        try:
            text = _text(file)
            found.setdefault(_task_of(file, text), []).append((file, text))
        except (OSError, ValueError) as reason:
            answers.append(Imported(file, "", None, str(reason)))
    for task_id, files in found.items():
        answers += _run(task_id, files, language, workspace, settings)
    return answers


def _run(
    task_id: str,
    files: list[tuple[Path, str]],
    language: Language | None,
    workspace: Any,
    settings: dict[str, Any],
) -> Iterator[Imported]:
    from nbbatt import dsl  # built when it is needed

    spoken = language or dsl.language()
    programs: list[tuple[Path, Program]] = []
    for file, text in files:
        try:
            programs.append((file, Program.parse(text, spoken)))
        except ProgramError as reason:
            yield Imported(file, task_id, None, str(reason))
    if not programs:
        return
    try:
        record = run(
            task_id,
            programs=[program for _, program in programs],
            language=language,
            library=Library.empty(spoken),
            workspace=workspace,
            **settings,
        )
    except ValueError as reason:
        for file, _ in programs:
            yield Imported(file, task_id, None, str(reason))
        return
    for (file, _), row in zip(programs, record.rows):
        yield Imported(file, task_id, row)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
    return [path]


def _text(file: Path) -> str:
    if file.stat().st_size > MAX_FILE:
        raise ProgramError(
            f"{file} has {file.stat().st_size:,} bytes, and a solver has at most {MAX_FILE:,}; split it"
        )
    return file.read_text(encoding="utf-8")


def _task_of(file: Path, text: str) -> str:
    named = re.search(r"^def\s+(\w+)", text, re.MULTILINE)
    match = _NAMED.match(named[1]) if named else None
    return match[1] if match else file.parent.name
