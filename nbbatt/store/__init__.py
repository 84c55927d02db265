"""One SQLite file for a workspace: caches, runs and solvers. `database.py` keeps the file, the others its
tables."""

from nbbatt.store.database import StoreWarning
from nbbatt.store.entries import CacheKey, CacheRow, CacheTable, Entry, Memory, Miss, Packed
from nbbatt.store.files import DEFAULT_FOLDER, StoreError, write_atomically
from nbbatt.store.owner import Owner
from nbbatt.store.runs import INTERRUPTED, RUNNING, RunRow
from nbbatt.store.solvers import SolverRow
from nbbatt.store.workspace import Store, Workspace

__all__ = [
    "DEFAULT_FOLDER",
    "INTERRUPTED",
    "RUNNING",
    "CacheKey",
    "CacheRow",
    "CacheTable",
    "Entry",
    "Memory",
    "Miss",
    "Owner",
    "Packed",
    "RunRow",
    "SolverRow",
    "Store",
    "StoreError",
    "StoreWarning",
    "Workspace",
    "write_atomically",
]
