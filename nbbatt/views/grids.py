"""Pictures of grids, pairs and tasks: strings of SVG and HTML.

Promises: every text is escaped; no script, style sheet, class or id, so that any number may share a page;
readable on light and dark pages (text takes the page's colour); a title or alternative text for those who
cannot see it; a noisy 30×30 grid is about 8 KB. The *_svg pictures are for live widgets and report pages. The
*_html ones also outlive a notebook that nobody trusted yet: JupyterLab drops inline <svg> from those, so they
hold each grid in an <img>.

Leaves to others: where and when a picture is shown (views/display.py, ui/).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from itertools import groupby
from typing import NamedTuple, TypeAlias
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from nbbatt.tasks import Grid, Pair, Task, size_text

# ARC's own colours, by the number in the cell
PALETTE = (
    "#000000",
    "#0074D9",
    "#FF4136",
    "#2ECC40",
    "#FFDC00",
    "#AAAAAA",
    "#F012BE",
    "#FF851B",
    "#7FDBFF",
    "#870C25",
)

Mask: TypeAlias = npt.NDArray[np.bool_]

_LINE = "#6B6B6B"
_FONT = 11  # px
_GAP = 6
_UNSEEN = 48  # px, the side of the frame for an output that is hidden, unknown or missing
_MOST_PAIRS = 12  # of each kind, so that no task can flood a page
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Drawn(NamedTuple):
    """A piece of SVG and the room it takes, in px."""

    body: str
    width: float
    height: float


# ---- plain ----


def text(value: str) -> str:
    """Escaped for HTML and XML, text and attributes; characters that XML forbids become �."""
    return escape(_NOT_XML.sub("\ufffd", value), quote=True)


def grid_text(grid: Grid) -> str:
    """The digits, a space between, a line a row."""
    return "\n".join(" ".join(map(str, row)) for row in grid.tolist())


def fit_cell(grids: Iterable[Grid], box: float = 180) -> int:
    """The cell side in px, 4 to 24, at which the largest of the grids fits into a square of `box` px."""
    longest = max((max(grid.shape) for grid in grids), default=1)
    return max(4, min(24, int(box // longest)))


def diff_mask(output: Grid, expected: Grid) -> Mask:
    """Of the output's shape: True where a cell differs from the expected one or has none beside it."""
    mask = np.ones(output.shape, dtype=np.bool_)
    height, width = (min(a, b) for a, b in zip(output.shape, expected.shape))
    mask[:height, :width] = output[:height, :width] != expected[:height, :width]
    return mask


def diff_text(output: Grid | None, expected: Grid) -> str:
    """How an output compares: "equal", "3 of 36 cells differ", "6×6 instead of 3×3" or "no output"."""
    if output is None:
        return "no output"
    if output.shape != expected.shape:
        return f"{size_text(output)} instead of {size_text(expected)}"
    wrong = int(diff_mask(output, expected).sum())
    return f"{wrong} of {output.size} cells differ" if wrong else "equal"


def _scale(cell: float | None, *grids: Grid | None, box: float = 180) -> float:
    return fit_cell([g for g in grids if g is not None], box) if cell is None else cell


# ---- SVG ----


def grid_svg(
    grid: Grid, *, cell: float = 16, diff: Mask | None = None, title: str = "", size: bool = True
) -> str:
    """One grid, `cell` px a cell, cells in `diff` outlined, its size written under it unless told not to."""
    drawn = _grid(grid, cell, diff)
    return _svg(_column(drawn, below=size_text(grid)) if size else drawn, title or f"grid {size_text(grid)}")


def pair_svg(pair: Pair, *, cell: float | None = None, title: str = "", show_output: bool = True) -> str:
    """Input → output, at one scale; a frame with ? in place of an output that is hidden or unknown."""
    scale = _scale(cell, pair.input, pair.output)
    output = pair.output if show_output else None
    words = "unknown" if pair.output is None else "hidden" if output is None else size_text(output)
    before = _column(_grid(pair.input, scale), below=size_text(pair.input))
    after = _column(_frame("?") if output is None else _grid(output, scale), below=words)
    alt = f"input {size_text(pair.input)}, output {words}"
    return _svg(_row([before, _arrow(), after]), f"{title}: {alt}" if title else alt)


def diff_svg(output: Grid | None, expected: Grid, *, cell: float | None = None, title: str = "") -> str:
    """The expected grid beside an output (None: there was none) whose differing cells are outlined."""
    scale = _scale(cell, output, expected, box=240)
    mine = _frame("–") if output is None else _grid(output, scale, diff_mask(output, expected))
    words = diff_text(output, expected)
    left = _column(_grid(expected, scale), above="expected", below=size_text(expected))
    right = _column(mine, above="output", below=words)
    return _svg(_row([left, right], gap=24), f"{title or 'output and expected'}: {words}")


