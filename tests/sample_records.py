"""Run records made by hand, for the views' tests: plausible numbers, and the odd cases a view must bear."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nbbatt.caches import CacheStats
from nbbatt.clock import Profile, Span
from nbbatt.record import CacheTable, CandidateRow, RunRecord, Segment

PHASES = ("generate", "check_batt", "filter", "inline", "validate", "save")
HOSTILE = '<img src=x onerror="alert(1)">&amp;[red]x[/red]\x1b[2J\x00$\\frac'
"""A text that means something to HTML, to rich, to a terminal and to matplotlib."""


def candidate(n: int, **changes: Any) -> CandidateRow:
    """Candidate ``n``: three solve the task, the next five a part of it, the next two time out."""
    score, status, error = 0.0, "ok", ""
    if n < 3:
        score = 1.0
    elif n < 8:
        score = 0.9 - 0.1 * (n - 3)
    elif n < 10:
        status, error = "timeout", "took longer than its limit of 1 s"
    elif n % 2:
        status, error = "error", "hconcat: heights 3 and 2 differ"
    row = CandidateRow(
        name=f"solve_00576224_{n:03d}",
        digest=f"{n:032x}",
        solved=n < 3,
        score=score,
        demos_ok=2 if n < 3 else 0,
        tests_ok=1 if n < 3 else 0,
        wall_ms=0.12 + 0.04 * n if n < 8 else None,
        status=status,
        source=f"def solve_00576224_{n:03d}(I):\n    x1 = mirror(I)\n    return hconcat(x1, I)\n",
        error=error,
        size=3 + n % 5,
        kept=n < 8,
        origin="mutation of 3618c87e",
    )
    return row._replace(**changes)


def profile(walls: dict[str, float], *, lanes: int = 1, rest_s: float = 0.002) -> Profile:
    """A profile of phases one after another; check_batt and validate are spread over ``lanes`` workers."""
    spans, at = [], 0.0
    for phase, wall in walls.items():
        many = lanes if phase in ("check_batt", "validate") else 1
        busy = 0.86 * wall * many
        spans.append(
            Span(
                phase,
                at,
                wall,
                busy if many > 1 else wall,
                0.8 * wall * many,
                96 if many > 1 else 32,
                many,
                0.78 * wall * many,
                0.3 * wall if phase == "validate" else 0.0,
                phase in ("check_batt", "validate"),
            )
        )
        at += wall
    cpu = sum(span.cpu_s for span in spans) + 0.1 * lanes * (lanes > 1)
    return Profile(tuple(spans), at + rest_s, cpu, max(2, lanes))


def segments(made: Profile, workers: int) -> tuple[Segment, ...]:
    """Work of each worker in the phases that are spread: pieces with small gaps, uneven ends."""
    found = []
    for span in made.spans:
        if not span.parallel:
            continue
        for worker in range(workers):
            length = span.wall_s / 6
            for piece in range(6 - worker % 3):
                start = span.started_s + piece * length + 0.04 * length * (worker + 1)
                found.append(Segment(worker, span.phase, start, 0.85 * length, 0.8 * length, 4))
    return tuple(found)


def caches() -> CacheTable:
    return CacheTable(
        (
            CacheStats("inlining", 100, 28, 32, 4, 0.152, 0.048, {"new": 28, "language changed": 4}),
            CacheStats("validation", 0, 0, 32, 0, 0.0, 0.04, {"new": 32}),
        )
    )


def record(workers: int | str = 2, *, scale: float = 1.0, count: int = 32, **changes: Any) -> RunRecord:
    """A run of a second or so (times ``scale``) with ``count`` candidates."""
    lanes = workers if isinstance(workers, int) else 1
    walls = dict(zip(PHASES, (0.012, 0.74, 0.0004, 0.066, 0.205, 0.018)))
    made = profile({phase: wall * scale for phase, wall in walls.items()}, lanes=lanes, rest_s=0.002 * scale)
    made_record = RunRecord(
        run_id="20261124-001312-3f9c2a",
        task_id="00576224",
        task_source="arcagi1/evaluation",
        task_digest="ab" * 16,
        spec={
            "candidates": count,
            "workers": workers,
            "seed": 7,
            "limit_s": 1.0,
            "memory_mb": 512,
            "early_stop": False,
            "caches": True,
            "differ": "cells",
            "language": {"name": "nbbatt.dsl", "version": "cd" * 16, "primitives": 160},
            "tags": [],
        },
        started="2026-11-24T00:13:12+00:00",
        profile=made,
        caches=caches(),
        rows=tuple(candidate(n) for n in range(count)),
        segments=segments(made, lanes),
        workers=workers,
        workers_why="as asked",
        status="ok",
        machine={"nbbatt": "0.1.0", "python": "3.12.1", "numpy": "2.0.2", "system": "linux", "cores": 2},
        saved=tuple(f".nbbatt/solvers/00576224/{n:08x}.py" for n in range(3)),
    )
    return replace(made_record, **changes)


def hostile() -> RunRecord:
    """A record whose every text is HOSTILE."""
    stats = CacheStats(HOSTILE, 1, 0, 2, 0, 0.1, 0.1, {HOSTILE: 2})
    made = record(count=3)
    spans = tuple(span._replace(phase=HOSTILE) for span in made.profile.spans[:1]) + made.profile.spans[1:]
    names = {"name": HOSTILE, "digest": HOSTILE, "error": HOSTILE, "source": HOSTILE, "origin": HOSTILE}
    return replace(
        made,
        **dict.fromkeys(
            ("run_id", "task_id", "task_source", "workers_why", "status", "error", "started"), HOSTILE
        ),
        profile=replace(made.profile, spans=spans),
        caches=CacheTable((stats,)),
        rows=(candidate(0, **names), candidate(5, **names), candidate(9, **names, status=HOSTILE)),
        segments=tuple(segment._replace(phase=HOSTILE) for segment in made.segments),
        spec={"seed": HOSTILE, "differ": HOSTILE, "language": {"name": HOSTILE}, "tags": [HOSTILE]},
        warnings=(HOSTILE,),
        saved=(HOSTILE,),
        machine={"python": HOSTILE, "cores": 2},
    )
