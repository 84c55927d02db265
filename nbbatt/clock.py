"""Time, kept honest: wall, busy and CPU are measured apart and never called by each other's name.

- wall: what the clock on the wall says, start to end (monotonic).
- busy: the summed elapsed times of items. Ten items that wait side by side for a second are ten busy seconds in one
  second of wall; busy says how much was under way at once, never how much was computed.
- CPU: what the operating system charged, of this thread and of the workers.

A ``Stopwatch`` measures a run phase by phase; a ``Profile`` is what it measured, as plain data. The phases' walls and
``other`` add up to the run's wall by construction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

OTHER = "other"


class Span(NamedTuple):
    """One phase as measured. Seconds throughout.

    ``lane_cpu_s`` is the part of ``cpu_s`` spent where the items ran, ``lanes`` how many could run at once.
    ``cacheable_s`` is CPU spent on what a warm cache would have known.
    """

    phase: str
    started_s: float
    wall_s: float
    busy_s: float
    cpu_s: float
    items: int = 0
    lanes: int = 1
    lane_cpu_s: float = 0.0
    cacheable_s: float = 0.0
    parallel: bool = False


class PhaseRow(NamedTuple):
    """A line of the phase table; None where a ratio would mean nothing."""

    phase: str
    wall_s: float
    wall_pct: float
    busy_s: float
    cpu_s: float
    items: int
    concurrency: float | None
    cores_used: float | None
    efficiency: float | None


@dataclass
class Meter:
    """What a phase under way has added up; the pipeline feeds it with outcomes."""

    lanes: int = 1
    remote: bool = False
    parallel: bool = False
    busy_s: float = 0.0
    lane_cpu_s: float = 0.0
    cacheable_s: float = 0.0
    items: int = 0

    def add(self, wall_s: float, cpu_s: float, items: int = 1) -> None:
        """One piece of work of so many items: its own elapsed time and its own CPU time."""
        self.items += items
        self.busy_s += wall_s
        self.lane_cpu_s += cpu_s


class Stopwatch:
    """Measures a run. ``now`` and ``cpu`` are clocks in seconds: monotonic, and this thread's CPU time."""

    def __init__(
        self, now: Callable[[], float] = time.perf_counter, cpu: Callable[[], float] = time.thread_time
    ) -> None:
        self.now, self.cpu = now, cpu
        self.began, self.cpu_began = now(), cpu()
        self.spans: list[Span] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[Meter]:
        """Measure the body as a phase; a body that raises is measured too.

        Remote items' CPU is added to this thread's; items run by this thread are in its CPU time already.
        A phase without items was busy all the time.
        """
        meter = Meter()
        start, cpu_start = self.now(), self.cpu()
        try:
            yield meter
        finally:
            wall, own = self.now() - start, self.cpu() - cpu_start
            cpu = own + meter.lane_cpu_s if meter.remote else own
            lane_cpu = meter.lane_cpu_s if meter.remote else own
            busy = meter.busy_s if meter.busy_s else wall
            self.spans.append(
                Span(name, start - self.began, wall, busy, cpu, meter.items, meter.lanes, lane_cpu,
                     meter.cacheable_s, meter.parallel)
            )  # fmt: skip

    def profile(self, *, workers_cpu_s: float = 0.0, cores: int = 1) -> Profile:
        """All phases so far. ``workers_cpu_s`` is all CPU of worker processes, their start-up included."""
        own = self.cpu() - self.cpu_began
        return Profile(tuple(self.spans), self.now() - self.began, own + workers_cpu_s, cores)


@dataclass(frozen=True)
class Profile:
    """Where a run's time went: spans in order, the run's own wall and CPU seconds, and the cores it could use."""

    spans: tuple[Span, ...] = ()
    wall_s: float = 0.0
    cpu_s: float = 0.0
    cores: int = 1
    notes: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> list[PhaseRow]:
        """A row a phase, then ``other``: the rest of the run's wall, and of its CPU (starting workers, mostly)."""
        rows = [_row(span, self.wall_s) for span in self.spans]
        wall = max(0.0, self.wall_s - sum(span.wall_s for span in self.spans))
        cpu = max(0.0, self.cpu_s - sum(span.cpu_s for span in self.spans))
        rows.append(PhaseRow(OTHER, wall, _share(wall, self.wall_s), wall, cpu, 0, None, None, None))
        return rows

    def table(self) -> pd.DataFrame:
        """The phase table: one row a phase, columns as in ``PhaseRow``."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=list(PhaseRow._fields))

    def verdict(self) -> str:
        """Where the wall time went, and what more workers or warm caches could still gain at most."""
        if not self.spans or self.wall_s <= 0:
            return "Nothing was measured."
        top = max(self.spans, key=lambda span: span.wall_s)
        used = top.cpu_s / top.wall_s if top.wall_s else 0.0
        where = "in one process" if top.lanes == 1 else f"on {top.lanes} workers"
        said = (
            f"{top.phase} took {_share(top.wall_s, self.wall_s):.0f}% of {seconds_text(self.wall_s)},"
            f" {where} with {used:.1f} {'core' if f'{used:.1f}' == '1.0' else 'cores'} busy."
        )
        return f"{said} {self._gains()}"

    def _gains(self) -> str:
        """The sentence on bounds. CPU work can't go faster than the cores; a warm cache can't save more than misses cost."""
        spread = sum(
            max(0.0, s.wall_s - max(s.lane_cpu_s / self.cores, 1e-9)) for s in self.spans if s.parallel
        )
        cached = sum(min(s.cacheable_s / max(s.lanes, 1), s.wall_s) for s in self.spans)
        said = []
        for gain, how in (
            (spread, f"spreading its items over {self.cores} cores without any cost"),
            (cached, "warm caches"),
        ):
            if gain > 0.02 * self.wall_s and self.wall_s - gain > 0:
                faster = self.wall_s / (self.wall_s - gain)
                said.append(f"{how} could save at most {seconds_text(gain)} ({faster:.1f}x)")
        if not said:
            return "Neither more workers nor warmer caches could gain more than 2%."
        text = "; ".join(said) + "."
        return text[0].upper() + text[1:]

    def to_json(self) -> list[dict[str, Any]]:
        """The spans, a dict each."""
        return [span._asdict() for span in self.spans]

    @classmethod
    def from_json(cls, spans: list[dict[str, Any]], wall_s: float, cpu_s: float, cores: int) -> Profile:
        return cls(tuple(Span(**span) for span in spans), wall_s, cpu_s, cores)


def _row(span: Span, run_wall_s: float) -> PhaseRow:
    wall = span.wall_s
    return PhaseRow(
        span.phase,
        wall,
        _share(wall, run_wall_s),
        span.busy_s,
        span.cpu_s,
        span.items,
        span.busy_s / wall if wall > 0 else None,
        span.cpu_s / wall if wall > 0 else None,
        span.lane_cpu_s / (wall * span.lanes) if wall > 0 else None,
    )


def _share(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole > 0 else 0.0


def seconds_text(seconds: float) -> str:
    """``12 ms``, ``1.32 s``, ``4 min 10 s``: a duration as people read it."""
    if seconds < 0:
        return f"-{seconds_text(-seconds)}"
    if seconds < 0.00995:
        return f"{seconds * 1000:.2g} ms" if seconds * 1000 >= 0.0095 else "0 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.995:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
