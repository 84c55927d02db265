"""What views show, worked out from a record as plain numbers and words: no widget, no drawing, no table
library.

Charts and tables get their data here, so that a number is the same wherever it is seen, and a test can read
it. Leaves to others: the phase rows (clock.py) and cache counts (caches.py), which are fit to be drawn as
they are; table cells (tables.py); drawing (charts.py, text.py, html.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from nbbatt.caches import CacheStats
from nbbatt.clock import PhaseRow, seconds_text
from nbbatt.record import CandidateRow, RunRecord

HERE = "this process"
MARKS = {"solved": "✓", "partial": "½", "failed": "✗", "timed out": "!"}
"""A sign for each verdict of a candidate, so that no verdict is told by colour alone."""


class Unit(NamedTuple):
    """A unit of time and its length in seconds."""

    name: str
    seconds: float


MICRO, MILLI, SECOND, MINUTE, HOUR = UNITS = (
    Unit("µs", 1e-6),
    Unit("ms", 1e-3),
    Unit("s", 1.0),
    Unit("min", 60.0),
    Unit("h", 3600.0),
)


def unit_for(longest_s: float, most: float = 10.0) -> Unit:
    """The unit for numbers up to ``longest_s`` seconds: up to ``most`` seconds in ms or µs, longer ones in
    s to h."""
    if longest_s < 1e-3:
        return MICRO if longest_s > 0 else MILLI
    if longest_s < most:
        return MILLI
    if longest_s < 60 * most:
        return SECOND
    return MINUTE if longest_s < 3600 * most else HOUR


def axis_unit(longest_s: float) -> Unit:
    """The unit for a scale up to ``longest_s`` seconds, so that its marks are short numbers."""
    bounds = zip(UNITS, (1e-3, 1.0, 120.0, 7200.0))
    return next((unit for unit, bound in bounds if longest_s < bound), HOUR)


def duration(seconds: float) -> str:
    """``seconds_text``, and below a millisecond ``250 µs``."""
    if 0 < seconds < 0.9995e-3:
        return f"{seconds * 1e6:.0f} µs" if seconds >= 0.5e-6 else "<1 µs"
    return seconds_text(seconds)


class Stretch(NamedTuple):
    """A stretch of one phase in a lane; seconds since the run began."""

    phase: str
    started_s: float
    wall_s: float


class Lane(NamedTuple):
    """A row of the timeline: this process or a worker, and what it did when. ``share``: of the run's wall,
    0 to 1."""

    label: str
    stretches: tuple[Stretch, ...]
    share: float


class Lanes(NamedTuple):
    """The lanes of a run, top one first, over ``wall_s`` seconds; ``phases`` in the order of the run."""

    lanes: tuple[Lane, ...]
    wall_s: float
    phases: tuple[str, ...]


def lanes(record: RunRecord) -> Lanes:
    """A lane for each worker, idle ones too; phases that no worker took part in were this process's.

    A serial run is one lane.
    """
    serial = not isinstance(record.workers, int)
    moved = {segment.phase for segment in record.segments}
    here = [Stretch(s.phase, s.started_s, s.wall_s) for s in record.profile.spans if s.phase not in moved]
    workers: dict[int, list[Stretch]] = {}
    for segment in record.segments:
        stretch = Stretch(segment.phase, segment.started_s, segment.wall_s)
        if serial or segment.worker < 0:
            here.append(stretch)
        else:
            workers.setdefault(segment.worker, []).append(stretch)
    count = 0 if serial else max([int(record.workers) - 1, *workers]) + 1
    drawn = [_lane(HERE, here, record.wall_s)] if here or not count else []
    drawn += [_lane(f"worker {n + 1}", workers.get(n, []), record.wall_s) for n in range(count)]
    phases = dict.fromkeys(span.phase for span in record.profile.spans)
    return Lanes(tuple(drawn), record.wall_s, tuple(phases | dict.fromkeys(s.phase for s in record.segments)))


def _lane(label: str, stretches: Iterable[Stretch], wall_s: float) -> Lane:
    ordered = tuple(sorted(stretches, key=lambda s: s.started_s))
    done = sum(stretch.wall_s for stretch in ordered)
    return Lane(label, ordered, min(1.0, done / wall_s) if wall_s > 0 else 0.0)


def busy_apart(row: PhaseRow) -> bool:
    """Whether busy says something about a phase that its wall does not."""
    return abs(row.busy_s - row.wall_s) > 0.05 * max(row.wall_s, row.busy_s)


# ---------------------------------------------------------------- sentences


def plain(text: object, limit: int = 200) -> str:
    """One line of at most ``limit`` characters that a terminal can't take for a command.

    Line ends become blanks; other characters that print nothing (escapes, direction marks, lone surrogates)
    become �.
    """
    words = " ".join(str(text)[: 4 * limit].split())
    shown = "".join(c if c.isprintable() else "�" for c in words)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 worker``, ``1,240 items``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float | None) -> str:
    """``80%``; below 1 and just short of 100 never rounded to what it is not; ``–`` for None."""
    if share is None:
        return "–"
    if 0 < share < 0.01:
        return "<1%"
    return ">99%" if 0.99 < share < 1 else f"{100 * share:.0f}%"


def answered(stats: CacheStats) -> str:
    """A cache's hit rate in words: ``80% hits (128 of 160)``, ``no lookups``, ``off``."""
    if stats.hit_rate is None:
        return "no lookups"
    if set(stats.reasons) == {"caches off"}:
        return f"off: {stats.misses:,} computed"
    return f"{percent(stats.hit_rate)} hits ({stats.hits:,} of {stats.hits + stats.misses:,})"


