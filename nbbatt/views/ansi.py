"""Tasks in the terminal, through rich: `print_task`, or `console.print(TaskView(task))`.

Promises: shows the ARC colours two columns a cell, demo pairs side by side while they fit; where a pair does
not fit, half blocks (two cells in one character), and input over output where even that is too wide. Where
colour is missing (piped, NO_COLOR) or too poor to tell ten colours apart, every cell shows its digit, so
nothing is ever lost; an encoding without block characters gets plain ASCII.

Leaves to others: opening a console and honouring command-line options.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, zip_longest

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from nbbatt.tasks import Grid, Pair, Task, size_text
from nbbatt.views.grids import PALETTE

# what a digit is written in, to be read on its colour
_INK = tuple("black" if colour in (3, 4, 5, 7, 8) else "bright_white" for colour in range(len(PALETTE)))
_ASCII = str.maketrans({"→": "->", "×": "x", "·": "|", "–": "-", "…": "..."})
_GAP = 4  # columns between pairs
_MOST_PAIRS = 12  # of each kind, so that no task can flood a terminal


def print_task(
    task: Task, console: Console | None = None, tests: bool = True, expected: bool = False
) -> None:
    """Draw the demo pairs, and unless `tests` is false the test pairs, their outputs only with `expected`."""
    (console or Console()).print(TaskView(task, tests=tests, expected=expected))


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as rich draws it on whatever console it is printed."""

    task: Task
    tests: bool = True
    expected: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        task, width = self.task, options.max_width
        pairs = [*task.demos[:_MOST_PAIRS], *(task.tests[:_MOST_PAIRS] if self.tests else ())]
        pen = _choose(console, options, pairs, width)
        yield Text.assemble((f"Task {task.id}", "bold"), f"  {pen.plain(task.summary)}", no_wrap=True)
        if task.source:
            # a folder's name may hold what a terminal takes for commands
            shown = "".join(c if c.isprintable() else "?" for c in task.source)
            yield Text(pen.plain(shown), style="dim", no_wrap=True)
        blocks = [
            _pair(pair, f"demo {i}", pen, width, show=True)
            for i, pair in enumerate(task.demos[:_MOST_PAIRS], 1)
        ]
        if self.tests:
            blocks += [
                _pair(pair, f"test {i}", pen, width, show=self.expected)
                for i, pair in enumerate(task.tests[:_MOST_PAIRS], 1)
            ]
        for row in _rows(blocks, width):
            yield Text()
            yield from _beside(row, _GAP, middle=False).lines
        if rest := len(task.pairs if self.tests else task.demos) - len(pairs):
            yield Text(f"and {rest:,} more pairs", style="dim")


