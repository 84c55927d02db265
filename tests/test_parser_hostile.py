"""FAULTS row 29: texts that are no programs are refused with line and reason, and nothing of them is ever run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hostile_texts import cases, mutants
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_language import language

from nbbatt.nodes import ProgramError
from nbbatt.parser import MAX_TEXT, parse_defs
from nbbatt.programs import Program

TINY = language()
NAMED = re.compile(r"line (\d+): .{10,}", re.DOTALL)

WATCHED = """
import difflib, json, sys, tokenize, unicodedata, warnings
from hostile_texts import cases, mutants
from tiny_language import language
from nbbatt.nodes import ProgramError
from nbbatt.programs import Program
tiny = language()
texts = {texts}
Program.parse("def solve_warm(I):\\n    return turn(I)  # \\u00e9 1if\\n", tiny)
seen, armed = [], [True]

def watch(event, args):
    if armed[0] and event != "compile" and (event, args[:1]) != ("open", ("<unknown>",)):
        seen.append(f"{{event}} {{args!r}}"[:200])

warnings.simplefilter("error")
sys.addaudithook(watch)
out = []
for text in texts:
    try:
        Program.parse(text, tiny)
        out.append(None)
    except ProgramError as refused:
        out.append(str(refused))
    except BaseException as other:
        out.append(f"!{{type(other).__name__}}: {{other}}"[:300])
