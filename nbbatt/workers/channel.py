"""The owner's end of a worker's pipe, and waiting for many of them.

Promises: sending and receiving never block, whatever the worker does: one that does not read, stops in the
middle of a message, or is killed while it writes. On Windows, where pipes cannot do that, they wait for it.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any

_HEADER = struct.Struct("!i")  # multiprocess's own framing: the worker's end is one of its connections
_LONG_HEADER = struct.Struct("!Q")


class Channel:
    """The owner's end: sends what the pipe takes and keeps the rest, reads what is there."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._unsent: list[memoryview] = []
        self._unread = bytearray()
        self.ended = False
        if sys.platform != "win32":
            os.set_blocking(connection.fileno(), False)

    @property
    def handle(self) -> Any:
        """What multiprocess can wait for."""
        return self._connection

    def fileno(self) -> int:
        return int(self._connection.fileno())

    def send(self, data: bytes) -> None:
        if sys.platform == "win32":
            self._send_blocking(data)
            return
        if len(data) > 0x7FFFFFFF:
            header = _HEADER.pack(-1) + _LONG_HEADER.pack(len(data))
        else:
            header = _HEADER.pack(len(data))
        parts = [header + data] if len(data) < 16384 else [header, data]
        self._unsent.extend(memoryview(part) for part in parts)
        self.flush()

    def flush(self) -> bool:
        """Send what the pipe takes now; whether nothing is left."""
        try:
            while self._unsent and not self.ended:
                part = self._unsent[0]
                sent = os.write(self.fileno(), part)
                if sent < len(part):
                    self._unsent[0] = part[sent:]
                else:
                    del self._unsent[0]
        except BlockingIOError:
            return False
        except OSError:
            self.ended = True
        return True

    def receive(self) -> list[bytes]:
        """Every message that has arrived whole; `ended` is set once the other end has gone."""
        if sys.platform == "win32":
            return self._receive_waiting()
        try:
            while data := os.read(self.fileno(), 1 << 20):
                self._unread += data
                if len(data) < 1 << 16:
                    break
            else:
                self.ended = True
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
        return list(self._messages())

    def _messages(self) -> Iterator[bytes]:
        buffer, at = self._unread, 0
        while len(buffer) - at >= _HEADER.size:
            (size,) = _HEADER.unpack_from(buffer, at)
            start = at + _HEADER.size
            if size < 0:  # no outcome is that large: somebody else has written to the pipe
                self.ended = True
                return
            if len(buffer) - start < size:
                break
            yield bytes(memoryview(buffer)[start : start + size])
            at = start + size
        if at:
            del buffer[:at]

    def _send_blocking(self, data: bytes) -> None:
        try:
            self._connection.send_bytes(data)
        except OSError:
            self.ended = True

    def _receive_waiting(self) -> list[bytes]:
        messages = []
        try:
            while self._connection.poll():
                messages.append(self._connection.recv_bytes())
        except (EOFError, OSError):
            self.ended = True
        return messages

    def close(self) -> None:
        """The worker sees the end, even while a forked copy of this process holds the pipe too."""
        self._unsent.clear()
        if isinstance(self._connection, socket.socket):
            hang_up(self._connection)
        else:
            self._connection.close()


def hang_up(connection: socket.socket) -> None:
    """Close a socket so that its other end sees it at once, whoever else holds a copy."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the other end was first
    connection.close()


def wait(ends: list[Any], timeout_s: float) -> list[Any]:
    """Those of `ends` (channels, sockets, sentinels) that have something to read or have ended."""
    if sys.platform == "win32":
        from multiprocess import connection

        handles = {end.handle if isinstance(end, Channel) else end: end for end in ends}
        return [handles[ready] for ready in connection.wait(list(handles), timeout_s)]
    import select

    poll = select.poll()
    by_fd = {}
    for end in ends:
        fd = end if isinstance(end, int) else end.fileno()
        by_fd[fd] = end
        poll.register(fd, select.POLLIN)
    return [by_fd[fd] for fd, _ in poll.poll(timeout_s * 1000)]
