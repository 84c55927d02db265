"""What computing cost is kept for: the rows of the caches.

Promises: what comes back is what went in, or nothing. Values are JSON, each under a checksum of its cache,
key, cost and text, checked at every read; a row that fails is dropped and reported as Miss.DAMAGED. A miss
says what about the program was different when it was last stored. Leaves to others: counting (caches.py), and
deciding what may be kept: timeouts and crashes are not results.
"""

from __future__ import annotations

import json
import math
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path
from typing import Any

from nbbatt.store.database import Database
from nbbatt.store.files import StoreError
from nbbatt.store.schema import seal

_TOMBSTONES = 10_000
_OTHER_TASKS = (
    50  # a library solver is stored under a thousand tasks: look at a few of them for a miss's reason
)
_DAY_S = 86_400.0
_NO_BOUND = 2**62
_MEMORY_BYTES = 32 * 2**20
_OVERHEAD = 200  # bytes an item takes in a dict beyond its text

_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_FIND = (
    "SELECT rowid, value, cpu_s, created, checksum FROM entries"
    " WHERE cache=? AND program=? AND task=? AND key=?"
)
_PUT = "INSERT OR REPLACE INTO entries VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
_PARTS = "key, language, task, limits, format"
_SAME_TASK = (
    f"SELECT {_PARTS}, 0 FROM entries WHERE cache=:cache AND program=:program AND task=:task"
    f" UNION ALL SELECT {_PARTS}, 1 FROM tombstones WHERE cache=:cache AND program=:program AND task=:task"
)
_ANY_TASK = (
    f"SELECT * FROM (SELECT {_PARTS} FROM entries WHERE cache=:cache AND program=:program LIMIT :few)"
    f" UNION ALL SELECT * FROM"
    f" (SELECT {_PARTS} FROM tombstones WHERE cache=:cache AND program=:program LIMIT :few)"
)
_BEYOND = """
    SELECT id FROM (
        SELECT rowid AS id, created,
               ROW_NUMBER() OVER (ORDER BY created DESC, rowid DESC) AS place,
               SUM(size) OVER (ORDER BY created DESC, rowid DESC ROWS UNBOUNDED PRECEDING) AS total
        FROM entries WHERE :cache IS NULL OR cache = :cache)
    WHERE created < :oldest OR place > :entries OR total > :bytes"""


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Everything a cached result depends on.

    `program`: its digest; `language`: the version of its language; `task`: digest of the data ("" where none
    is used); `limits`: the limits it ran under, as text; `format`: version of the value's own format.
    """

    program: str
    language: str
    task: str
    limits: str
    format: int

    text: str = field(init=False, repr=False, compare=False)  # digest of all parts, equal in every session

    def __post_init__(self) -> None:
        parts = ascii((self.program, self.language, self.task, self.limits, self.format))
        object.__setattr__(self, "text", blake2b(parts.encode("ascii"), digest_size=20).hexdigest())


@dataclass(frozen=True, slots=True)
class Entry:
    """A cached result: a JSON value, and the CPU seconds that computing it took."""

    value: Any
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Packed:
    """An entry as it is kept, on disk and in memory: nobody can change it by changing a value they were
    given."""

    text: str
    cpu_s: float

    @classmethod
    def of(cls, entry: Entry) -> Packed:
        """Raises StoreError for a value that would not come back from JSON as it is, or a cost that is no
        duration."""
        try:
            text = _encode(entry.value)
            same = json.loads(text) == entry.value
        except (TypeError, ValueError, RecursionError) as exc:
            raise StoreError(
                f"cache value cannot be kept ({exc}): give None, bool, int, float, str, list, dict"
            ) from None
        if not same:
            raise StoreError(
                f"cache value {text[:60]} would come back changed: "
                "give lists instead of tuples, and dicts with text keys"
            )
        cpu_s = float(entry.cpu_s)
        if not (math.isfinite(cpu_s) and cpu_s >= 0):
            raise StoreError(f"cost of a cache entry is {cpu_s}: it must be CPU seconds, 0 or more")
        return cls(text, cpu_s)

    def entry(self) -> Entry:
        """A value of its own for every caller. Raises ValueError or RecursionError for a text that is not
        JSON."""
        return Entry(json.loads(self.text), self.cpu_s)


class Miss(StrEnum):
    """Why a key was not found."""

    NEW = "new"
    LANGUAGE = "language changed"
    DATA = "data changed"
    LIMITS = "limits changed"
    FORMAT = "format changed"
    EVICTED = "evicted"
    DAMAGED = "damaged"
    OFF = "caches off"


@dataclass(frozen=True, slots=True)
class CacheRow:
    """What one cache holds on disk: `bytes` of values, the CPU seconds they cost, and from when to when
    (ISO, UTC)."""

    cache: str
    entries: int
    bytes: int
    cpu_s: float
    oldest: str
    newest: str


class Memory:
    """The entries used last, bounded by bytes. Safe to use from several threads."""

    def __init__(self, bound: int = _MEMORY_BYTES) -> None:
        self.bound = bound
        self.bytes = 0
        self._items: OrderedDict[str, Packed] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Packed | None:
        with self._lock:
            found = self._items.get(key)
            if found is not None:
                self._items.move_to_end(key)
            return found

    def put(self, key: str, packed: Packed) -> None:
        if len(packed.text) + _OVERHEAD > self.bound:
            return
        with self._lock:
            self._drop(key)
            self._items[key] = packed
            self.bytes += len(packed.text) + _OVERHEAD
            while self.bytes > self.bound:
                self._drop(next(iter(self._items)))

    def clear(self) -> None:
        with self._lock:
            self._items.clear()
            self.bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def _drop(self, key: str) -> None:
        if (old := self._items.pop(key, None)) is not None:
            self.bytes -= len(old.text) + _OVERHEAD


class CacheTable(Database):
    """The caches' part of a store."""

    def __init__(self, path: Path | None) -> None:
        self._memories: dict[str, Memory] = {}
        super().__init__(path)

    def memory(self, cache: str) -> Memory:
        """The memory layer of one cache, shared by all who use this store."""
        with self._lock:
            return self._memories.setdefault(cache, Memory())

    def get(self, cache: str, key: CacheKey) -> Entry | None:
        """The entry on disk, or None."""
        found = self.find(cache, key)
        try:
            return None if isinstance(found, Miss) else found.entry()
        except (ValueError, RecursionError):  # a row somebody else wrote, checksum and all
            return None

    def find(self, cache: str, key: CacheKey) -> Packed | Miss:
        """The entry on disk, checked, or why there is none."""
        return self.find_many(cache, [key])[0]

    def find_many(self, cache: str, keys: Sequence[CacheKey]) -> list[Packed | Miss]:
        """`find` for several keys in one go."""
        damaged: list[tuple[int, object]] = []

        def work(connection: sqlite3.Connection) -> list[Packed | Miss]:
            damaged.clear()
            return [_find(connection, cache, key, damaged) for key in keys]

        found = self._read(work)
        if damaged:
            self._drop_damaged("entries", damaged, quiet=True)
        return found

    def related(self, cache: str, program: str) -> list[CacheKey]:
        """The keys stored for a program, whatever else they depend on."""
        rows = self._read(
            lambda connection: connection.execute(
                "SELECT language, task, limits, format FROM entries WHERE cache=? AND program=?",
                (cache, program),
            ).fetchall()
        )
        return [CacheKey(program, *row) for row in rows]

    def put_many(self, cache: str, entries: Iterable[tuple[CacheKey, Entry]]) -> None:
        """Keep entries, in one transaction. Raises StoreError if one is not JSON; then none is kept."""
        self.put_packed(cache, [(key, Packed.of(entry)) for key, entry in entries])

    def put_packed(self, cache: str, entries: Iterable[tuple[CacheKey, Packed]]) -> None:
        """Keep entries that are JSON text already, in one transaction."""
        created = time.time()
        rows = []
        for key, packed in entries:
            name, text, cpu_s = key.text, packed.text, packed.cpu_s
            checksum = seal(cache, name, cpu_s, created, text)
            parts = (cache, key.program, key.task, name, key.language, key.limits, key.format)
            rows.append((*parts, len(text), cpu_s, created, checksum, text))
        if rows:
            self._write(lambda connection: connection.executemany(_PUT, rows))

    def prune(
        self,
        cache: str | None = None,
        *,
        max_entries: int | None = None,
        max_bytes: int | None = None,
        older_than_days: float | None = None,
    ) -> int:
        """Drop the oldest entries beyond any of the bounds, in one cache or over all; return how many.

        `max_bytes` is of values, as in `stats`. Dropped keys are remembered for a while, so that a miss can
        say so.
        """
        if max_entries is None and max_bytes is None and older_than_days is None:
            raise StoreError("prune has no bound: give max_entries, max_bytes or older_than_days")
        bounds = {
            "cache": cache,
            "oldest": -math.inf if older_than_days is None else time.time() - older_than_days * _DAY_S,
            "entries": _NO_BOUND if max_entries is None else max_entries,
            "bytes": _NO_BOUND if max_bytes is None else max_bytes,
        }

        def work(connection: sqlite3.Connection) -> int:
            beyond = connection.execute(_BEYOND, bounds).fetchall()
            connection.executemany(
                "INSERT OR REPLACE INTO tombstones"
                " SELECT cache, program, task, key, language, limits, format FROM entries WHERE rowid=?",
                beyond,
            )
            connection.executemany("DELETE FROM entries WHERE rowid=?", beyond)
            connection.execute(
                "DELETE FROM tombstones WHERE rowid <= (SELECT max(rowid) FROM tombstones) - ?",
                (_TOMBSTONES,),
            )
            return len(beyond)

        count = self._write(work)
        self._after_dropping(cache)
        return count

    def clear(self, cache: str | None = None) -> int:
        """Drop all entries of one cache, or of all; return how many."""

        def work(connection: sqlite3.Connection) -> int:
            chosen = " WHERE :cache IS NULL OR cache = :cache"
            connection.execute("DELETE FROM tombstones" + chosen, {"cache": cache})
            return connection.execute("DELETE FROM entries" + chosen, {"cache": cache}).rowcount

        count = self._write(work)
        self._after_dropping(cache)
        return count

    def stats(self) -> list[CacheRow]:
        """One row a cache, by name."""
        rows = self._read(
            lambda connection: connection.execute(
                "SELECT cache, count(*), total(size), total(cpu_s), min(created), max(created)"
                " FROM entries GROUP BY cache ORDER BY cache"
            ).fetchall()
        )
        return [
            CacheRow(cache, count, int(size), cpu_s, _iso(oldest), _iso(newest))
            for cache, count, size, cpu_s, oldest, newest in rows
        ]

    def _after_dropping(self, cache: str | None) -> None:
        """Give the space back, and empty the memory layers too: what was dropped is then gone."""
        # As a script, since `execute` would stop after the first page; a script ends any transaction.
        self._read(lambda connection: connection.executescript("PRAGMA incremental_vacuum"))
        with self._lock:
            for name, memory in self._memories.items():
                if cache in (None, name):
                    memory.clear()


