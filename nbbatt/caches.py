"""The caches of a run: what they answered, what they could not, and what that was worth.

A Cache lives for one run; its memory layer and its rows belong to the Store and outlive it. Promises: every
first question for a key is one hit (memory or disk) or one miss with its reason; asking again within the run
is a duplicate, counted apart and worth nothing; seconds saved are the CPU seconds that the entries found had
really cost. Leaves to others: making keys that hold everything a result depends on, and putting only results
(a timeout is not one).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from nbbatt.store import CacheKey, CacheTable, Entry, Miss, Packed


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What one cache did in one run. `saved_s` and `spent_s` are CPU seconds; `reasons` splits the misses."""

    cache: str
    hits_memory: int
    hits_disk: int
    misses: int
    duplicates: int
    saved_s: float
    spent_s: float
    reasons: Mapping[str, int]

    @property
    def hits(self) -> int:
        return self.hits_memory + self.hits_disk

    @property
    def hit_rate(self) -> float | None:
        """Hits among hits and misses, in [0, 1]; None when nothing was looked up."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


class AnyCache(Protocol):
    """What the pipeline works with: a Cache, or a NoCache where caches are off."""

    @property
    def name(self) -> str: ...
    @property
    def stats(self) -> CacheStats: ...
    def get(self, key: CacheKey) -> Entry | None: ...
    def get_many(self, keys: Sequence[CacheKey]) -> list[Entry | None]: ...
    def put(self, key: CacheKey, value: Any, cpu_s: float) -> None: ...
    def flush(self) -> None: ...


class Cache:
    """One cache of one run: "inlining" or "validation". Safe to use from several threads."""

    def __init__(self, name: str, store: CacheTable) -> None:
        self.name = name
        self._store = store
        self._memory = store.memory(name)
        self._pending: dict[str, tuple[CacheKey, Packed]] = {}  # put, and not on disk yet
        self._asked: dict[str, bool] = {}  # key -> whether it was missed, and nobody has paid for it yet
        self._counts: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._saved_s = 0.0
        self._spent_s = 0.0
        self._lock = threading.RLock()

    def get(self, key: CacheKey) -> Entry | None:
        """The entry for `key`, or None: then compute it, and `put` it."""
        return self.get_many([key])[0]

    def get_many(self, keys: Sequence[CacheKey]) -> list[Entry | None]:
        """`get` for several keys, with one visit to the disk."""
        with self._lock:
            names = [key.text for key in keys]
            near = {name: self._near(name) for name in names}
            far = {name: key for name, key in zip(names, keys, strict=True) if near[name] is None}
            found = dict(zip(far, self._store.find_many(self.name, list(far.values())), strict=True))
            return [self._answer(name, near[name], found.get(name, Miss.NEW)) for name in names]

    def put(self, key: CacheKey, value: Any, cpu_s: float) -> None:
        """Keep a JSON value that took `cpu_s` CPU seconds: now in memory, on disk with the next `flush`.

        Raises StoreError for a value that would not come back from JSON as it is, and for a cost that is no
        duration.
        """
        packed = Packed.of(Entry(value, cpu_s))
        name = key.text
        with self._lock:
            if self._asked.get(name, False):
                self._spent_s += packed.cpu_s
                self._asked[name] = False
            self._pending[name] = key, packed
            self._memory.put(name, packed)

    def flush(self) -> None:
        """Write what was put since the last flush, in one transaction. Only the parent process calls it."""
        with self._lock:
            self._store.put_packed(self.name, self._pending.values())
            self._pending.clear()

    @property
    def stats(self) -> CacheStats:
        """The counts so far."""
        with self._lock:
            return CacheStats(
                cache=self.name,
                hits_memory=self._counts["memory"],
                hits_disk=self._counts["disk"],
                misses=self._counts["miss"],
                duplicates=self._counts["duplicate"],
                saved_s=self._saved_s,
                spent_s=self._spent_s,
                reasons=MappingProxyType(dict(self._reasons)),
            )

    def _near(self, name: str) -> Packed | None:
        waiting = self._pending.get(name)
        return waiting[1] if waiting else self._memory.get(name)

    def _answer(self, name: str, near: Packed | None, far: Packed | Miss) -> Entry | None:
        """Decode and count one answer."""
        packed: Packed | Miss = far if near is None else near
        entry = None
        if isinstance(packed, Packed):
            try:
                entry = packed.entry()
            except (ValueError, RecursionError):  # a row somebody else wrote, checksum and all
                packed = Miss.DAMAGED
        if isinstance(packed, Packed) and near is None:
            self._memory.put(name, packed)
        if name in self._asked:
            self._counts["duplicate"] += 1
            return entry
        self._asked[name] = entry is None
        if entry is not None:
            self._counts["memory" if near else "disk"] += 1
            self._saved_s += entry.cpu_s
        elif isinstance(packed, Miss):
            self._counts["miss"] += 1
            self._reasons[packed.value] += 1
        return entry


class NoCache:
    """The same face with caches off: every question is a miss, even one asked again, since it is computed
    again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._misses = 0
        self._spent_s = 0.0

    def get(self, key: CacheKey) -> Entry | None:
        self._misses += 1
        return None

    def get_many(self, keys: Sequence[CacheKey]) -> list[Entry | None]:
        return [self.get(key) for key in keys]

    def put(self, key: CacheKey, value: Any, cpu_s: float) -> None:
        self._spent_s += cpu_s

    def flush(self) -> None:
        """Nothing to write."""

    @property
    def stats(self) -> CacheStats:
        reasons = MappingProxyType({Miss.OFF.value: self._misses} if self._misses else {})
        return CacheStats(self.name, 0, 0, self._misses, 0, 0.0, self._spent_s, reasons)
