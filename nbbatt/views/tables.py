"""The tables of a run as cells of text: what a terminal prints and a page shows is the same table.

Numbers are meant to be right-aligned; a column's unit stands in its header, one unit for all times of a
table, chosen by the largest. A number that is not zero never reads as zero. Leaves to others: colour,
rules, escaping (text.py, html.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from nbbatt.clock import OTHER, PhaseRow, Profile
from nbbatt.record import CacheTable, CandidateRow
from nbbatt.views.rows import MARKS, Unit, missed, percent, plain, unit_for

NONE = "–"


class Column(NamedTuple):
    """A column's header; ``right``: numbers. ``spare``: columns of higher rank go first where there is no
    room."""

    name: str
    right: bool = True
    spare: int = 0


class Table(NamedTuple):
    """Cells row by row. ``total``: the last row sums up the others."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    total: bool = False


def number(value: float | None, decimals: int) -> str:
    """``1,320``, ``12.3``; ``<0.1`` for what is not zero but would read so; ``–`` for None and what is no
    number."""
    if value is None or value != value:
        return NONE
    smallest = 10.0**-decimals
    if value and not float(f"{value:.{decimals}f}"):
        return f"<{smallest:.{decimals}f}"
    return f"{value:,.{decimals}f}"


def times(values: Iterable[float | None], unit: Unit, longest_s: float) -> list[str]:
    """A column of seconds in ``unit``, with the decimals that its largest number is worth."""
    scale = longest_s / unit.seconds
    decimals = 0 if scale >= 10_000 else 1 if scale >= 100 else 2
    return [number(None if v is None else v / unit.seconds, decimals) for v in values]


def phase_table(profile: Profile) -> Table:
    """Where the time went: a row a phase, ``other``, and the run's own total."""
    rows = profile.rows()
    total = PhaseRow(
        "whole run",
        profile.wall_s,
        100.0 if profile.wall_s > 0 else 0.0,
        sum(row.busy_s for row in rows),
        profile.cpu_s,
        0,
        None,
        profile.cpu_s / profile.wall_s if profile.wall_s > 0 else None,
        None,
    )
    everything = [*rows, total]
    longest = max(max(row.wall_s, row.busy_s, row.cpu_s) for row in everything)
    unit = unit_for(profile.wall_s)
    wall = times([row.wall_s for row in everything], unit, longest)
    busy = times([row.busy_s for row in everything], unit, longest)
    cpu = times([row.cpu_s for row in everything], unit, longest)
    columns = (
        Column("phase", right=False),
        Column(f"wall {unit.name}"),
        Column("% of wall"),
        Column(f"busy {unit.name}"),
        Column(f"CPU {unit.name}"),
        Column("cores used"),
        Column("items"),
        Column("efficiency"),
    )
    cells = tuple(
        (
            plain(row.phase, 24),
            wall[i],
            number(row.wall_pct, 1),
            busy[i],
            cpu[i],
            number(row.cores_used, 2),
            f"{row.items:,}" if row.phase not in (OTHER, total.phase) else NONE,
            percent(row.efficiency),
        )
        for i, row in enumerate(everything)
    )
    return Table(columns, cells, total=True)


def cache_table(caches: CacheTable) -> Table:
    """What the caches answered: a row a cache."""
    longest = max([0.0, *(max(row.saved_s, row.spent_s) for row in caches.rows)])
    unit = unit_for(longest)
    saved = times([row.saved_s for row in caches.rows], unit, longest)
    spent = times([row.spent_s for row in caches.rows], unit, longest)
    columns = (
        Column("cache", right=False),
        Column("hits"),
        Column("memory", spare=1),
        Column("disk", spare=1),
        Column("misses"),
        Column("duplicates"),
        Column("hit rate"),
        Column(f"saved {unit.name}"),
        Column(f"spent {unit.name}", spare=2),
    )
    cells = tuple(
        (
            plain(row.cache, 24),
            f"{row.hits:,}",
            f"{row.hits_memory:,}",
            f"{row.hits_disk:,}",
            f"{row.misses:,}",
            f"{row.duplicates:,}",
            "no lookups" if row.hit_rate is None else percent(row.hit_rate),
            saved[i],
            spent[i],
        )
        for i, row in enumerate(caches.rows)
    )
    return Table(columns, cells)


