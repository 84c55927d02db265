"""What a terminal shows: the order, eighty columns, units, and no text taken for anything but text."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from sample_records import HOSTILE, caches, candidate, hostile, record

from nbbatt.caches import CacheStats
from nbbatt.clock import Profile
from nbbatt.record import CacheTable
from nbbatt.views.rows import (
    best,
    duration,
    ended,
    percent,
    plain,
    saved_line,
    solved_line,
    task_line,
    unit_for,
)
from nbbatt.views.tables import Table, cache_table, number, phase_table, run_table
from nbbatt.views.text import (
    caches_text,
    console,
    print_cache_stats,
    print_run,
    print_runs,
    profile_text,
    run_text,
    runs_text,
)


def cells(table: Table, name: str) -> list[str]:
    """A column by the beginning of its name."""
    at = next(i for i, column in enumerate(table.columns) if column.name.startswith(name))
    return [row[at] for row in table.rows]


# ----------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("value", "decimals", "shown"),
    [
        (1320.4, 0, "1,320"),
        (12.34, 1, "12.3"),
        (0.04, 1, "<0.1"),
        (0.0, 1, "0.0"),
        (None, 2, "–"),
        (float("nan"), 0, "–"),
    ],
)
def test_a_number_that_is_not_zero_never_reads_as_zero(
    value: float | None, decimals: int, shown: str
) -> None:
    assert number(value, decimals) == shown


@given(st.floats(1e-9, 1e9), st.integers(0, 3))
def test_no_positive_number_looks_like_none(value: float, decimals: int) -> None:
    assert number(value, decimals).strip("0.") != ""


@pytest.mark.parametrize(
    ("share", "shown"),
    [(None, "–"), (0.0, "0%"), (0.004, "<1%"), (0.8, "80%"), (0.996, ">99%"), (1.0, "100%")],
)
def test_percent_rounds_to_no_lie(share: float | None, shown: str) -> None:
    assert percent(share) == shown


@pytest.mark.parametrize(
    ("seconds", "name"),
    [(0.0, "ms"), (2e-4, "µs"), (0.5, "ms"), (9.0, "ms"), (30.0, "s"), (5000.0, "min"), (1e5, "h")],
)
def test_one_unit_for_all_times_of_a_table(seconds: float, name: str) -> None:
    assert unit_for(seconds).name == name


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0, "0 ms"), (1e-7, "<1 µs"), (2.5e-4, "250 µs"), (1.5, "1.50 s")]
)
def test_durations_below_a_millisecond_are_readable(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


# ------------------------------------------------------------------ tables


def test_the_phase_table_says_what_the_profile_says() -> None:
    made = record().profile
    table = phase_table(made)
    assert cells(table, "phase") == [*(row.phase for row in made.rows()), "whole run"]
    walls = [float(cell.replace(",", "").replace("<", "")) for cell in cells(table, "wall ms")]
    assert walls[:-1] == pytest.approx([1000 * row.wall_s for row in made.rows()], abs=0.051)
    assert sum(walls[:-1]) == pytest.approx(walls[-1], abs=0.5)
    assert cells(table, "items")[:2] == ["32", "96"]
    assert cells(table, "efficiency")[-2:] == ["–", "–"]
    assert cells(table, "% of wall")[-1] == "100.0"


def test_the_cache_table_says_what_the_caches_say() -> None:
    table = cache_table(caches())
    assert cells(table, "hits") == ["128", "0"]
    assert cells(table, "misses") == ["32", "32"]
    assert cells(table, "duplicates") == ["4", "0"]
    assert cells(table, "hit rate") == ["80%", "0%"]
    assert cells(table, "saved ms") == ["152.0", "0.0"]
    nothing = CacheTable((CacheStats("inlining", 0, 0, 0, 0, 0.0, 0.0, {}),))
    assert cells(cache_table(nothing), "hit rate") == ["no lookups"]


def test_best_names_those_that_solve_it_else_those_that_come_nearest() -> None:
    assert [row.verdict for row in best(record())] == ["solved"] * 3
    partial = replace(record(), rows=tuple(candidate(n) for n in range(3, 20)))
    assert [row.score for row in best(partial)] == pytest.approx([0.9, 0.8, 0.7])
    assert best(replace(record(), rows=tuple(candidate(n) for n in range(10, 20)))) == []


# --------------------------------------------------------------------- a run


def test_a_run_is_told_in_the_order_of_the_screens() -> None:
    made = record(warnings=("the store is read-only; this run is not cached",))
    told = run_text(made)
    parts = [
        "Task 00576224 (arcagi1/evaluation) · 32 candidates · 2 workers · seed 7",
        "check_batt took 71%",
        "3 of 32 candidates solve the task.",
        "solved 3 · partial 5 · failed 22 · timed out 2",
        "phase  ",
        "cache  ",
        "inlining missed 32: 28 new, 4 language changed",
        "candidate  ",
        "saved    3 solvers in .nbbatt/solvers/00576224",
        "warning  the store is read-only",
        "run      20261124-001312-3f9c2a",
    ]
    places = [told.index(part) for part in parts]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "case",
    [
        record(2),
        record("serial", scale=2e-4, count=1),
        record(8, scale=9000, status="stopped"),
        record("serial", count=0, saved=()),
        hostile(),
        replace(record(), saved=("/a" * 120 + "/x.py",), warnings=("w" * 300,) * 30, run_id="r" * 100),
        replace(record(), profile=Profile(), caches=CacheTable(()), segments=()),
    ],
    ids=["usual", "microseconds", "hours", "empty", "hostile", "long", "nothing"],
)
@pytest.mark.parametrize("width", [80, 60, 120])
def test_no_line_is_longer_than_the_screen(case: Any, width: int) -> None:
    lines = run_text(case, width).split("\n")
    assert len(lines) > 5
    assert max(cell_len(line) for line in lines) <= width
    assert all(line == line.rstrip() for line in lines)


def test_numbers_stand_right_aligned_under_their_header() -> None:
    lines = run_text(record()).split("\n")
    at = next(i for i, line in enumerate(lines) if line.startswith("phase"))
    end = lines[at].index("ms") + 2
    for line in lines[at + 1 : at + 9]:
        assert line[end - 1].isdigit()
        assert line[end : end + 2] == "  "


def test_a_run_that_did_not_end_well_says_so() -> None:
    assert ended(record()) == ""
    assert "Stopped before the end" in run_text(record(status="stopped"))
    assert "Error: MemoryError: out of memory" in run_text(
        record(status="error", error="MemoryError: out of memory")
    )


def test_small_sentences() -> None:
    assert solved_line(record(count=0)) == "There were no candidates."
    assert solved_line(record(count=1)) == "1 of 1 candidate solves the task."
    assert (
        solved_line(replace(record(), rows=(candidate(9),))) == "The one candidate does not solve the task."
    )
    assert solved_line(replace(record(), rows=(candidate(9), candidate(10)))) == (
        "None of 2 candidates solves the task."
    )
    assert saved_line(record(saved=())) == "no solvers"
    assert saved_line(record(saved=("ws/a.py",))) == "ws/a.py"
    assert saved_line(record(saved=("/x/a.py", "y/b.py"))) == "2 solvers in ."
    spec = {"seed": 1, "early_stop": True, "caches": False, "differ": "shape", "tags": ["a", "b"]}
    assert task_line(record(spec=spec, workers="serial")).endswith(
        "serial · seed 1 · differ shape · early stop · caches off · tags a, b"
    )


# ------------------------------------------------------------ whose screen?


def test_colour_only_on_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    def printed(file: io.StringIO) -> str:
        print_run(record(), console(file))
        return file.getvalue()

    assert "\x1b[" not in printed(io.StringIO())
    assert "\x1b[1;32m" in printed(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in printed(Terminal())
    assert "32m" not in printed(Terminal())


def test_a_pipe_gets_eighty_columns_whatever_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    file = io.StringIO()
    print_run(record(), console(file))
    assert [line.rstrip() for line in file.getvalue().rstrip().split("\n")] == run_text(record()).split("\n")


def test_a_stream_without_our_signs_gets_plain_ones() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    print_run(hostile(), console(file))
    file.flush()
    told = raw.getvalue().decode("ascii")
    assert "+ solved" in told
    assert "seed" in told


# ------------------------------------------------------------------ hostile


def test_hostile_text_is_shown_and_never_obeyed() -> None:
    told = run_text(hostile())
    assert "[red]x[/red]" in told.replace("\n", "")
    assert not {c for c in told if not c.isprintable()} - {"\n"}
    file = io.StringIO()
    print_run(hostile(), Console(file=file, force_terminal=True, width=200, color_system="truecolor"))
    assert "\x1b[2J" not in file.getvalue()
    assert "[red]" in file.getvalue()


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_no_name_and_no_error_can_break_the_table(name: str) -> None:
    made = replace(
        record(count=0), rows=(candidate(0, name=name, error=name),), run_id=name, warnings=(name,)
    )
    told = run_text(made)
    assert max(cell_len(line) for line in told.split("\n")) <= 80
    assert not {c for c in told if not c.isprintable()} - {"\n"}


def test_plain_is_one_bounded_line() -> None:
    assert plain("a\n b\tc\x1b[31m\u202e") == "a b c�[31m�"
    assert plain("x" * 50, 10) == "x" * 9 + "…"
    assert plain(HOSTILE, 500).isprintable()


# ---------------------------------------------------------------- run lists


def line(n: int, **changes: Any) -> dict[str, Any]:
    """A row as ``nbbatt.runs()`` has it."""
    row = {
        "run_id": f"2026112{n}-001312-3f9c2a",
        "started": f"2026-11-2{n}T00:13:12+00:00",
        "task": "00576224",
        "source": "arcagi1/evaluation",
        "status": "ok",
        "candidates": 32,
        "workers": "2",
        "wall_s": 2.947 - n / 10,
        "cpu_s": 2.1,
        "validation_hits": "0/32",
        "validation_rate": 0.0,
        "inlining_hits": f"{125 + n}/160",
        "inlining_rate": (125 + n) / 160,
        "saved_s": 0.152,
        "solved": 3,
        "seed": 4294967295,
        "language": "nbbatt",
        "tags": [],
    }
    return row | changes


def test_the_table_of_three_runs() -> None:
    told = runs_text([line(n) for n in range(3)])
    assert told.startswith("3 runs of task 00576224")
    assert "125/160  78%" in told and "0/32   0%" in told
    assert "2,947.0" in told and "152.0" in told
    assert max(map(len, told.split("\n"))) <= 80
    assert "20261120-001312-3f9c2a" in told


def test_runs_of_several_tasks_and_of_every_end() -> None:
    unfinished = line(1, status="interrupted", wall_s=None, saved_s=None, solved=None, validation_hits=None)
    rows = [line(0), unfinished, line(2, task="1" * 64, status="stopped", inlining_rate=None)]
    assert cells(run_table(rows), "solved") == ["3", "interrupted", "3 (stopped)"]
    assert cells(run_table(rows), "wall") == ["2,947.0", "–", "2,747.0"]
    assert cells(run_table(rows), "inlining") == ["125/160  78%", "126/160  79%", "127/160    –"]
    told = runs_text(rows)
    assert max(map(len, told.split("\n"))) <= 80
    assert "interrupted" in told
    assert runs_text([]) == "No runs yet: nbbatt run TASK makes one."


def test_a_data_frame_reads_the_same_as_its_rows() -> None:
    import pandas as pd

    rows = [line(0), line(1, status="interrupted", wall_s=None, saved_s=None, solved=None, seed=None)]
    assert runs_text(pd.DataFrame(rows)) == runs_text(rows)


def test_cache_stats_are_printed() -> None:
    file = io.StringIO()
    rows = [
        {
            "cache": "inlining",
            "entries": 1234,
            "bytes": 56_789,
            "cpu_s": 12.3,
            "newest": "2026-11-24T00:13:12+00:00",
        }
    ]
    print_cache_stats(rows, console(file))
    assert all(part in file.getvalue() for part in ("1,234", "56.8", "12.30", "2026-11-24 00:13"))
    empty = io.StringIO()
    print_cache_stats([], console(empty))
    print_runs([], console(empty))
    assert empty.getvalue().startswith("The caches are empty.\nNo runs yet")


def test_profile_and_caches_alone() -> None:
    assert profile_text(record().profile).startswith("check_batt took 71%")
    assert "whole run" in profile_text(record().profile)
    assert caches_text(caches()).count("missed") == 2
    assert caches_text(CacheTable(())) == "No caches."
    assert profile_text(Profile()).startswith("Nothing was measured.")
