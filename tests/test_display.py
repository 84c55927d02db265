"""Displays: attached from outside, escaped, well-formed, bounded, and cheap until they are asked for."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from sample_records import HOSTILE, caches, candidate, hostile, record

from nbbatt.record import CacheTable, RunRecord
from nbbatt.tasks import Pair, Task, TaskSet
from nbbatt.views import palette
from nbbatt.views.display import attach
from nbbatt.views.html import (
    MOST_CANDIDATES,
    MOST_SOURCE,
    MOST_TASKS,
    caches_html,
    profile_html,
    run_html,
    task_set_html,
)

VOID = {"img", "br", "hr"}
ALLOWED = {
    "div",
    "span",
    "b",
    "img",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "details",
    "summary",
    "pre",
}


@pytest.fixture(scope="module", autouse=True)
def _attached() -> None:
    """As ``import nbbatt`` does; and one picture, since the main thread keeps its fonts open."""
    attach()
    run_html(record(count=1))


class Page(HTMLParser):
    """Reads HTML strictly: every tag closed in its order, only tags and attributes that are meant."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(html)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        found = {name: value or "" for name, value in attrs}
        assert set(found) <= {"style", "src", "alt", "title"}, found
        self.tags.append((tag, found))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or (self.open and self.open.pop() == tag), tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def grid(*rows: list[int]) -> Any:
    return np.array(rows, np.uint8)


def task(id: str = "00576224", source: str = "arcagi1/evaluation") -> Task:
    pair = Pair(grid([1, 2], [3, 4]), grid([4, 3], [2, 1]))
    return Task(id, (pair,), (pair,), source)


# --------------------------------------------------------------------- HTML


@pytest.mark.parametrize(
    "made",
    [record(2), record("serial", scale=2e-4, count=1), record("serial", count=0, saved=()), hostile()],
    ids=["usual", "one", "empty", "hostile"],
)
def test_html_is_well_formed_and_holds_both_charts(made: RunRecord) -> None:
    page = Page(run_html(made))
    pictures = [found for tag, found in page.tags if tag == "img"]
    assert [p["alt"] for p in pictures] == [
        "wall beside CPU time of each phase",
        "hits, misses and duplicates of each cache",
    ]
    assert all(p["src"].startswith("data:image/png;base64,") for p in pictures)


def test_html_tells_the_answer_first() -> None:
    said = Page(run_html(record(warnings=("the disk is full",)))).text
    parts = [
        "Task 00576224",
        "check_batt took 71%",
        "3 of 32 candidates solve the task.",
        "solved 3",
        "wall ms",
        "whole run",
        "hit rate",
        "inlining missed 32",
        "Candidates, best first",
        "Warning: the disk is full",
        "saved 3 solvers",
        "run 20261124-001312-3f9c2a",
    ]
    places = [said.index(part) for part in parts]
    assert places == sorted(places)
    assert "hconcat: heights 3 and 2 differ" in said
    assert "x1 = mirror(I)" in said


def test_the_card_is_opaque_and_brings_its_own_ink() -> None:
    tag, found = Page(run_html(record())).tags[0]
    assert tag == "div"
    assert f"background:{palette.PAPER}" in found["style"]
    assert f"color:{palette.INK}" in found["style"]
    rows = [style["style"] for tag, style in Page(run_html(record())).tags if tag == "tr"]
    assert all(
        f"background:{palette.PAPER}" in style for style in rows
    )  # a theme's stripes would hide the ink


def _contrast(ink: str, paper: str) -> float:
    """The ratio by which WCAG judges text."""

    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    a, b = sorted((light(ink), light(paper)), reverse=True)
    return (a + 0.05) / (b + 0.05)


@pytest.mark.parametrize("ink", ["INK", "FAINT", "WARN", "HIT_INK"])
def test_every_ink_can_be_read_on_the_paper(ink: str) -> None:
    assert _contrast(getattr(palette, ink), palette.PAPER) >= 4.5
    assert _contrast(getattr(palette, ink), palette.STRIPE) >= 4.5


