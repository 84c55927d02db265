"""The three charts of a run: rows in, Axes out.

``plot_*(data, *, ax=None) -> Axes``: without ``ax`` a chart gets a figure of its own, which a notebook
shows without pyplot. Colours mean the same everywhere (palette.py), titles say what is seen, and lengths on
the axes are the data's own seconds and counts. Leaves to others: what the rows are (clock.py, caches.py,
rows.py), how a figure is made and written (figures.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nbbatt.caches import CacheStats
from nbbatt.clock import PhaseRow
from nbbatt.errors import NbbattError
from nbbatt.record import RunRecord
from nbbatt.views import palette
from nbbatt.views.rows import (
    MINUTE,
    SECOND,
    Lane,
    Lanes,
    Unit,
    answered,
    axis_unit,
    busy_apart,
    duration,
    lanes,
    missed,
    percent,
    plain,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer

_VALUE = 8.5  # points, values written at bars
_MOST_LANES = 65
_IDLE = "#80808026"  # see-through greys, for the dark axes that a user may bring
_GRID = "#80808050"


class _Kind(NamedTuple):
    """A kind of time, as drawn in a phase's row, whose middle is y = 0; ``size``: of its values' text."""

    name: str
    colour: str
    offset: float
    height: float
    size: float
    seconds: Callable[[PhaseRow], float]


_KINDS_OF_TIME = (
    _Kind("wall", palette.WALL, -0.22, 0.27, _VALUE, lambda row: row.wall_s),
    _Kind("CPU", palette.CPU, 0.07, 0.27, _VALUE, lambda row: row.cpu_s),
    _Kind("busy", palette.BUSY, 0.31, 0.08, 7.0, lambda row: row.busy_s),
)


class ChartError(NbbattError):
    """Charts that can't be written where they should be."""


def plot_times(rows: Sequence[PhaseRow], *, ax: Axes | None = None) -> Axes:
    """Wall beside CPU for each phase, busy as a thin bar under them; x is seconds, y the row's number."""
    from nbbatt.views.figures import dress, head, new_axes, text_width, width_of

    ax = ax or new_axes(1.2 + 0.53 * max(2, len(rows)))
    ink = dress(ax)
    longest = max([0.0, *(seconds for row in rows for seconds in (row.wall_s, row.cpu_s, row.busy_s))])
    if not longest:
        head(ax, "Where the time went", ink)
        return _nothing(ax, "Nothing was measured.", ink)
    bars, room = [], 0.0
    for kind in _KINDS_OF_TIME:
        values = [kind.seconds(row) for row in rows]
        places = [i + kind.offset for i in range(len(rows))]
        bars.append(ax.barh(places, values, kind.height, color=kind.colour, label=kind.name, zorder=2))
        for row, value, y in zip(rows, values, places):
            if kind.name == "busy" and not busy_apart(row):
                continue
            words = f"busy {duration(value)}" if kind.name == "busy" else duration(value)
            room = max(room, value / longest * text_width(words, kind.size))
            ax.annotate(
                words,
                (value, y + 0.05 * (kind.name == "busy")),  # clear of a CPU bar that is longer
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=kind.size,
                color=ink,
            )
    _phase_names(ax, [row.phase for row in rows])
    _time_axis(ax, longest, room=(room + 0.1) / width_of(ax))
    wall, cpu = sum(row.wall_s for row in rows), sum(row.cpu_s for row in rows)
    head(ax, f"Where the time went: {duration(wall)} wall, {duration(cpu)} CPU", ink, _patches(ax, bars))
    return ax


