"""One SQLite file and its health.

Promises: whatever happens to the file (damaged, removed, on a full or read-only disk) the work asked for is
done, if need be in memory, and said once as a StoreWarning; what a call has written when it returns survives
kill -9 of any process. A power cut may lose the last commits, never the file's integrity: WAL with
synchronous=NORMAL. Only a store of a newer version is refused (StoreError), and not touched. All openings,
closings and settings-aside of one file happen under its lock file, so that processes which notice a damage
together do not set each other's new file aside. Leaves to others: the meaning of rows, and their checksums,
which show the damage that SQLite does not see.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from nbbatt.store import schema
from nbbatt.store.connection import Damage, hidden_sidecars, identity_of, kind_of, open_file, open_memory
from nbbatt.store.files import StoreError, file_lock, make_folder

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_CLOSING_S = 2.0
_RECOVERIES = 3


class StoreWarning(UserWarning):
    """Something happened to the store that the work survived."""


class Database:
    """A connection to the store at `path` (None: in memory), for all threads of this process."""

    def __init__(self, path: Path | None) -> None:
        self.path = None if path is None else Path(path).absolute()
        self.warnings: list[str] = []
        self._lock = threading.RLock()
        self._told: set[str] = set()
        self._untold: list[str] = []
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None  # of the file that the connection is to; None: memory
        self._damages = 0
        if self.path is None:
            self._connection = open_memory()
        else:
            with self._lock:
                self._reopen(first=True)
        try:
            self._tell()
        except BaseException:
            self.close()
            raise

    @property
    def in_memory(self) -> bool:
        """Whether nothing is kept on disk: asked for so, or all that was left."""
        return self._identity is None

    def close(self) -> None:
        """Give the file back. Closing twice is allowed."""
        with self._lock:
            if self._connection is None:
                return
            # Closing the last connection removes the log beside the file: not while another process renames
            # them.
            with contextlib.ExitStack() as stack:
                locked = False
                if not self.in_memory:
                    with contextlib.suppress(OSError):
                        stack.enter_context(file_lock(self._lock_path(), _CLOSING_S))
                        locked = True
                self._disconnect(locked=locked)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        where = "in memory" if self.in_memory else f"at {self.path}"
        return f"<{type(self).__name__} {where}{'' if self._connection else ', closed'}>"

    # For the tables above this file.

    def _read(self, work: Work[T]) -> T:
        return self._run(work, write=False)

    def _write(self, work: Work[T]) -> T:
        """Run `work` as one transaction. It may be run again if the store had to be replaced on the way."""
        return self._run(work, write=True)

    def _note(self, kind: str, text: str, *, quiet: bool = False) -> None:
        """Keep a warning; the first of its kind is also raised as a StoreWarning, by the next `_tell`."""
        with self._lock:
            if text not in self.warnings:
                self.warnings.append(text)
            if not quiet and kind not in self._told:
                self._told.add(kind)
                self._untold.append(text)

    def _tell(self) -> None:
        """Warn, with no lock held: a filter may turn this into an exception."""
        with self._lock:
            untold, self._untold = self._untold, []
        for text in untold:
            warnings.warn(text, StoreWarning, stacklevel=4)

    def _drop_damaged(self, table: str, rows: list[tuple[int, object]], *, quiet: bool = False) -> None:
        """Drop rows by number and checksum: one that another process has mended meanwhile stays.

        `quiet` is for rows that are merely computed again: those are kept in `warnings` only.
        """
        text = f"store {self.path}: damaged rows of its {table} are dropped"
        self._note("rows", text, quiet=quiet)
        self._write(
            lambda connection: connection.executemany(
                f"DELETE FROM {table} WHERE rowid = ? AND checksum IS ?", rows
            )
        )

    # Within the lock from here on.

    def _run(self, work: Work[T], *, write: bool) -> T:
        with self._lock:
            while True:
                connection = self._ready(write=write)
                try:
                    result = _transaction(connection, work, write=write)
                    break
                except sqlite3.Error as exc:
                    self._recover(connection, exc)
        if self._untold:
            self._tell()
        return result

    def _ready(self, *, write: bool) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"store {self.path or 'in memory'} is closed: open it again to use it")
        if self._connection.in_transaction:  # an exception sent from another thread cut a transaction short
            self._connection.rollback()
        if write and self._identity is not None and self._identity != identity_of(self.path):
            self._moved()
        return self._connection

    def _moved(self) -> None:
        """The file at the path is not the open one: it was removed, or set aside by another process."""
        if self._file().parent.is_dir():
            self._reopen()
        else:
            self._to_memory("its folder was removed")

    def _recover(self, connection: sqlite3.Connection, exc: sqlite3.Error) -> None:
        """Leave a store that can be worked with, or raise `exc` if that is not the file's fault."""
        if self.in_memory:
            raise exc
        kind = kind_of(exc, connection, self._file())
        if kind == "other":
            raise exc
        if self._identity != identity_of(self.path):
            self._moved()
        elif kind == "damaged":
            self._damages += 1
            if self._damages > _RECOVERIES:
                self._to_memory(f"it was damaged again and again ({exc})")
            else:
                self._reopen(damage=str(exc))
        else:
            self._to_memory(str(exc))

    def _reopen(self, *, damage: str = "", first: bool = False) -> None:
        """Connect anew. With a `damage`, first set the file aside, unless another process has done so
        already."""
        try:
            if first:
                make_folder(self._file().parent)
            with file_lock(self._lock_path()):
                if damage and self._identity == identity_of(self.path):
                    self._set_aside(damage)
                elif not (first or self._file().exists()):
                    self._note("removed", f"store {self.path} was removed while in use: a new one is made")
                self._disconnect(locked=True)
                self._connect()
        except (OSError, sqlite3.Error) as exc:
            self._to_memory(str(exc))
        except StoreError as exc:
            if first:
                raise
            self._to_memory(str(exc))
        except BaseException:  # an interrupt is no reason to be without a store afterwards
            if self._connection is None:
                self._connection = open_memory()
            raise

    def _connect(self) -> None:
        path = self._file()
        for _ in range(_RECOVERIES):
            if not path.exists():
                # A log left by a file that was removed would be read as this one's.
                for leftover in schema.sidecars(path):
                    leftover.unlink(missing_ok=True)
                new = path.with_name(path.name + ".new")
                schema.make_file(new)
                new.rename(path)
            identity = identity_of(path)
            try:
                self._connection = open_file(path)
            except sqlite3.Error as exc:
                if kind_of(exc, None, path) != "damaged":
                    raise
                self._set_aside(str(exc))
                continue
            self._identity = identity
            return
        raise OSError("it is damaged even when new")

    def _set_aside(self, damage: str) -> None:
        """Rename the file with its log and index, so that they can still be looked into together."""
        path = self._file()
        number = 1
        while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
            number += 1
        # The log goes first: were it left behind, it would be read as the log of the next file.
        pairs = [*zip(schema.sidecars(path), schema.sidecars(aside), strict=True), (path, aside)]
        for old, new in pairs:
            with contextlib.suppress(FileNotFoundError):
                old.rename(new)
        self._note(
            "damaged",
            f"store {path} was damaged ({damage}): it is kept as {aside.name}, and a new one is made",
        )

    def _disconnect(self, *, locked: bool) -> None:
        """Close the connection. If its file was moved, SQLite must not remove the new file's log at its old
        path (it looks, but not for a file of no pages); hiding the log is safe only under the lock."""
        connection, identity = self._connection, self._identity
        self._connection = self._identity = None
        if connection is None:
            return
        moved = locked and identity is not None and identity != identity_of(self.path)
        with hidden_sidecars(self._file()) if moved else contextlib.nullcontext():
            connection.close()

    def _to_memory(self, reason: str) -> None:
        self._disconnect(locked=False)
        self._connection = open_memory()
        self._note("unusable", f"store {self.path} cannot be used ({reason}): going on without it, in memory")

    def _file(self) -> Path:
        assert self.path is not None
        return self.path

    def _lock_path(self) -> Path:
        return self._file().with_name(self._file().name + ".lock")


def _transaction(connection: sqlite3.Connection, work: Work[T], *, write: bool) -> T:
    try:
        if not write:
            return work(connection)
        connection.execute("BEGIN IMMEDIATE")
        result = work(connection)
        connection.execute("COMMIT")
    except UnicodeDecodeError as exc:  # raised instead of SQLite's own message when that quotes damaged bytes
        raise Damage(str(exc)) from None
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.rollback()
        raise
    return result
