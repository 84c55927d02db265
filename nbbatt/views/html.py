"""Static HTML of a run: what a notebook keeps when its widgets are gone, and a page may embed.

Promises: one opaque card with its own ink, so it reads on light and dark themes; every text escaped; no
script, style sheet, class or id, so any number may share a page and a notebook nobody trusted yet keeps its
look; bounded in size. Leaves to others: the cells (tables.py), pictures (charts.py, grids.py), when it is
shown (display.py).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from itertools import islice

from nbbatt.clock import Profile
from nbbatt.record import CacheTable, CandidateRow, RunRecord
from nbbatt.tasks import TaskSet
from nbbatt.views.charts import chart_png
from nbbatt.views.grids import as_img, text, thumbnail_svg
from nbbatt.views.palette import FAINT, HIT_INK, INK, PAPER, RULE, STRIPE, WARN
from nbbatt.views.rows import count, counts_line, ended, plain, saved_line, solved_line, task_line
from nbbatt.views.tables import Table, cache_table, candidate_table, miss_lines, phase_table

MOST_CANDIDATES = 50
MOST_SOURCE = 2_000
"""Characters of a candidate's source."""
MOST_TASKS = 24
_MOST_WARNINGS = 10
_LONG = 24  # characters
_DPI = 160

_CARD = (
    f"background:{PAPER};color:{INK};border:1px solid {RULE};border-radius:8px;padding:16px;margin:0;"
    "font-family:system-ui,-apple-system,'Segoe UI',sans-serif;font-size:13px;line-height:1.45;"
    "text-align:left;max-width:1240px;box-sizing:border-box;overflow-x:auto"
)
_FAINT = f"color:{FAINT};font-size:12px"
_VERDICT = f"color:{INK};font-size:17px;font-weight:600;line-height:1.35;margin:8px 0 4px"
_CELL = "padding:3px 12px 3px 0;vertical-align:top;"  # what a notebook's own rules for cells would undo
_HEAD = f"{_CELL}color:{FAINT};font-weight:600;"
_FLOW = "display:flex;flex-wrap:wrap;gap:8px 24px;align-items:flex-start"
_INKS = {"✓": HIT_INK, "!": WARN, "✗": FAINT}


def run_html(record: RunRecord) -> str:
    """A run: verdict, who solved the task, two charts, the tables, the best candidates with their sources."""
    parts = [_line(task_line(record), _FAINT)]
    if said := ended(record):
        parts.append(_line(said, f"color:{WARN};font-weight:600;margin-top:8px"))
    solved = f"color:{HIT_INK if record.solved else INK};font-size:14px;font-weight:600"
    parts += [_line(plain(record.profile.verdict(), 600), _VERDICT), _line(solved_line(record), solved)]
    parts += [_line(counts_line(record), _FAINT), _numbers(record)]
    parts += [_candidates(record), _ends(record)]
    return _card(parts)


def profile_html(profile: Profile) -> str:
    """The verdict and the phase table."""
    return _card([_line(plain(profile.verdict(), 600), _VERDICT), _table(phase_table(profile))])


def caches_html(caches: CacheTable) -> str:
    """The cache table, and why there were misses."""
    return _card([_caches(caches)])


def task_set_html(tasks: TaskSet) -> str:
    """A set's name, its size, and its first tasks as thumbnails; one that cannot be read says so."""
    cells = "".join(_thumbnail(tasks, id) for id in islice(tasks.ids, MOST_TASKS))
    more = len(tasks) - MOST_TASKS
    words = f"and {more:,} more: a slice such as [{MOST_TASKS}:] shows the next ones"
    head = f'<b>{text(plain(tasks.name))}</b> <span style="{_FAINT}">{count(len(tasks), "task")}</span>'
    flow = f'<div style="{_FLOW};margin:8px 0">{cells}</div>'
    return _card([f"<div>{head}</div>", flow, _line(words, _FAINT) if more > 0 else ""])


# ------------------------------------------------------------------- pieces


def _card(parts: Sequence[str]) -> str:
    return f'<div style="{text(_CARD)}">{"".join(parts)}</div>'


def _line(words: str, style: str) -> str:
    return f'<div style="{style}">{text(words)}</div>'


def _numbers(record: RunRecord) -> str:
    """Each chart above its table, the two side by side where there is room."""
    times = _chart(record, "times", "wall beside CPU time of each phase") + _table(
        phase_table(record.profile)
    )
    caches = _chart(record, "caches", "hits, misses and duplicates of each cache") + _caches(record.caches)
    return f'<div style="{_FLOW};margin:16px 0 8px"><div>{times}</div><div>{caches}</div></div>'


