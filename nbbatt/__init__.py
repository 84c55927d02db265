"""nbbatt: a Jupyter workbench for exploring ARC-AGI tasks by program search.

A run is data; the engine writes it, the views read it. The public names below are loaded when they are first used,
so that importing nbbatt costs nothing.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

__version__ = "0.1.0"

if _TYPE_CHECKING:
    from nbbatt.dsl import language
    from nbbatt.errors import NbbattError
    from nbbatt.history import load_run, runs
    from nbbatt.language import Language, PrimitiveError
    from nbbatt.library import Library
    from nbbatt.pipeline import iter_run, run
    from nbbatt.programs import Program, ProgramError
    from nbbatt.record import RunRecord
    from nbbatt.spec import RunSpec, make_spec
    from nbbatt.store import Workspace
    from nbbatt.sources import load_task, load_tasks
    from nbbatt.tasks import Pair, Task, TaskError, TaskSet

_HOMES = {
    "Language": "language",
    "Library": "library",
    "NbbattError": "errors",
    "Pair": "tasks",
    "PrimitiveError": "language",
    "Program": "programs",
    "ProgramError": "nodes",
    "RunRecord": "record",
    "RunSpec": "spec",
    "Task": "tasks",
    "TaskError": "tasks",
    "TaskSet": "tasks",
    "Workspace": "store",
    "iter_run": "pipeline",
    "language": "dsl",
    "load_run": "history",
    "load_task": "sources",
    "load_tasks": "sources",
    "make_spec": "spec",
    "run": "pipeline",
    "runs": "history",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 - one list of names


def __getattr__(name: str) -> _Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nbbatt' has no attribute {name!r}")
    value = getattr(_import_module(f"nbbatt.{_HOMES[name]}"), name)
    _import_module("nbbatt.views.display").attach()  # records and tasks get their tables, charts and pictures
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
