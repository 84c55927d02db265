"""Which room a run's items go to: this process, worker processes, or "auto", decided by measurement and said why.

Auto stays in this process while the work left, at the pace just measured, is smaller than what starting workers
costs; a language of the user's own always gets workers, for only those can be killed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from nbbatt.clock import seconds_text
from nbbatt.errors import NbbattError
from nbbatt.limits import Limits
from nbbatt.workers import Job, Outcome, Workers, make_workers, usable_cores

BOOT_S = 0.25
"""What starting two workers with numpy costs, as measured; the order of magnitude is what matters."""
PROBE_S = 0.02
"""How long auto measures before it judges."""


class DispatchError(NbbattError):
    """A number of workers that means nothing."""


class Dispatch:
    """The rooms of one run. ``chosen`` is "serial" or the number of worker processes; ``why`` says who chose it."""

    def __init__(self, workers: int | str, *, trusted: bool, cancel: threading.Event) -> None:
        self.cancel = cancel
        self.cores = usable_cores()
        self.serial: Workers | None = None
        self.processes: Workers | None = None
        self.auto = workers == "auto"
        self.chosen, self.why = self._choice(workers, trusted)
        if self.chosen != "serial":
            self._start(int(self.chosen))

    def _choice(self, workers: int | str, trusted: bool) -> tuple[int | str, str]:
        if workers == "serial":
            return "serial", "as asked: in this process, where a call that hangs cannot be killed"
        if workers == "auto":
            if trusted:
                return "serial", "auto: in this process"
            return (
                self.cores,
                f"auto: {self.cores} workers, since primitives of your own may hang, and only workers can be killed",
            )
        if isinstance(workers, int) and not isinstance(workers, bool) and 1 <= workers <= 1024:
            return workers, "as asked"
        raise DispatchError(
            f"workers={workers!r} is no choice: pass a number of processes from 1 to 1024, 'serial' or 'auto'"
        )

    def _start(self, count: int) -> Workers:
        self.processes = make_workers(count)
        self.processes.start()
        self.chosen = count
        return self.processes

    @property
    def lanes(self) -> int:
        """How many items can be under way at once."""
        return 1 if self.chosen == "serial" else int(self.chosen)

    @property
    def remote(self) -> bool:
        """Whether items run in other processes than this one."""
        return self.processes is not None

    def map(self, job: Job, items: Sequence[Any], limits: Limits) -> Iterator[Outcome]:
        """One outcome an item, in order of completion."""
        if self.processes is not None:
            yield from self.processes.map(job, items, limits, self.cancel)
            return
        if self.serial is None:
            self.serial = make_workers("serial")
        began, done = time.perf_counter(), 0
        outcomes = self.serial.map(job, items, limits, self.cancel)
        for outcome in outcomes:
            done += 1
            yield outcome
            spent = time.perf_counter() - began
            if self.auto and spent > PROBE_S and self._pays(job.name, spent / done, len(items) - done):
                outcomes.close()  # type: ignore[attr-defined]
                room = self._start(self.cores)
                for rest in room.map(job, items[done:], limits, self.cancel):
                    yield replace(rest, index=rest.index + done)
                return
        if self.auto and done:
            self._settled(job.name, (time.perf_counter() - began), done)

    def _pays(self, phase: str, each_s: float, left: int) -> bool:
        """Whether workers would win back their start on the items left of this phase."""
        rest = each_s * left
        if rest * (1 - 1 / self.cores) <= BOOT_S:
            return False
        self.why = (
            f"auto: {self.cores} workers from {phase} on, whose last {left:,} items would take about"
            f" {seconds_text(rest)} here, against {seconds_text(BOOT_S)} to start workers"
        )
        return True

    def _settled(self, phase: str, spent: float, done: int) -> None:
        self.why = (
            f"auto: in this process, since {phase} took {seconds_text(spent)} for {done:,} items,"
            f" and starting workers costs about {seconds_text(BOOT_S)}"
        )

    def close(self) -> float:
        """End every worker; returns the CPU seconds of all their processes."""
        spent = 0.0
        for room in (self.serial, self.processes):
            if room is not None:
                spent += room.close()
        return spent
