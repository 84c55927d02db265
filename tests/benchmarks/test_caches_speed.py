"""Setting and getting cache entries, against joblib.Memory and a plain SQLite loop."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pytest

from nbbatt.caches import Cache
from nbbatt.store import CacheKey, Store

ENTRIES = 300
VALUE = {"results": [["ok", True, 1.0, "0123456789abcdef", ""]] * 40}


def keys(tag: str) -> list[CacheKey]:
    return [CacheKey(f"{tag}{i:030}", "language", "task", "limits", 1) for i in range(ENTRIES)]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with Store.open(tmp_path / "store.sqlite") as opened:
        yield opened


class PlainSqlite:
    """What one writes first: a table, a commit a set, a select a get."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("CREATE TABLE cache (key TEXT PRIMARY KEY, value TEXT)")

    def set(self, key: str, value: object) -> None:
        with self.db:
            self.db.execute("INSERT OR REPLACE INTO cache VALUES (?, ?)", (key, json.dumps(value)))

    def get(self, key: str) -> object:
        return json.loads(self.db.execute("SELECT value FROM cache WHERE key = ?", (key,)).fetchone()[0])


def filled(store: Any, tag: str) -> None:
    cache = Cache("validation", store)
    cache.get_many(keys(tag))
    for key in keys(tag):
        cache.put(key, VALUE, 0.001)
    cache.flush()


def read(store: Any, tag: str) -> None:
    assert None not in Cache("validation", store).get_many(keys(tag))


def test_against_joblib_memory(versus: Callable[..., float], store: Any, tmp_path: Path) -> None:
    memory = joblib.Memory(tmp_path / "joblib", verbose=0)
    compute = memory.cache(_value_of)
    tags = iter(f"{i:02}" for i in range(100))
    theirs = iter(range(0, 100 * ENTRIES, ENTRIES))

    def ours() -> None:
        tag = next(tags)
        filled(store, tag)
        read(store, tag)

    def joblibs() -> None:
        start = next(theirs)
        for _ in range(2):
            for number in range(start, start + ENTRIES):
                compute(number)

    ratio = versus(ours, joblibs, rounds=3, what="cache set + get against joblib.Memory")
    assert ratio > 1


def _value_of(number: int) -> object:
    return VALUE


def test_against_a_plain_sqlite_loop(versus: Callable[..., float], store: Any, tmp_path: Path) -> None:
    plain = PlainSqlite(tmp_path / "plain.sqlite")
    tags = iter(f"{i:02}" for i in range(100))
    others = iter(f"{i:02}" for i in range(100))

    def ours() -> None:
        tag = next(tags)
        filled(store, tag)
        read(store, tag)

    def theirs() -> None:
        tag = next(others)
        for i in range(ENTRIES):
            plain.set(f"{tag}{i}", VALUE)
        for i in range(ENTRIES):
            plain.get(f"{tag}{i}")

    try:
        ratio = versus(ours, theirs, rounds=5, what="cache set + get against a plain SQLite loop")
    finally:
        plain.db.close()
    assert ratio > 1