def plot_caches(rows: Iterable[CacheStats], *, ax: Axes | None = None) -> Axes:
    """A bar of lookups for each cache: hits (memory, disk), misses, duplicates; its hit rate in words."""
    from nbbatt.views.figures import dress, head, new_axes, width_of

    rows = list(rows)
    ax = ax or new_axes(1.3 + 0.85 * max(1, len(rows)))
    ink = dress(ax)
    if not rows:
        head(ax, "Cache lookups", ink)
        return _nothing(ax, "No caches.", ink)
    kinds = (
        ("hit, from memory", palette.HIT, [row.hits_memory for row in rows]),
        ("hit, from disk", palette.HIT_DISK, [row.hits_disk for row in rows]),
        ("miss", palette.MISS, [row.misses for row in rows]),
        ("duplicate", palette.DUPLICATE, [row.duplicates for row in rows]),
    )
    left, bars = [0] * len(rows), []
    for name, colour, values in kinds:
        bars.append(ax.barh(range(len(rows)), values, 0.3, left=left, color=colour, label=name, zorder=2))
        left = [start + value for start, value in zip(left, values)]
    for i, row in enumerate(rows):
        y, at = (i - 0.21, "bottom") if left[i] else (i, "center")
        ax.text(0, y, answered(row), fontsize=9.5, fontweight="bold", va=at, color=ink, parse_math=False)
        words = _counts(row, width_of(ax), 8) if left[i] else ""
        ax.text(0, i + 0.21, words, fontsize=8, va="top", color=ink, parse_math=False)
    ax.set_ylim(len(rows) - 0.42, -0.62)
    ax.set_yticks(range(len(rows)), [plain(row.cache, 24) for row in rows], parse_math=False)
    most = max(1, *left)
    step = max(1, int(_step(most / 7.5, SECOND)))
    ax.set_xlim(0, 1.02 * most)
    ax.set_xticks(range(0, most + 1, step), [f"{at:,}" for at in range(0, most + 1, step)])
    ax.set_xlabel("lookups")
    head(ax, "Cache lookups, and how they were answered", ink, _patches(ax, bars))
    return ax


