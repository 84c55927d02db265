"""Which items are dealt to a worker next: pure bookkeeping, no process in sight.

Promises: every item is settled once. Chunks grow until one takes about 10 ms and shrink towards the end, so
that no worker is left with a heap while others idle. An item that was under way when its worker died is dealt
once more, alone; dying again settles it. Items that were only waiting in a dead worker go back without blame,
though not for ever.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

_CHUNK_S = 0.01
_LARGEST_CHUNK = 4096
_LARGEST_BYTES = 1 << 20
_SHORT_S = 0.002  # items shorter than this are dealt ahead, so that the worker need not wait for us
_DEATHS = 2
_LOSSES = 2


class Deal:
    """`total` items for some lanes; `chunk` fixes the chunks' size. `left` counts what is not settled."""

    def __init__(self, total: int, lanes: int, chunk: int | None = None) -> None:
        self.left = total
        self._total = total
        self._lanes = lanes
        self._chunk = chunk
        self._fresh = 0
        self._again: deque[int] = deque()
        self._alone: deque[int] = deque()
        self._settled = bytearray(total)
        self._deaths: dict[int, int] = {}
        self._losses: dict[int, int] = {}
        self._size = 1
        self._most = _LARGEST_CHUNK
        self._item_s: float | None = None

    @property
    def waiting(self) -> int:
        """Items that could be dealt now, those to be run alone not counted."""
        return self._total - self._fresh + len(self._again)

    @property
    def depth(self) -> int:
        """Chunks a lane may hold: one more than it works on when items are short and none must be alone."""
        return 2 if self._item_s is not None and self._item_s < _SHORT_S and not self._alone else 1

    def take(self) -> list[int]:
        """The next chunk, empty when there is none."""
        size = self._chunk if self._chunk is not None else self._next_size()
        chunk: list[int] = []
        while self._again and len(chunk) < size:
            chunk.append(self._again.popleft())
        end = min(self._total, self._fresh + size - len(chunk))
        chunk.extend(range(self._fresh, end))
        self._fresh = end
        return chunk

    def take_alone(self) -> int | None:
        """An item that must be its worker's only one."""
        return self._alone.popleft() if self._alone else None

    def _next_size(self) -> int:
        if self._item_s is not None:
            wanted = _CHUNK_S / max(self._item_s, 1e-9)
            self._size = int(max(1, min(2 * self._size, wanted, self._most)))
        return max(1, min(self._size, math.ceil(self.waiting / (2 * self._lanes))))

    def measured(self, seconds: float, items: int) -> None:
        """A chunk of `items` took `seconds`. Slower than thought is believed at once, faster by and by."""
        each = seconds / items
        if self._item_s is None or each > self._item_s:
            self._item_s = each
        else:
            self._item_s = 0.5 * (self._item_s + each)

    def weighed(self, size: int, items: int) -> None:
        """A chunk of `items` was `size` bytes: keep chunks from growing beyond a megabyte."""
        if size > _LARGEST_BYTES:
            self._most = max(1, items * _LARGEST_BYTES // size)

    def settle(self, index: int) -> bool:
        """The item has its outcome; False when it had one."""
        if self._settled[index]:
            return False
        self._settled[index] = 1
        self.left -= 1
        return True

    def settled(self, indices: Iterable[int]) -> bool:
        """Whether all of these have their outcome."""
        return all(self._settled[index] for index in indices)

    def open(self) -> list[int]:
        """Every item that is not settled, in order."""
        return [index for index in range(self._total) if not self._settled[index]]

    def isolate(self, indices: Iterable[int]) -> None:
        """Deal these one by one from now on."""
        self._alone.extend(index for index in indices if not self._settled[index])

    def give_back(self, indices: Iterable[int]) -> None:
        """Deal these again: their worker was ended for another item's sake."""
        self._again.extend(index for index in indices if not self._settled[index])

    def lost(self, indices: Iterable[int], culprit: int | None, *, alone: bool) -> int | None:
        """A worker died with `indices` not settled, `culprit` under way. The item that has died for good, if
        any.

        One that was alone in its worker is the culprit even if it was not yet, or no longer, under way.
        """
        indices = [index for index in indices if not self._settled[index]]
        for index in indices:
            if index == culprit:
                continue
            losses = self._losses[index] = self._losses.get(index, 0) + 1
            if alone and losses > _LOSSES:
                culprit = index
            elif losses > _LOSSES:
                self._alone.append(index)
            else:
                self._again.append(index)
        if culprit is None or culprit not in indices:
            return None
        deaths = self._deaths[culprit] = self._deaths.get(culprit, 0) + 1
        if deaths >= _DEATHS:
            return culprit
        self._alone.append(culprit)
        return None