def thumbnail_svg(task: Task, size: float = 96) -> str:
    """The first demo pair without words, in a box of `size` px × 0.45 `size` px whatever the grids."""
    box = 0.42 * size
    pair = task.demos[0]
    grids = [g for g in (pair.input, pair.output) if g is not None]
    body = "".join(
        _moved(drawn, x + (box - drawn.width) / 2, (0.45 * size - drawn.height) / 2)
        for grid, x in zip(grids, (0.0, size - box))
        for drawn in [_grid(grid, min((box - 1) / max(grid.shape), box / 4))]
    )
    arrow = _arrow(0.08 * size)
    body += _moved(arrow, (size - arrow.width) / 2, (0.45 * size - arrow.height) / 2)
    return _svg(_Drawn(body, size, 0.45 * size), f"task {task.id}: {task.summary}")


def _svg(drawn: _Drawn, alt: str) -> str:
    width, height = _number(drawn.width), _number(drawn.height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{text(alt)}" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}"><title>{text(alt)}</title>{drawn.body}</svg>'
    )


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _moved(drawn: _Drawn, x: float, y: float) -> str:
    return f'<g transform="translate({_number(x)} {_number(y)})">{drawn.body}</g>' if drawn.body else ""


def _row(items: list[_Drawn], gap: float = _GAP) -> _Drawn:
    """Side by side, centred on one line."""
    height = max(item.height for item in items)
    x, body = 0.0, ""
    for item in items:
        body += _moved(item, x, (height - item.height) / 2)
        x += item.width + gap
    return _Drawn(body, x - gap, height)


def _column(item: _Drawn, *, above: str = "", below: str = "") -> _Drawn:
    """The item with a line of text over and under it, centred."""
    line = _FONT + 5
    top = line if above else 0
    width = max(item.width, *(0.6 * _FONT * len(words) for words in (above, below)))
    body = _moved(item, (width - item.width) / 2, top)
    if above:
        body += _words(above, width / 2, _FONT)
    if below:
        body += _words(below, width / 2, top + item.height + _FONT + 2)
    return _Drawn(body, width, top + item.height + (line if below else 0))


def _words(words: str, x: float, y: float, size: float = _FONT) -> str:
    return (
        f'<text x="{_number(x)}" y="{_number(y)}" font-family="sans-serif" font-size="{_number(size)}" '
        f'fill="currentColor" text-anchor="middle">{text(words)}</text>'
    )


def _arrow(size: float = 14) -> _Drawn:
    body = (
        f'<path d="M0 5h10M6.5 1.5 10 5 6.5 8.5" transform="scale({_number(size / 11)})" fill="none" '
        f'stroke="currentColor" stroke-width="1.2" stroke-linecap="round" stroke-linejoin="round"/>'
    )
    return _Drawn(body, size, size * 10 / 11)


def _frame(mark: str) -> _Drawn:
    """Where a grid would be."""
    body = (
        f'<rect x=".5" y=".5" width="{_UNSEEN - 1}" height="{_UNSEEN - 1}" rx="3" fill="none" '
        f'stroke="{_LINE}" stroke-dasharray="4 3"/>{_words(mark, _UNSEEN / 2, _UNSEEN / 2 + 6, 18)}'
    )
    return _Drawn(body, _UNSEEN, _UNSEEN)


def _grid(grid: Grid, cell: float, diff: Mask | None = None) -> _Drawn:
    """The cells, thin lines between them where a cell is large enough, outlines where `diff` says so."""
    height, width = grid.shape
    if diff is not None and diff.shape != grid.shape:
        raise ValueError(
            f"diff of shape {diff.shape} does not fit a grid of shape {grid.shape}: make one that does"
        )
    body = (
        f'<g transform="translate(.5 .5) scale({_number(cell)})" shape-rendering="crispEdges">'
        f"{_cells(grid)}{_lines(height, width, cell)}{_outlines(diff, cell)}</g>"
    )
    return _Drawn(body, width * cell + 1, height * cell + 1)


def _cells(grid: Grid) -> str:
    """The commonest colour as ground; for each other a path of strokes one cell thick, one for each run."""
    height, width = grid.shape
    ground = int(np.bincount(grid.ravel(), minlength=len(PALETTE)).argmax())
    paths: dict[int, list[str]] = {}
    for y, row in enumerate(grid.tolist()):
        x = 0
        ends: dict[int, int] = {}
        for colour, run in groupby(row):
            length = sum(1 for _ in run)
            if colour != ground:
                start = f"m{x - ends[colour]} 0" if colour in ends else f"M{x} {y}"
                paths.setdefault(colour, []).append(f"{start}h{length}")
                ends[colour] = x + length
            x += length
    strokes = "".join(f'<path stroke="{PALETTE[c]}" d="{"".join(d)}"/>' for c, d in sorted(paths.items()))
    under = f'<rect width="{width}" height="{height}" fill="{PALETTE[ground]}"/>'
    return under + (f'<g transform="translate(0 .5)" fill="none">{strokes}</g>' if strokes else "")