def _chart(record: RunRecord, name: str, alt: str) -> str:
    data = b64encode(chart_png(record, name, _DPI)).decode("ascii")
    style = "width:580px;max-width:100%;height:auto;margin:0;display:block"
    return f'<img src="data:image/png;base64,{data}" alt="{text(alt)}" style="{style}">'


def _caches(caches: CacheTable) -> str:
    if not caches.rows:
        return _line("No caches.", _FAINT)
    return _table(cache_table(caches)) + "".join(_line(line, _FAINT) for line in miss_lines(caches))


def _candidates(record: RunRecord) -> str:
    """The best candidates, folded; each name opens its source."""
    shown = record.ranked()[:MOST_CANDIDATES]
    if not shown:
        return ""
    more = len(record.rows) - len(shown)
    rest = _line(f"and {more:,} more: run.candidates() has them all", _FAINT) if more else ""
    table = _table(candidate_table(shown), lambda i, words: _source(shown[i], words))
    style = f"cursor:pointer;color:{INK};font-weight:600;margin:12px 0 4px"
    return f'<details><summary style="{style}">Candidates, best first</summary>{table}{rest}</details>'


def _source(row: CandidateRow, words: str) -> str:
    cut = "" if len(row.source) <= MOST_SOURCE else "\n…"
    source = "".join(c if c.isprintable() or c in "\n\t" else "�" for c in row.source[:MOST_SOURCE]) + cut
    style = (
        f"background:{STRIPE};color:{INK};font-size:12px;line-height:1.4;padding:8px;margin:4px 0;"
        "overflow-x:auto;max-width:640px;white-space:pre;text-align:left"
    )
    summary = f'<summary style="cursor:pointer;white-space:nowrap">{text(words)}</summary>'
    return f'<details>{summary}<pre style="{style}">{text(source)}</pre></details>'


def _ends(record: RunRecord) -> str:
    warnings = record.warnings[:_MOST_WARNINGS]
    lines = [_line(f"Warning: {plain(words, 400)}", f"color:{WARN}") for words in warnings]
    if (more := len(record.warnings) - _MOST_WARNINGS) > 0:
        lines.append(_line(f"and {count(more, 'more warning')}", f"color:{WARN}"))
    said = [
        f"saved {saved_line(record)}",
        f"workers {plain(record.workers_why, 400)}" if record.workers_why else "",
    ]
    said.append(f"run {plain(record.run_id)}")
    lines += [_line(words, _FAINT) for words in said if words]
    return f'<div style="margin-top:12px">{"".join(lines)}</div>'


def _thumbnail(tasks: TaskSet, id: str) -> str:
    try:
        task = tasks[id]
        picture = as_img(thumbnail_svg(task), f"task {id}: {task.summary}")
    except ValueError as reason:
        picture = f'<span style="{_FAINT}" title="{text(plain(reason))}">unreadable</span>'
    return f'<div style="text-align:center;color:{INK};font-size:12px"><div>{picture}</div>{text(id)}</div>'


def _table(table: Table, first: Callable[[int, str], str] | None = None) -> str:
    """Rows of cells; ``first(row number, words)`` makes what a row's first cell holds, escaped."""
    styles = [_style(table, at) for at in range(len(table.columns))]
    heads = "".join(f'<th style="{_HEAD}{s}">{text(c.name)}</th>' for s, c in zip(styles, table.columns))
    body = ""
    for i, row in enumerate(table.rows):
        bold = "font-weight:600;" if table.total and i == len(table.rows) - 1 else ""
        for at, words in enumerate(row):
            told = table.columns[at].name == "verdict" and words[:1] in _INKS
            ink = f"color:{_INKS[words[0]]};" if told else ""
            content = first(i, words) if first is not None and at == 0 else text(words)
            cell = f'<td style="{_CELL}{bold}{ink}{styles[at]}">{content}</td>'
            body += cell if at else f'<tr style="background:{PAPER}">{cell}'
        body += "</tr>"
    style = f"border-collapse:collapse;border:0;margin:12px 0 4px;font-size:12px;width:auto;color:{INK}"
    top = f'<thead><tr style="background:{PAPER};border-bottom:1px solid {RULE}">{heads}</tr></thead>'
    return f'<table style="{style}">{top}<tbody>{body}</tbody></table>'


def _style(table: Table, at: int) -> str:
    """A column's: numbers right-aligned; only long texts may be wrapped."""
    long = any(len(row[at]) > _LONG for row in table.rows) and not table.columns[at].right
    return f"text-align:{'right' if table.columns[at].right else 'left'}" + (
        "" if long else ";white-space:nowrap"
    )
