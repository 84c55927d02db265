"""How records and tasks show themselves: attached from outside, so the engine stays free of drawing.

``attach()`` gives RunRecord, Profile and CacheTable their charts, their text and their notebook display,
and Task and TaskSet their pictures. It loads none of what draws; each method loads that when it is called.
A display that fails shows why and lets the text stand: an object must never break the cell it is shown in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from nbbatt.clock import Profile
from nbbatt.record import CacheTable, RunRecord
from nbbatt.tasks import Task, TaskSet

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def attach() -> None:
    """Give the records and tasks their displays. Doing it again changes nothing."""
    for kind, methods in _METHODS.items():
        for name, method in methods.items():
            setattr(kind, name, method)


def plot_times(self: RunRecord | Profile, *, ax: Axes | None = None) -> Axes:
    """A chart of wall beside CPU time for each phase; returns its Axes, which a notebook shows."""
    from nbbatt.views import charts

    profile = self.profile if isinstance(self, RunRecord) else self
    return charts.plot_times(profile.rows(), ax=ax)


def plot_caches(self: RunRecord | CacheTable, *, ax: Axes | None = None) -> Axes:
    """A chart of hits, misses and duplicates for each cache; returns its Axes, which a notebook shows."""
    from nbbatt.views import charts

    caches = self.caches if isinstance(self, RunRecord) else self
    return charts.plot_caches(caches.rows, ax=ax)


def plot_timeline(self: RunRecord, *, ax: Axes | None = None) -> Axes:
    """A chart of what each worker did when; returns its Axes, which a notebook shows."""
    from nbbatt.views import charts
    from nbbatt.views.rows import lanes

    return charts.plot_timeline(lanes(self), ax=ax)


def _run_text(self: RunRecord) -> str:
    from nbbatt.views.text import run_text

    return run_text(self)


def _profile_text(self: Profile) -> str:
    from nbbatt.views.text import profile_text

    return profile_text(self)


def _caches_text(self: CacheTable) -> str:
    from nbbatt.views.text import caches_text

    return caches_text(self)


def _run_html(self: RunRecord) -> str:
    from nbbatt.views.html import run_html

    return run_html(self)


def _profile_html(self: Profile) -> str:
    from nbbatt.views.html import profile_html

    return profile_html(self)


def _caches_html(self: CacheTable) -> str:
    from nbbatt.views.html import caches_html

    return caches_html(self)


def _task_html(self: Task) -> str:
    from nbbatt.views.grids import task_html

    return task_html(self)


def _task_set_html(self: TaskSet) -> str:
    from nbbatt.views.html import task_set_html

    return task_set_html(self)


def _bundle(self: Any, include: Any = None, exclude: Any = None) -> dict[str, str]:
    """What a notebook keeps: HTML, and the same in plain text for whatever shows no HTML."""
    made = {"text/plain": str(self)}
    try:
        made["text/html"] = self._repr_html_()
    except Exception as reason:
        made["text/plain"] += f"\n\nIts picture could not be drawn ({type(reason).__name__}: {reason})."
    return made


_METHODS: dict[type, dict[str, Callable[..., Any]]] = {
    RunRecord: {
        "plot_times": plot_times,
        "plot_caches": plot_caches,
        "plot_timeline": plot_timeline,
        "__str__": _run_text,
        "_repr_html_": _run_html,
        "_repr_mimebundle_": _bundle,
    },
    Profile: {
        "plot_times": plot_times,
        "__str__": _profile_text,
        "_repr_html_": _profile_html,
        "_repr_mimebundle_": _bundle,
    },
    CacheTable: {
        "plot_caches": plot_caches,
        "__str__": _caches_text,
        "_repr_html_": _caches_html,
        "_repr_mimebundle_": _bundle,
    },
    Task: {"_repr_html_": _task_html},
    TaskSet: {"_repr_html_": _task_set_html},
}
