"""Solvers found so far: rows in the store, and plain .py files beside it.

Promises: the first discovery keeps its name, text, run and date, later ones only renew its measures; files
are whole or not there, and never outside the workspace. Leaves to others: which solvers are worth keeping,
and what their text means.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbbatt.store.database import Database
from nbbatt.store.files import StoreError, check_name, inside, sweep, write_all
from nbbatt.store.schema import seal

_DIGEST_SHOWN = 8
_COLUMNS = (
    "task_id, digest, name, text, language, language_version, score, demos_ok, tests_ok, solved, wall_ms,"
    " run_id, created"
)


@dataclass(frozen=True, slots=True)
class SolverRow:
    """A solver of a task: `digest` of its program, `text` inlined, `wall_ms` of one run over all pairs.

    `created` is ISO text in UTC; left "", it becomes the time of saving.
    """

    task_id: str
    digest: str
    name: str
    text: str
    language: str
    language_version: str
    score: float
    demos_ok: int
    tests_ok: int
    solved: bool
    wall_ms: float
    run_id: str
    created: str = ""

    def columns(self) -> tuple[object, ...]:
        columns = (
            *(self.task_id, self.digest, self.name, self.text, self.language, self.language_version),
            *(
                float(self.score),
                int(self.demos_ok),
                int(self.tests_ok),
                int(self.solved),
                float(self.wall_ms),
            ),
            *(self.run_id, self.created),
        )
        return (*columns, seal(*columns))

    @classmethod
    def of(cls, columns: Sequence[Any]) -> SolverRow | None:
        """None for a row that fails its checksum."""
        *values, checksum = columns
        if checksum != seal(*values):
            return None
        row = cls(*values)
        return replace(row, solved=bool(row.solved))


class SolverTable(Database):
    """The solvers' part of a store."""

    def save_solvers(self, rows: Iterable[SolverRow]) -> list[SolverRow]:
        """Keep solvers, in one transaction, and return them as they are kept now."""
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        given = [replace(row, created=row.created or now) for row in rows]
        for row in given:
            _check(row)

        def work(connection: sqlite3.Connection) -> list[SolverRow]:
            return [_save(connection, row) for row in given]

        return self._write(work) if given else []

    def solvers(self, task_id: str | None = None) -> list[SolverRow]:
        """Solvers of one task or of all, by task, the best first: solved, then by score, then by speed."""
        found = self._read(
            lambda connection: connection.execute(
                f"SELECT rowid, {_COLUMNS}, checksum FROM solvers WHERE :task IS NULL OR task_id = :task"
                " ORDER BY task_id, solved DESC, score DESC, wall_ms, created",
                {"task": task_id},
            ).fetchall()
        )
        rows = []
        damaged: list[tuple[int, object]] = []
        for rowid, *columns in found:
            row = SolverRow.of(columns)
            if row is None:
                damaged.append((rowid, columns[-1]))
            else:
                rows.append(row)
        if damaged:
            self._drop_damaged("solvers", damaged)
        return rows

    def write_solvers(self, rows: Iterable[SolverRow]) -> list[Path]:
        """Write solvers as solvers/<task>/<name>-<digest8>.py beside the store; return the paths, in order.

        Files that hold the same text already are left alone. A store in memory writes nothing, and a disk
        that refuses is a StoreWarning: both return an empty list. Raises StoreError for ids or names unfit
        for a path.
        """
        rows = list(rows)
        for row in rows:
            _check(row)
        if self.path is None or self.in_memory:
            return []
        home = self.path.parent / "solvers"
        texts = {_file(home, row): row.text.rstrip("\n") + "\n" for row in rows}
        try:
            for folder in {path.parent for path in texts}:
                if not inside(folder, self.path.parent):
                    raise StoreError(f"folder {folder} leads out of its workspace: remove the link")
                folder.mkdir(parents=True, exist_ok=True)
                sweep(folder)
            write_all([(path, text) for path, text in texts.items() if not _holds(path, text)])
        except OSError as exc:
            self._note("unusable", f"solvers were not written to {home} ({exc}): they are in the store only")
            self._tell()
            return []
        return list(texts)


def _check(row: SolverRow) -> None:
    check_name(row.task_id, "task id")
    check_name(row.name, "solver name")
    if len(check_name(row.digest, "solver digest")) < _DIGEST_SHOWN:
        raise StoreError(f"solver digest {row.digest!r} is too short: give the whole digest of its program")


def _save(connection: sqlite3.Connection, row: SolverRow) -> SolverRow:
    key = (row.task_id, row.digest, row.language_version)
    found = connection.execute(
        f"SELECT {_COLUMNS}, checksum FROM solvers WHERE task_id=? AND digest=? AND language_version=?", key
    ).fetchone()
    first = found and SolverRow.of(found)
    if first:
        row = replace(row, name=first.name, text=first.text, run_id=first.run_id, created=first.created)
    marks = "?," * len(_COLUMNS.split(","))
    connection.execute(
        f"INSERT OR REPLACE INTO solvers({_COLUMNS}, checksum) VALUES ({marks}?)", row.columns()
    )
    return row


def _file(home: Path, row: SolverRow) -> Path:
    return home / row.task_id / f"{row.name}-{row.digest[:_DIGEST_SHOWN]}.py"


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode("utf-8")
    except OSError:
        return False
