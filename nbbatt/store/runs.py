"""Runs: one row each for lists, and the record it ended with.

Promises: a run is listed from its beginning; one whose process ended without finishing it is listed as
"interrupted". Listing reads no records, so a thousand runs list in milliseconds. Rows and records carry
checksums; a damaged one is dropped with a warning. Leaves to others: what a record holds (record.py); here it
is text.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbbatt.store.database import Database
from nbbatt.store.files import StoreError, check_name
from nbbatt.store.owner import Owner
from nbbatt.store.schema import seal

RUNNING = "running"
INTERRUPTED = "interrupted"

_COLUMNS = (
    "run_id, task_id, source, started, status, wall_s, cpu_s, solved, language, workers, tags, note, summary,"
    " owner_pid, owner_start"
)
_PUT = f"INSERT OR REPLACE INTO runs({_COLUMNS}, checksum) VALUES ({'?,' * 15}?)"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as lists show it. `wall_s`, `cpu_s` and `solved` (how many candidates) are None until it has
    finished.

    `started` is ISO text in UTC; `summary` is a small JSON object of whatever else a list may want to show.
    """

    run_id: str
    task_id: str
    source: str
    started: str
    status: str
    wall_s: float | None
    cpu_s: float | None
    solved: int | None
    language: str
    workers: str
    tags: tuple[str, ...]
    note: str
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Run:
    row: RunRow
    owner: Owner

    def columns(self) -> tuple[object, ...]:
        row = self.row
        columns = (
            *(
                row.run_id,
                row.task_id,
                row.source,
                row.started,
                row.status,
                row.wall_s,
                row.cpu_s,
                row.solved,
            ),
            *(row.language, row.workers, _text(list(row.tags)), row.note, _text(row.summary)),
            *(self.owner.pid, self.owner.start),
        )
        return (*columns, seal(*columns))

    @classmethod
    def of(cls, columns: tuple[Any, ...]) -> _Run | None:
        """None for a row that fails its checksum."""
        *values, checksum = columns
        if checksum != seal(*values):
            return None
        tags, note, summary, pid, start = values[-5:]
        shown = (*values[:-5], tuple(json.loads(tags)), note, json.loads(summary))
        return cls(RunRow(*shown), Owner(pid, start))