armed[0] = False
print(json.dumps([out, seen[:20]]))
"""


def watched(texts: str) -> tuple[list[str | None], list[str]]:
    """What parsing comes to in a process whose audit hook notes whatever is run, opened, imported or looked up."""
    code = WATCHED.format(texts=texts)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=110,
        env={"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[1]}", "PYTHONHASHSEED": "0"},
    )
    assert done.returncode == 0 and not done.stderr, done.stderr[-2_000:]
    refused, seen = json.loads(done.stdout)
    return refused, seen


def test_five_hundred_hostile_texts_are_refused_by_line_and_reason_and_nothing_is_run() -> None:
    all_cases = list(cases())
    refused, seen = watched("[text for _, text, _ in cases()]")
    assert seen == []
    assert len(refused) == len(all_cases) and len({text for _, text, _ in all_cases}) >= 500
    assert len(Counter(category for category, _, _ in all_cases)) >= 35
    for (category, text, line), said in zip(all_cases, refused, strict=True):
        where = f"{category}: {text[:120]!r} -> {said!r}"
        assert said is not None, f"accepted {where}"
        named = NAMED.fullmatch(said)
        assert named, f"no line or reason in {where}"
        assert line is None or int(named[1]) == line, f"line {line} is to blame in {where}"
        assert len(said) < 700, f"{len(said)} characters in {where}"


def test_thousands_of_mutants_are_programs_or_refused_and_nothing_is_run() -> None:
    refused, seen = watched("list(mutants(29, 6_000))")
    assert seen == []
    assert not [said for said in refused if said is not None and not NAMED.fullmatch(said)]
    accepted = sum(said is None for said in refused)
    assert 50 < accepted < 3_000  # the fuzzer reaches both sides


pieces = st.sampled_from(
    [
        "I",
        "S",
        "turn",
        "flip",
        "join",
        "ONE",
        "(",
        ")",
        ",",
        "=",
        ":",
        "def",
        "return",
        "lambda",
        "import",
        "os",
        "1",
        "-1",
        "1.5",
        "'",
        "#",
        "\\",
        ".",
        "*",
        "[",
        "]",
        "{",
        "}",
        "@",
        "x1",
        "é",
        "\u202e",
        "True",
        "f''",
        ":=",
        "1if",
    ]
    + ["\n", "\n    ", "    ", " ", "\t", "\x00", "\ud800", "def solve_f(I):\n    ", "return turn(I)"]
)


@given(
    text=st.one_of(
        st.text(), st.lists(pieces, max_size=40).map("".join), st.binary().map(lambda b: b.decode("latin-1"))
    )
)
@settings(max_examples=400, deadline=None)
def test_whatever_the_text_it_is_a_program_or_a_program_error(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            programs = [Program(name, root, TINY) for name, root in parse_defs(text, TINY, imports=True)]
        except ProgramError as refused:
            assert NAMED.fullmatch(str(refused))
        else:
            assert all(Program.parse(p.inline(), TINY).digest == p.digest for p in programs)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_a_mutant_that_is_accepted_reads_back(seed: int) -> None:
    for text in mutants(seed, 3):
        try:
            program = Program.parse(text, TINY)
        except ProgramError:
            continue
        assert Program.parse(program.inline(), TINY).digest == program.digest


@pytest.mark.parametrize("noisy", ["    # \\d 1if x\n", "    '''\\d'''\n", "    # 0xfor 1_0or\n"])
def test_no_warning_of_pythons_tokenizer_comes_out(noisy: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Program.parse(f"def solve_w(I):\n{noisy}    return turn(I)\n", TINY)
        with pytest.raises(ProgramError):
            Program.parse("def solve_w(I):\n    return turn('\\d', 1if I else 2, 0xfor x)\n", TINY)
    assert caught == []


def test_comments_and_docstrings_may_be_in_any_script() -> None:
    text = "def solve_u(I):\n    '''ein gedrehtes Gitter: ｒot90, 旋转'''\n    x = turn(I)  # größer → flacher\n    return x\n"
    assert Program.parse(text, TINY) == Program.parse("def solve_u(I):\n    return turn(I)\n", TINY)


def test_names_that_are_near_are_offered() -> None:
    with pytest.raises(ProgramError, match=r"line 2: the name 'trun' .* 'tiny' has; near it: turn"):
        Program.parse("def solve_n(I):\n    return trun(I)\n", TINY)


def test_imports_at_the_top_are_passed_over_only_when_asked() -> None:
    text = "from dsl import *\nimport os, nowhere_to_be_found\n\ndef solve_i(I):\n    return turn(I)\n"
    assert [name for name, _ in parse_defs(text, TINY, imports=True)] == ["solve_i"]
    with pytest.raises(ProgramError, match="line 1: an import outside a def"):
        parse_defs(text, TINY)
    with pytest.raises(ProgramError, match="line 3: an import outside a def"):
        parse_defs("def solve_i(I):\n    return turn(I)\nimport os\n", TINY, imports=True)


@pytest.mark.parametrize("value", [None, 5, b"def solve_b(I):\n    return turn(I)\n", ["x"]])
def test_only_texts_are_texts(value: object) -> None:
    with pytest.raises(ProgramError, match="line 1: a program is a text, and this is a"):
        Program.parse(value, TINY)  # type: ignore[arg-type]


def test_a_text_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProgramError, match=r"line \d+: the text has 1,\d+,\d+ characters"):
        Program.parse("#" + "\n" * 20 + " " * MAX_TEXT, TINY)


def test_calls_nest_as_deeply_as_python_can_read_them() -> None:
    for depth in (1, 50, 90):
        text = "def solve_d(I):\n    return " + "turn(" * depth + "I" + ")" * depth + "\n"
        assert Program.parse(text, TINY).size == depth


def test_random_texts_of_words_never_break_it() -> None:
    rng = Random(5)
    words = [
        "def ",
        "f",
        "(",
        "I",
        ")",
        ":",
        "\n ",
        "return ",
        "turn",
        ",",
        "=",
        "1",
        "é",
        "'",
        "class ",
        "lambda ",
        "\n",
    ]
    for _ in range(2_000):
        text = "".join(rng.choices(words, k=rng.randint(1, 25)))
        try:
            Program.parse(text, TINY)
        except ProgramError as refused:
            assert NAMED.fullmatch(str(refused))
