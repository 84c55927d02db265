"""Where items are computed: one protocol, several rooms behind it.

Promises: `map` gives exactly one Outcome for every item, in completion order, whatever the items do; a room
can be used for several maps with different jobs; `close` leaves no process, thread or open file. An item may
be run more than once (a worker that is lost takes what it had not yet sent with it), so handlers must not
have effects of their own.
Leaves to others: what the items are (battery, pipeline), and how a job's arguments load quickly in a worker.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nbbatt.errors import NbbattError
from nbbatt.limits import Limits, Status

Handler = Callable[[Any], Any]


class WorkersError(NbbattError):
    """A room that cannot be set up, or a job that cannot be loaded in it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one item ended. `value` is None unless `status` is OK; `error` is one line, empty for OK.

    `started` is the worker's time.monotonic() (0.0 when it never ran), `wall_s` and `cpu_s` what the item
    took there; `worker` is the lane's number, -1 for an item that no worker began.
    """

    index: int
    status: Status
    value: Any
    error: str
    traceback: str
    started: float
    wall_s: float
    cpu_s: float
    worker: int

    @classmethod
    def never_ran(cls, index: int) -> Outcome:
        """The outcome of an item that a cancelled map had left."""
        return cls(index, Status.CANCELLED, None, "cancelled", "", 0.0, 0.0, 0.0, -1)


@dataclass(frozen=True, slots=True)
class Job:
    """What to do with each item: `make(*args, limit)` is called once a worker and gives the handler of the
    items.

    `limit` is the worker's SoftLimit, already armed when the handler runs. `make` and `args` travel by dill:
    by name what can be imported, by value what was defined in a script or a notebook cell. `name` is for
    messages.
    """

    make: Callable[..., Handler]
    args: tuple[Any, ...] = ()
    name: str = "job"


class Workers(Protocol):
    """A room: `count` items are computed at once (1 in the serial one)."""

    name: str
    count: int

    def start(self) -> None:
        """Begin to set up, and return at once."""

    def map(
        self, job: Job, items: Sequence[Any], limits: Limits, cancel: threading.Event | None = None
    ) -> Iterator[Outcome]:
        """One Outcome for each item, in completion order; after `cancel` is set the rest come as CANCELLED.

        WorkersError when the job cannot be loaded. The iterator may be dropped half-way.
        """
        ...

    def close(self) -> float:
        """End everything, and say how many CPU seconds the room's own processes used in all; idempotent."""
        ...


def make_workers(spec: int | str) -> Workers:
    """The room for a number of worker processes, or "serial" for this one; else WorkersError."""
    if spec == "serial":
        from nbbatt.workers.serial import SerialWorkers

        return SerialWorkers()
    if isinstance(spec, bool) or not isinstance(spec, int) or not 1 <= spec <= 1024:
        raise WorkersError(
            f'workers is {spec!r}; it must be a number of processes from 1 to 1024, or "serial" for this one'
        )
    from nbbatt.workers.processes import ProcessWorkers

    return ProcessWorkers(spec)


def usable_cores(root: Path = Path("/")) -> int:
    """Cores this process may use: its CPU affinity, and its control group's quota (rounded up); at least 1.

    `root` is where /proc and /sys are looked for.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        cores = os.cpu_count() or 1
    quota = min(_quotas(root), default=math.inf)
    return max(1, min(cores, math.ceil(quota) if math.isfinite(quota) else cores))


def _quotas(root: Path) -> Iterator[float]:
    """CPU quotas, in cores, of every control group (versions 1 and 2) that this process is in."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        names = controllers.split(",")
        if controllers == "":
            tops, read = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"], _quota_v2
        elif "cpu" in names:
            tops, read = [root / "sys/fs/cgroup" / controllers, root / "sys/fs/cgroup/cpu"], _quota_v1
        else:
            continue
        for top in tops:
            group = top / path.strip("/")
            # A container often sees its own group mounted as the top while the file names the host's path.
            while group != top.parent:
                yield read(group)
                group = group.parent


def _quota_v2(group: Path) -> float:
    limit, _, period = _text(group / "cpu.max").partition(" ")
    return _cores(limit, period)


def _quota_v1(group: Path) -> float:
    return _cores(_text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us"))


def _cores(limit: str, period: str) -> float:
    try:
        quota, base = float(limit), float(period)
    except ValueError:  # "max", or no such file
        return math.inf
    return quota / base if quota > 0 and base > 0 else math.inf


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
