"""Files that are whole or not there: written beside their place, then renamed into it.

Promises: a reader, or a process killed at any moment, sees the old text or the new one, never a part; a name
that becomes part of a path is checked first. Leaves to others: what to do when the disk refuses (OSError is
let through).
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from nbbatt.errors import NbbattError
from nbbatt.store.owner import alive

try:
    import fcntl
except ImportError:  # not a POSIX system: renames there refuse to overwrite, which is guard enough
    fcntl = None  # type: ignore[assignment]

DEFAULT_FOLDER = ".nbbatt"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TEMPORARY = re.compile(r"\..+\.(\d+)-\d+-\d+\.tmp")
_POLL_S = 0.002


class StoreError(NbbattError):
    """What a store refuses: a file of a newer version, an unknown run, a value that is not JSON, a name unfit
    for a path."""


def check_name(value: str, what: str) -> str:
    """Return `value` if it may be part of a path, else raise StoreError."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise StoreError(f"{what} {value!r} must be 1 to 64 letters, digits, '_' or '-': give it such a name")
    return value


def make_folder(folder: Path) -> None:
    """Make a workspace folder. The default one hides itself from git: nobody means to commit a cache."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    if folder.name == DEFAULT_FOLDER:
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")


def write_atomically(path: Path, text: str, *, durable: bool = True) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all.

    Killing the process never leaves a part; `durable` also waits for the disk, so that a power cut does not
    either. Raises OSError when the folder is missing or the disk refuses; nothing is left behind then.
    """
    write_all([(path, text)], durable=durable)


def write_all(texts: Iterable[tuple[Path, str]], *, durable: bool = True) -> None:
    """Like write_atomically for several files: each is whole or not there (not all or none).

    All are written before the first is waited for: the disk then gathers them, which halves the time of ten
    files.
    """
    waiting: list[tuple[Path, Path]] = []
    try:
        for path, text in texts:
            beside = path.parent / f".{path.name}.{os.getpid()}-{threading.get_ident()}-{len(waiting)}.tmp"
            waiting.append((beside, path))
            with beside.open("w", encoding="utf-8", newline="") as file:
                file.write(text)
        if durable:
            for beside, _ in waiting:
                _sync(beside)
        for beside, path in waiting:
            beside.replace(path)
        if durable and os.name == "posix":
            for folder in {path.parent for _, path in waiting}:
                _sync(folder)
    finally:
        for beside, _ in waiting:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed processes left in `folder`."""
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        for item in found:
            match = _TEMPORARY.fullmatch(item.name)
            if match and not alive(int(match[1])):
                with contextlib.suppress(OSError):
                    Path(item.path).unlink()


def inside(path: Path, folder: Path) -> bool:
    """Whether `path`, links followed, lies in `folder`."""
    return path.resolve().is_relative_to(folder.resolve())


@contextlib.contextmanager
def file_lock(path: Path, patience_s: float = 30.0) -> Iterator[None]:
    """Hold the lock file `path`: one holder among all threads and processes, freed by the system if it is
    killed.

    Raises TimeoutError (an OSError) when another holds it for longer than `patience_s`.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        end = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError(
                        f"{path.name} was held by another process for {patience_s:g} s"
                    ) from None
                time.sleep(_POLL_S)
        yield
    finally:
        os.close(handle)
