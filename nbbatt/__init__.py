"""nbbatt: a Jupyter workbench for exploring ARC-AGI tasks by program search.

A run is data; the engine writes it, the views read it. The public names below are loaded when they are first used,
so that importing nbbatt costs nothing.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

__version__ = "0.1.0"

if _TYPE_CHECKING:
    from nbbatt.dsl import language as language
    from nbbatt.errors import NbbattError as NbbattError
    from nbbatt.history import load_run as load_run
    from nbbatt.history import runs as runs
    from nbbatt.languages import Language as Language
    from nbbatt.languages import PrimitiveError as PrimitiveError
    from nbbatt.library import Library as Library
    from nbbatt.nodes import ProgramError as ProgramError
    from nbbatt.pipeline import iter_run as iter_run
    from nbbatt.pipeline import run as run
    from nbbatt.programs import Program as Program
    from nbbatt.record import RunRecord as RunRecord
    from nbbatt.sources import load_task as load_task
    from nbbatt.sources import load_tasks as load_tasks
    from nbbatt.spec import RunSpec as RunSpec
    from nbbatt.spec import make_spec as make_spec
    from nbbatt.store import Workspace as Workspace
    from nbbatt.tasks import Pair as Pair
    from nbbatt.tasks import Task as Task
    from nbbatt.tasks import TaskError as TaskError
    from nbbatt.tasks import TaskSet as TaskSet

_HOMES = {
    "Language": "languages",
    "Library": "library",
    "NbbattError": "errors",
    "Pair": "tasks",
    "PrimitiveError": "languages",
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
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> _Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nbbatt' has no attribute {name!r}")
    value = getattr(_import_module(f"nbbatt.{_HOMES[name]}"), name)
    _import_module("nbbatt.views.display").attach()  # records and tasks get their tables, charts and pictures
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
