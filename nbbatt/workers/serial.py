"""The serial room: items one after another in the thread that asks for them.

Promises: the outcomes of the process room for everything that Python can stop from inside, in the items'
order; signals, stdout and the process's limits are left as they are; its one thread (the soft limit's) lives
only while a map does. Cannot do: stop an item that stays in one C call or swallows every exception, limit
memory, survive a crash.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from nbbatt.limits import Limits, SoftLimit, attempt, explain
from nbbatt.workers import Handler, Job, Outcome, WorkersError


class SerialWorkers:
    """Workers in this process. The user's Ctrl-C comes out of `map`; what an item raises never does."""

    name = "serial"
    count = 1

    def __init__(self) -> None:
        self._closed = False

    def start(self) -> None:
        """Nothing needs to be set up."""

    def map(
        self, job: Job, items: Sequence[Any], limits: Limits, cancel: threading.Event | None = None
    ) -> Iterator[Outcome]:
        """See Workers.map; `limits.soft_s` is the only limit that is enforced here."""
        if self._closed:
            raise WorkersError("these workers are closed; make new ones with make_workers()")
        return self._map(job, items, limits, cancel)

    def close(self) -> float:
        """Items that an unfinished map has left become CANCELLED; there are no processes to count."""
        self._closed = True
        return 0.0

    def _map(
        self, job: Job, items: Sequence[Any], limits: Limits, cancel: threading.Event | None
    ) -> Iterator[Outcome]:
        with SoftLimit(cancel=cancel) as limit:
            handler: Handler | None = None
            for index in range(len(items)):
                if self._closed or (cancel is not None and cancel.is_set()):
                    yield Outcome.never_ran(index)
                    continue
                if handler is None:
                    handler = _load(job, limit)
                yield _run(handler, index, items[index], limit, limits)


def _load(job: Job, limit: SoftLimit) -> Handler:
    try:
        return job.make(*job.args, limit)
    except (Exception, SystemExit) as broken:
        raise WorkersError(f"the job {job.name!r} cannot be loaded: {explain(broken)[1]}") from broken


def _run(handler: Handler, index: int, item: Any, limit: SoftLimit, limits: Limits) -> Outcome:
    # The thread's CPU clock, not the process's: a notebook's other threads work at the same time.
    started, wall, cpu = time.monotonic(), time.perf_counter(), time.thread_time()
    ended = attempt(
        limit, handler, item, limits.soft_s, interrupts=threading.current_thread() is threading.main_thread()
    )
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    return Outcome(index, ended.status, ended.value, ended.error, ended.traceback, started, wall, cpu, 0)
