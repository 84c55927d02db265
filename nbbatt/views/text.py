"""A run in words and columns: what ``nbbatt run`` prints, ``print(run)`` gives, a notebook keeps as plain
text.

The answer first, the numbers second, where things are third. Eighty columns where nobody says otherwise,
colour only on a terminal that wants it (``NO_COLOR`` is heard), and no text of a record is ever read as
markup or as a terminal's command. Leaves to others: which cells there are (tables.py), progress bars
(progress.py).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from nbbatt.clock import Profile
from nbbatt.record import CacheTable, RunRecord
from nbbatt.views.rows import (
    as_mappings,
    best,
    count,
    counts_line,
    ended,
    plain,
    saved_line,
    solved_line,
    task_line,
)
from nbbatt.views.tables import (
    Table,
    cache_table,
    candidate_table,
    miss_lines,
    phase_table,
    run_table,
    store_table,
)

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 80
WIDEST = 120
_GAP = 2
_LEAST = 8  # what is left of a text column that has to make room
_MOST_WARNINGS = 10
_ASCII = str.maketrans(
    {"·": "|", "–": "-", "…": "~", "×": "x", "µ": "u", "✓": "+", "½": "~", "✗": "-", "�": "?"}
)
_STYLES = {"✓": "green", "!": "yellow", "✗": "dim"}


def console(file: IO[str] | None = None) -> Console:
    """The console for ``file`` (standard output): colour if it is a terminal, 80 columns if it is none."""
    found = Console(file=file, markup=False, emoji=False, highlight=False, force_jupyter=False)
    found.width = min(found.width, WIDEST) if found.is_terminal else WIDTH
    return found


def print_run(record: RunRecord, to: Console | None = None) -> None:
    """Print what a run found, where its time went, what the caches answered, and where things were saved."""
    to = to or console()
    _print(_run(record, to.width), to)


def print_runs(rows: pd.DataFrame | Sequence[Mapping[str, Any]], to: Console | None = None) -> None:
    """Print a list of runs: the DataFrame of ``nbbatt.runs()``, or mappings with its columns."""
    to = to or console()
    _print(_runs(rows, to.width), to)


def print_cache_stats(rows: Sequence[Mapping[str, Any]], to: Console | None = None) -> None:
    """Print what the caches hold: mappings with the fields of the store's ``CacheRow``."""
    to = to or console()
    _print(_table(store_table(rows), to.width) if rows else Text("The caches are empty."), to)


def run_text(record: RunRecord, width: int = WIDTH) -> str:
    """What ``print_run`` prints, without colour; no line is longer than ``width``."""
    return _text(_run(record, width), width)


def profile_text(profile: Profile, width: int = WIDTH) -> str:
    """The verdict and the phase table."""
    return _text(Group(_verdict(profile), Text(), _table(phase_table(profile), width)), width)


def caches_text(caches: CacheTable, width: int = WIDTH) -> str:
    """The cache table, and why there were misses."""
    return _text(_caches(caches, width), width)


def runs_text(rows: pd.DataFrame | Sequence[Mapping[str, Any]], width: int = WIDTH) -> str:
    """What ``print_runs`` prints, without colour."""
    return _text(_runs(rows, width), width)


# ------------------------------------------------------------------- pieces


def _run(record: RunRecord, width: int) -> Group:
    parts: list[RenderableType] = [_flow(task_line(record), width), Text()]
    if said := ended(record):
        parts.append(Text(said, style="yellow" if record.status == "stopped" else "red"))
    solved = Text(solved_line(record), style="bold green" if record.solved else "bold")
    parts += [_verdict(record.profile), solved, Text(counts_line(record), style="dim")]
    parts += [Text(), _table(phase_table(record.profile), width), Text(), _caches(record.caches, width)]
    if top := best(record):
        more = sum(row.verdict == top[0].verdict for row in record.rows) - len(top)
        parts += [Text(), _table(candidate_table(top), width)]
        parts += [Text(f"and {more:,} more {top[0].verdict}", style="dim")] if more else []
    parts += [Text(), *_ends(record)]
    return Group(*parts)


def _flow(words: str, width: int) -> Text:
    """A line of parts between dots, broken at a dot where it must be."""
    lines = [""]
    for part in words.split(" · "):
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        if lines[-1] and cell_len(longer) > width:
            lines.append(part)
        else:
            lines[-1] = longer
    return Text("\n".join(lines), style="dim", overflow="fold")


def _verdict(profile: Profile) -> Text:
    return Text(plain(profile.verdict(), 600), style="bold")


def _caches(caches: CacheTable, width: int) -> Group:
    reasons = [_hanging("", Text(line, style="dim"), 2) for line in miss_lines(caches)]
    if not caches.rows:
        return Group(Text("No caches.", style="dim"))
    return Group(_table(cache_table(caches), width), *reasons)