def missed(stats: CacheStats) -> str:
    """Why a cache missed: ``28 new, 4 language changed``, the commonest first; empty without misses."""
    ranked = sorted(stats.reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} {plain(reason, 40)}" for reason, number in ranked if number)


def task_line(record: RunRecord) -> str:
    """The task and what was asked for, in one line."""
    spec = record.spec
    where = f" ({plain(record.task_source, 60)})" if record.task_source else ""
    parts = [
        f"Task {plain(record.task_id, 64)}{where}",
        count(len(record.rows), "candidate"),
        workers_text(record),
    ]
    if "seed" in spec:
        parts.append(f"seed {plain(spec['seed'])}")
    if spec.get("differ", "cells") != "cells":
        parts.append(f"differ {plain(spec['differ'])}")
    if isinstance(limit := spec.get("limit_s"), int | float):
        parts.append(f"limit {seconds_text(float(limit))}")
    parts += [words for words, said in (("early stop", spec.get("early_stop")),
                                        ("caches off", spec.get("caches") is False)) if said]  # fmt: skip
    if isinstance(language := spec.get("language"), Mapping) and language.get("name"):
        parts.append(f"language {plain(language['name'], 40)}")
    if isinstance(tags := spec.get("tags"), list | tuple) and tags:
        parts.append("tags " + ", ".join(plain(tag, 40) for tag in tags[:5]))
    return " · ".join(parts)


def workers_text(record: RunRecord) -> str:
    """``serial`` or ``2 workers``."""
    return count(record.workers, "worker") if isinstance(record.workers, int) else plain(record.workers, 40)


def ended(record: RunRecord) -> str:
    """What there is to say of a run that did not simply end; empty for one that did."""
    if record.status == "ok" and not record.error:
        return ""
    if record.status == "stopped":
        return "Stopped before the end: what was done until then is kept."
    return f"{plain(record.status, 40).capitalize()}: {plain(record.error or 'no reason given', 300)}"


def solved_line(record: RunRecord) -> str:
    """``3 of 32 candidates solve the task.``"""
    total = len(record.rows)
    if not total:
        return "There were no candidates."
    if not record.solved:
        return (
            "The one candidate does not solve the task."
            if total == 1
            else f"None of {total:,} candidates solves the task."
        )
    verb = "solves" if record.solved == 1 else "solve"
    return f"{record.solved:,} of {count(total, 'candidate')} {verb} the task."


def counts_line(record: RunRecord) -> str:
    """``solved 3 · partial 5 · failed 22 · timed out 2``"""
    return " · ".join(f"{word} {number:,}" for word, number in record.counts().items())


def best(record: RunRecord, most: int = 3) -> list[CandidateRow]:
    """The candidates worth naming: those that solve the task, else the ones with the best share; at most
    ``most``."""
    ranked = [row for row in record.ranked() if row.verdict in ("solved", "partial")]
    return [row for row in ranked if row.verdict == ranked[0].verdict][:most]


def saved_line(record: RunRecord) -> str:
    """How many solvers were saved, and where: the file, or the folder they share."""
    if not record.saved:
        return "no solvers"
    if len(record.saved) == 1:
        return plain(record.saved[0], 1000)
    try:
        folder = os.path.commonpath([PurePath(path).parent for path in record.saved])
    except ValueError:  # no folder in common
        folder = ""
    return f"{len(record.saved):,} solvers in {plain(folder or '.', 1000)}"


def as_mappings(rows: Any) -> Sequence[Mapping[str, Any]]:
    """Rows of a run list as mappings, whether they come as such or as the DataFrame of ``nbbatt.runs()``."""
    found = rows.to_dict("records") if hasattr(rows, "to_dict") else list(rows)
    return [{str(key): value for key, value in row.items()} for row in found]
