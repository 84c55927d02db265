"""The owner's side of starting worker processes, and its end of their pipes.

Promises: starting is asynchronous, requests wait in a socket until the server process has booted; the owner
is never forked, and its `__main__` is never run again; a pipe's send and receive never block, whatever the
other end does.
Two launchers with one face: on Linux a fork server of our own (`forkserver`), elsewhere multiprocess's spawn.
Not multiprocess's fork server: that one leaves its socket's folder behind when the owner is killed, lives on
while a worker does, lets daemons of workers escape, and does not take over the import path on every Python
version.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from nbbatt.workers import WorkersError
from nbbatt.workers.channel import Channel, hang_up
from nbbatt.workers.child import BOARD_CPU, BOARD_WIDTH, Board

_BOOT_TRIES = 3
_END_S = 3.0  # what a server gets to kill and reap its workers before it is killed itself
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")  # the lanes are the parallelism


@dataclass(frozen=True, slots=True)
class Event:
    """A worker process "started" (number: its pid) or "ended" (its exit code), or all of them were "lost"."""

    kind: str
    ticket: int
    number: int


class Launcher(Protocol):
    """Starts worker processes. A ticket is one process's life; a lane is the place it works in."""

    board: Board

    @property
    def up(self) -> bool: ...  # whether a process that was asked for may exist by now
    def start(self) -> None: ...
    def launch(self, ticket: int, lane: int) -> Channel: ...
    def watched(self) -> list[Any]: ...
    def events(self) -> list[Event]: ...
    def close(self) -> float: ...


def make_launcher(lanes: int) -> Launcher:
    """The launcher of this platform."""
    if sys.platform == "linux":
        try:
            return ServerLauncher(lanes)
        except OSError:  # a sandbox without memory files
            return SpawnLauncher(lanes)
    return SpawnLauncher(lanes)


class ServerLauncher:
    """Workers forked from a server of our own; `close` has all their CPU time from the system."""

    def __init__(self, lanes: int) -> None:
        size = lanes * BOARD_WIDTH * 8
        self._board_fd = os.memfd_create("nbbatt-board", os.MFD_CLOEXEC)
        os.ftruncate(self._board_fd, size)
        self._map = mmap.mmap(self._board_fd, size)
        self._view = memoryview(self._map).cast("d")
        self.board: Board = self._view
        self._control: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._greeted = False
        self._failed_boots = 0
        self._cpu_s = 0.0
        self._closed = False

    def start(self) -> None:
        """Start the server, unless it runs; WorkersError where it cannot be started."""
        if self._control is not None:
            return
        if not sys.executable:
            raise WorkersError(
                "sys.executable is empty; worker processes need an interpreter: use workers='serial'"
            )
        if self._failed_boots >= _BOOT_TRIES:
            raise WorkersError(
                f"the workers' server ended {_BOOT_TRIES} times before it was up; its own message is on the "
                "terminal (stderr): correct that, or use workers='serial'"
            )
        from nbbatt.workers.forkserver import command

        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            path = [entry for entry in sys.path if isinstance(entry, str)]
            line = command(path, theirs.fileno(), self._board_fd, os.getpid())
            try:
                self._server = subprocess.Popen(
                    line,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(), self._board_fd),
                    env={**dict.fromkeys(_THREADS, "1"), **os.environ},
                    start_new_session=True,
                )
            except OSError as broken:
                ours.close()
                raise WorkersError(
                    f"worker processes cannot be started: {broken}; use workers='serial'"
                ) from broken
        ours.setblocking(False)
        self._control, self._greeted = ours, False

    def launch(self, ticket: int, lane: int) -> Channel:
        """Ask for a worker; its pipe can be used at once."""
        from nbbatt.workers.forkserver import REQUEST

        self.start()
        assert self._control is not None
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self._control, [REQUEST.pack(ticket, lane)], [theirs.fileno()])
        except OSError:
            pass  # the server has gone, as events() is about to say; the channel shows its end
        finally:
            theirs.close()
        return Channel(ours)

    @property
    def up(self) -> bool:
        return self._greeted

    def watched(self) -> list[Any]:
        return [] if self._control is None else [self._control]

    def events(self) -> list[Event]:
        from nbbatt.workers.forkserver import ENDED, HELLO, REPORT

        found: list[Event] = []
        while self._control is not None:
            try:
                data = self._control.recv(REPORT.size)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self._lose()
                found.append(Event("lost", -1, 0))
                break
            kind, ticket, number = REPORT.unpack(data)
            if kind == HELLO:
                self._greeted, self._failed_boots = True, 0
            else:
                found.append(Event("ended" if kind == ENDED else "started", ticket, number))
        return found

    def close(self) -> float:
        """End the server and with it every worker; CPU seconds of all of them."""
        if not self._closed:
            self.events()  # perhaps the greeting has just come
            if self._control is not None:
                self._lose()
            self._closed = True
            self._view.release()
            self._map.close()
            os.close(self._board_fd)
        return self._cpu_s

    def _lose(self) -> None:
        """Closing our end is what tells the server to end; one that has not come up has no workers to end."""
        assert self._control is not None
        hang_up(self._control)
        self._control = None
        if not self._greeted:
            self._failed_boots += 1
        self._reap(_END_S if self._greeted else 0.0)

    def _reap(self, patience_s: float) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        end, pause = time.monotonic() + patience_s, 0.0005
        try:
            while True:
                late = time.monotonic() >= end
                if late:
                    os.kill(server.pid, signal.SIGKILL)
                pid, status, usage = os.wait4(server.pid, 0 if late else os.WNOHANG)
                if pid:
                    self._cpu_s += usage.ru_utime + usage.ru_stime
                    server.returncode = os.waitstatus_to_exitcode(status)
                    return
                time.sleep(pause)
                pause = min(2 * pause, 0.02)
        except OSError:  # somebody in this process waits for every child and was there first
            server.returncode = 0