@dataclass(frozen=True, slots=True)
class _Pen:
    """How cells are put into characters."""

    columns: int  # a cell takes 2 columns or 1
    colour: bool
    digits: bool  # the cell shows its number
    ascii: bool  # nothing but ASCII can be written

    @property
    def half(self) -> bool:
        """One character shows two cells, one over the other."""
        return self.columns == 1 and not self.digits

    @property
    def frame(self) -> int:
        """Columns and lines that the frame takes on each side; it shows where black ends on black."""
        return 0 if self.digits else 1

    def plain(self, words: str) -> str:
        """The words, in ASCII where nothing else can be written."""
        if not self.ascii:
            return words
        return words.translate(_ASCII).encode("ascii", "replace").decode()

    def width(self, grid: Grid) -> int:
        return int(grid.shape[1]) * self.columns + 2 * self.frame


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines of text in a rectangle `width` columns wide."""

    lines: list[Text]
    width: int


def _choose(console: Console, options: ConsoleOptions, pairs: Iterable[Pair], width: int) -> _Pen:
    """Two columns a cell if every pair fits so, else one; the same for all pairs, so that sizes compare."""
    colour = console.color_system is not None and not console.no_color
    rich_colours = colour and console.color_system in ("256", "truecolor") and not options.ascii_only
    wide = _Pen(2, colour, not rich_colours, options.ascii_only)
    fits = all(_pair_width(pair, wide) <= width for pair in pairs)
    return wide if fits else _Pen(1, colour, not rich_colours, options.ascii_only)


def _pair_width(pair: Pair, pen: _Pen) -> int:
    after = 0 if pair.output is None else pen.width(pair.output)
    return pen.width(pair.input) + len(pen.plain(" → ")) + after


def _pair(pair: Pair, label: str, pen: _Pen, width: int, show: bool) -> _Block:
    before = _captioned(_draw(pair.input, pen), pen.plain(size_text(pair.input)))
    if pair.output is None or not show:
        after = _Block([Text("?")], 1)
    else:
        after = _captioned(_draw(pair.output, pen), pen.plain(size_text(pair.output)))
    arrow = pen.plain(" → ")
    if before.width + len(arrow) + after.width <= width:
        body = _beside([before, _Block([Text(arrow)], len(arrow)), after], 0, middle=True)
    else:
        down = Text("v" if pen.ascii else "↓")
        body = _Block([*before.lines, down, *after.lines], max(before.width, after.width))
    return _Block([Text(label, style="bold"), *body.lines], max(len(label), body.width))


def _rows(blocks: Iterable[_Block], width: int) -> Iterator[list[_Block]]:
    """As many side by side as fit."""
    row: list[_Block] = []
    for block in blocks:
        if row and sum(b.width + _GAP for b in row) + block.width > width:
            yield row
            row = []
        row.append(block)
    if row:
        yield row


def _beside(blocks: list[_Block], gap: int, middle: bool) -> _Block:
    """Side by side, on one top line or centred."""
    height = max(len(block.lines) for block in blocks)
    columns = []
    for block in blocks:
        above = (height - len(block.lines)) // 2 if middle else 0
        columns.append([*[Text()] * above, *block.lines])
    lines = []
    for cells in zip_longest(*columns, fillvalue=Text()):
        line = Text(no_wrap=True, overflow="crop", end="\n")
        for i, (block, cell) in enumerate(zip(blocks, cells)):
            line.append_text(cell)
            if i < len(blocks) - 1:
                line.append(" " * (block.width - cell.cell_len + gap))
        lines.append(line)
    return _Block(lines, sum(b.width for b in blocks) + gap * (len(blocks) - 1))


def _captioned(block: _Block, words: str) -> _Block:
    caption = Text(" " * max(0, (block.width - len(words)) // 2)).append(words, style="dim")
    return _Block([*block.lines, caption], max(block.width, len(words)))


def _draw(grid: Grid, pen: _Pen) -> _Block:
    rows = grid.tolist()
    if pen.half:
        lines = [_half_line(upper, lower) for upper, lower in zip_longest(rows[::2], rows[1::2])]
    else:
        lines = [_line(row, pen) for row in rows]
    if pen.frame:
        side = grid.shape[1] * pen.columns
        lines = [Text.assemble(("▕", "bright_black"), line, ("▏", "bright_black")) for line in lines]
        lines.insert(0, Text(f" {'▁' * side}", style="bright_black"))
        lines.append(Text(f" {'▔' * side}", style="bright_black"))
    return _Block(lines, pen.width(grid))


def _line(row: list[int], pen: _Pen) -> Text:
    line = Text()
    for colour, run in groupby(row):
        cell = str(colour) if pen.digits else " "
        style = f"{_INK[colour]} on {PALETTE[colour]}" if pen.colour else ""
        line.append(cell.ljust(pen.columns) * sum(1 for _ in run), style=style)
    return line


def _half_line(upper: list[int], lower: list[int] | None) -> Text:
    """Two rows of cells in one line of text; the last of an odd number has nothing below."""
    line = Text()
    for (top, bottom), run in groupby(zip(upper, lower if lower is not None else [-1] * len(upper))):
        under = f" on {PALETTE[bottom]}" if bottom >= 0 else ""
        line.append("▀" * sum(1 for _ in run), style=f"{PALETTE[top]}{under}")
    return line
