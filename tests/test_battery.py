"""A battery gives every candidate what it has alone, whatever is shared, and shares what it can."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from random import Random
from typing import Any

import numpy as np
import pytest
import tiny_language
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import nbbatt.battery
from nbbatt import dsl
from nbbatt.battery import Battery, merge, value_key
from nbbatt.generate import breed, take
from nbbatt.languages import Language
from nbbatt.library import builtin
from nbbatt.limits import Cancelled, SoftLimit, Status, TimeLimit, explain
from nbbatt.nodes import Node
from nbbatt.programs import Program
from nbbatt.scoring import PairResult
from nbbatt.sources import load_task
from nbbatt.tasks import Pair, as_grid

Grid = NDArray[np.uint8]


def same_real(a: float, b: float) -> bool:
    """Equality as a container sees it: NaN equals itself when it is the same object."""
    return (a,) == (b,)


@cache
def tiny() -> Language:
    """All but ``twin``: over arrays it tells whether two are one object, which no battery can keep."""
    return tiny_language.language(("twin",)).extended(Language.from_functions(same_real), name="tiny")


def program(expression: str, language: Language | None = None) -> Program:
    """A program of one expression, or of assignments and then one, split by semicolons."""
    *lines, last = expression.split("; ")
    body = "\n    ".join([*lines, f"return {last}"])
    return Program.parse(f"def solve_it(I):\n    {body}\n", language or tiny())


def pair(rows: list[list[int]], output: list[list[int]] | None = None) -> Pair:
    given = as_grid(rows, "a test's grid")
    return Pair(given, given if output is None else as_grid(output, "a test's grid"))


FLAT, TALL = pair([[1, 2, 3], [4, 5, 6]]), pair([[1], [2], [3]])


def random_pair(rng: Random) -> Pair:
    rows = [[[rng.randrange(3)] * rng.randint(1, 3)] * rng.randint(1, 3) for _ in range(2)]
    return pair(*rows)


def told(results: tuple[PairResult, ...]) -> list[tuple[Status, bool | None, float, str]]:
    return [(r.status, r.ok, r.differ, r.output) for r in results]


def output_alone(candidate: Program, at: Pair, demos: tuple[Pair, ...]) -> str:
    """The mark of what ``Program.run`` gives, "" when it fails."""
    try:
        grid = candidate.run(at.input, demos)
    except BaseException:
        return ""
    return blake2b(bytes(grid.shape) + grid.tobytes(), digest_size=8).hexdigest()


def check_shared_is_alone(
    programs: list[Program],
    language: Language,
    demos: tuple[Pair, ...],
    tests: tuple[Pair, ...],
    **options: Any,
) -> None:
    shared = merge(programs, language, demos, tests, **options).results()
    for candidate, results in zip(programs, shared):
        alone = Battery(language, demos, tests, **options).evaluate(candidate)
        assert told(results) == told(alone), candidate.inline()
        for at, result in zip(demos + tests, results):
            assert result.output == output_alone(candidate, at, demos), candidate.inline()


# ---------------------------------------------------------------------- the same as alone


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.sampled_from(["cells", "foreground", "shape", "exact"]))
def test_a_shared_battery_equals_each_program_alone(seed: int, early_stop: bool, differ: str) -> None:
    rng = Random(seed)
    demos, tests = (random_pair(rng), random_pair(rng)), (random_pair(rng),)
    programs = [tiny_language.random_program(rng, tiny(), 8) for _ in range(20)]
    check_shared_is_alone(programs, tiny(), demos, tests, early_stop=early_stop, differ=differ)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_bred_candidates_of_the_builtin_library_come_to_what_they_do_alone(
    seed: int, early_stop: bool
) -> None:
    task, language = load_task("00576224"), dsl.language()
    drawn = take(breed(task, builtin(), language, Random(seed)), 30)
    programs = [candidate.program for candidate in drawn]
    check_shared_is_alone(programs, language, task.demos, task.tests, early_stop=early_stop)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_order_and_repetition_do_not_matter(seed: int) -> None:
    rng = Random(seed)
    demos = (random_pair(rng), random_pair(rng))
    programs = [tiny_language.random_program(rng, tiny(), 6) for _ in range(12)]
    first = {p.digest: told(r) for p, r in zip(programs, merge(programs, tiny(), demos).results())}
    again = rng.sample(programs, len(programs)) + rng.choices(programs, k=5)
    for candidate, results in zip(again, merge(again, tiny(), demos).results()):
        assert told(results) == first[candidate.digest]


def test_forgetting_changes_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = Random(5)
    programs = [tiny_language.random_program(rng, tiny(), 8) for _ in range(60)]
    kept = merge(programs, tiny(), (FLAT, TALL))
    expected = [told(r) for r in kept.results()]
    monkeypatch.setattr(nbbatt.battery, "MAX_ROWS", 5)
    forgetful = merge(programs, tiny(), (FLAT, TALL))
    assert [told(r) for r in forgetful.results()] == expected
    assert forgetful.calls_made > kept.calls_made


def test_a_test_pair_without_output_has_no_verdict() -> None:
    unknown = Pair(FLAT.input, None)
    (results,) = merge([program("I")], tiny(), (FLAT,), (unknown,)).results()
    assert (results[0].ok, results[0].differ, results[1].ok, results[1].differ) == (True, 1.0, None, 0.0)
    assert results[0].output == results[1].output


# ---------------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("fails(I)", "fails: KeyError: 'no such thing'"),
        ("leaves(I)", "leaves: SystemExit: 1"),
        ("gives_up(I)", "gives_up: GeneratorExit"),
        ("spoil(I)", "spoil: ValueError: assignment destination is read-only"),
        ("rows(I)", "the result is a int, and a program must return a grid"),
    ],
)
def test_a_failure_is_told_and_stays_with_what_depends_on_it(expression: str, said: str) -> None:
    programs = [
        program(expression),
        program("turn(I)"),
        program(f"brighter({expression}, 1)"),
        program("flip(I)"),
    ]
    results = merge(programs, tiny(), (FLAT,)).results()
    assert [r[0].status for r in results[::2]] == [Status.ERROR, Status.ERROR]
    assert [r[0].status for r in results[1::2]] == [Status.OK, Status.OK]
    assert results[0][0][1:] == (False, 0.0, "", said)


def test_a_failure_on_one_pair_leaves_the_others() -> None:
    late = program("turn(fails_when_tall(I))")
    (results,) = merge([late], tiny(), (TALL, FLAT), (TALL,)).results()
    assert [r.status for r in results] == [Status.ERROR, Status.OK, Status.ERROR]


def test_a_failing_call_is_not_made_twice() -> None:
    battery = merge([program("turn(fails(I))"), program("flip(fails(I))")], tiny(), (FLAT,))
    assert {r[0].error for r in battery.results()} == {"fails: KeyError: 'no such thing'"}
    assert battery.calls_made == 1


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Cancelled])
def test_an_interrupt_passes_through_and_the_battery_goes_on(kind: type[BaseException]) -> None:
    calls: list[int] = []

    def once(grid: Grid) -> Grid:
        calls.append(1)
        if len(calls) == 1:
            raise kind
        return grid

    language = Language.from_functions(once)
    battery = Battery(language, (FLAT,), ())
    with pytest.raises(kind):
        battery.evaluate(program("once(I)", language))
    assert battery.evaluate(program("once(I)", language))[0].ok is True


def test_memory_that_ran_out_is_tried_again_without_what_others_left() -> None:
    calls: list[int] = []

    def greedy(grid: Grid) -> Grid:
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return grid

    def insatiable(grid: Grid) -> Grid:
        raise MemoryError

    def still(grid: Grid) -> Grid:
        return grid

    language = Language.from_functions(greedy, insatiable, still)
    programs = [program(f"{name}(I)", language) for name in ("still", "greedy", "insatiable", "still")]
    results = merge(programs, language, (FLAT,)).results()
    assert [r[0].status for r in results] == [Status.OK, Status.OK, Status.MEMORY, Status.OK]


def test_calling_what_is_no_function_is_an_error() -> None:
    def number(grid: Grid) -> int:
        return 3

    language = Language.from_functions(number)
    inner = Node("call", None, (Node("primitive", "number"), Node("input", "I")))
    outer = Program("solve_it", Node("call", None, (inner, Node("input", "I"))), language)
    (result,) = Battery(language, (FLAT,), ()).evaluate(outer)
    assert result.status is Status.ERROR
    assert "a int is called" in result.error


def test_early_stop_ends_at_the_first_wrong_demo() -> None:
    programs = [program("flip(I)"), program("I"), program("fails(I)")]
    demos, tests = (pair([[1], [1]]), FLAT, FLAT), (TALL,)
    wrong, right, failed = merge(programs, tiny(), demos, tests, early_stop=True).results()
    assert [r.ok for r in wrong] == [True, False]
    assert [r.ok for r in right] == [True] * 4
    assert [r.status for r in failed] == [Status.ERROR]
    whole = merge(programs, tiny(), demos, tests).results()
    assert [len(r) for r in whole] == [4, 4, 4]
    assert told(whole[0])[:2] == told(wrong)


# ---------------------------------------------------------------------- values


def test_results_cannot_be_changed_by_who_uses_them() -> None:
    programs = [program("brighter(I, poke(nested(1)))"), program("brighter(I, poke(nested(2)))")]
    for (result,) in merge(programs, tiny(), (FLAT,)).results():
        assert result.ok is True
    assert FLAT.input.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("expression", ["gridded(listed(I))", "listed(I)", "lazily(I)"])
def test_lists_and_iterators_become_tuples(expression: str) -> None:
    candidate = program(expression)
    assert merge([candidate, candidate], tiny(), (FLAT,)).results()[1][0].ok is True
    last = candidate.calls[0]
    assert candidate.values(FLAT.input)[last.digest] == ((1, 2, 3), (4, 5, 6))


def test_true_and_one_stay_apart() -> None:
    kinds = {"True": 1, "1": 5, "YES": 1, "ONE": 5, "real(0)": 4, "real(1)": 3, "real(2)": 2, "I": 6}
    programs = [program(f"brighter(I, told({word}))") for word in kinds]
    results = merge(programs, tiny(), (FLAT,)).results()
    for (result,), number in zip(results, kinds.values()):
        expected = program(f"brighter(I, {number})")
        assert result.output == output_alone(expected, FLAT, ())


def test_functions_are_values() -> None:
    programs = [
        program("x1 = twice(turn); x1(I)"),
        program("x1 = after(turn, turn); x1(I)"),
        program("turn(turn(I))"),
        program("x1 = twice(turn); x2 = twice(x1); x2(I)"),
        program("x1 = after(flip, fails); x1(I)"),
    ]
    first, second, plain, whole, failed = merge(programs, tiny(), (FLAT,)).results()
    assert told(first) == told(second) == told(plain)
    assert whole[0].ok is True
    assert failed[0].error == "a computed function: KeyError: 'no such thing'"


@dataclass(frozen=True)
class Held:
    value: Any


@pytest.mark.parametrize(
    "wrap", [lambda v: v, lambda v: (v,), lambda v: (1, (v, "a")), Held, lambda v: (Held(v),)]
)
def test_arrays_of_one_content_and_other_form_have_other_keys(wrap: Callable[[Any], Any]) -> None:
    zeros = [
        np.zeros(8, np.uint8),
        np.zeros((2, 4), np.uint8),
        np.zeros((4, 2), np.uint8),
        np.zeros((1, 8), np.uint8),
        np.zeros(8, np.int8),
        np.zeros(8, np.bool_),
        np.zeros(1, np.int64),
        np.zeros(1, np.float64),
        np.zeros(2, np.int32),
        bytes(8),
    ]
    keys = [value_key(wrap(value)) for value in zeros]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert keys == [value_key(wrap(copy.deepcopy(value))) for value in zeros]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.integers(),
    st.sampled_from([0.0, -0.0, 1.0, 0.5]),
    st.sampled_from(["", "a", "[", ">", "1"]),
    st.sampled_from([b"", b"\0", b"a"]),
)
ARRAYS = st.builds(
    lambda kind, form: np.zeros(form, kind),
    st.sampled_from(["u1", "i1", "i8", "f8", "?"]),
    st.sampled_from([(), (0,), (1,), (8,), (2, 4), (1, 1)]),
)
VALUES = st.recursive(SCALARS | ARRAYS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)


def exact(value: Any) -> Any:
    """All there is to a value, for comparing."""
    if isinstance(value, tuple):
        return tuple, *map(exact, value)
    if isinstance(value, np.ndarray):
        return np.ndarray, str(value.dtype), value.shape, value.tobytes()
    return type(value), repr(value)


@given(VALUES, VALUES)
def test_keys_are_equal_exactly_where_values_are(a: Any, b: Any) -> None:
    assert value_key(a) is not None
    assert (value_key(a) == value_key(b)) == (exact(a) == exact(b))
    assert value_key(copy.deepcopy(a)) == value_key(a)


def test_what_cannot_be_compared_has_no_key() -> None:
    assert value_key(float("nan")) is None
    assert value_key((1, float("nan"))) is None
    assert value_key(np.array([object()])) is None
    assert value_key([1, 2]) is None
    assert value_key(range(3)) is None


# ---------------------------------------------------------------------- sharing


def test_a_call_that_several_make_is_made_once() -> None:
    programs = [program(e) for e in ("turn(I)", "flip(turn(I))", "turn(turn(I))", "flip(turn(I))")]
    battery = merge(programs, tiny(), (FLAT, TALL), (FLAT,))
    battery.results()
    assert battery.calls_made == 3 * 3


def test_equal_values_settle_what_is_made_of_them() -> None:
    battery = Battery(tiny(), (FLAT, TALL), ())
    expected = battery.evaluate(program("turn(I)"))
    before = battery.calls_made
    assert told(battery.evaluate(program("turn(flip(flip(I)))"))) == told(expected)
    assert battery.calls_made == before + 2 * 2  # the flips; the turn is known
    before = battery.calls_made
    assert told(battery.evaluate(program("turn(brighter(I, 0))"))) == told(expected)
    assert battery.calls_made == before + 2


def test_values_that_are_equal_on_one_pair_settle_that_pair() -> None:
    battery = merge([program("turn(I)"), program("turn(choose(tall(I), flip(I), I))")], tiny(), (FLAT, TALL))
    plain, chosen = battery.results()
    assert told(plain)[0] == told(chosen)[0]
    assert told(plain)[1] != told(chosen)[1]
    assert battery.calls_made == 2 + 2 * 3 + 1  # only on the tall grid there is something new to turn


# ---------------------------------------------------------------------- time


class Clock:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(6)), st.sampled_from([0.5, 0.7, 1.0, 1.3, 2.5]))
def test_a_program_times_out_in_company_where_it_does_alone(order: list[int], seconds: float) -> None:
    clock = Clock()

    def slow(grid: Grid) -> Grid:
        clock.at += 0.6
        return np.rot90(grid)

    def flip(grid: Grid) -> Grid:
        return grid[::-1]

    language = Language.from_functions(slow, flip)
    texts = [
        "slow(I)",
        "slow(slow(I))",
        "slow(flip(I))",
        "flip(slow(I))",
        "slow(slow(slow(slow(slow(I)))))",
        "flip(I)",
    ]
    programs = [program(texts[i], language) for i in order]

    def battery() -> Battery:
        return Battery(language, (FLAT,), (), seconds=seconds, now=clock)

    shared = battery()
    for candidate in programs:
        assert told(shared.evaluate(candidate)) == told(battery().evaluate(candidate)), candidate.inline()


@pytest.fixture
def limit() -> Iterator[SoftLimit]:
    with SoftLimit() as made:
        yield made


@pytest.mark.parametrize(("seconds", "after"), [(60.0, Status.OK), (0.01, Status.TIMEOUT)])
def test_a_value_made_up_at_the_time_limit_is_left_to_nobody(
    limit: SoftLimit, seconds: float, after: Status
) -> None:
    open_now: list[bool] = []

    def stubborn(grid: Grid) -> Grid:
        try:
            while not open_now:
                pass
        except BaseException:
            return np.zeros_like(grid)
        return grid

    def flip(grid: Grid) -> Grid:
        return grid[::-1]

    language = Language.from_functions(stubborn, flip)
    battery = Battery(language, (FLAT,), (), limit=limit, seconds=seconds)
    value, error = limit.call(battery.evaluate, program("stubborn(I)", language), 0.2)
    assert value is None
    assert isinstance(error, TimeLimit)
    assert explain(error)[0] is Status.TIMEOUT
    open_now.append(True)
    for text, right in (
        ("stubborn(I)", True),
        ("flip(flip(stubborn(I)))", True),
        ("flip(stubborn(I))", False),
    ):
        value, error = limit.call(battery.evaluate, program(text, language), 10.0)
        assert error is None
        assert value[0].status is after  # a call that used up a whole limit has timed out for everyone
        assert value[0].ok is (right and after is Status.OK)
