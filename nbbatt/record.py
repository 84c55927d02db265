"""The run record: everything a run measured and found, as plain data that views read and the store keeps.

A record never changes after its run, survives a round trip through JSON, and needs no task, language or worker to be
read. Drawing it, printing it and comparing it are the views' work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from nbbatt.caches import CacheStats
from nbbatt.clock import OTHER, Profile
from nbbatt.errors import NbbattError

if TYPE_CHECKING:
    import pandas as pd

FORMAT = 1
MAX_SEGMENTS = 2_000
"""Bound on the timeline's length: longer runs join neighbouring items of a worker."""


class RecordError(NbbattError):
    """A text or object that is no run record."""


class CandidateRow(NamedTuple):
    """One candidate: what it scored, how it ended, what it is.

    ``status`` is an outcome's (ok, error, timeout, killed, memory, died, cancelled), or ``duplicate`` (same outputs
    as an earlier candidate on every pair), or ``mismatch`` (validation disagreed with the battery). ``wall_ms`` is the
    median time of a run alone over all pairs, None when it was not validated. ``kept``: it was inlined and validated.
    """

    name: str
    digest: str
    solved: bool
    score: float
    demos_ok: int
    tests_ok: int
    wall_ms: float | None
    status: str
    source: str
    error: str = ""
    size: int = 0
    kept: bool = False
    origin: str = ""

    @property
    def verdict(self) -> str:
        """solved, partial, timed out or failed: the four words that are counted."""
        if self.solved and self.status in ("ok", "duplicate"):
            return "solved"
        if self.status in ("timeout", "killed"):
            return "timed out"
        return "partial" if self.status in ("ok", "duplicate") and self.score > 0 else "failed"


class Segment(NamedTuple):
    """A stretch of work of one worker, for the timeline. Seconds since the run began; worker 0 is the first."""

    worker: int
    phase: str
    started_s: float
    wall_s: float
    cpu_s: float
    items: int = 1
    failed: int = 0


class Timeline:
    """Gathers segments while a run goes on; joins neighbours more and more generously, so that it stays bounded."""

    def __init__(self, began: float, limit: int = MAX_SEGMENTS) -> None:
        self.began, self.limit = began, limit
        self.gap_s = 0.0005
        self._open: dict[int, Segment] = {}
        self._done: list[Segment] = []

    def add(
        self, phase: str, worker: int, started: float, wall_s: float, cpu_s: float, *, failed: bool
    ) -> None:
        """One item, in the order of completion of its worker; ``started`` is a time of the monotonic clock."""
        self._join(Segment(worker, phase, started - self.began, wall_s, cpu_s, 1, int(failed)))
        if len(self._done) > self.limit:
            self._thin()

    def _join(self, new: Segment) -> None:
        last = self._open.get(new.worker)
        if last is not None and last.phase == new.phase:
            gap = new.started_s - (last.started_s + last.wall_s)
            if gap <= self.gap_s:
                wall = max(last.wall_s, new.started_s + new.wall_s - last.started_s)
                self._open[new.worker] = last._replace(
                    wall_s=wall,
                    cpu_s=last.cpu_s + new.cpu_s,
                    items=last.items + new.items,
                    failed=last.failed + new.failed,
                )
                return
        if last is not None:
            self._done.append(last)
        self._open[new.worker] = new

    def _thin(self) -> None:
        """Join again what is already there, over gaps twice as long, until half the room is free."""
        while len(self._done) > self.limit // 2:
            self.gap_s *= 2
            old, self._done = sorted([*self._done, *self._open.values()], key=lambda s: s.started_s), []
            self._open = {}
            for segment in old:
                self._join(segment)

    def segments(self) -> tuple[Segment, ...]:
        """What was gathered, by start."""
        return tuple(sorted([*self._done, *self._open.values()], key=lambda s: (s.started_s, s.worker)))


@dataclass(frozen=True)
class CacheTable:
    """What the caches of a run answered, a row each."""

    rows: tuple[CacheStats, ...]

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __getitem__(self, name: str) -> CacheStats:
        for row in self.rows:
            if row.cache == name:
                return row
        raise KeyError(f"no cache named {name!r}; there are {', '.join(row.cache for row in self.rows)}")

    def table(self) -> pd.DataFrame:
        """One row a cache: hits, misses, duplicates, hit rate, seconds saved and spent."""
        import pandas as pd

        return pd.DataFrame(
            [
                (r.cache, r.hits_memory, r.hits_disk, r.hits, r.misses, r.duplicates, r.hit_rate, r.saved_s, r.spent_s)
                for r in self.rows
            ],
            columns=["cache", "hits_memory", "hits_disk", "hits", "misses", "duplicates", "hit_rate", "saved_s",
                     "spent_s"],
        )  # fmt: skip


