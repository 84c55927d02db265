"""A run's events as a progress bar on a terminal; nothing at all where nobody watches."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from nbbatt.pipeline import Event, PhaseStarted, Progress, RunEnded
from nbbatt.record import RunRecord


def watched(events: Iterable[Event]) -> RunRecord:
    """Follow a run to its end, with a bar on stderr when that is a terminal; returns its record."""
    record = None
    if not sys.stderr.isatty():
        for event in events:
            record = event.record if isinstance(event, RunEnded) else record
    else:
        record = _with_bar(events)
    assert record is not None  # iter_run ends in a record or raises
    return record


def _with_bar(events: Iterable[Event]) -> RunRecord | None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    record = None
    with Bar(*columns, console=Console(stderr=True), transient=True, refresh_per_second=8) as bar:
        line = bar.add_task("start", total=None)
        for event in events:
            if isinstance(event, PhaseStarted):
                bar.reset(line, description=event.phase, total=event.total or None)
            elif isinstance(event, Progress):
                bar.update(line, completed=event.done)
            elif isinstance(event, RunEnded):
                record = event.record
    return record
