"""Pictures of grids: they hold every cell, nothing they were not given, and no text that could act."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, TypeAlias
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.color import Color, ColorSystem
from rich.console import Console

from nbbatt.tasks import Grid, Pair, Task
from nbbatt.views.ansi import TaskView, print_task
from nbbatt.views.grids import (
    PALETTE,
    as_img,
    diff_html,
    diff_mask,
    diff_svg,
    diff_text,
    fit_cell,
    grid_svg,
    grid_text,
    pair_html,
    pair_svg,
    task_html,
    text,
    thumbnail_svg,
)

GRIDS = arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.integers(0, 9))
PAIRS = st.builds(Pair, GRIDS, GRIDS)
TASKS = st.builds(Task, st.just("t"), st.tuples(PAIRS), st.tuples(st.builds(Pair, GRIDS, st.none() | GRIDS)))
Cell: TypeAlias = tuple[str, str]  # a character and its style
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = """<script>alert(1)</script>"><img src=x onerror='alert(1)'>&amp;\x00\x1b[31m\ud800]]>"""

# what JupyterLab leaves of an output in a notebook that is not trusted (its sanitizer.ts)
LAB_TAGS = {"b", "details", "div", "img", "span", "summary"}
LAB_ATTRIBUTES = {"*": {"style", "title"}, "img": {"alt", "height", "src", "width"}, "details": {"open"}}


def painted(svg: str) -> Grid:
    """The cells that an SVG of one grid paints, read back from its paths."""
    cells = next(g for g in ElementTree.fromstring(svg).iter(f"{SVG}g") if g.get("shape-rendering"))
    ground = cells[0]
    shape = int(ground.get("height", "")), int(ground.get("width", ""))
    grid = np.full(shape, PALETTE.index(ground.get("fill", "")), np.uint8)
    for path in cells.iter(f"{SVG}path"):
        if path.get("stroke") not in PALETTE or path.get("stroke-width"):
            continue
        x = y = 0
        for kind, a, b, length in re.findall(r"([Mm])(\d+) (\d+)h(\d+)", path.get("d", "")):
            x, y = (int(a), int(b)) if kind == "M" else (x + int(a), y + int(b))
            grid[y, x : x + int(length)] = PALETTE.index(path.get("stroke", ""))
            x += int(length)
    return grid


