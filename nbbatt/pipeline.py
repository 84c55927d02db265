"""A run: generate → check_batt → filter → inline → validate → save, as a stream of events that ends in a record.

``iter_run(spec)`` is the whole engine behind one generator: scripts read it to the end, a notebook's panel folds its
events into a picture. It owns the order of phases, the clock and the end. Whatever happens in a phase, what was
computed before is kept: a stop (cancel event, kernel interrupt, closing the generator) ends in a record whose status
is ``stopped``.
"""

from __future__ import annotations

import json
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import nbbatt
from nbbatt.caches import Cache, NoCache
from nbbatt.clock import Profile, Span, Stopwatch
from nbbatt.dispatch import Dispatch
from nbbatt.phases import PHASES, RunState, expected
from nbbatt.record import CacheTable, RunRecord, Timeline
from nbbatt.sources import load_task
from nbbatt.spec import RunSpec, make_spec
from nbbatt.store import DEFAULT_FOLDER, Workspace
from nbbatt.tasks import Task


class PhaseStarted(NamedTuple):
    """A phase begins; ``total`` items are expected."""

    phase: str
    total: int


class Progress(NamedTuple):
    """Items of a phase are done: ``done`` of ``total``."""

    phase: str
    done: int
    total: int


class PhaseEnded(NamedTuple):
    """A phase is over; ``span`` is what it measured."""

    phase: str
    span: Span


class RunEnded(NamedTuple):
    """The run is over and in the store."""

    record: RunRecord


Event = PhaseStarted | Progress | PhaseEnded | RunEnded


def iter_run(
    spec: RunSpec, *, workspace: Path | str | None = None, cancel: threading.Event | None = None
) -> Iterator[Event]:
    """Run a spec; yields events, the last of them RunEnded unless the run itself fails.

    A set ``cancel`` ends the run within moments; so do a KeyboardInterrupt and closing the generator.
    """
    under_way = _Run(spec, Workspace(Path(workspace or DEFAULT_FOLDER)), cancel or threading.Event())
    try:
        yield from under_way.phases()
        status = "stopped" if under_way.cancel.is_set() else "ok"
    except GeneratorExit:
        under_way.end("stopped")
        raise
    except KeyboardInterrupt:
        status = "stopped"
    except BaseException as reason:
        under_way.end("error", f"{type(reason).__name__}: {reason}")
        raise
    record = under_way.end(status)
    if record is None:  # interrupted before anything was opened
        raise KeyboardInterrupt
    yield RunEnded(record)


def run(
    task: Task | str,
    *,
    workspace: Path | str | None = None,
    cancel: threading.Event | None = None,
    on_event: Callable[[Event], None] | None = None,
    **settings: Any,
) -> RunRecord:
    """Run a battery of candidates on a task and return the record, which the workspace keeps too.

    Settings are those of ``make_spec`` and ``RunSpec``: candidates=32, workers="auto", seed=None, language, library,
    programs (texts: exactly these candidates), generator, limit_s=1.0, memory_mb=512, early_stop=False, caches=True,
    differ="cells", tags=(). Raises TaskError, SpecError, ProgramError for what can't be run; a candidate's failure is
    a status in the record.
    """
    if not isinstance(task, Task):
        task = load_task(task)
    spec = make_spec(task, **settings)
    for event in iter_run(spec, workspace=workspace, cancel=cancel):
        if on_event is not None:
            on_event(event)
    assert isinstance(event, RunEnded)  # iter_run's promise
    return event.record


class _Run:
    """One run under way: opens what it needs inside the first phase, and always ends it."""

    def __init__(self, spec: RunSpec, workspace: Workspace, cancel: threading.Event) -> None:
        self.spec, self.workspace, self.cancel = spec, workspace, cancel
        self.started = datetime.now(UTC)
        self.run_id = f"{self.started:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        self.watch = Stopwatch()
        self.timeline = Timeline(time.monotonic())
        self.workers_cpu_s = 0.0
        self.state: RunState | None = None

    def phases(self) -> Iterator[Event]:
        for name, phase in PHASES.items():
            if self.cancel.is_set() and name not in ("generate", "save"):
                continue
            total = expected(name, self.spec, self.state)
            yield PhaseStarted(name, total)
            with self.watch.phase(name) as meter:
                state = self.state or self._open()
                done = 0
                for more in phase(state, meter):
                    done += more
                    yield Progress(name, done, total)
                if name == "save":  # ending the workers belongs to the run, and is part of its last phase
                    self.workers_cpu_s = state.dispatch.close()
            yield PhaseEnded(name, self.watch.spans[-1])

    def _open(self) -> RunState:
        """The store, the rooms and the caches; the run is in the store's list from here on."""
        spec, store = self.spec, self.workspace.open()
        self.state = RunState(
            spec=spec,
            run_id=self.run_id,
            store=store,
            dispatch=Dispatch(spec.workers, trusted=spec.language.trusted, cancel=self.cancel),
            inlining=Cache("inlining", store) if spec.caches else NoCache("inlining"),
            validation=Cache("validation", store) if spec.caches else NoCache("validation"),
            timeline=self.timeline,
        )
        store.begin_run(
            self.run_id,
            spec.task.id,
            started=self.started,
            source=spec.task.source,
            language=spec.language.name,
            workers=str(spec.workers),
            tags=spec.tags,
        )
        return self.state

    def end(self, status: str, error: str = "") -> RunRecord | None:
        """Close everything, then write the record; its clock has stopped by then. None when nothing was opened yet."""
        state = self.state
        if state is None:
            return None
        try:
            self.workers_cpu_s = state.dispatch.close()
            profile = self.watch.profile(workers_cpu_s=self.workers_cpu_s, cores=state.dispatch.cores)
            record = self._record(state, profile, status, error)
            state.store.finish_run(
                self.run_id,
                status=status,
                wall_s=record.wall_s,
                cpu_s=record.cpu_s,
                solved=record.solved,
                json=json.dumps(record.to_json(), allow_nan=False),
                summary=summary(record),
            )
            return record
        finally:
            state.store.close()

    def _record(self, state: RunState, profile: Profile, status: str, error: str) -> RunRecord:
        task = state.spec.task
        return RunRecord(
            run_id=self.run_id,
            task_id=task.id,
            task_source=task.source,
            task_digest=task.digest,
            spec=state.spec.to_json(),
            started=self.started.isoformat(),
            profile=profile,
            caches=CacheTable((state.inlining.stats, state.validation.stats)),
            rows=tuple(tried.row() for tried in state.tried),
            segments=state.timeline.segments(),
            workers=state.dispatch.chosen,
            workers_why=state.dispatch.why,
            status=status,
            machine=machine(state.dispatch.cores),
            warnings=tuple(state.store.warnings),
            saved=state.saved,
            error=error,
        )


def summary(record: RunRecord) -> dict[str, Any]:
    """What the list of runs shows of a run, kept beside it so that listing reads no records."""
    counted = {
        f"{stats.cache}_{name}": getattr(stats, name)
        for stats in record.caches
        for name in ("hits", "misses", "duplicates", "saved_s", "spent_s")
    }
    return {
        "candidates": len(record.rows),
        "seed": record.spec["seed"],
        "workers": record.workers,
        "counts": record.counts(),
        **counted,
    }


def machine(cores: int) -> dict[str, Any]:
    """What a run ran on: versions, system, and the cores it might use."""
    return {
        "nbbatt": nbbatt.__version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "numpy": np.__version__,
        "system": sys.platform,
        "cores": cores,
    }
