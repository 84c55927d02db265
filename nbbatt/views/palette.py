"""Colours with one meaning everywhere, told apart by colour-blind readers; defined here and nowhere else.

Kinds of time and kinds of answer have the colours below; every phase has a shade of its own that none of
those uses, so a colour never needs to be looked up twice. Grids have ARC's own ten (grids.py).
"""

from __future__ import annotations

import colorsys
import zlib

WALL = "#0072B2"
CPU = "#E69F00"
BUSY = "#999999"

HIT = "#009E73"
HIT_DISK = "#73C6AE"  # a tint of HIT: a hit all the same, from further away
MISS = "#D55E00"
DUPLICATE = "#CC79A7"

INK = "#222222"
FAINT = "#5F5F5F"
RULE = "#D9D9D9"
STRIPE = "#F6F7F8"
PAPER = "#FFFFFF"
ACCENT = WALL
WARN = "#9A3D00"  # MISS and HIT, darkened until text in them can be read on white
HIT_INK = "#00694D"

_PHASES = {
    "generate": "#88CCEE",
    "check_batt": "#4434A4",
    "filter": "#DDCC77",
    "inline": "#8A8A1F",
    "validate": "#932A62",
    "save": "#66C2C2",
    "other": "#E4E4E4",
}


def phase_shade(phase: str) -> str:
    """The phase's own shade as ``#rrggbb``; a phase unknown here gets one from its name, always the same."""
    if phase in _PHASES:
        return _PHASES[phase]
    seed = zlib.crc32(phase.encode("utf-8", "replace"))
    tone = colorsys.hls_to_rgb(seed % 360 / 360, (0.35, 0.5, 0.68)[seed // 360 % 3], 0.42)
    return "#{:02X}{:02X}{:02X}".format(*(round(255 * part) for part in tone))