def _lines(height: int, width: int, cell: float) -> str:
    """A frame, and lines between the cells as far as these are large enough not to drown in them."""
    pen = f'fill="none" stroke="{_LINE}" stroke-width="{_number(1 / cell)}"'
    frame = f'<rect width="{width}" height="{height}" {pen}/>'
    if cell < 5:
        return frame
    across = "".join(f"M0 {y}h{width}" for y in range(1, height))
    down = "".join(f"M{x} 0v{height}" for x in range(1, width))
    return f'<path d="{across}{down}" {pen} stroke-opacity="{0.5 if cell < 10 else 1}"/>{frame}'


def _outlines(diff: Mask | None, cell: float) -> str:
    """A white square within a black one in each differing cell: one of the two shows on any colour."""
    if diff is None or not diff.any():
        return ""
    inset, thick = 0.12, min(0.14, 2 / cell)
    side = 1 - 2 * inset
    squares = "".join(
        f"M{_number(x + inset)} {_number(y + inset)}h{side:.2f}v{side:.2f}h-{side:.2f}z"
        for y, x in np.argwhere(diff).tolist()
    )
    return "".join(
        f'<path d="{squares}" fill="none" stroke="{colour}" stroke-width="{_number(width)}" '
        f'shape-rendering="geometricPrecision"/>'
        for colour, width in (("#000", thick * 1.9), ("#fff", thick))
    )


# ---- HTML ----


def as_img(svg: str, alt: str) -> str:
    """The picture as an <img>; its text, if it has any, no longer takes the page's colour."""
    return f'<img src="data:image/svg+xml,{quote(svg, safe=" =:/()")}" alt="{text(alt)}"/>'


def pair_html(pair: Pair, *, label: str = "", cell: float | None = None, show_output: bool = True) -> str:
    """Input → output; an output that is known but not to be shown is folded, for the reader to open."""
    scale = _scale(cell, pair.input, pair.output)
    if pair.output is None:
        after = _figure(None, scale, "unknown", "output unknown")
    else:
        after = _figure(pair.output, scale, size_text(pair.output), f"output {size_text(pair.output)}")
        if not show_output:
            after = f'<details><summary style="cursor:pointer">show expected</summary>{after}</details>'
    before = _figure(pair.input, scale, size_text(pair.input), f"input {size_text(pair.input)}")
    return _side_by_side([before, '<div style="font-size:18px">→</div>', after], label)


def diff_html(output: Grid | None, expected: Grid, *, label: str = "", cell: float | None = None) -> str:
    """The expected grid beside an output (None: there was none) whose differing cells are outlined."""
    scale = _scale(cell, output, expected, box=240)
    words = diff_text(output, expected)
    mask = None if output is None else diff_mask(output, expected)
    left = _figure(expected, scale, f"expected {size_text(expected)}", f"expected {size_text(expected)}")
    right = _figure(output, scale, f"output: {words}", f"output: {words}", mask)
    return _side_by_side([left, right], label, gap=24)


def task_html(task: Task, *, show_expected: bool = False) -> str:
    """The task's name and measures, its demo pairs and test pairs, these with outputs folded unless shown."""
    grids = [g for pair in task.pairs for g in (pair.input, pair.output) if g is not None]
    cell = fit_cell(grids, box=160)  # two pairs of the largest grids beside each other in a cell 700 px wide
    shown = [(f"demo {i}", pair, True) for i, pair in enumerate(task.demos[:_MOST_PAIRS], 1)]
    shown += [(f"test {i}", pair, show_expected) for i, pair in enumerate(task.tests[:_MOST_PAIRS], 1)]
    pairs = "".join(pair_html(pair, label=label, cell=cell, show_output=show) for label, pair, show in shown)
    rest = [
        f"{len(pairs) - _MOST_PAIRS:,} more {name}s"
        for name, pairs in (("demo", task.demos), ("test", task.tests))
        if len(pairs) > _MOST_PAIRS
    ]
    more = f'<div style="opacity:0.75">and {" and ".join(rest)}</div>' if rest else ""
    where = f" · {task.source}" if task.source else ""
    head = f'<b>Task {text(task.id)}</b> <span style="opacity:0.75">{text(task.summary + where)}</span>'
    flow = "display:flex;flex-wrap:wrap;gap:16px 24px;align-items:flex-start;margin-top:8px"
    return f'<div><div>{head}</div><div style="{flow}">{pairs}</div>{more}</div>'


def _figure(grid: Grid | None, cell: float, words: str, alt: str, diff: Mask | None = None) -> str:
    drawn = _frame("") if grid is None else _grid(grid, cell, diff)
    image = as_img(_svg(drawn, alt), alt)
    return (
        f'<div style="text-align:center">{image}<div '
        f'style="font-size:11px;opacity:0.75">{text(words)}</div></div>'
    )


def _side_by_side(parts: list[str], label: str, gap: int = 8) -> str:
    head = f'<div style="font-size:12px;margin-bottom:4px">{text(label)}</div>' if label else ""
    row = f'<div style="display:flex;align-items:center;gap:{gap}px">{"".join(parts)}</div>'
    return f"<div>{head}{row}</div>"
