"""What workers are asked to do: check a candidate in a battery, validate a solver alone from its text.

Each ``make_*`` is called once in a worker with what all items share and returns the handler of one item. Items and
results are plain data. A worker's battery lives as long as its job, so candidates that meet there share their calls.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from nbbatt.battery import Battery
from nbbatt.errors import NbbattError
from nbbatt.languages import Language
from nbbatt.limits import SoftLimit
from nbbatt.programs import Program, Wire
from nbbatt.scoring import PairResult
from nbbatt.tasks import Pair

SPEED_RUNS = 5
"""Runs of a solver whose median is its speed, as long as they fit in a quarter of its time limit."""


class LanguageMismatchError(NbbattError):
    """A worker read another version of the language than the one this run began with."""


class Validated(NamedTuple):
    """A solver alone: its results pair by pair, and the median seconds of a run over all pairs."""

    results: tuple[PairResult, ...]
    wall_s: float


def make_check(
    language: Language,
    version: str,
    demos: Sequence[Pair],
    tests: Sequence[Pair],
    differ: str,
    early_stop: bool,
    seconds: float,
    limit: SoftLimit,
) -> Callable[[Wire], tuple[PairResult, ...]]:
    """The handler of the battery phase: a program's wire form -> its results, demos first."""
    _same(language, version)
    battery = Battery(
        language, demos, tests, differ=differ, early_stop=early_stop, limit=limit, seconds=seconds
    )

    def check(wire: Wire) -> tuple[PairResult, ...]:
        return battery.evaluate(Program.from_wire(wire, language))

    return check


def make_validate(
    language: Language,
    demos: Sequence[Pair],
    tests: Sequence[Pair],
    differ: str,
    seconds: float,
    limit: SoftLimit,
) -> Callable[[str], Validated]:
    """The handler of the validation phase: a solver's text -> how it does alone, and how fast it is."""

    def validate(text: str) -> Validated:
        program = Program.parse(text, language)
        battery = Battery(language, demos, tests, differ=differ, limit=limit, seconds=seconds)
        began = time.perf_counter()
        results = battery.evaluate(program)
        walls = [time.perf_counter() - began]
        while len(walls) < SPEED_RUNS and sum(walls) + walls[0] < seconds / 4:
            walls.append(_alone(program, demos, tests))
        return Validated(
            results, statistics.median(walls[1:] or walls)
        )  # the first run also compared the outputs

    return validate


def _alone(program: Program, demos: Sequence[Pair], tests: Sequence[Pair]) -> float:
    """Seconds of one run over all pairs, nothing shared between them. What it raises, the first run has reported."""
    began = time.perf_counter()
    for pair in (*demos, *tests):
        try:
            program.run(pair.input, demos)
        except Exception:
            continue
    return time.perf_counter() - began


def _same(language: Language, version: str) -> None:
    if language.version != version:
        raise LanguageMismatchError(
            f"language {language.name!r} is version {language.version[:8]} where it is run, and the run began with"
            f" {version[:8]}; reload the module (its file has changed since it was imported) and run again"
        )