@dataclass(frozen=True)
class RunRecord:
    """A finished (or stopped) run.

    ``workers`` is "serial" or the number of worker processes used, ``workers_why`` says who chose that and why.
    ``status``: ok, stopped (by the user; what was done is kept), error. ``machine`` holds versions and cores.
    """

    run_id: str
    task_id: str
    task_source: str
    task_digest: str
    spec: Mapping[str, Any]
    started: str
    profile: Profile
    caches: CacheTable
    rows: tuple[CandidateRow, ...]
    segments: tuple[Segment, ...]
    workers: int | str
    workers_why: str
    status: str
    machine: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    saved: tuple[str, ...] = ()
    error: str = ""
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wall_s(self) -> float:
        """Wall-clock seconds from the first phase to the last; writing the record itself comes after."""
        return self.profile.wall_s

    @property
    def cpu_s(self) -> float:
        """CPU seconds of the run's thread and of all its worker processes, their start-up included."""
        return self.profile.cpu_s

    @property
    def solved(self) -> int:
        """How many candidates solve the task."""
        return sum(row.verdict == "solved" for row in self.rows)

    def counts(self) -> dict[str, int]:
        """Candidates by verdict: solved, partial, failed, timed out."""
        counts = {"solved": 0, "partial": 0, "failed": 0, "timed out": 0}
        for row in self.rows:
            counts[row.verdict] += 1
        return counts

    def ranked(self) -> list[CandidateRow]:
        """Candidates best first: solved, score, demos right, smaller, faster, name."""
        return sorted(
            self.rows,
            key=lambda r: (r.verdict != "solved", r.status not in ("ok", "duplicate"), -r.score, -r.demos_ok, r.size,
                           r.wall_ms if r.wall_ms is not None else float("inf"), r.name),
        )  # fmt: skip

    def candidates(self) -> pd.DataFrame:
        """One row a candidate, best first."""
        import pandas as pd

        return pd.DataFrame(self.ranked(), columns=list(CandidateRow._fields))

    def __repr__(self) -> str:
        return f"<RunRecord {self.run_id} · task {self.task_id} · {len(self.rows)} candidates · {self.solved} solved>"

    # ------------------------------------------------------------------ JSON

    def to_json(self) -> dict[str, Any]:
        """The record as one JSON object; ``from_json`` reads it back."""
        phases = self.profile.to_json()
        other = next(row for row in self.profile.rows() if row.phase == OTHER)
        phases.append(
            {"phase": OTHER, "wall_s": other.wall_s, "busy_s": 0.0, "cpu_s": other.cpu_s, "items": 0}
        )
        return {
            "format": FORMAT,
            "run_id": self.run_id,
            "task_id": self.task_id,
            "task_source": self.task_source,
            "task_digest": self.task_digest,
            "spec": dict(self.spec),
            "started": self.started,
            "wall_s": self.wall_s,
            "cpu_s": self.cpu_s,
            "phases": phases,
            "caches": {row.cache: _answers(row) for row in self.caches.rows},
            "candidates": [row._asdict() for row in self.rows],
            "segments": [list(segment) for segment in self.segments],
            "solved": self.solved,
            "workers": self.workers,
            "workers_why": self.workers_why,
            "status": self.status,
            "verdict": self.profile.verdict(),
            "machine": dict(self.machine),
            "warnings": list(self.warnings),
            "saved": list(self.saved),
            "error": self.error,
            "notes": dict(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunRecord:
        """What ``to_json`` wrote. Raises RecordError for anything else."""
        try:
            if data["format"] > FORMAT:
                raise RecordError(
                    f"run {data['run_id']!r} is of record format {data['format']}, and this nbbatt reads up to {FORMAT};"
                    f" upgrade nbbatt"
                )
            machine = data["machine"]
            phases = [span for span in data["phases"] if span["phase"] != OTHER]
            return cls(
                profile=Profile.from_json(phases, data["wall_s"], data["cpu_s"], machine["cores"]),
                caches=CacheTable(tuple(_stats(name, row) for name, row in data["caches"].items())),
                rows=tuple(CandidateRow(**row) for row in data["candidates"]),
                segments=tuple(Segment(*row) for row in data["segments"]),
                warnings=tuple(data["warnings"]),
                saved=tuple(data["saved"]),
                **{key: data[key] for key in _PLAIN},
            )
        except (KeyError, TypeError, AttributeError) as reason:
            raise RecordError(
                f"this is no run record ({reason!r}), and only those can be read; export it again"
            ) from None


_COUNTED = ("hits_memory", "hits_disk", "misses", "duplicates", "saved_s", "spent_s")


def _answers(stats: CacheStats) -> dict[str, Any]:
    counted = {name: getattr(stats, name) for name in _COUNTED}
    return {"hits": stats.hits, **counted, "hit_rate": stats.hit_rate, "reasons": dict(stats.reasons)}


def _stats(cache: str, data: Mapping[str, Any]) -> CacheStats:
    return CacheStats(cache, **{name: data[name] for name in _COUNTED}, reasons=dict(data["reasons"]))


_PLAIN = (
    "run_id", "task_id", "task_source", "task_digest", "spec", "started", "workers", "workers_why", "status",
    "machine", "error", "notes",
)  # fmt: skip
