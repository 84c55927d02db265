"""Figures outside pyplot: made, measured and written in any thread, one at a time.

The only room that loads matplotlib, so it is imported where something is drawn. Nothing here registers with
pyplot, which keeps every figure alive and belongs to one thread. Figures are opaque and set every colour
themselves: they read on light and dark pages and under any style the user may have chosen. What is drawn is
charts.py's.
"""

from __future__ import annotations

import io
import textwrap
import threading
from collections.abc import Sequence
from typing import cast

from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.transforms import ScaledTranslation

from nbbatt.views.palette import FAINT, INK, PAPER, RULE

WIDTH = 6.4
"""Inches; text is made for this width, and stays readable at three quarters of it."""
SCREEN_DPI = 96
FILE_DPI = 200
_LEGEND = 8.5  # points

RENDER_LOCK = threading.RLock()
"""Held while a figure is built and drawn: matplotlib's fonts and caches are not made for several threads."""


class Chart(Axes):
    """Axes that a notebook shows as a picture, which pyplot would otherwise be needed for."""

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        figure = cast(Figure, self.get_figure(root=True))
        width, height = (round(inches * SCREEN_DPI) for inches in figure.get_size_inches())
        return png(self, dpi=2 * SCREEN_DPI), {"width": width, "height": height}


def new_axes(height: float) -> Axes:
    """Axes alone in a figure of ``height`` inches."""
    engine = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)
    figure = Figure(figsize=(WIDTH, height), facecolor=PAPER, layout=engine)
    FigureCanvasAgg(figure)
    return figure.add_subplot(1, 1, 1, axes_class=Chart)


def dress(ax: Axes) -> str:
    """Give axes the house's look; returns the colour for text.

    Axes of our own have dark ink on white whatever the style in force; those of a user keep their colours.
    """
    own = isinstance(ax, Chart)
    ink = INK if own else str(ax.xaxis.label.get_color())
    if own:
        ax.set_facecolor(PAPER)
    for name, spine in ax.spines.items():
        spine.set_visible(name == "bottom")
        spine.set_color(RULE if own else ink)
        spine.set_linewidth(0.8)
    ax.grid(False)
    ax.tick_params(axis="both", length=0, labelsize=9, colors=ink, pad=5)
    ax.xaxis.label.set(color=FAINT if own else ink, fontsize=9)
    return ink


def head(ax: Axes, title: str, ink: str, handles: Sequence[Artist] = ()) -> None:
    """The title, and under it a legend, where no data can be; its entries read line by line."""
    lines = 0
    figure = cast(Figure, ax.get_figure(root=True))
    if handles:
        columns = _columns([str(handle.get_label()) for handle in handles], width_of(ax))
        lines = -(-len(handles) // columns)
        ax.legend(
            handles=[handle for column in range(columns) for handle in handles[column::columns]],
            loc="lower left",
            bbox_to_anchor=(0, 1),
            bbox_transform=ax.transAxes + ScaledTranslation(0, 5 / 72, figure.dpi_scale_trans),
            ncols=columns,
            frameon=False,
            fontsize=_LEGEND,
            labelcolor=ink,
            borderpad=0,
            borderaxespad=0,
            handlelength=1.1,
            handleheight=0.9,
            columnspacing=1.2,
        )
    pad = 8 + 15 * lines
    title = textwrap.fill(title, max(16, int(width_of(ax) / text_width("m", 13))))
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold", color=ink, pad=pad, parse_math=False)


def _columns(labels: Sequence[str], inches: float) -> int:
    """The most columns of a legend that fit side by side."""
    for columns in range(len(labels), 1, -1):
        widest = [max(len(label) for label in labels[at::columns]) for at in range(columns)]
        if sum(text_width("m" * letters, _LEGEND) + 2.7 * _LEGEND / 72 for letters in widest) <= inches:
            return -(-len(labels) // -(-len(labels) // columns))  # as even as that many lines can be
    return 1


def width_of(ax: Axes) -> float:
    """How wide the axes are, in inches, as nearly as can be told before they are drawn."""
    figure = cast(Figure, ax.get_figure(root=True))
    share = 0.84 if isinstance(ax, Chart) else float(ax.get_position().width)
    return max(0.1, float(figure.get_size_inches()[0]) * share)


def text_width(text: str, size: float) -> float:
    """The inches that a text of ``size`` points takes, a little more rather than less."""
    return len(text) * size * 0.56 / 72


def png(ax: Axes, dpi: int = FILE_DPI) -> bytes:
    """The axes' whole figure as PNG."""
    return _written(ax, "png", dpi, {"Software": None})


def svg(ax: Axes) -> bytes:
    """The axes' whole figure as SVG, its letters as shapes: it looks the same wherever it is opened."""
    return _written(ax, "svg", 72, {"Date": None, "Creator": None})


def _written(ax: Axes, kind: str, dpi: int, metadata: dict[str, None]) -> bytes:
    figure = cast(Figure, ax.get_figure(root=True))
    out = io.BytesIO()
    with RENDER_LOCK:
        try:
            figure.savefig(out, format=kind, dpi=dpi, facecolor=figure.get_facecolor(), metadata=metadata)
        finally:
            if threading.current_thread() is not threading.main_thread():
                _close_fonts()
    return out.getvalue()


def _close_fonts() -> None:
    """Let go of the font files, which matplotlib opens anew for every thread and keeps when it has ended."""
    clear = getattr(getattr(font_manager, "_get_font", None), "cache_clear", None)
    if clear is not None:
        clear()
