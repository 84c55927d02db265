"""A workspace: the folder where everything is kept, and the store in it.

Promises: one place that knows the names of what lies in the folder. Leaves to others: everything inside the
files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nbbatt.store.entries import CacheTable
from nbbatt.store.files import DEFAULT_FOLDER, make_folder
from nbbatt.store.runs import RunTable
from nbbatt.store.solvers import SolverTable


class Store(CacheTable, RunTable, SolverTable):
    """Caches, runs and solvers in one SQLite file. Use it in a `with` block, or close it."""

    @classmethod
    def open(cls, path: str | Path | None) -> Self:
        """Open the store at `path`, making it and its folder if need be; None keeps all in memory.

        Raises StoreError only for a store of a newer version. Every other trouble is a StoreWarning: a
        damaged file is set aside and rebuilt; where nothing can be written the store is in memory.
        """
        return cls(None if path is None else Path(path).expanduser())


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder, by default `.nbbatt` in the current one; fixed when made, whatever the current folder
    becomes."""

    path: Path = Path(DEFAULT_FOLDER)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path).expanduser().absolute())

    @property
    def store_path(self) -> Path:
        return self.path / "store.sqlite"

    @property
    def solvers_path(self) -> Path:
        return self.path / "solvers"

    def create(self) -> None:
        """Make the folder. Raises OSError where that cannot be."""
        make_folder(self.path)

    def open(self, *, create: bool = True) -> Store:
        """Open its store. With `create` false a workspace that is not there yet stays so: an empty store in
        memory."""
        return Store.open(self.store_path if create or self.store_path.exists() else None)
