"""Programs: text <-> graph. Meaning is in the graph alone; text stays linear in it, whatever is shared."""

from __future__ import annotations

import gc
import pickle
import re
import sys
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_language import language, random_program

from nbbatt.languages import Language, PrimitiveError
from nbbatt.nodes import Node, ProgramError, call, ordered, settled, small
from nbbatt.parser import parse_defs
from nbbatt.programs import MAX_FOLD_DEPTH, Program
from nbbatt.tasks import Pair, as_grid

TINY = language()
randoms = st.randoms(use_true_random=False)
GRID = as_grid([[1, 2, 3], [4, 5, 6]], "a test's grid")


def parsed(body: str, lang: Language = TINY, head: str = "def solve_it(I):") -> Program:
    return Program.parse(head + "".join(f"\n    {line}" for line in body.strip().split("\n")), lang)


def python_calls(work: Callable[[], object]) -> int:
    """How many calls, of Python functions and of C ones, some work takes: a clock that no machine disturbs."""
    count = [0]

    def see(frame: object, event: str, arg: object) -> None:
        count[0] += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count[0]


# ---------------------------------------------------------------------- round trips


@given(rng=randoms, calls=st.integers(0, 30))
@settings(max_examples=150, deadline=None)
def test_both_texts_and_the_wire_read_back_as_the_same_program(rng: Random, calls: int) -> None:
    program = random_program(rng, TINY, calls)
    assert Program.parse(program.inline(), TINY).digest == program.digest
    assert Program.parse(program.expand(), TINY).digest == program.digest
    name, nodes = pickle.loads(pickle.dumps(program.wire()))
    assert Program.from_wire((name, nodes), TINY).digest == program.digest
    assert Program.parse(program.inline(), TINY).inline() == program.inline()


@given(rng=randoms)
@settings(max_examples=100, deadline=None)
def test_names_order_and_dead_lines_do_not_matter(rng: Random) -> None:
    program = random_program(rng, TINY, 12)
    head, *lines, last = program.expand().rstrip("\n").split("\n")
    made = [line.strip().split(" = ", 1) for line in lines]
    names = [f"v{n}" for n in rng.sample(range(1000), len(made))]
    renamed = {old: new for (old, _), new in zip(made, names)}

    def rewritten(text: str) -> str:
        return re.sub(r"\bx\d+\b", lambda found: renamed[found.group()], text)

    left, placed, body = list(made), set(), []
    while left:
        ready = [line for line in left if all(name in placed for name in re.findall(r"\bx\d+\b", line[1]))]
        line = rng.choice(ready)
        left.remove(line)
        placed.add(line[0])
        body.append(f"    {renamed[line[0]]} = {rewritten(line[1])}")
        if rng.random() < 0.3:
            body.append(f"    dead{len(body)} = turn(flip(I))")
    text = "\n".join([head, *body, rewritten(last)])
    assert Program.parse(text, TINY).digest == program.digest


def test_true_and_one_are_two_things() -> None:
    texts = [
        "told(1)",
        "told(True)",
        "told(ONE)",
        "told(YES)",
        "told((1,))",
        "told((True,))",
        "told(((1, 0), 2))",
    ]
    texts += ["told(((True, 0), 2))", "told(((1, False), 2))", "told(-1)"]
    programs = [parsed(f"return brighter(I, {text})") for text in texts]
    assert len({program.digest for program in programs}) == len(texts)
    for program in programs:
        assert Program.parse(program.inline(), TINY).digest == program.digest
    assert (programs[0].run(GRID) == (GRID + 5) % 10).all()
    assert (programs[1].run(GRID) == (GRID + 1) % 10).all()


def test_inline_folds_what_is_used_once_and_names_what_is_used_twice() -> None:
    program = parsed("a = turn(I)\nb = flip(a)\nc = join(b, b)\nd = turn(c)\nreturn d")
    assert program.inline() == "def solve_it(I):\n    x1 = flip(turn(I))\n    return turn(join(x1, x1))\n"
    lines = ["x1 = turn(I)", "x2 = flip(x1)", "x3 = join(x2, x2)", "return turn(x3)"]
    assert program.expand() == "def solve_it(I):\n    " + "\n    ".join(lines) + "\n"


def test_a_function_that_is_computed_keeps_a_name_to_be_called_by() -> None:
    program = parsed("f = twice(turn)\ng = after(f, flip)\nreturn g(f(I))")
    assert program.inline().splitlines()[1:3] == ["    x1 = twice(turn)", "    x2 = after(x1, flip)"]
    once = parsed("f = twice(turn)\nreturn f(I)")
    assert Program.parse(once.inline(), TINY) == once
    assert (once.run(GRID) == GRID[::-1, ::-1]).all()


