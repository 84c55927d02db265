"""The room of worker processes: a supervisor that deals items, watches the clock, kills and replaces.

Promises: whatever an item does to its worker, `map` goes on: over its hard limit it is killed and reported
`killed`; a worker's death costs the item under way one more try alone, then it is `died`; no other item is
lost or blamed. Each worker has a pipe of its own and shares no lock, so that a killed one can leave nothing
locked. Nothing here blocks for longer than a glance at the clock, so `cancel` and `close` from another thread
act within about 50 ms.
All of it runs in the thread that draws outcomes from `map`, and only while it draws.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

from nbbatt.limits import Limits
from nbbatt.workers import Job, Outcome, WorkersError
from nbbatt.workers.channel import wait
from nbbatt.workers.child import END
from nbbatt.workers.deal import Deal
from nbbatt.workers.lanes import Lane, exit_text
from nbbatt.workers.launch import Event, Launcher, make_launcher
from nbbatt.workers.rounds import LOAD_S, Round

_GLANCE_S = 0.02
_UNSENT_S = 0.002
_PAUSE_S = 0.25  # a step that takes this much longer: we were stopped, and perhaps the workers too
_REPORT_S = 5.0  # within which the death of a worker whose pipe has ended must have been reported
_GOODBYE_S = 0.5
_STILLBORN = 6  # workers in a row that ended before they said anything


class ProcessWorkers:
    """`count` worker processes. `chunk` fixes how many items travel at once; None adapts it to their length.

    One map at a time: a second one ends the first. Close it, or let it go: then it is closed by the garbage
    collector or at the interpreter's end.
    """

    name = "processes"

    def __init__(self, count: int, chunk: int | None = None, launcher: Launcher | None = None) -> None:
        if count < 1 or (chunk is not None and chunk < 1):
            raise WorkersError(
                f"{count} workers with chunks of {chunk} items cannot be; both must be at least 1"
            )
        self.count = count
        self._pool = _Pool(count, chunk, launcher)
        self._finalizer = weakref.finalize(self, self._pool.close)

    def start(self) -> None:
        """Ask for the processes and return; they boot by themselves."""
        self._pool.start()

    def map(
        self, job: Job, items: Sequence[Any], limits: Limits, cancel: threading.Event | None = None
    ) -> Iterator[Outcome]:
        """See Workers.map."""
        self._pool.check_open()
        return self._map(job, items, limits, cancel)

    def close(self) -> float:
        """See Workers.close; a map that is under way in another thread gives its open items as CANCELLED."""
        return self._pool.close()

    def _map(
        self, job: Job, items: Sequence[Any], limits: Limits, cancel: threading.Event | None
    ) -> Iterator[Outcome]:
        if not len(items):
            return
        current = self._pool.begin(job, items, limits, cancel)
        try:
            while current.deal.left or current.outcomes:
                yield from self._pool.step(current)
        finally:
            self._pool.finish(current)


class _Pool:
    """What ProcessWorkers holds, apart from it so that letting go of that one can close this."""

    def __init__(self, count: int, chunk: int | None, launcher: Launcher | None) -> None:
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._launcher = launcher or make_launcher(count)
        self._lanes = [Lane(number, self._launcher.board) for number in range(count)]
        self._living: set[int] = set()  # tickets of the processes that are not known to have ended
        self._chunk = chunk
        self._tickets = 0
        self._tokens = 0
        self._stillborn = 0
        self._round: Round | None = None
        self._closing = False
        self._cpu_s: float | None = None

    # ------------------------------------------------------------------ the life of the room

    def check_open(self) -> None:
        if self._closing:
            raise WorkersError("these workers are closed; make new ones with make_workers()")
        if os.getpid() != self._owner:
            raise WorkersError("these workers belong to the process this one was forked from; make its own")

    def start(self) -> None:
        with self._lock:
            self.check_open()
            for lane in self._lanes:
                if lane.channel is None:
                    self._launch(lane)

    def _launch(self, lane: Lane) -> None:
        self._tickets += 1
        lane.wipe()
        lane.occupy(self._tickets, self._launcher.launch(self._tickets, lane.number))
        self._living.add(self._tickets)

    def close(self) -> float:
        """End workers that idle, kill those that do not, and count their CPU seconds."""
        if os.getpid() != self._owner:  # a forked copy of the owner: the workers are not its own
            return 0.0
        self._closing = True
        with self._lock:
            if self._cpu_s is None:
                if self._round is not None:
                    self._cancel(self._round)
                for lane in self._lanes:
                    if lane.loading or lane.chunks:
                        lane.kill()
                    elif lane.channel is not None:
                        lane.channel.send(END)
                    lane.vacate()
                self._see_off()
                self._cpu_s = self._launcher.close()
            return self._cpu_s

    def _see_off(self) -> None:
        """Wait a moment for the workers to end; what stays, the launcher kills."""
        end = time.monotonic() + _GOODBYE_S
        while self._living and self._launcher.up and time.monotonic() < end:
            wait(self._launcher.watched(), _GLANCE_S)
            for event in self._launcher.events():
                self._book(event)

    # ------------------------------------------------------------------ one map

    def begin(self, job: Job, items: Sequence[Any], limits: Limits, cancel: threading.Event | None) -> Round:
        with self._lock:
            self.start()
            if self._round is not None:
                self.finish(self._round)
            self._tokens += 1
            deal = Deal(len(items), len(self._lanes), self._chunk)
            self._round = Round(self._tokens, job, items, limits, cancel, deal)
            return self._round

    def step(self, current: Round) -> list[Outcome]:
        """Deal, wait for a moment, and return what has come in."""
        with self._lock:
            if self._round is not current and not self._closing:
                raise WorkersError("this map was given up when another one began on the same workers")
            if self._closing or (current.cancel is not None and current.cancel.is_set()):
                self._cancel(current)
            else:
                self._advance(current)
            outcomes, current.outcomes = current.outcomes, []
            return outcomes

    def _advance(self, current: Round) -> None:
        before = time.monotonic()
        for lane in self._lanes:
            if lane.channel is None:
                self._launch(lane)
        current.deal_out(self._lanes)
        self._listen(current, self._wait())
        away = time.monotonic() - before - _GLANCE_S
        if away > _PAUSE_S:
            for lane in self._lanes:
                lane.forgive(away)
        self._look(current)

    def finish(self, current: Round) -> None:
        """The map is over or given up: workers that still work for it are killed, the others stay."""
        with self._lock:
            if self._round is not current:
                return
            self._round = None
            for lane in self._lanes:
                if lane.loading or not current.deal.settled(lane.held):
                    lane.drop()
                lane.chunks.clear()
                lane.alone = False

    def _cancel(self, current: Round) -> None:
        """Keep what has come in, kill what works, and call the rest cancelled."""
        if self._round is current:
            try:
                self._listen(current, [lane for lane in self._lanes if lane.open])
            except WorkersError:
                pass  # a job that does not load: nothing more can come in
            for lane in self._lanes:
                current.cancel_under_way(lane)
            self.finish(current)
        current.cancel_rest()

    # ------------------------------------------------------------------ listening and watching

    def _wait(self) -> list[Lane]:
        """The lanes that have something to say, within a moment."""
        channels = {lane.channel: lane for lane in self._lanes if lane.channel is not None and lane.open}
        unsent = [channel for channel in channels if not channel.flush()]
        ready = wait([*channels, *self._launcher.watched()], _UNSENT_S if unsent else _GLANCE_S)
        return [channels[end] for end in ready if end in channels]

    def _listen(self, current: Round, ready: list[Lane]) -> None:
        for event in self._launcher.events():
            self._book(event)
        for lane in self._lanes:
            if lane.gone:
                self._died(current, lane)
        for lane in ready:
            self._read(current, lane)
            if lane.channel is not None and lane.channel.ended:
                lane.end()

    def _book(self, event: Event) -> None:
        """Note an event on the lane it is about, unless that has been given to another process since."""
        if event.kind != "started":
            self._living.discard(event.ticket)
        if event.kind == "lost":
            self._living.clear()
        for lane in self._lanes:
            if event.kind == "lost" or lane.ticket == event.ticket:
                lane.book(event.kind, event.number)

    def _read(self, current: Round, lane: Lane) -> None:
        for data in lane.channel.receive() if lane.channel is not None else []:
            try:
                kind, token, *rest = pickle.loads(data)
            except Exception:  # somebody else has written to the pipe
                lane.kill()
                return
            lane.heard = True
            self._stillborn = 0
            if token == current.token:
                current.hear(lane, kind, *rest)

    def _died(self, current: Round, lane: Lane) -> None:
        """A process has ended: hear its last words; and start no new ones for ever if all end at once."""
        self._read(current, lane)
        if lane.channel is None:  # the last words were that it retires
            return
        idle = not lane.heard and not lane.loading and lane.under_way is None
        code = lane.exit_code
        current.died(lane)
        if idle:
            self._stillborn += 1
            if self._stillborn >= _STILLBORN:
                raise WorkersError(
                    f"{_STILLBORN} workers in a row ended at their start ({exit_text(code)}); "
                    "see the terminal for their message, or use workers='serial'"
                )

    def _look(self, current: Round) -> None:
        now = time.monotonic()
        for lane in self._lanes:
            if lane.ended_at is not None and now - lane.ended_at > _REPORT_S:
                lane.book("lost", 0)
            elif lane.open and lane.overdue(now, LOAD_S if lane.loading else current.limits.hard_s):
                self._read(current, lane)
                if lane.open and lane.overdue(now, LOAD_S if lane.loading else current.limits.hard_s):
                    current.kill_late(lane)
