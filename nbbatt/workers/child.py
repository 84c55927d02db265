"""What runs in a worker process: one loop that reads chunks of items from its pipe and sends outcomes back.

Promises: nothing an item raises ends the worker; what it prints goes nowhere (the first 2 kB show with its
error); it cannot start processes, write huge files or take more memory than its limit; finished outcomes
leave within about 40 ms even while the next item loops, because the watchdog sends them. The worker ends when
its pipe does, and is in a session of its own, so that all it may have started can be killed with it.
Leaves to the parent (`processes`): hard limits, retries, and what a worker's death means. The parent reads
the board: three numbers a worker (item in progress or a negative mark, its start, CPU clock at its start),
written without a lock.
"""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, Protocol

from nbbatt.limits import Attempt, Limits, SoftLimit, Status, attempt, explain
from nbbatt.workers import Handler, WorkersError
from nbbatt.workers.isolation import MEGABYTE, Guard, Sink, address_space, isolate, limit_memory

IDLE, LOADING = -1.0, -2.0  # marks on the board where an item's index would be
BOARD_WIDTH = 3
BOARD_ITEM, BOARD_START, BOARD_CPU = range(BOARD_WIDTH)
END = b""  # the message after which a worker goes home

_SEND_EVERY_S = 0.03
_SEND_BYTES = 256 * 1024
_SEND_FROM_WATCHDOG_BYTES = 64 * 1024  # fits a pipe that polls as writable: the watchdog must not get stuck

Row = tuple[
    int, str, bytes | None, str, str, float, float, float
]  # an Outcome whose value is pickled, less its lane


class Connection(Protocol):
    """The part of multiprocess's Connection that a worker uses."""

    def fileno(self) -> int: ...
    def recv_bytes(self) -> bytes: ...
    def send_bytes(self, data: bytes) -> None: ...


class Board(Protocol):
    """Shared doubles: a memoryview over shared memory, or a ctypes array."""

    def __getitem__(self, index: int) -> float: ...
    def __setitem__(self, index: int, value: float) -> None: ...


class ResultError(WorkersError):
    """A value that a handler returned and that cannot travel to the parent."""


def main(connection: Connection, board: Board, lane: int, parent: int) -> None:
    """A worker's life, after the process exists; does not return."""
    code = 1
    try:
        _Worker(connection, board, lane * BOARD_WIDTH, isolate(parent), parent).run()
        code = 0
    except (EOFError, BrokenPipeError, ConnectionResetError):
        code = 0  # the parent has gone, or has dropped this worker
    finally:
        # Not through the interpreter's ending: an item may have left threads or exit handlers that never end.
        os._exit(code)


class _Worker:
    def __init__(self, connection: Connection, board: Board, at: int, sink: Sink, parent: int) -> None:
        self._connection = connection
        self._board = board
        self._at = at
        self._sink = sink
        self._parent = parent
        self._outbox = _Outbox(connection)
        self._limit = SoftLimit(tick=self._tick)
        self._limits = Limits()
        self._produce: Handler | None = None  # the handler, with its value pickled
        self._base = 0  # bytes of address space before the job's first item
        self._guard = Guard()

    def run(self) -> None:
        sys.addaudithook(self._guard)
        with self._limit:
            while (data := self._connection.recv_bytes()) != END:
                message = pickle.loads(data)
                if message[0] == "job":
                    self._load(*message[1:])
                elif not self._chunk(*message[1:]):
                    return

    def _tick(self) -> None:
        if os.getppid() != self._parent:
            os._exit(1)
        self._outbox.tick()

    def _load(self, token: int, payload: bytes, limits: Limits, sys_path: list[str]) -> None:
        import dill

        limit_memory(None)
        self._set_board(LOADING)
        self._produce = None
        self._limits = limits
        self._outbox.token = token
        try:
            sys.path[:] = sys_path
            importlib.invalidate_caches()
            make, args = dill.loads(payload)
            handler, largest = make(*args, self._limit), int(limits.result_mb * MEGABYTE)
            self._produce = lambda item: _pack(handler(item), largest)
        except BaseException as broken:  # SystemExit too: the reason is what the user needs
            self._outbox.send("failed", explain(broken)[1])
        self._set_board(IDLE)
        gc.collect()
        self._base = address_space()
        limit_memory(self._base + limits.memory_mb * MEGABYTE)

    def _chunk(self, token: int, indices: Sequence[int], packed: bytes, dilled: bool, alone: bool) -> bool:
        """Run one chunk; False when this worker's memory is not fit for another."""
        if self._produce is None:
            return True
        self._outbox.token = token
        try:
            items = _dill_loads(packed) if dilled else pickle.loads(packed)
        except BaseException as broken:
            self._outbox.send("unreadable", explain(broken)[1])
            return True
        began = time.perf_counter()
        for index, item in zip(indices, items):
            row = self._item(self._produce, index, item)
            if row[1] == Status.MEMORY.value and self._polluted():
                return self._retire(row, alone)
            self._outbox.add(row)
        del items
        self._board[self._at + BOARD_ITEM] = IDLE
        self._outbox.finish(time.perf_counter() - began)
        return True

    def _item(self, produce: Handler, index: int, item: Any) -> Row:
        self._sink.clear()
        started, cpu = self._set_board(float(index))
        wall = time.perf_counter()
        self._guard.on = True
        ended = attempt(self._limit, produce, item, self._limits.soft_s)
        self._guard.on = False
        # The process's clock: whatever threads an item uses are its own cost, nothing else works here.
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        trace = _with_printed(ended, self._sink.text) if ended.traceback else ""
        return (index, ended.status.value, ended.value, ended.error, trace, started, wall, cpu)

    def _set_board(self, mark: float) -> tuple[float, float]:
        """The mark is written last: whoever reads it finds the times that belong to it, or later ones."""
        started, cpu = time.monotonic(), time.process_time()
        board, at = self._board, self._at
        board[at + BOARD_START] = started
        board[at + BOARD_CPU] = cpu
        board[at + BOARD_ITEM] = mark
        return started, cpu

    def _polluted(self) -> bool:
        """Whether memory is still taken after an item ran short of it: then not that item alone took it."""
        gc.collect()
        return address_space() > self._base + self._limits.memory_mb * MEGABYTE // 4

    def _retire(self, row: Row, alone: bool) -> bool:
        if alone:
            self._outbox.add(row)
        self._outbox.send("retire", -1 if alone else row[0])
        return False


