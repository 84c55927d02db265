"""A lane: the place one worker process works in, what it was dealt, and what the owner can see of it from
outside.

Promises: a worker is called overdue only after it was seen over the limit for a while by an owner that was
running itself, and that time in which the owner was stopped (and the workers perhaps with it) is not held
against the item.
Leaves to `processes` what to do about it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from pathlib import Path

from nbbatt.workers.channel import Channel
from nbbatt.workers.child import BOARD_CPU, BOARD_ITEM, BOARD_START, BOARD_WIDTH, IDLE, LOADING, Board

_SURE_S = 0.05  # how long an item must have been seen over its limit before it is killed
_GLANCE_S = 0.03  # the most that one look can add to that


class Lane:
    """One worker process at a time: its ticket, pipe, pid, and the chunks it holds, the first under way."""

    def __init__(self, number: int, board: Board) -> None:
        self.number = number
        self._board = board
        self._at = number * BOARD_WIDTH
        self.ticket = -1
        self.channel: Channel | None = None
        self.pid = 0
        self.clear()

    def clear(self) -> None:
        """Forget what the last process was about."""
        self.chunks: deque[list[int]] = deque()
        self.alone = False
        self.token = -1  # the map whose job the worker has been sent
        self.heard = False  # whether it has ever said anything
        self.ended_at: float | None = None  # when its pipe ended, if its death is still to be reported
        self.gone = False  # whether its death was reported
        self.lost = False  # whether it went with all the others
        self.exit_code: int | None = None
        self._seen = (IDLE, 0.0)
        self._looked_at = 0.0
        self._late_s = 0.0
        self._forgiven_s = 0.0

    def occupy(self, ticket: int, channel: Channel) -> None:
        """A new process works here."""
        self.clear()
        self.ticket, self.channel, self.pid = ticket, channel, 0

    def wipe(self) -> None:
        """Prepare the board for a new process."""
        self._board[self._at + BOARD_ITEM] = IDLE
        self._board[self._at + BOARD_START] = self._board[self._at + BOARD_CPU] = 0.0

    def vacate(self) -> None:
        """No process works here any more, as far as we care."""
        if self.channel is not None:
            self.channel.close()
        self.clear()
        self.ticket, self.channel, self.pid = -1, None, 0

    def drop(self) -> None:
        """Kill the process and leave the lane empty; its death will be reported for a ticket long gone."""
        self.kill()
        self.vacate()

    def end(self) -> None:
        """The pipe has ended: so has the process, or it is of no use. How it ended we hear in a moment."""
        if self.ended_at is None:
            self.kill()
            self.ended_at = time.monotonic()

    def book(self, kind: str, number: int) -> None:
        """What the launcher says of the process."""
        if kind == "started":
            self.pid = number
        elif self.channel is not None:
            self.gone, self.lost = True, kind == "lost"
            self.exit_code = None if self.lost else number

    def done_with_chunk(self) -> list[int]:
        """The worker is done with the chunk it was at, which this returns."""
        self.alone = False
        return self.chunks.popleft()

    @property
    def open(self) -> bool:
        """Whether a process works here, as far as we know."""
        return self.channel is not None and self.ended_at is None and not self.gone

    @property
    def loading(self) -> bool:
        """Whether the worker is at loading a job."""
        return self.channel is not None and self._board[self._at + BOARD_ITEM] == LOADING

    @property
    def held(self) -> list[int]:
        """Every item that was dealt to the worker and whose chunk is not done."""
        return [index for chunk in self.chunks for index in chunk]

    @property
    def under_way(self) -> int | None:
        """The item the worker is at, of those it was dealt."""
        index = int(self._board[self._at + BOARD_ITEM])
        return index if any(index in chunk for chunk in self.chunks) else None

    @property
    def started(self) -> float:
        """time.monotonic() when the worker began what it is at."""
        return float(self._board[self._at + BOARD_START])

    def cpu_s(self) -> float:
        """CPU seconds that what is under way has used, as far as the system tells (Linux; elsewhere 0)."""
        if sys.platform != "linux" or not self.pid or self.gone:
            return 0.0
        try:  # the kernel's number for the CPU clock of another process
            return max(0.0, time.clock_gettime((~self.pid << 3) | 2) - self._board[self._at + BOARD_CPU])
        except OSError:
            return 0.0

    def forgive(self, seconds: float) -> None:
        """The owner was stopped for so long, just now: what was under way is not charged for it."""
        self._renew()
        self._forgiven_s += min(seconds, time.monotonic() - self._seen[1])

    def _renew(self) -> bool:
        """Begin to count anew when something else is under way than last time; whether it is."""
        key = self._key()
        if key == self._seen:
            return False
        self._seen, self._late_s, self._forgiven_s = key, 0.0, 0.0
        return True

    def overdue(self, now: float, limit_s: float) -> bool:
        """Whether what is under way has surely been so for over `limit_s`; to be asked again and again."""
        if not self._renew() and self._seen[0] != IDLE and now - self._seen[1] - self._forgiven_s > limit_s:
            self._late_s += min(now - self._looked_at, _GLANCE_S)
        self._looked_at = now
        return self._late_s > _SURE_S

    def _key(self) -> tuple[float, float]:
        return self._board[self._at + BOARD_ITEM], self._board[self._at + BOARD_START]

    def stopped(self) -> bool:
        """Whether somebody has stopped the process (SIGSTOP): it is not at fault for being late."""
        if sys.platform != "linux" or not self.pid:
            return False
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_bytes()
        except OSError:
            return False
        return stat.rpartition(b")")[2].split()[0] in (b"T", b"t")

    def kill(self) -> None:
        """Kill the process and all it has started."""
        if not self.pid:
            return
        if sys.platform == "win32":
            kills = (os.kill,)
        else:
            kills = (os.killpg, os.kill)
        for kill in kills:
            try:
                kill(self.pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
            except OSError:
                continue  # gone already


def exit_text(code: int | None) -> str:
    """How a process ended, from its exit code as multiprocess gives it; None where nobody knows."""
    if code is None:
        return "ended, nobody knows how"
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"killed by signal {-code}"