def test_hostile_text_is_only_text() -> None:
    whole = "".join(
        [
            run_html(hostile()),
            profile_html(hostile().profile),
            caches_html(hostile().caches),
            task_set_html(TaskSet(HOSTILE, {"a": lambda: task("a", HOSTILE)})),
            task("b", HOSTILE)._repr_html_(),  # type: ignore[attr-defined]
        ]
    )
    assert "<img src=x" not in whole
    assert "onerror=" not in re.sub(r"&lt;.*?&gt;", "", whole)
    assert not {c for c in whole if not c.isprintable()} - {"\n", "\t"}
    page = Page(run_html(hostile()))
    assert "<img src=x onerror" in page.text
    assert "[red]x[/red]" in page.text


def test_html_is_bounded() -> None:
    long = tuple(
        candidate(n, source="x" * 100_000, error="e" * 100_000, name="n" * 1000) for n in range(2_000)
    )
    made = replace(record(), rows=long, warnings=("w" * 10_000,) * 1000, saved=("s" * 5000,) * 1000)
    html = run_html(made)
    page = Page(html)
    assert len(html) < 500_000
    assert f"and {2_000 - MOST_CANDIDATES:,} more" in page.text
    assert "and 990 more warnings" in page.text
    assert sum(tag == "pre" for tag, _ in page.tags) == MOST_CANDIDATES
    assert "x" * (MOST_SOURCE + 1) not in page.text
    assert len(run_html(record())) < 250_000


def test_a_set_shows_its_first_tasks_and_says_what_cannot_be_read() -> None:
    tasks = {f"t{n}": lambda n=n: task(f"t{n}") for n in range(100)}
    page = Page(task_set_html(TaskSet("mine", tasks)))
    assert sum(tag == "img" for tag, _ in page.tags) == MOST_TASKS
    assert "100 tasks" in page.text and "and 76 more" in page.text

    def broken() -> Task:
        raise ValueError("task 'x' has no demo pair <b>")

    page = Page(task_set_html(TaskSet("bad", {"x": broken, "y": lambda: task("y")})))
    assert "unreadable" in page.text
    assert any(found.get("title") == "task 'x' has no demo pair <b>" for _, found in page.tags)


# ----------------------------------------------------------------- attached


def test_records_show_text_and_html_side_by_side() -> None:
    for shown in (record(), record().profile, caches()):
        bundle = shown._repr_mimebundle_()  # type: ignore[union-attr]
        assert bundle["text/plain"] == str(shown)
        assert bundle["text/html"] == shown._repr_html_()  # type: ignore[union-attr]
    assert str(record()).startswith("Task 00576224")
    assert repr(record()).startswith("<RunRecord 20261124")


def test_plots_are_methods_and_take_axes() -> None:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    made: Any = record()
    for plot in (
        made.plot_times,
        made.plot_caches,
        made.plot_timeline,
        made.profile.plot_times,
        made.caches.plot_caches,
    ):
        assert isinstance(plot(), Axes)
        ax = Figure().add_subplot()
        assert plot(ax=ax) is ax


def test_attaching_again_changes_nothing() -> None:
    before = dict(vars(RunRecord))
    attach()
    assert dict(vars(RunRecord)) == before


def test_tasks_show_their_pictures() -> None:
    shown: Any = task()
    assert "<img" in shown._repr_html_()
    assert str(shown) == repr(shown)
    assert "mine" in TaskSet.of("mine", [task()])._repr_html_()  # type: ignore[attr-defined]


def test_a_picture_that_fails_leaves_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(record: RunRecord) -> str:
        raise RuntimeError("no fonts")

    monkeypatch.setattr("nbbatt.views.html.run_html", fail)
    bundle = record()._repr_mimebundle_()  # type: ignore[attr-defined]
    assert set(bundle) == {"text/plain"}
    assert bundle["text/plain"].endswith("could not be drawn (RuntimeError: no fonts).")


def test_ipython_shows_a_run_and_a_chart() -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    data, _ = formatters.DisplayFormatter().format(record())
    assert set(data) == {"text/plain", "text/html"}
    made: Any = record()
    data, metadata = formatters.DisplayFormatter().format(made.plot_times())
    assert data["image/png"]
    assert metadata["image/png"]["width"] > 400


def test_attaching_loads_nothing_that_draws() -> None:
    code = (
        "import sys; from nbbatt.views.display import attach; attach();"
        "print([m for m in ('matplotlib', 'pandas', 'rich', 'IPython') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_empty_cache_table_says_so() -> None:
    assert "No caches." in Page(caches_html(CacheTable(()))).text
