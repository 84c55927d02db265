"""How fast the engine is, against the straightforward way of doing the same."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

import nbbatt
from nbbatt.battery import merge
from nbbatt.generate import Breeder
from nbbatt.languages import Language
from nbbatt.pipeline import run
from nbbatt.programs import Program
from nbbatt.tasks import Task

TWELVE = """def solve_twelve(I):
    x1 = rot90(I)
    x2 = mirror_lr(x1)
    x3 = hconcat(x1, x2)
    x4 = mirror_ud(x3)
    x5 = vconcat(x3, x4)
    x6 = trim(x5)
    x7 = transpose(x6)
    x8 = rot180(x7)
    x9 = scale_up(x8, 2)
    x10 = top_half(x9)
    x11 = left_half(x10)
    return hconcat(x11, x11)
"""


def alone(programs: list[Program], task: Task) -> int:
    """Each program by itself on each pair: how many outputs came out."""
    outputs = 0
    for program in programs:
        for pair in task.demos:
            try:
                program.run(pair.input, task.demos)
                outputs += 1
            except Exception:
                continue
    return outputs


def together(programs: list[Program], task: Task) -> int:
    """The same through one new battery."""
    battery = merge((), programs[0].language, task.demos)
    return sum(bool(result.output) for program in programs for result in battery.evaluate(program))


def bred(count: int, seed: int, library: Any, language: Language) -> list[Program]:
    breeder = Breeder(language, library, Random(seed))
    found: dict[str, Program] = {}
    while len(found) < count:
        program = breeder.candidate("speed").program
        found[program.digest] = program
    return list(found.values())


@pytest.mark.parametrize("task_id", ["00576224", "007bbfb7", "0b148d64"])
def test_battery_on_unrelated_programs(versus: Callable[..., float], task_id: str) -> None:
    language = nbbatt.language()
    unrelated = bred(200, 1, list(nbbatt.library.builtin(language)), language)
    task = nbbatt.load_task(task_id)
    assert together(unrelated, task) == alone(unrelated, task)
    ratio = versus(
        lambda: together(unrelated, task),
        lambda: alone(unrelated, task),
        what=f"battery, unrelated, {task_id}",
    )
    assert ratio > 1 / 1.1


def test_battery_on_mutants_of_one_program(versus: Callable[..., float]) -> None:
    """The library's program of twelve calls, on its own task."""
    language = nbbatt.language()
    parent = nbbatt.library.builtin(language)["e8593010"]
    assert parent.size == 12
    mutants = bred(1_000, 2, [parent], language)
    task = nbbatt.load_task("e8593010")
    assert together(mutants, task) == alone(mutants, task)
    ratio = versus(
        lambda: together(mutants, task), lambda: alone(mutants, task), what="battery, mutants of e8593010"
    )
    assert ratio > 5


def test_battery_on_mutants_of_the_cheapest_calls(versus: Callable[..., float]) -> None:
    """Where sharing can gain least: flips and joins of a 2 × 2 grid cost about as much as remembering them."""
    language = nbbatt.language()
    mutants = bred(1_000, 2, [Program.parse(TWELVE, language)], language)
    task = nbbatt.load_task("00576224")
    assert together(mutants, task) == alone(mutants, task)
    ratio = versus(
        lambda: together(mutants, task), lambda: alone(mutants, task), what="battery, mutants of cheap calls"
    )
    assert ratio > 1


def heavy_sharing(lines: int) -> str:
    body = "".join(f"    x{i} = hconcat(x{i - 1}, x{max(0, i - 3)})\n" for i in range(1, lines + 1))
    return f"def solve_shared(I):\n    x0 = rot90(I)\n{body}    return x{lines}\n"


@pytest.mark.parametrize("what", ["digest", "inline"])
def test_digest_and_inline_grow_linearly(versus: Callable[..., float], what: str) -> None:
    language = nbbatt.language()
    small, large = heavy_sharing(500), heavy_sharing(5_000)

    def of(text: str) -> Callable[[], object]:
        program = Program.parse(text, language)
        if what == "inline":
            return program.inline
        wire = program.wire()
        return lambda: Program.from_wire(wire, language).digest

    ratio = versus(of(small), of(large), what=f"{what}, 5,000 lines over 500 (10 is linear)")
    assert ratio < 15


def seconds_of(code: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_nbbatt_costs_no_more_than_numpy(versus: Callable[..., float]) -> None:
    ratio = versus(
        seconds_of("import nbbatt"),
        seconds_of("import numpy"),
        rounds=11,
        what="import nbbatt against import numpy",
    )
    assert ratio > 1 / 1.5


def test_a_cold_run_costs_no_more_than_importing_numpy(versus: Callable[..., float], tmp_path: Path) -> None:
    """Both as seconds inside a fresh interpreter: its own start does not count on either side."""
    timed = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
    numpy = timed.format("import numpy")
    folder = iter(range(1_000))
    compiled = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

    def inside(code: str) -> float:
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=compiled
        )
        return float(done.stdout)

    def cold() -> float:
        prepare = "import nbbatt; task = nbbatt.load_task('00576224'); run = nbbatt.run; "
        call = timed.format(
            f"run(task, candidates=32, workers='serial', workspace={str(tmp_path / str(next(folder)))!r})"
        )
        return inside(prepare + call)

    cold()  # once for the bytecode, which numpy's wheel brings along
    pairs = [(cold(), inside(numpy)) for _ in range(15)]
    ours, theirs = (statistics.median(side) for side in zip(*pairs))
    versus(
        lambda: None,
        lambda: None,
        rounds=1,
        what=f"cold run {1000 * ours:.0f} ms, import numpy {1000 * theirs:.0f} ms",
    )
    assert ours <= theirs


def test_a_cold_run_in_a_warm_interpreter(versus: Callable[..., float], tmp_path: Path) -> None:
    task = nbbatt.load_task("00576224")
    folder = iter(range(1_000))
    run(task, workers="serial", workspace=tmp_path / "warm-up")
    ratio = versus(
        lambda: run(task, candidates=32, workers="serial", workspace=tmp_path / str(next(folder))),
        seconds_of("import numpy"),
        rounds=9,
        what="a cold run against a process that imports numpy",
    )
    assert ratio > 1
