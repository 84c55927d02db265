"""The tables of a store, its version, and the checksum that every row carries.

Promises: a new store file is made complete, in a file of its own that can then be renamed into place;
`fault(...)` says what is wrong with a file that is not such a store. Leaves to others: when to make one, and
what to do about a fault. Any change to TABLES needs a new VERSION and a migration.
"""

from __future__ import annotations

import contextlib
import sqlite3
from hashlib import blake2b
from pathlib import Path

VERSION = 1
# Long columns come last: what lists or counts rows then need not read them.
TABLES = (
    "CREATE TABLE entries(cache TEXT NOT NULL, program TEXT NOT NULL, task TEXT NOT NULL, key TEXT NOT NULL,"
    " language TEXT NOT NULL, limits TEXT NOT NULL, format INTEGER NOT NULL, size INTEGER NOT NULL,"
    " cpu_s REAL NOT NULL, created REAL NOT NULL, checksum TEXT NOT NULL, value TEXT NOT NULL,"
    " PRIMARY KEY (cache, program, task, key))",
    "CREATE TABLE tombstones(cache TEXT NOT NULL, program TEXT NOT NULL, task TEXT NOT NULL,"
    " key TEXT NOT NULL, language TEXT NOT NULL, limits TEXT NOT NULL, format INTEGER NOT NULL,"
    " PRIMARY KEY (cache, program, task, key))",
    "CREATE TABLE runs(run_id TEXT PRIMARY KEY NOT NULL, task_id TEXT NOT NULL, source TEXT NOT NULL,"
    " started TEXT NOT NULL, status TEXT NOT NULL, wall_s REAL, cpu_s REAL, solved INTEGER,"
    " language TEXT NOT NULL, workers TEXT NOT NULL, tags TEXT NOT NULL, note TEXT NOT NULL,"
    " summary TEXT NOT NULL, owner_pid INTEGER NOT NULL, owner_start TEXT NOT NULL, checksum TEXT NOT NULL)",
    "CREATE TABLE records(run_id TEXT PRIMARY KEY NOT NULL, checksum TEXT NOT NULL, json TEXT NOT NULL)",
    "CREATE TABLE solvers(task_id TEXT NOT NULL, digest TEXT NOT NULL, language_version TEXT NOT NULL,"
    " language TEXT NOT NULL, name TEXT NOT NULL, score REAL NOT NULL, demos_ok INTEGER NOT NULL,"
    " tests_ok INTEGER NOT NULL, solved INTEGER NOT NULL, wall_ms REAL NOT NULL, run_id TEXT NOT NULL,"
    " created TEXT NOT NULL, checksum TEXT NOT NULL, text TEXT NOT NULL,"
    " PRIMARY KEY (task_id, digest, language_version))",
)


def seal(*columns: object) -> str:
    """The checksum of a row: over values and their types, so that a number turned text by a flipped bit
    shows."""
    return blake2b(ascii(columns).encode("ascii"), digest_size=16).hexdigest()


def make_tables(connection: sqlite3.Connection) -> None:
    """Fill an empty database."""
    connection.execute(
        "PRAGMA auto_vacuum=INCREMENTAL"
    )  # pruning gives space back without rewriting the file
    connection.execute("BEGIN IMMEDIATE")
    for statement in TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version={VERSION}")
    connection.execute("COMMIT")


def make_file(path: Path) -> None:
    """Make a complete empty store at `path`, which nobody else may know yet. Raises sqlite3.Error or
    OSError."""
    for leftover in (path, *sidecars(path)):
        leftover.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # Nothing is in it that a power cut could lose, so there is nothing to wait for.
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA journal_mode=MEMORY")
        make_tables(connection)
        connection.execute("PRAGMA journal_mode=WAL")


def sidecars(path: Path) -> tuple[Path, Path]:
    """The write-ahead log and the shared index that SQLite keeps beside a database."""
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def fault(connection: sqlite3.Connection) -> str:
    """What shows that this is not a store of this version, "" if nothing does. Raises sqlite3.Error when
    unreadable."""
    found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    if {sql for (sql,) in found} == set(TABLES) and version(connection) == VERSION:
        return ""
    return "its tables are not those of an nbbatt store" if found else "it is empty"


def version(connection: sqlite3.Connection) -> int:
    """The schema version that the file says it has."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
