"""One call of `map`: what goes out to lanes, what comes back, and what becomes of a lost worker's items.

Promises: each item is settled once, with the outcome that its worker sent, or, where the worker cannot tell
any more, with what its lane shows. Innocent items of a lost worker are dealt again (see `deal`).
Leaves to `processes`: the processes themselves, and when to look.
"""

from __future__ import annotations

import pickle
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from nbbatt.limits import Limits, Status, explain
from nbbatt.workers import Job, Outcome, WorkersError
from nbbatt.workers.child import Row
from nbbatt.workers.deal import Deal
from nbbatt.workers.lanes import Lane, exit_text

LOAD_S = 60.0
_STATUS = {status.value: status for status in Status}


class Round:
    """A map under way. `token` tells its messages from those of earlier ones; `outcomes` wait to be drawn."""

    def __init__(
        self,
        token: int,
        job: Job,
        items: Sequence[Any],
        limits: Limits,
        cancel: threading.Event | None,
        deal: Deal,
    ) -> None:
        self.token = token
        self.job = job
        self.limits = limits
        self.cancel = cancel
        self.deal = deal
        self.outcomes: list[Outcome] = []
        self._items = items
        self._message = _job_message(token, job, limits)
        self._load_deaths = 0

    # ------------------------------------------------------------------ out

    def deal_out(self, lanes: Sequence[Lane]) -> None:
        """Give every lane that has room its next items."""
        deal = self.deal
        open_lanes = [lane for lane in lanes if lane.open]
        for lane in open_lanes:
            if not lane.chunks and (index := deal.take_alone()) is not None:
                self._send(lane, [index], alone=True)
        for held in range(deal.depth):
            for lane in open_lanes:
                if len(lane.chunks) == held and not lane.alone and deal.waiting:
                    self._send(lane, deal.take(), alone=False)

    def _send(self, lane: Lane, indices: list[int], *, alone: bool) -> None:
        packed = self._packed(indices)
        if packed is None or lane.channel is None:
            return
        self.deal.weighed(len(packed[0]), len(indices))
        # Booked before it is sent: an interrupt between the two must not make a busy worker look idle.
        lane.chunks.append(indices)
        lane.alone = alone
        if lane.token != self.token:
            lane.token = self.token
            lane.channel.send(self._message)
        lane.channel.send(pickle.dumps(("items", self.token, indices, *packed, alone), 5))

    def _packed(self, indices: list[int]) -> tuple[bytes, bool] | None:
        """The items as bytes, and whether only dill could write them; None when there is nothing to send."""
        items = [self._items[index] for index in indices]
        try:
            return pickle.dumps(items, 5), False
        except Exception:
            import dill
        try:
            return dill.dumps(items, recurse=True), True
        except Exception as broken:
            if len(indices) > 1:
                self.deal.isolate(indices)
            else:
                self._refuse(indices[0], f"cannot be sent to a worker ({explain(broken)[1]})", -1)
            return None

    # ------------------------------------------------------------------ back

    def hear(self, lane: Lane, kind: str, detail: Any, seconds: float | None = None) -> None:
        """A message of a lane's worker; WorkersError when it cannot load the job."""
        if kind == "rows":
            for row in detail:
                if self.deal.settle(row[0]):
                    self.outcomes.append(_outcome(row, lane.number))
            if seconds is not None and lane.chunks:
                self.deal.measured(seconds, len(lane.done_with_chunk()))
        elif kind == "failed":
            raise WorkersError(
                f"the job {self.job.name!r} cannot be loaded in a worker: {detail}; make what it needs "
                "importable there, or define it in the notebook itself"
            )
        elif kind == "unreadable" and lane.chunks:
            indices = lane.done_with_chunk()
            if len(indices) > 1:
                self.deal.isolate(indices)
            else:
                self._refuse(indices[0], f"cannot be read in a worker ({detail})", lane.number)
        elif kind == "retire":
            held = lane.held
            self.deal.isolate([detail] if detail in held else [])
            self.deal.give_back(index for index in held if index != detail)
            lane.vacate()  # it ends by itself

    def died(self, lane: Lane) -> None:
        """A lane's process has ended, which is the fault of what it was at, unless all were lost together."""
        loading, code = lane.loading, lane.exit_code
        culprit = self.deal.lost(lane.held, None if lane.lost else lane.under_way, alone=lane.alone)
        if culprit is not None:
            self._end(lane, culprit, Status.DIED, exit_text(code))
        lane.vacate()
        if loading:
            self._load_deaths += 1
            if self._load_deaths > 1:
                raise WorkersError(
                    f"the job {self.job.name!r} ends the worker that loads it: {exit_text(code)}"
                )

    def kill_late(self, lane: Lane) -> None:
        """A lane's worker is over the hard limit."""
        if lane.loading:
            raise WorkersError(
                f"the job {self.job.name!r} is not loaded in a worker after {LOAD_S:g} s; "
                "what it imports or builds must take less"
            )
        index, held = lane.under_way, lane.held
        if (
            index is None or lane.stopped()
        ):  # not the item's doing: it gets the second try of one whose worker died
            lane.kill()
            return
        self._end(lane, index, Status.KILLED, f"killed at its hard limit of {self.limits.hard_s:g} s")
        lane.drop()
        self.deal.give_back(held)

    def cancel_under_way(self, lane: Lane) -> None:
        """Kill a lane's worker if it is at an item."""
        index = lane.under_way
        if index is not None:
            self._end(lane, index, Status.CANCELLED, "cancelled")
            lane.drop()

    def cancel_rest(self) -> None:
        """Call every item cancelled that has no outcome."""
        for index in self.deal.open():
            self.deal.settle(index)
            self.outcomes.append(Outcome.never_ran(index))

    def _refuse(self, index: int, reason: str, lane: int) -> None:
        if self.deal.settle(index):
            error = f"the item {reason}; items must be plain data"
            self.outcomes.append(Outcome(index, Status.ERROR, None, error, "", 0.0, 0.0, 0.0, lane))

    def _end(self, lane: Lane, index: int, status: Status, error: str) -> None:
        """Settle an item whose worker cannot tell of it any more, from what its lane shows."""
        if not self.deal.settle(index):
            return
        now = time.monotonic()
        started = lane.started if lane.under_way == index else now
        self.outcomes.append(
            Outcome(index, status, None, error, "", started, now - started, lane.cpu_s(), lane.number)
        )


def _job_message(token: int, job: Job, limits: Limits) -> bytes:
    """What a worker needs for a job; the import path goes along, since a notebook may have changed it."""
    import dill

    try:
        payload = dill.dumps((job.make, job.args), recurse=True)
    except Exception as broken:
        raise WorkersError(
            f"the job {job.name!r} cannot be sent to workers: {explain(broken)[1]}; "
            "its arguments must be picklable with dill"
        ) from broken
    path = [entry for entry in sys.path if isinstance(entry, str)]
    return pickle.dumps(("job", token, payload, limits, path), 5)


def _outcome(row: Row, lane: int) -> Outcome:
    index, status, blob, error, traceback, started, wall_s, cpu_s = row
    value = None
    if blob is not None:
        try:
            value = pickle.loads(blob)
        except Exception as broken:
            status, error = Status.ERROR.value, f"the result cannot be read back: {explain(broken)[1]}"
    return Outcome(index, _STATUS[status], value, error, traceback, started, wall_s, cpu_s, lane)