def elements(html: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    found: list[tuple[str, dict[str, str | None]]] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    Parser().feed(html)
    yield from found


def task(grids: int = 2, source: str = "", side: int = 3, tests: int = 1, known: bool = True) -> Task:
    cells = np.arange(side * side, dtype=np.uint8).reshape(side, side) % 10
    pair = Pair(cells, cells.T)
    return Task("t", (pair,) * grids, (pair if known else Pair(cells, None),) * tests, source)


# ---- SVG ----


@settings(deadline=None)
@given(GRIDS, st.sampled_from([2, 4.5, 6, 16, 24]))
def test_a_grid_is_painted_cell_for_cell(grid: Grid, cell: float) -> None:
    svg = grid_svg(grid, cell=cell, title="a grid")
    assert np.array_equal(painted(svg), grid)
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img" and root.get("aria-label") == "a grid" == root.findtext(f"{SVG}title")
    assert float(root.get("width", "")) >= cell * grid.shape[1]
    assert root.findtext(f"{SVG}text") == f"{grid.shape[0]}×{grid.shape[1]}"
    assert grid_svg(grid, cell=cell, size=False).count("<text") == 0


@settings(deadline=None)
@given(PAIRS, st.text(max_size=40), st.booleans())
def test_every_picture_is_well_formed(pair: Pair, title: str, shown: bool) -> None:
    assert pair.output is not None
    it = Task("t", (pair,), (pair,), title)
    for svg in (
        grid_svg(pair.input, title=title),
        pair_svg(pair, title=title, show_output=shown),
        diff_svg(pair.input, pair.output, title=title),
        diff_svg(None, pair.output, title=title),
        thumbnail_svg(it),
        task_html(it, show_expected=shown),
        pair_html(pair, label=title, show_output=shown),
        diff_html(pair.input, pair.output, label=title),
        diff_html(None, pair.output, label=title),
    ):
        ElementTree.fromstring(svg)


def test_a_noisy_grid_stays_small_and_a_plain_one_tiny() -> None:
    noise = np.random.default_rng(0).integers(0, 10, (30, 30)).astype(np.uint8)
    assert len(grid_svg(noise)) < 8_000 and len(as_img(grid_svg(noise), "")) < 9_000
    assert len(grid_svg(np.zeros((30, 30), np.uint8))) < 2_000


def test_pictures_can_share_a_page() -> None:
    both = task_html(task()) + pair_svg(task().demos[0]) + diff_svg(None, task().demos[0].input)
    for tag, attributes in elements(unquote(both)):
        assert tag not in ("script", "style", "link") and not {"id", "class", "href"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)


def test_the_largest_grid_sets_the_scale() -> None:
    big, small = np.zeros((30, 3), np.uint8), np.zeros((1, 1), np.uint8)
    assert fit_cell([small, big]) == fit_cell([big]) == 6 and fit_cell([small]) == 24 and fit_cell([]) == 24
    widths = {ElementTree.fromstring(thumbnail_svg(task(side=s), 120)).get("width") for s in (1, 3, 30)}
    assert widths == {"120"}, "thumbnails take the same room whatever they show"


def test_pairs_show_or_keep_their_output() -> None:
    pair = Pair(np.zeros((2, 3), np.uint8), np.ones((4, 5), np.uint8))
    assert "4×5" in pair_svg(pair) and "4×5" in pair_html(pair)
    hidden = pair_svg(pair, show_output=False)
    assert "4×5" not in hidden and PALETTE[1] not in hidden and "hidden" in hidden
    unknown = Pair(pair.input, None)
    assert "unknown" in pair_svg(unknown) and "unknown" in pair_html(unknown)
    assert "<details>" in pair_html(pair, show_output=False) and "<details" not in pair_html(unknown)


# ---- differences ----


@settings(deadline=None)
@given(GRIDS, GRIDS)
def test_differing_cells_are_outlined_and_no_others(output: Grid, expected: Grid) -> None:
    mask = diff_mask(output, expected)
    height, width = expected.shape
    for (y, x), colour in np.ndenumerate(output):
        assert mask[y, x] == (y >= height or x >= width or colour != expected[y, x])
    paths = [
        p.get("d", "")
        for p in ElementTree.fromstring(grid_svg(output, diff=mask)).iter(f"{SVG}path")
        if p.get("stroke") == "#fff"
    ]
    outlined = {
        (int(float(y)), int(float(x))) for d in paths for x, y in re.findall(r"M([\d.]+) ([\d.]+)h", d)
    }
    assert outlined == {tuple(place) for place in np.argwhere(mask).tolist()}
    assert np.array_equal(painted(grid_svg(output, diff=mask)), output)


def test_differences_are_said() -> None:
    a, b = np.zeros((2, 3), np.uint8), np.ones((2, 3), np.uint8)
    assert diff_text(a, a) == "equal" and diff_text(a, b) == "6 of 6 cells differ"
    assert diff_text(None, a) == "no output" and diff_text(b.T, a) == "3×2 instead of 2×3"
    for picture in (diff_svg(b, a), diff_html(b, a)):
        assert "6 of 6 cells differ" in picture and "expected" in picture
    assert "#fff" in diff_svg(b, a) and "#fff" not in diff_svg(a, a)
    with pytest.raises(ValueError, match="does not fit"):
        grid_svg(a, diff=np.zeros((3, 3), bool))


# ---- HTML ----


@pytest.mark.parametrize("shown", [True, False])
def test_html_outlives_an_untrusted_notebook(shown: bool) -> None:
    html = task_html(task(tests=2), show_expected=shown) + diff_html(None, task().demos[0].input, label="x")
    for tag, attributes in elements(html):
        assert tag in LAB_TAGS
        assert set(attributes) <= LAB_ATTRIBUTES["*"] | LAB_ATTRIBUTES.get(tag, set())
    images = [attributes for tag, attributes in elements(html) if tag == "img"]
    assert len(images) == 10 and all(image["alt"] for image in images)
    for image in images:
        kind, _, svg = str(image["src"]).partition(",")
        assert kind == "data:image/svg+xml" and ElementTree.fromstring(unquote(svg)).tag == f"{SVG}svg"


def test_the_expected_output_is_folded_unless_asked_for() -> None:
    assert task_html(task(tests=2)).count("<details>") == 2
    assert "<details" not in task_html(task(), show_expected=True)
    assert "<details" not in task_html(task(known=False)) and "unknown" in task_html(task(known=False))


def test_a_task_of_very_many_pairs_is_cut() -> None:
    html = task_html(task(grids=500, tests=20))
    assert "and 488 more demos and 8 more tests" in html and html.count("<img") == 48
    assert "more demos" not in task_html(task(grids=12))


def test_no_text_can_act() -> None:
    clean = text(HOSTILE)
    assert (
        "<" not in clean
        and ">" not in clean
        and '"' not in clean
        and "'" not in clean
        and "\x1b" not in clean
    )
    pair = task().demos[0]
    assert pair.output is not None
    for made in (
        grid_svg(pair.input, title=HOSTILE),
        pair_svg(pair, title=HOSTILE),
        diff_svg(pair.input, pair.output, title=HOSTILE),
        task_html(task(source=HOSTILE)),
        pair_html(pair, label=HOSTILE),
        diff_html(pair.input, pair.output, label=HOSTILE),
        as_img("<svg/>", HOSTILE),
    ):
        assert {tag for tag, _ in elements(made)}.isdisjoint({"script", "x"})
        assert "alert(1)</script" not in made and "onerror='" not in made
        seen = "".join(ElementTree.fromstring(made).itertext()) + str(ElementTree.fromstring(made).attrib)
        assert "<script>alert(1)</script>" in seen, "it is there, as text"


# ---- terminal ----


def printed(it: Task, width: int, colours: Any, *, tests: bool = True) -> tuple[str, list[list[Cell]]]:
    """What a console with these colours shows: plain text, and each line's characters with styles."""
    console = Console(
        file=io.StringIO(), width=width, color_system=colours, force_terminal=colours is not None
    )
    lines = console.render_lines(TaskView(it, tests=tests, expected=True), console.options, pad=False)
    cells = [[(c, str(segment.style)) for segment in line for c in segment.text] for line in lines]
    return "\n".join("".join(c for c, _ in line) for line in cells), cells


@settings(deadline=None, max_examples=50)
@given(TASKS, st.sampled_from([40, 66, 80, 130]), st.sampled_from([None, "standard", "256", "truecolor"]))
def test_nothing_is_wider_than_the_terminal(it: Task, width: int, colours: str | None) -> None:
    plain, cells = printed(it, width, colours)
    assert max(map(len, cells)) <= width and "demo 1" in plain and "test 1" in plain


@settings(deadline=None, max_examples=50)
@given(GRIDS, st.sampled_from([None, "standard"]))
def test_digits_show_every_cell_where_colour_cannot(grid: Grid, colours: str | None) -> None:
    plain, _ = printed(Task("t", (Pair(grid, grid),), (Pair(grid, None),)), 80, colours, tests=False)
    rows = [
        line
        for line in plain.splitlines()[2:]
        if re.fullmatch(r"[\d →]+", line) and any(map(str.isdigit, line))
    ]
    for line, row in zip(rows, grid.tolist(), strict=True):
        assert re.sub(r"\D", "", line) == "".join(map(str, row * 2))


@settings(deadline=None, max_examples=50)
@given(GRIDS)
def test_colours_show_every_cell(grid: Grid) -> None:
    colours = {colour.lower(): number for number, colour in enumerate(PALETTE)}
    width = grid.shape[1]
    _, cells = printed(Task("t", (Pair(grid, grid),), (Pair(grid, None),)), 80, "truecolor", tests=False)
    body = [[(c, style) for c, style in line if "#" in style] for line in cells]
    seen = []
    for line in filter(None, body):
        if line[0][0] == "▀":
            seen.append([colours[style.split(" on ")[0]] for _, style in line[:width]])
            if " on " in line[0][1]:
                seen.append([colours[style.split(" on ")[1]] for _, style in line[:width]])
        else:
            seen.append([colours[style.split(" on ")[1]] for _, style in line[: 2 * width : 2]])
    assert seen == grid.tolist()


def test_256_colours_tell_the_ten_apart_and_16_do_not() -> None:
    reduced = {
        s: {Color.parse(c).downgrade(s).number for c in PALETTE}
        for s in (ColorSystem.EIGHT_BIT, ColorSystem.STANDARD)
    }
    assert len(reduced[ColorSystem.EIGHT_BIT]) == 10 > len(reduced[ColorSystem.STANDARD])


def test_a_small_task_is_drawn_in_one_row() -> None:
    plain, _ = printed(task(source="a place"), 80, None)
    assert plain.splitlines() == [
        "Task t  2 demos · 1 test · 3×3 → 3×3",
        "a place",
        "",
        "demo 1             demo 2             test 1",
        "0 1 2    0 3 6     0 1 2    0 3 6     0 1 2    0 3 6 ",
        "3 4 5  → 1 4 7     3 4 5  → 1 4 7     3 4 5  → 1 4 7 ",
        "6 7 8    2 5 8     6 7 8    2 5 8     6 7 8    2 5 8 ",
        " 3×3      3×3       3×3      3×3       3×3      3×3",
    ]


@pytest.mark.parametrize("width, lines", [(80, 2), (40, 1)])
def test_a_pair_too_wide_for_the_terminal_is_stacked(width: int, lines: int) -> None:
    plain, _ = printed(task(grids=1, side=30), width, "truecolor", tests=False)
    assert ("↓" in plain) == (lines == 1) and (" → \n" in plain or "▏ → " in plain) == (lines == 2)


def test_print_task_keeps_tests_and_outputs_back_as_told(capsys: pytest.CaptureFixture[str]) -> None:
    def shown(**options: bool) -> str:
        file = io.StringIO()
        print_task(task(), Console(file=file, width=80), **options)
        return file.getvalue()

    assert "test 1" not in shown(tests=False) and "?" in shown() and "?" not in shown(expected=True)
    assert "\x1b" not in shown()
    print_task(task())
    assert "test 1" in capsys.readouterr().out


def test_ascii_and_hostile_names() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_task(task(source="é\x1b]0;owned\x07"), Console(file=file, width=80, force_terminal=True))
    file.seek(0)
    shown = file.read()
    assert "3x3 -> 3x3" in shown and "owned" in shown and "\x1b]" not in shown and "\x07" not in shown
    file.close()


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    file = io.StringIO()
    print_task(task(), Console(file=file, width=80, force_terminal=True, color_system="truecolor"))
    assert "0 1 2" in file.getvalue() and "[38;" not in file.getvalue() and "[48;" not in file.getvalue()


def test_a_grid_as_text() -> None:
    assert grid_text(np.array([[0, 1], [2, 9]], np.uint8)) == "0 1\n2 9"
