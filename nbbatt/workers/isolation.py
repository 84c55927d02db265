"""What cuts a worker process off from everything but its pipe, and the limits the operating system holds for
it.

Promises (each where the platform has it): a session of its own, so that signals to the owner's group pass it
by and one kill reaches all it started; death with its parent process; nothing printed reaches a terminal or
fills a disk; bounded files and address space; no processes started by an item. It is a guard against
accidents: code that means harm to its own user is not stopped by it.
"""

from __future__ import annotations

import ctypes
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from nbbatt.workers import WorkersError

MEGABYTE = 2**20

_PRINTED_KEPT = 2048  # characters of what an item prints
_LARGEST_FILE = 8 * MEGABYTE
_PR_SET_PDEATHSIG = 1
_FORBIDDEN = frozenset(
    {
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.exec",
        "os.system",
        "os.startfile",
        "pty.spawn",
        "subprocess.Popen",
    }
)


class Guard:
    """An audit hook: while an item runs, nothing here starts a process."""

    def __init__(self) -> None:
        self.on = False

    def __call__(self, event: str, _args: object) -> None:
        if event in _FORBIDDEN and self.on:
            raise WorkersError(
                f"an item called {event}; items may not start processes; compute in Python instead"
            )


class Sink(io.TextIOBase):
    """Takes whatever is printed and keeps the first 2 kB of an item's."""

    def __init__(self) -> None:
        self.text = ""
        self.buffer = _ByteSink(self)

    def clear(self) -> None:
        if self.text:
            self.text = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        room = _PRINTED_KEPT - len(self.text)
        if room > 0:
            self.text += text[:room]
        return len(text)


class _ByteSink(io.RawIOBase):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._sink.write(bytes(view[:_PRINTED_KEPT]).decode("utf-8", "replace"))
        return view.nbytes


def isolate(parent: int) -> Sink:
    """Cut the process off from the terminal, the owner's signals and everything but its pipe."""
    if sys.platform != "win32":
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _limit_files()
    if sys.platform == "linux":
        # The kernel's own watch: it works even while an item sits in a C call with the interpreter locked.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        name_process("nbbatt-worker")
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    if null > 2:
        os.close(null)
    sink = Sink()
    sys.stdout = sys.stderr = sink
    return sink


def name_process(name: str) -> None:
    """Show `name` in process lists (Linux)."""
    try:
        Path("/proc/self/comm").write_text(name, encoding="ascii")
    except OSError:
        pass  # only for people who look at a process list


def _limit_files() -> None:
    import resource

    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, _LARGEST_FILE)):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def limit_memory(most: float | None) -> None:
    """Cap the address space in bytes (Linux); None lifts the cap."""
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if most is None or most != most or most > sys.maxsize:
        most = hard
    elif hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (int(most), hard))


def address_space() -> int:
    """Bytes of address space in use (Linux), elsewhere 0; very many if no descriptor is left to read it."""
    if sys.platform != "linux":
        return 0
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return sys.maxsize
    return pages * _page_size()


def _page_size() -> int:
    return cast("Callable[[str], int]", os.sysconf)("SC_PAGE_SIZE")