def plot_timeline(data: Lanes, *, ax: Axes | None = None) -> Axes:
    """What each worker did when: a row a worker, phases by their shade, gaps pale; x is seconds."""
    from matplotlib.patches import Patch

    from nbbatt.views.figures import dress, head, new_axes

    shown = data.lanes[:_MOST_LANES]
    each = max(0.16, min(0.44, 8 / max(1, len(shown))))
    drawn = [
        phase for phase in data.phases if any(s.phase == phase for lane in shown for s in lane.stretches)
    ]
    ax = ax or new_axes(1.4 + 0.2 * (len(drawn) // 7) + each * max(1, len(shown)))
    ink = dress(ax)
    if not drawn or data.wall_s <= 0:
        head(ax, "What each worker did when", ink)
        return _nothing(ax, "Nothing was measured.", ink)
    for y, lane in enumerate(shown):
        ax.barh(y, data.wall_s, 0.62, color=_IDLE, zorder=1)
        _lane(ax, y, lane, drawn)
        ax.annotate(
            f"{percent(lane.share)} at work", (1, y), (6, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", fontsize=min(_VALUE, 44 * each), color=ink,
        )  # fmt: skip
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.set_yticks(range(len(shown)), [lane.label for lane in shown], fontsize=min(9, 46 * each))
    _time_axis(ax, data.wall_s, room=0.0)
    ax.set_xlabel(f"{ax.get_xlabel()} since the run began")
    patches = [Patch(color=palette.phase_shade(phase), label=plain(phase, 24)) for phase in drawn]
    left_out = len(data.lanes) - len(shown)
    title = "What each worker did when" + (f" ({left_out:,} more not shown)" if left_out else "")
    head(ax, title, ink, [*patches, Patch(color=_IDLE, label="no item running")])
    return ax


CHARTS: dict[str, Callable[[RunRecord], Axes]] = {
    "times": lambda record: plot_times(record.profile.rows()),
    "caches": lambda record: plot_caches(record.caches.rows),
    "timeline": lambda record: plot_timeline(lanes(record)),
}
"""The charts of a record by the name that their files have."""


def chart_png(record: RunRecord, name: str, dpi: int) -> bytes:
    """One of ``CHARTS`` as PNG, built and drawn without another thread's drawing in between."""
    from nbbatt.views.figures import RENDER_LOCK, png

    with RENDER_LOCK:
        return png(CHARTS[name](record), dpi)


def save_charts(record: RunRecord, folder: str | Path) -> list[Path]:
    """Write every chart as PNG (200 dots an inch) and SVG, in a folder made if need be. Raises ChartError."""
    from nbbatt.views.figures import RENDER_LOCK, png, svg

    folder = Path(folder).expanduser()
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, chart in CHARTS.items():
            with RENDER_LOCK:
                ax = chart(record)
                pictures = {"png": png(ax), "svg": svg(ax)}
            for kind, picture in pictures.items():
                path = folder / f"{name}.{kind}"
                path.write_bytes(picture)
                paths.append(path)
    except OSError as reason:
        why = reason.strerror or type(reason).__name__
        raise ChartError(
            f"charts can't be written to {str(folder)!r} ({why}); name a folder that you may write to"
        ) from None
    return paths


# ------------------------------------------------------------------- pieces


def _patches(ax: Axes, bars: Sequence[BarContainer]) -> list[Artist]:
    """Bars as a legend has them."""
    from matplotlib.patches import Patch

    return [Patch(color=bar[0].get_facecolor(), label=str(bar.get_label())) for bar in bars]


def _phase_names(ax: Axes, phases: Sequence[str]) -> None:
    """A tick a phase, with its shade beside the name, as the timeline has it."""
    ax.set_ylim(len(phases) - 0.45, -0.55)
    ax.set_yticks(range(len(phases)), [plain(phase, 24) for phase in phases], parse_math=False)
    ax.tick_params(axis="y", pad=18)
    for y, phase in enumerate(phases):
        ax.annotate(
            "■", (0, y), (-9, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
            ha="center", fontsize=10, color=palette.phase_shade(phase), annotation_clip=False,
        )  # fmt: skip


def _lane(ax: Axes, y: int, lane: Lane, phases: Sequence[str]) -> None:
    for phase in phases:
        spans = [(s.started_s, s.wall_s) for s in lane.stretches if s.phase == phase]
        shade = palette.phase_shade(phase)
        # the thin edge keeps a stretch of microseconds from vanishing
        ax.broken_barh(spans, (y - 0.31, 0.62), facecolor=shade, edgecolor=shade, linewidth=0.3, zorder=2)


def _time_axis(ax: Axes, longest_s: float, room: float) -> None:
    """x from 0 to ``longest_s`` seconds and, for the words at the bars, a share ``room`` of the axes more."""
    unit = axis_unit(longest_s)
    end = longest_s / (1 - min(0.6, room + 0.02))
    ax.set_xlim(0, end)
    step = _step(end / unit.seconds / 7.5, unit)
    ticks = [i * step for i in range(int(end / unit.seconds / step + 1e-9) + 1)]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    ax.set_xticks([tick * unit.seconds for tick in ticks], [f"{tick:,.{decimals}f}" for tick in ticks])
    ax.set_xlabel(f"time ({unit.name})")
    ax.set_axisbelow(True)
    ax.grid(True, axis="x", color=_GRID, linewidth=0.6)


def _step(least: float, unit: Unit) -> float:
    """The round number from ``least`` up: 1, 2 or 5 with zeros; of minutes quarters, too."""
    steps = [15.0, 30.0, 60.0] if unit == MINUTE else []
    power = 10.0 ** math.floor(math.log10(least))
    return min(step for step in [*steps, *(f * power for f in (1, 2, 5, 10))] if step >= least * (1 - 1e-9))


def _counts(row: CacheStats, inches: float, size: float) -> str:
    """Every count of a cache in words, since a short bar shows none; with the misses' reasons if they fit."""
    from nbbatt.views.figures import text_width

    if set(row.reasons) == {"caches off"}:
        return ""
    if row.hit_rate is None:
        return f"duplicates {row.duplicates:,}"
    before = f"memory {row.hits_memory:,} · disk {row.hits_disk:,} · missed {row.misses:,}"
    after = f" · duplicates {row.duplicates:,} · saved {duration(row.saved_s)}"
    whole = f"{before} ({missed(row)}){after}"
    return whole if missed(row) and text_width(whole, size) <= inches else before + after


def _nothing(ax: Axes, words: str, ink: str) -> Axes:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", fontsize=10, color=ink)
    return ax
