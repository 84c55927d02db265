"""The process that worker processes are forked from: a fresh interpreter with the imports done and one
thread.

Promises: the owner (often a notebook's kernel, with threads that hold locks) is never forked; a worker starts
in milliseconds; when the owner ends, however it ends, the workers are killed with all they may have started,
and then this process ends. It reads requests from, and reports to, one socket pair: no address, no file,
nothing to leave over.
Leaves to the owner: when to start and kill workers. It waits for its workers, so that the operating system
adds their CPU time to its own.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import mmap
import os
import select
import signal
import socket
import struct
import sys
import warnings
from pathlib import Path
from typing import Any

from nbbatt.workers import child, isolation

REQUEST = struct.Struct("=qq")  # ticket, lane; with the worker's end of its pipe
REPORT = struct.Struct("=cqq")  # kind, ticket, pid or exit code
HELLO, STARTED, ENDED = b"h", b"s", b"e"

_PRELOAD = ("numpy", "dill", "multiprocess.connection", "nbbatt.jobs", "nbbatt.dsl")
_LOOK_S = 0.5  # how often the owner's life is checked, should a forked copy of it hold our socket open
_PR_SET_CHILD_SUBREAPER = 36


def serve(control_fd: int, board_fd: int, owner: int) -> None:
    """Fork a worker for every request until the owner closes its end or dies; does not return."""
    server = _Server(socket.socket(fileno=control_fd), board_fd, owner)
    try:
        server.loop()
    except OSError:
        pass  # the owner's end has gone in the middle of something
    finally:
        server.end()
        os._exit(0)


class _Server:
    def __init__(self, control: socket.socket, board_fd: int, owner: int) -> None:
        self._control = control
        self._owner = owner
        self._workers: dict[int, Any] = {}  # ticket -> multiprocess.Process
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._awake, self._waker = socket.socketpair()
        self._awake.setblocking(False)
        self._waker.setblocking(False)
        signal.signal(
            signal.SIGCHLD, lambda *_: None
        )  # without a handler the wake-up descriptor stays silent
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        # What a worker's item left running in the background becomes ours when the worker ends, and is
        # killed.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        isolation.name_process("nbbatt-server")
        self._board = memoryview(mmap.mmap(board_fd, os.fstat(board_fd).st_size)).cast("d")
        os.close(board_fd)
        _preload()
        import multiprocess.connection

        self._connection = multiprocess.connection.Connection
        self._process = multiprocess.get_context("fork").Process

    def loop(self) -> None:
        self._report(HELLO, 0, os.getpid())
        while os.getppid() == self._owner:
            ready, _, _ = select.select([self._control, self._awake], [], [], _LOOK_S)
            if self._awake in ready:
                self._awake.recv(4096)
            if self._control in ready:
                data, fds, _, _ = socket.recv_fds(self._control, REQUEST.size, 1)
                if not data:
                    return
                ticket, lane = REQUEST.unpack(data)
                self._launch(ticket, lane, fds[0])
            self._bury()

    def end(self) -> None:
        """Kill and reap whatever is left."""
        for worker in self._workers.values():
            _kill(worker.pid)
        for worker in self._workers.values():
            worker.join(2)
        _kill_strays(set())

    def _launch(self, ticket: int, lane: int, fd: int) -> None:
        me = os.getpid()
        worker = self._process(target=_enter, args=(self, fd, lane, me), name=f"nbbatt-worker-{lane}")
        worker.start()
        os.close(fd)
        self._workers[ticket] = worker
        self._report(STARTED, ticket, worker.pid)

    def _bury(self) -> None:
        dead = [(ticket, worker) for ticket, worker in self._workers.items() if worker.exitcode is not None]
        for ticket, worker in dead:
            _kill(worker.pid, group_only=True)
            del self._workers[ticket]
            self._report(ENDED, ticket, worker.exitcode)
            worker.close()
        if dead:
            _kill_strays({worker.pid for worker in self._workers.values()})

    def _report(self, kind: bytes, ticket: int, number: int) -> None:
        self._control.send(REPORT.pack(kind, ticket, number))

    def become_worker(self, fd: int, lane: int, parent: int) -> None:
        """In a forked child: drop what is the server's, and live as a worker."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # Also the pipes of other workers: one that holds them would keep their ends from being noticed.
        for entry in list(Path("/proc/self/fd").iterdir()):
            if int(entry.name) > 2 and int(entry.name) != fd:
                _close(int(entry.name))
        child.main(self._connection(fd), self._board, lane, parent)


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:
        pass  # the descriptor that listed the others


def _enter(server: _Server, fd: int, lane: int, parent: int) -> None:
    server.become_worker(fd, lane, parent)


def _preload() -> None:
    """Import what workers will need; what is not to be had, the job will name."""
    for name in _PRELOAD:
        try:
            importlib.import_module(name)
        except Exception:
            continue
    warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*fork.*")
    gc.collect()
    gc.freeze()  # shared pages stay shared when a worker collects its garbage


def _kill(pid: int, *, group_only: bool = False) -> None:
    for kill in (os.killpg,) if group_only else (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except OSError:
            continue  # already gone, or not yet the leader of its group


def _kill_strays(workers: set[int]) -> None:
    """Kill the orphans of workers: every child that is not one. Their own children come to us in turn."""
    for _ in range(100):
        strays = _children() - workers
        for pid in strays:
            try:
                group = os.getpgid(pid)
                if group not in workers and group != os.getpgrp():
                    os.killpg(group, signal.SIGKILL)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except OSError:
                continue
        if not strays:
            return


def _children() -> set[int]:
    """Processes whose parent we are, from /proc: the kernel's own list of them is an option it may lack."""
    me, found = os.getpid(), set()
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal():
            continue
        try:
            stat = Path(entry.path, "stat").read_bytes()
        except OSError:
            continue
        if int(stat.rpartition(b")")[2].split()[1]) == me:
            found.add(int(entry.name))
    return found


def command(sys_path: list[str], control_fd: int, board_fd: int, owner: int) -> list[str]:
    """The command line that starts a server; it sets the owner's import path, which finds this package."""
    code = (
        f"import sys; sys.path[:] = {sys_path!r}; "
        f"from nbbatt.workers.forkserver import serve; serve({control_fd}, {board_fd}, {owner})"
    )
    return [sys.executable, "-c", code]
