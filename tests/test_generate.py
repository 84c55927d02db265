"""Candidates are valid, distinct, the same for one seed everywhere, and bred in every way there is."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import pytest
import tiny_language
from numpy.typing import NDArray

from nbbatt import dsl
from nbbatt.battery import Battery
from nbbatt.generate import MAX_CALLS, Breeder, Candidate, Step, _Sites, breed, take
from nbbatt.languages import Language
from nbbatt.library import Library, builtin
from nbbatt.limits import Status
from nbbatt.nodes import Node
from nbbatt.programs import Program
from nbbatt.sources import load_task
from nbbatt.tasks import Pair, Task, as_grid

Grid = NDArray[np.uint8]
TESTS = Path(__file__).parent


def made_up() -> Task:
    pair = Pair(as_grid([[1, 2], [3, 4]], "input"), as_grid([[3, 4], [1, 2]], "output"))
    return Task("made-up01", (pair, pair), (pair,))


@cache
def tiny() -> Language:
    return tiny_language.language()


def drawn(seed: int, count: int = 200) -> list[Candidate]:
    return take(breed(load_task("00576224"), builtin(), dsl.language(), Random(seed)), count)


def digests(candidates: list[Candidate]) -> list[str]:
    return [candidate.program.digest for candidate in candidates]


def check_valid(candidates: list[Candidate], language: Language) -> None:
    """Texts read back as the same program; names and origins are those of what they stand for."""
    for candidate in candidates:
        program = candidate.program
        assert Program.parse(program.inline(), language).digest == program.digest, candidate.origin
        assert Program.parse(program.expand(), language).digest == program.digest, candidate.origin
        assert program.name.isidentifier()
        assert candidate.origin
        assert program.size <= MAX_CALLS


# ---------------------------------------------------------------------- what comes out


def test_candidates_of_the_builtin_library_are_valid_and_distinct() -> None:
    candidates = drawn(1, 400)
    assert len(candidates) == len(set(digests(candidates))) == 400
    check_valid(candidates, dsl.language())


def test_candidates_fit_the_types_of_their_places() -> None:
    language = dsl.language()
    for candidate in drawn(4, 200):
        sites = _Sites(candidate.program.root, language)
        for call, at, wanted in sites.spots:
            arg = call.args[at]
            if arg.kind in ("call", "input"):
                assert language.fits(sites.kind(arg), wanted), candidate.program.inline()


def test_most_candidates_run() -> None:
    task, language = load_task("00576224"), dsl.language()
    battery = Battery(language, task.demos[:1], ())
    failed = sum(battery.evaluate(c.program)[0].status is not Status.OK for c in drawn(11, 1000))
    print(f"of 1,000 candidates {failed} fail on the first demo")
    assert failed < 400


def test_the_name_says_the_task_and_the_program() -> None:
    for candidate in islice(breed(made_up(), (), tiny(), Random(0)), 5):
        assert candidate.program.name == f"solve_made_up01_{candidate.program.digest[:8]}"


# ---------------------------------------------------------------------- chance


def test_one_seed_draws_one_sequence_and_others_draw_others() -> None:
    first = drawn(42)
    assert digests(first) == digests(drawn(42))
    assert [c.origin for c in first] == [c.origin for c in drawn(42)]
    assert digests(first)[:50] == digests(drawn(42, 50))
    assert len(set(digests(first)) & set(digests(drawn(43)))) < 100


_IN_A_PROCESS = """
from random import Random
from nbbatt import dsl
from nbbatt.generate import breed, take
from nbbatt.library import builtin
from nbbatt.sources import load_task
for c in take(breed(load_task("00576224"), builtin(), dsl.language(), Random(7)), 100):
    print(c.program.digest, c.program.name)