def _ends(record: RunRecord) -> list[RenderableType]:
    """Where things were saved, who chose the workers, warnings, the run's id."""
    lines: list[tuple[str, str, str]] = [("saved", saved_line(record), "")]
    if record.workers_why:
        lines.append(("workers", plain(record.workers_why, 400), ""))
    lines += [("warning", plain(warning, 400), "yellow") for warning in record.warnings[:_MOST_WARNINGS]]
    if (more := len(record.warnings) - _MOST_WARNINGS) > 0:
        lines.append(("warning", f"and {count(more, 'more warning')}", "yellow"))
    lines.append(("run", plain(record.run_id, 200), "bold"))
    return [_hanging(label, Text(words, style=style), 9) for label, words, style in lines]


def _hanging(label: str, words: Text, indent: int) -> RenderableType:
    """A label and words beside it that, where they need several lines, stay beside it."""
    words.overflow = "fold"
    if not label:
        return Padding(words, (0, 0, 0, indent))
    grid = RichTable.grid()
    grid.add_column(width=indent, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(label, style="dim"), words)
    return grid


def _runs(rows: pd.DataFrame | Sequence[Mapping[str, Any]], width: int) -> RenderableType:
    found = as_mappings(rows)
    if not found:
        return Text("No runs yet: nbbatt run TASK makes one.")
    table = run_table(found)
    tasks = {row.get("task") for row in found}
    if len(tasks) > 1:
        return _table(table, width)
    title = Text(f"{count(len(found), 'run')} of task {plain(tasks.pop(), 64)}", style="bold")
    at = [column.name for column in table.columns].index("task")
    return Group(title, Text(), _table(_without(table, at), width))


# ------------------------------------------------------------------- tables


def _table(table: Table, width: int) -> RichTable:
    """The table in at most ``width`` columns: spare columns go, then long texts are cut."""
    for at in reversed(range(len(table.columns))):
        if table.rows and not any(row[at] for row in table.rows):
            table = _without(table, at)
    while (spare := max(column.spare for column in table.columns)) and sum(_widths(table)) > _room(
        table, width
    ):
        table = _without(table, max(i for i, c in enumerate(table.columns) if c.spare == spare))
    widths = _cut(table, _widths(table), _room(table, width))
    drawn = RichTable(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for column, header, wide in zip(table.columns, _headers(table), widths):
        drawn.add_column(
            Text(header),
            justify="right" if column.right else "left",
            width=wide,
            no_wrap=True,
            overflow="ellipsis",
            vertical="bottom",
        )
    for index, row in enumerate(table.rows):
        last = table.total and index == len(table.rows) - 1
        told = [
            _STYLES.get(cell[:1], "") if column.name == "verdict" else ""
            for column, cell in zip(table.columns, row)
        ]
        drawn.add_row(*(Text(cell, style) for cell, style in zip(row, told)), style="bold" if last else "")
    return drawn


def _headers(table: Table) -> list[str]:
    """Column names, in two lines where a name is wider than what stands under it."""
    below = [_widest(row[i] for row in table.rows) for i in range(len(table.columns))]
    names = [column.name for column in table.columns]
    return [name.replace(" ", "\n", 1) if len(name) > wide else name for name, wide in zip(names, below)]


def _widths(table: Table) -> list[int]:
    return [
        max(_widest(header.split("\n")), _widest(row[i] for row in table.rows))
        for i, header in enumerate(_headers(table))
    ]


def _widest(texts: Iterable[str]) -> int:
    return max((cell_len(text) for text in texts), default=0)


def _room(table: Table, width: int) -> int:
    return width - _GAP * (len(table.columns) - 1)


def _cut(table: Table, widths: list[int], room: int) -> list[int]:
    """Take what is too much from the widest texts; numbers stay whole as long as a text can give way."""
    widths = list(widths)
    while sum(widths) > room:
        texts = [i for i, column in enumerate(table.columns) if not column.right and widths[i] > _LEAST]
        at = max(texts or range(len(widths)), key=lambda i: widths[i])
        widths[at] -= 1
    return widths


def _without(table: Table, at: int) -> Table:
    drop = [(*row[:at], *row[at + 1 :]) for row in (table.columns, *table.rows)]
    return Table(drop[0], tuple(drop[1:]), table.total)  # type: ignore[arg-type]


def _print(what: RenderableType, to: Console) -> None:
    """Print; where the stream's encoding lacks our signs, plainly and without them."""
    if to.encoding.lower().startswith("utf"):
        to.print(what)
        return
    words = _text(what, to.width).translate(_ASCII)
    to.print(Text(words.encode(to.encoding, "replace").decode(to.encoding)))


def _text(what: RenderableType, width: int) -> str:
    sheet = Console(
        file=io.StringIO(),
        width=width,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    with sheet.capture() as printed:
        sheet.print(what)
    return "\n".join(line.rstrip() for line in printed.get().rstrip().split("\n"))