def _find(
    connection: sqlite3.Connection, cache: str, key: CacheKey, damaged: list[tuple[int, object]]
) -> Packed | Miss:
    name = key.text
    row = connection.execute(_FIND, (cache, key.program, key.task, name)).fetchone()
    if row is None:
        return _reason(connection, cache, key, name)
    rowid, text, cpu_s, created, checksum = row
    if checksum != seal(cache, name, cpu_s, created, text) or not isinstance(text, str):
        damaged.append((rowid, checksum))
        return Miss.DAMAGED
    return Packed(text, cpu_s)


def _reason(connection: sqlite3.Connection, cache: str, key: CacheKey, name: str) -> Miss:
    """What is different in the stored key that is nearest to the wanted one, among those of the same
    program."""
    wanted = {"cache": cache, "program": key.program, "task": key.task, "few": _OTHER_TASKS}
    same_task = connection.execute(_SAME_TASK, wanted).fetchall()
    if any(row[0] == name and row[-1] for row in same_task):
        return Miss.EVICTED
    others = same_task or connection.execute(_ANY_TASK, wanted).fetchall()
    parts = (key.language, key.task, key.limits, key.format)
    differences = [[stored != part for stored, part in zip(row[1:5], parts, strict=True)] for row in others]
    if not differences:
        return Miss.NEW
    nearest = min(differences, key=sum)
    reasons = (Miss.LANGUAGE, Miss.DATA, Miss.LIMITS, Miss.FORMAT)
    return next((reason for reason, differs in zip(reasons, nearest, strict=True) if differs), Miss.DAMAGED)


def _iso(seconds: object) -> str:
    """ISO text in UTC; "" for what a damaged row may hold instead of a time."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
