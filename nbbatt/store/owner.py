"""Who a run belongs to: a process, told apart from a later one that was given the same number.

Promises: `Owner.alive()` is False once that very process has ended (Linux), or once no process has its number
(elsewhere). Leaves to others: processes of another machine or container, which cannot be asked and count as
gone.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

_STATE, _START = 0, 19  # places in /proc/<pid>/stat after the command's name: fields 3 and 22


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: its number, and when it started in ticks since boot ("" where the system does not say)."""

    pid: int
    start: str

    @classmethod
    def current(cls) -> Owner:
        """This process."""
        fields = _stat(os.getpid())
        return cls(os.getpid(), fields[_START] if fields else "")

    def alive(self) -> bool:
        """Whether that process still runs."""
        return alive(self.pid, self.start)


def alive(pid: int, start: str = "") -> bool:
    """Whether process `pid` runs, and, if `start` is given and can be told, is the one that started then."""
    if sys.platform == "win32":  # signal 0 means Ctrl-C there, so it cannot be used to ask
        return True
    if Path("/proc/self/stat").exists():
        fields = _stat(pid)
        return fields is not None and fields[_STATE] not in "ZX" and start in ("", fields[_START])
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the third on: the second, the name, may itself hold spaces and
    brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