def test_a_function_by_another_name_is_the_function() -> None:
    assert parsed("f = turn\nreturn f(I)") == parsed("return turn(I)")


def test_variables_stay_clear_of_the_languages_names() -> None:
    def x1(grid: object) -> object:
        return grid

    def x_7(grid: object) -> object:
        return grid

    lang = Language.from_functions(x1, x_7)
    program = parsed("a = x1(I)\nb = x_7(a)\nreturn x1(b)", lang)
    assert Program.parse(program.expand(), lang).digest == program.digest
    assert " x__1 = x1(I)" in program.expand()


def test_demos_are_asked_for_only_where_they_are_read() -> None:
    lang = Language.from_functions(lambda_like)
    reads = Program.parse("def solve_s(I, S):\n    return lambda_like(S, I)", lang)
    ignores = Program.parse("def solve_s(I, S):\n    return lambda_like(I, I)", lang)
    assert reads.uses_demos and not ignores.uses_demos
    assert reads.inline().startswith("def solve_s(I, S):") and ignores.inline().startswith("def solve_s(I):")
    demo = Pair(GRID, as_grid([[7]], "a test's grid"))
    assert reads.run(GRID, [demo]).tolist() == [[7]]


def lambda_like(demos: object, grid: object) -> object:
    return demos[0][1] if isinstance(demos, tuple) else grid


# ---------------------------------------------------------------------- size


def shared(lines: int) -> str:
    """Each line uses the two before it twice: written out, the text would be exponentially long."""
    body = "".join(f"    x{i} = join(x{i - 1}, x{max(0, i - 2)})\n" for i in range(1, lines + 1))
    return f"def solve_shared(I):\n    x0 = turn(I)\n{body}    return x{lines}\n"


@pytest.mark.parametrize("what", ["parse", "digest", "inline", "expand", "wire"])
def test_work_is_linear_in_the_number_of_lines(what: str) -> None:
    def work(lines: int) -> int:
        text = shared(lines)
        if what == "parse":
            return python_calls(lambda: Program.parse(text, TINY))
        program = Program.parse(text, TINY)
        wire = program.wire()
        works = {
            "digest": lambda: Program.from_wire(wire, TINY).digest,
            "inline": program.inline,
            "expand": program.expand,
            "wire": lambda: Program(program.name, program.root, TINY).wire(),
        }
        return python_calls(works[what])

    small_one, large = work(500), work(5_000)
    assert large < 11 * small_one
    assert large < 5_000 * 60


@pytest.mark.parametrize("lines", [10, 5_000])
def test_text_is_linear_in_the_number_of_calls(lines: int) -> None:
    program = Program.parse(shared(lines), TINY)
    assert program.size == lines + 1
    for text in (program.inline(), program.expand()):
        assert len(text) < 40 * (lines + 2)
        assert Program.parse(text, TINY).digest == program.digest


def test_a_long_literal_used_often_is_written_once() -> None:
    long = tuple(range(4_000))
    body = f"a = {long}\n" + "".join(f"b{i} = brighter(I, told(twin(a, {i})))\n" for i in range(300))
    body += "c0 = b0\n" + "".join(f"c{i} = join(c{i - 1}, b{i})\n" for i in range(1, 300)) + "return c299"
    program = parsed(body)
    for text in (program.inline(), program.expand()):
        assert len(text) < 2 * len(body)
        assert Program.parse(text, TINY).digest == program.digest


def test_a_deep_chain_is_read_run_and_written_without_recursion() -> None:
    lines = "".join(f"    x{i} = turn(x{i - 1})\n" for i in range(1, 5_001))
    program = Program.parse(f"def solve_deep(I):\n    x0 = flip(I)\n{lines}    return x5000\n", TINY)
    assert (program.run(GRID) == GRID[::-1]).all()
    assert max(line.count("(") for line in program.inline().splitlines()) == MAX_FOLD_DEPTH
    again = pickle.loads(pickle.dumps(program.wire()))
    assert Program.from_wire(again, TINY).digest == program.digest


@pytest.mark.parametrize("depth", [5_000, 100_000])
def test_a_deep_chain_is_let_go_without_recursion(depth: int) -> None:
    turn, node = Node("primitive", "turn"), Node("input", "I")
    for _ in range(depth):
        node = Node("call", None, (turn, node))
    program = Program("solve_deep", node, TINY)
    assert program.size == depth
    restored = Program.from_wire(pickle.loads(pickle.dumps(program.wire())), TINY)
    assert restored == program
    del node, restored
    program.__dict__.clear()  # the cached tuple of nodes would let go of them one by one
    gc.collect()


