"""Connecting to a store file, and judging what SQLite says of it.

Promises: a connection that `open_file` returns is to a store of this version; looking at a newer one writes
nothing. Leaves to others: what to do about an error (database.py).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from nbbatt.store import schema
from nbbatt.store.files import StoreError

_BUSY_S = 30.0
_DAMAGED = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_INTERNAL,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_MISMATCH,
}
_REFUSED = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
}


class Damage(sqlite3.DatabaseError):
    """A readable database that is not a store."""


def kind_of(exc: sqlite3.Error, connection: sqlite3.Connection | None, path: Path) -> str:
    """Whose fault an error is: "damaged" (the file's), "refused" (the disk's, or another process's), or
    "other" (our own). `connection` is None where opening failed."""
    if isinstance(exc, Damage):
        return "damaged"
    code = getattr(exc, "sqlite_errorcode", None)
    if code is None:
        return "other"
    if code == sqlite3.SQLITE_READONLY and writable(path):  # a header that asks for another SQLite
        return "damaged"
    if code & 0xFF in _DAMAGED:
        return "damaged"
    if code & 0xFF in _REFUSED:
        return "refused"
    if code & 0xFF != sqlite3.SQLITE_ERROR:
        return "other"
    # "No such table" and the like: with statements that never vary, the tables must have changed, if not we.
    try:
        return "damaged" if connection is None or schema.fault(connection) else "other"
    except (sqlite3.Error, UnicodeDecodeError):
        return "damaged"


def writable(path: Path) -> bool:
    """Whether the file can be written to, and files be made beside it, as SQLite must."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def identity_of(path: Path | None) -> tuple[int, int] | None:
    """What tells one file from another at the same path."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def open_file(path: Path) -> sqlite3.Connection:
    """Connect to an existing store. Raises StoreError if it is of a newer version, sqlite3.Error if not
    usable."""
    _refuse_newer(path, _peek(path))
    if not writable(path):
        raise PermissionError("it cannot be written to")
    connection = sqlite3.connect(
        path.as_uri() + "?mode=rw", uri=True, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        _prepare(connection)
        _refuse_newer(path, schema.version(connection))
        if damage := schema.fault(connection):
            raise Damage(damage)
    except BaseException as exc:
        connection.close()
        if isinstance(
            exc, UnicodeDecodeError
        ):  # instead of SQLite's own message when that quotes damaged bytes
            raise Damage(str(exc)) from None
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    # A flipped bit may turn text into bytes that are not UTF-8: the row's checksum is to find that, not the
    # decoder.
    connection.text_factory = lambda raw: str(raw, "utf-8", "replace")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA cell_size_check=ON")
    connection.execute("PRAGMA mmap_size=0")  # reading a mapped file that was truncated kills the process


def _peek(path: Path) -> int:
    """The version in the file's header, read so that neither the file nor anything beside it is written; 0
    if none."""
    try:
        uri = path.as_uri() + "?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True, check_same_thread=False)) as connection:
            return schema.version(connection)
    except (sqlite3.Error, UnicodeDecodeError):
        return 0


def _refuse_newer(path: Path, found: int) -> None:
    if found > schema.VERSION:
        raise StoreError(
            f"store {path} has version {found}, and this nbbatt knows up to {schema.VERSION}: "
            "upgrade nbbatt, or choose another workspace folder"
        )


def open_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    schema.make_tables(connection)
    _prepare(connection)
    return connection


@contextlib.contextmanager
def hidden_sidecars(path: Path) -> Iterator[None]:
    """Move the files beside `path` out of sight, and back. Only under the lock: nobody may open them now."""
    hidden = [(file, file.with_name(file.name + ".kept")) for file in schema.sidecars(path)]
    for file, kept in hidden:
        with contextlib.suppress(OSError):
            file.rename(kept)
    try:
        yield
    finally:
        for file, kept in hidden:
            with contextlib.suppress(OSError):
                kept.rename(file)