class RunTable(Database):
    """The runs' part of a store."""

    def __init__(self, path: Path | None) -> None:
        self._begun: dict[str, _Run] = {}  # what this process began: known even if the file is lost meanwhile
        super().__init__(path)

    def begin_run(
        self,
        run_id: str,
        task_id: str,
        *,
        started: str | datetime | None = None,
        source: str = "",
        language: str = "",
        workers: str = "",
        tags: Iterable[str] = (),
        note: str = "",
        owner: Owner | None = None,
    ) -> None:
        """List a run as running, owned by `owner` (this process). Raises StoreError if `run_id` is taken."""
        check_name(run_id, "run id")
        row = RunRow(
            run_id=run_id,
            task_id=task_id,
            source=source,
            started=_utc(started),
            status=RUNNING,
            wall_s=None,
            cpu_s=None,
            solved=None,
            language=language,
            workers=workers,
            tags=tuple(tags),
            note=note,
            summary={},
        )
        run = _Run(row, owner or Owner.current())

        def work(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT 1 FROM runs WHERE run_id=?", (run_id,)).fetchone():
                raise StoreError(f"run id {run_id!r} is taken: every run needs an id of its own")
            connection.execute(_PUT, run.columns())

        self._write(work)
        self._begun[run_id] = run

    def finish_run(
        self,
        run_id: str,
        *,
        status: str,
        wall_s: float,
        cpu_s: float,
        solved: int,
        json: str,
        summary: Mapping[str, Any] | None = None,
        tags: Iterable[str] | None = None,
        note: str | None = None,
    ) -> None:
        """Keep how a begun run ended, with its record. Raises StoreError if it was never begun."""

        def work(connection: sqlite3.Connection) -> None:
            found = connection.execute(
                f"SELECT {_COLUMNS}, checksum FROM runs WHERE run_id=?", (run_id,)
            ).fetchone()
            run = (found and _Run.of(found)) or self._begun.get(run_id)
            if run is None:
                raise StoreError(f"run {run_id!r} was never begun here: begin_run comes before finish_run")
            row = replace(
                run.row,
                status=status,
                wall_s=float(wall_s),
                cpu_s=float(cpu_s),
                solved=int(solved),
                summary=dict(summary or {}),
                tags=run.row.tags if tags is None else tuple(tags),
                note=run.row.note if note is None else note,
            )
            connection.execute(_PUT, _Run(row, run.owner).columns())
            connection.execute(
                "INSERT OR REPLACE INTO records VALUES (?,?,?)", (run_id, seal(run_id, json), json)
            )

        self._write(work)
        self._begun.pop(run_id, None)

    def run_rows(
        self,
        *,
        task_id: str | None = None,
        status: str | None = None,
        language: str | None = None,
        tag: str | None = None,
        since: str | datetime | None = None,
        limit: int | None = None,
    ) -> list[RunRow]:
        """Runs, newest first; `limit` counts those that pass the filters."""
        wanted = {"task": task_id, "language": language, "since": None if since is None else _utc(since)}
        found = self._read(
            lambda connection: connection.execute(
                f"SELECT rowid, {_COLUMNS}, checksum FROM runs WHERE (:task IS NULL OR task_id = :task)"
                " AND (:language IS NULL OR language = :language)"
                " AND (:since IS NULL OR started >= :since)"
                " ORDER BY started DESC, rowid DESC",
                wanted,
            ).fetchall()
        )
        rows: dict[str, RunRow] = {}
        damaged: list[tuple[int, object]] = []
        for rowid, *columns in found:
            run = _Run.of(tuple(columns))
            if run is None:
                damaged.append((rowid, columns[-1]))
            else:
                rows.setdefault(run.row.run_id, _as_of_now(run))
        if damaged:
            self._drop_damaged("runs", damaged)
        chosen = [
            row for row in rows.values() if status in (None, row.status) and (tag is None or tag in row.tags)
        ]
        return chosen[:limit]

    def resolve_run(self, prefix: str) -> str:
        """The id that is `prefix` or alone begins with it. Raises StoreError for none and for several."""
        found = self._read(
            lambda connection: connection.execute(
                "SELECT run_id FROM runs WHERE substr(run_id, 1, length(:prefix)) = :prefix"
                " ORDER BY started DESC",
                {"prefix": prefix},
            ).fetchall()
        )
        ids = [run_id for (run_id,) in found]
        if prefix in ids:
            return prefix
        if len(ids) == 1:
            return str(ids[0])
        if ids and prefix:
            shown = ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
            raise StoreError(f"run {prefix!r} could be any of {len(ids)} runs ({shown}): give more of its id")
        newest = ", ".join(row.run_id for row in self.run_rows(limit=_SHOWN))
        known = f"the newest are {newest}" if newest else "it holds no runs yet"
        raise StoreError(f"run {prefix!r} is not in {self._where()}: {known}")

    def run_row(self, prefix: str) -> RunRow:
        """The run whose id is `prefix` or alone begins with it. Raises StoreError as `resolve_run` does."""
        run_id = self.resolve_run(prefix)
        for row in self.run_rows():
            if row.run_id == run_id:
                return row
        raise self._lost(f"run {run_id!r}")

    def run_json(self, prefix: str) -> str:
        """The record, as given to `finish_run`, of the run whose id is `prefix` or alone begins with it.

        Raises StoreError if there is no such run or several, or if it has no record (yet).
        """
        run_id = self.resolve_run(prefix)
        found = self._read(
            lambda connection: connection.execute(
                "SELECT rowid, json, checksum FROM records WHERE run_id=?", (run_id,)
            ).fetchone()
        )
        if found is None:
            status = self.run_row(run_id).status
            if status in (RUNNING, INTERRUPTED):
                raise StoreError(f"run {run_id!r} has no record: it is {status}, not finished")
            raise self._lost(f"the record of run {run_id!r}")
        rowid, text, checksum = found
        if checksum != seal(run_id, text) or not isinstance(text, str):
            self._drop_damaged("records", [(rowid, checksum)])
            raise self._lost(f"the record of run {run_id!r}")
        return text

    def _lost(self, what: str) -> StoreError:
        return StoreError(f"{what} was damaged in {self._where()} and is lost: run it again")

    def _where(self) -> str:
        return "the store in memory" if self.path is None else f"store {self.path}"


def _as_of_now(run: _Run) -> RunRow:
    """The row, with a run whose process is gone shown as interrupted."""
    if run.row.status == RUNNING and not run.owner.alive():
        return replace(run.row, status=INTERRUPTED)
    return run.row


def _text(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise StoreError(f"{value!r} of a run cannot be kept ({exc}): give JSON values") from None


def _utc(moment: str | datetime | None) -> str:
    """ISO text in UTC of one width, so that its order is that of time."""
    try:
        parsed = datetime.fromisoformat(moment) if isinstance(moment, str) else moment or datetime.now(UTC)
    except ValueError:
        raise StoreError(
            f"time {moment!r} is not ISO text: give one like 2026-01-31T12:00:00+00:00"
        ) from None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=UTC)
    return parsed.astimezone(UTC).isoformat(timespec="microseconds")