"""


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_a_seed_means_the_same_in_every_process(hash_seed: str) -> None:
    paths = os.pathsep.join(path for path in [str(TESTS.parent), *sys.path] if path)
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_PROCESS], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == [f"{c.program.digest} {c.program.name}" for c in drawn(7, 100)]


# ---------------------------------------------------------------------- small worlds


@pytest.mark.parametrize("library", [(), Library.empty(dsl.language())], ids=["tuple", "Library"])
def test_an_empty_library_breeds_from_the_input_itself(library: Library) -> None:
    candidates = take(breed(made_up(), library, dsl.language(), Random(0)), 50)
    assert len(candidates) == 50
    check_valid(candidates, dsl.language())


def test_a_language_with_few_programs_ends() -> None:
    def same(grid: Grid) -> Grid:
        return grid

    def blank() -> Grid:
        return np.zeros((1, 1), np.uint8)

    nothing_to_do = Language.from_functions(blank)
    assert len(take(breed(made_up(), (), nothing_to_do, Random(0)), 100)) == 1
    one = Language.from_functions(same)
    candidates = take(breed(made_up(), (), one, Random(0)), 500)
    assert 1 < len(candidates) < 500
    check_valid(candidates, one)


def test_a_generator_that_ends_gives_what_it_has() -> None:
    three = list(islice(breed(made_up(), (), dsl.language(), Random(0)), 3))
    assert digests(take(iter(three * 2), 10)) == list(dict.fromkeys(digests(three)))
    assert take(iter(()), 10) == []


def test_take_gives_up_on_a_generator_that_repeats_itself() -> None:
    one = next(breed(made_up(), (), dsl.language(), Random(0)))
    assert take(iter(lambda: one, None), 3) == [one]


# ---------------------------------------------------------------------- how they are bred


@pytest.mark.parametrize(
    "mark", [": argument of ", ": constant of ", " for ", ": +", ": -", ": crossed with ", ", "]
)
def test_each_kind_of_step_occurs(mark: str) -> None:
    assert any(mark in candidate.origin for candidate in drawn(3, 400))


@pytest.mark.parametrize(
    "step",
    [
        Breeder.swap_argument,
        Breeder.swap_constant,
        Breeder.swap_primitive,
        Breeder.grow,
        Breeder.shrink,
        Breeder.cross,
    ],
    ids=lambda step: step.__name__,
)
def test_a_step_alone_makes_valid_programs(step: Step) -> None:
    language = dsl.language()
    breeder = Breeder(language, builtin(), Random(2))
    found = 0
    for parent in builtin():
        changed = step(breeder, _Sites(parent.root, language))
        if changed is not None:
            program = Program("solve_it", changed[0], language)
            assert Program.parse(program.inline(), language).digest == program.digest
            found += program.digest != parent.digest
    assert found > 10


def test_a_part_is_replaced_wherever_it_is_used() -> None:
    program = Program.parse("def solve_it(I):\n    x1 = turn(I)\n    return join(x1, flip(x1))\n", tiny())
    sites = _Sites(program.root, tiny())
    root = sites.replaced(program.calls[0], Node("input", "I"))
    assert Program("solve_it", root, tiny()).inline() == "def solve_it(I):\n    return join(I, flip(I))\n"


def test_true_and_one_are_different_literals_to_change() -> None:
    breeder = Breeder(tiny(), (), Random(0))
    assert {n.value for n in breeder._constants("bool", Node("literal", True)) if n.kind == "literal"} == {
        False,
        True,
    }
    whole = [n.value for n in breeder._constants("int", Node("literal", 7)) if n.kind == "literal"]
    assert whole == [0, 1, 2, 3, 6, 8]
    assert not any(isinstance(value, bool) for value in whole)


def test_preferred_parents_are_chosen_more_often() -> None:
    library = builtin()[:20]
    liked = {program.name for program in list(library)[:10]}
    breeder = Breeder(dsl.language(), library, Random(0), lambda program: program.name in liked)
    parents = [breeder.candidate("aaaa0001").origin.split(":")[0] for _ in range(400)]
    share = sum(parent in liked for parent in parents) / len(parents)
    assert 0.7 < share < 1.0


def test_foreign_primitives_are_not_run_where_nobody_could_stop_them() -> None:
    calls: list[int] = []

    def hangs(grid: Grid) -> Grid:
        calls.append(1)
        return grid

    language = Language.from_functions(hangs)
    library = Library.from_text("def solve_aaaa0001(I):\n    return hangs(I)\n", language)
    assert take(breed(made_up(), library, language, Random(0)), 5)
    assert not calls


# ---------------------------------------------------------------------- other languages


def _tiny_world(monkeypatch: pytest.MonkeyPatch) -> tuple[Language, Library | tuple[Program, ...]]:
    rng = Random(8)
    return tiny(), tuple(tiny_language.random_program(rng, tiny(), 6, f"solve_{i}") for i in range(20))


def _tuple_world(monkeypatch: pytest.MonkeyPatch) -> tuple[Language, Library | tuple[Program, ...]]:
    monkeypatch.syspath_prepend(str(TESTS / "tuple_dsl"))
    module, constants, solvers = map(importlib.import_module, ("dsl", "constants", "solvers"))
    language = Language.from_module(module, constants=constants)
    return language, Library.from_module(solvers, language)


World = Callable[[pytest.MonkeyPatch], tuple[Language, "Library | tuple[Program, ...]"]]


@pytest.mark.parametrize("world", [_tiny_world, _tuple_world])
def test_any_language_breeds(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    language, library = world(monkeypatch)
    candidates = take(breed(made_up(), library, language, Random(1)), 300)
    assert len(candidates) == len(set(digests(candidates))) == 300
    check_valid(candidates, language)