def test_a_program_of_any_depth_can_be_pickled() -> None:
    from tiny_language import turn

    lang = Language.from_functions(turn)
    node = Node("input", "I")
    for _ in range(5_000):
        node = Node("call", None, (Node("primitive", "turn"), node))
    again = pickle.loads(pickle.dumps(Program("solve_deep", node, lang)))
    assert again.digest == Program("solve_deep", node, lang).digest and again.language.version == lang.version


@given(rng=randoms)
@settings(max_examples=50, deadline=None)
def test_nodes_are_ordered_arguments_first_and_once(rng: Random) -> None:
    nodes = ordered(random_program(rng, TINY, 20).root)
    place = {node.digest: at for at, node in enumerate(nodes)}
    assert len(place) == len(nodes)
    assert all(place[arg.digest] < place[node.digest] for node in nodes for arg in node.args)


# ---------------------------------------------------------------------- meaning


def test_a_text_of_no_or_two_programs_is_refused_with_its_line() -> None:
    one = "def a(I):\n    return turn(I)\n"
    for text, line, count in (("", 1, 0), ("# nothing\n", 1, 0), (one + "\n" + one, 4, 2)):
        with pytest.raises(ProgramError, match=rf"line {line}: the text holds {count} programs"):
            Program.parse(text, TINY)
    assert [name for name, _ in parse_defs(one + one.replace("a(", "b("), TINY)] == ["a", "b"]


def test_equal_programs_are_equal_whatever_they_are_called() -> None:
    one = Program.parse("def a(I):\n    return turn(I)\n", TINY)
    two = Program.parse("def b(I):\n    y = turn(I)\n    return y\n", TINY)
    assert one == two and hash(one) == hash(two) and len({one, two}) == 1
    assert one != parsed("return flip(I)") and one != "a"
    assert repr(one).startswith("<Program a · 1 calls · ")


def test_what_a_primitive_raises_comes_out_of_run() -> None:
    with pytest.raises(KeyError, match="no such thing"):
        parsed("return fails(I)").run(GRID)
    with pytest.raises(PrimitiveError, match="a program must return a grid"):
        parsed("return rows(I)").run(GRID)


def test_calling_what_is_no_function_is_a_primitive_error() -> None:
    with pytest.raises(PrimitiveError, match="a int is called, and only functions can be"):
        parsed("n = rows(I)\nreturn n(I)").run(GRID)


def test_results_are_settled_so_that_nobody_can_change_them() -> None:
    assert parsed("return gridded(listed(I))").run(GRID).tolist() == GRID.tolist()
    with pytest.raises(ValueError, match="read-only"):
        parsed("return spoil(I)").run(GRID)
    with pytest.raises(ValueError, match="read-only"):
        parsed("return spoil(turn(I))").run(GRID)
    assert (parsed("return brighter(I, poke(nested(3)))").run(GRID) == GRID).all()
    assert parsed("return lazily(I)").run(GRID).tolist() == GRID.tolist()
    value = settled([1, [2, {3}], {4: [5]}, iter([6])])
    assert value[:2] == (1, (2, frozenset({3}))) and value[2][4] == (5,) and value[3] == (6,)


def test_arrays_are_settled_contiguous() -> None:
    view = np.arange(12, dtype=np.uint8).reshape(3, 4).T
    result = settled(view)
    assert result.flags.c_contiguous and not result.flags.writeable and (result == view).all()
    assert view.flags.writeable


def test_towers_of_pairs_are_settled_without_looking_at_every_path() -> None:
    value: object = (1,)
    for _ in range(200):
        value = call([lambda x: (x, x), value])
    assert isinstance(value, tuple) and not small(value)
    row: tuple[object, ...] = (1, 2)
    assert small((row,) * 1_000) and not small(((row,) * 1_000,) * 1_000)


# ---------------------------------------------------------------------- trace


def test_trace_tells_what_every_line_came_to() -> None:
    steps = parsed("a = turn(I)\nb = rows(a)\nreturn brighter(a, b)").trace(GRID)
    assert [(step.name, step.text, step.error) for step in steps] == [
        ("x1", "turn(I)", ""),
        ("x2", "rows(x1)", ""),
        ("", "brighter(x1, x2)", ""),
    ]
    assert steps[1].value == 3 and steps[2].value.shape == (3, 2)


def test_trace_ends_at_the_line_that_fails() -> None:
    steps = parsed("a = turn(I)\nb = fails(a)\nreturn join(a, b)").trace(GRID)
    assert [step.name for step in steps] == ["x1", "x2"]
    assert steps[1].value is None and steps[1].error == "KeyError: 'no such thing'"
    assert parsed("return I").trace(GRID)[0].value is GRID