class SpawnLauncher:
    """Workers as multiprocess's spawned processes. Their CPU time is what they last wrote on the board."""

    def __init__(self, lanes: int) -> None:
        import multiprocess

        self._context = multiprocess.get_context("spawn")
        self.board: Board = self._context.RawArray("d", lanes * BOARD_WIDTH)
        self._live: dict[int, tuple[Any, int]] = {}  # ticket -> process, lane
        self._fresh: list[int] = []
        self._cpu_s = 0.0

    def start(self) -> None:
        """Nothing is shared between spawned workers, so nothing is started before them."""

    @property
    def up(self) -> bool:
        return True

    def launch(self, ticket: int, lane: int) -> Channel:
        from nbbatt.workers import child

        ours, theirs = self._context.Pipe()
        args = (theirs, self.board, lane, os.getpid())
        process = self._context.Process(
            target=child.main, args=args, name=f"nbbatt-worker-{lane}", daemon=True
        )
        try:
            with _without_main():
                process.start()
        except OSError as broken:
            ours.close()
            raise WorkersError(
                f"a worker process cannot be started: {broken}; use workers='serial'"
            ) from broken
        finally:
            theirs.close()
        self._live[ticket] = (process, lane)
        self._fresh.append(ticket)
        return Channel(ours)

    def watched(self) -> list[Any]:
        return [process.sentinel for process, _ in self._live.values()]

    def events(self) -> list[Event]:
        found = [Event("started", ticket, self._live[ticket][0].pid) for ticket in self._fresh]
        self._fresh.clear()
        for ticket, (process, lane) in list(self._live.items()):
            if process.exitcode is not None:
                found.append(Event("ended", ticket, process.exitcode))
                self._bury(ticket, process, lane)
        return found

    def close(self) -> float:
        """Kill what is left; CPU seconds the workers have told of."""
        for process, _ in self._live.values():
            process.kill()
        for ticket, (process, lane) in list(self._live.items()):
            process.join(_END_S)
            if process.exitcode is not None:
                self._bury(ticket, process, lane)
        return self._cpu_s

    def _bury(self, ticket: int, process: Any, lane: int) -> None:
        self._cpu_s += self.board[lane * BOARD_WIDTH + BOARD_CPU]
        process.close()
        del self._live[ticket]


_spawning = threading.Lock()  # what it guards is multiprocess's own module


@contextmanager
def _without_main() -> Iterator[None]:
    """Let a spawned process start without running the owner's script again, which may have no main guard."""
    from multiprocess import spawn

    with _spawning:
        original = spawn.get_preparation_data

        def prepared(name: str) -> dict[str, Any]:
            data: dict[str, Any] = original(name)
            return {key: value for key, value in data.items() if not key.startswith("init_main")}

        spawn.get_preparation_data = prepared
        try:
            yield
        finally:
            spawn.get_preparation_data = original