def miss_lines(caches: CacheTable) -> list[str]:
    """For each cache that missed, why: ``inlining missed 32: 28 new, 4 language changed``."""
    return [
        f"{plain(row.cache, 24)} missed {row.misses:,}: {missed(row)}" for row in caches.rows if missed(row)
    ]


def candidate_table(rows: Sequence[CandidateRow]) -> Table:
    """Candidates as they are given: verdict, score, pairs right, size, time alone, and why one failed."""
    columns = (
        Column("candidate", right=False),
        Column("verdict", right=False),
        Column("score %"),
        Column("demos right"),
        Column("tests right"),
        Column("size"),
        Column("alone ms"),
        Column("status", right=False),
        Column("why", right=False, spare=1),
    )
    longest = max([0.0, *(row.wall_ms for row in rows if row.wall_ms is not None)]) / 1000
    alone = times([None if r.wall_ms is None else r.wall_ms / 1000 for r in rows], Unit("ms", 1e-3), longest)
    cells = tuple(
        (
            plain(row.name, 40),
            f"{MARKS[row.verdict]} {row.verdict}",
            number(100 * row.score, 1),
            f"{row.demos_ok:,}",
            f"{row.tests_ok:,}",
            f"{row.size:,}",
            alone[i],
            plain(row.status, 20),
            plain(row.error, 160),
        )
        for i, row in enumerate(rows)
    )
    return Table(columns, cells)


def run_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The list of runs, as ``nbbatt.runs()`` gives it: what the caches answered, what that saved, how long
    it took."""
    walls, saved = ([_seconds(row.get(key)) for row in rows] for key in ("wall_s", "saved_s"))
    longest = [max([0.0, *(v for v in values if v is not None)]) for values in (walls, saved)]
    units = [unit_for(seconds) for seconds in longest]
    columns: dict[Column, Callable[[Mapping[str, Any]], str] | list[str]] = {
        Column("run", right=False): lambda row: plain(row.get("run_id", NONE), 64),
        Column("task", right=False, spare=0): lambda row: plain(row.get("task", NONE), 64),
        Column("candidates", spare=3): lambda row: _whole(row.get("candidates")),
        Column("workers", spare=2): lambda row: plain(row.get("workers", NONE), 12),
        Column("validation hits"): lambda row: _hits(row, "validation"),
        Column("inlining hits"): lambda row: _hits(row, "inlining"),
        Column(f"saved {units[1].name}"): times(saved, units[1], longest[1]),
        Column(f"wall {units[0].name}"): times(walls, units[0], longest[0]),
        Column("seed", spare=1): lambda row: _whole(row.get("seed"), separator=""),
        Column("solved"): _outcome,
    }
    cells = [
        tuple(cell[i] if isinstance(cell, list) else cell(row) for cell in columns.values())
        for i, row in enumerate(rows)
    ]
    return Table(tuple(columns), tuple(cells))


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value == value else None


def _whole(value: object, separator: str = ",") -> str:
    seconds = _seconds(value)
    return NONE if seconds is None else f"{int(seconds):{separator}}"


def _hits(row: Mapping[str, Any], cache: str) -> str:
    """``3/12 25%``"""
    hits = row.get(f"{cache}_hits")
    if not isinstance(hits, str) or not hits:
        return NONE
    rate = _seconds(row.get(f"{cache}_rate"))
    return f"{plain(hits, 20)} {percent(rate):>4}"


def _outcome(row: Mapping[str, Any]) -> str:
    """How many candidates solved the task; in place of it, how a run ended that has nothing to count."""
    status = plain(row.get("status", "ok"), 16)
    solved = _whole(row.get("solved"))
    return solved if status == "ok" else status if solved == NONE else f"{solved} ({status})"


def store_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What the caches hold on disk, and what that once cost; rows with the fields of ``CacheRow``."""
    costs = [_seconds(row.get("cpu_s")) for row in rows]
    longest = max([0.0, *(cost for cost in costs if cost is not None)])
    unit = unit_for(longest)
    cost = times(costs, unit, longest)
    columns = (
        Column("cache", right=False),
        Column("entries"),
        Column("KB"),
        Column(f"cost {unit.name}"),
        Column("newest", right=False),
    )
    cells = tuple(
        (
            plain(row.get("cache", NONE), 24),
            _whole(row.get("entries")),
            number((_seconds(row.get("bytes")) or 0.0) / 1000, 1),
            cost[i],
            plain(str(row.get("newest", NONE))[:16].replace("T", " ")),
        )
        for i, row in enumerate(rows)
    )
    return Table(columns, cells)