class _Outbox:
    """Outcomes on their way, sent in batches by the worker's thread, or by the watchdog while it is busy."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._rows: list[Row] = []
        self._bytes = 0
        self._last = 0.0
        self.token = 0

    def add(self, row: Row) -> None:
        with self._lock:
            self._rows.append(row)
            self._bytes += 100 if row[2] is None else 100 + len(row[2])
            if self._bytes > _SEND_BYTES or time.monotonic() - self._last > _SEND_EVERY_S:
                self._flush()

    def finish(self, seconds: float) -> None:
        """The chunk is done and took `seconds`."""
        with self._lock:
            self._flush(seconds)

    def send(self, kind: str, detail: object) -> None:
        """Something else than outcomes, after those that are waiting."""
        with self._lock:
            if self._rows:
                self._flush()
            self._connection.send_bytes(pickle.dumps((kind, self.token, detail), 5))

    def tick(self) -> None:
        if (
            not self._rows
            or self._bytes > _SEND_FROM_WATCHDOG_BYTES
            or not self._lock.acquire(blocking=False)
        ):
            return
        try:
            if self._rows and time.monotonic() - self._last > _SEND_EVERY_S / 2 and self._writable():
                self._flush()
        except OSError:
            pass  # the pipe has gone: the worker's own thread finds that out
        finally:
            self._lock.release()

    def _flush(self, seconds: float | None = None) -> None:
        rows, self._rows, self._bytes = self._rows, [], 0
        self._last = time.monotonic()
        self._connection.send_bytes(pickle.dumps(("rows", self.token, rows, seconds), 5))

    def _writable(self) -> bool:
        if sys.platform == "win32":
            return False
        import select

        poll = select.poll()
        poll.register(self._connection.fileno(), select.POLLOUT)
        return bool(poll.poll(0))


class _Capped:
    """A file for a pickler that refuses to grow over a size, before the memory for it is taken."""

    def __init__(self, largest: int) -> None:
        self._left = self._largest = largest
        self.parts: list[bytes] = []

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        self._left -= size
        if self._left < 0:
            taken = (self._largest - self._left) / MEGABYTE
            raise ResultError(
                f"the result takes {taken:,.1f} MB or more when pickled; results may take "
                f"{self._largest / MEGABYTE:g} MB (Limits.result_mb); return less, or raise that limit"
            )
        self.parts.append(bytes(data))
        return size


def _pack(value: Any, largest: int) -> bytes:
    file = _Capped(largest)
    try:
        pickle.Pickler(file, 5).dump(value)
    except (ResultError, MemoryError, RecursionError):
        raise
    except Exception as broken:
        reason = explain(broken)[1]
        raise ResultError(
            f"the result, a {type(value).__name__}, cannot be pickled ({reason}); return plain data"
        ) from None
    return file.parts[0] if len(file.parts) == 1 else b"".join(file.parts)


def _dill_loads(packed: bytes) -> Any:
    import dill

    return dill.loads(packed)


def _with_printed(ended: Attempt, printed: str) -> str:
    return f"{ended.traceback}\nprinted:\n{printed}" if printed else ended.traceback
