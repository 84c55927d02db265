"""Starter solvers solve their tasks; libraries open lazily, from texts, modules and folders, and run none."""

from __future__ import annotations

import importlib.util
import pickle
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import nbbatt.library
from nbbatt import dsl
from nbbatt.languages import Language
from nbbatt.library import Library, LibraryError, builtin
from nbbatt.nodes import ProgramError
from nbbatt.programs import Program
from nbbatt.sources import load_tasks

LANGUAGE = dsl.language()
BUILTIN = builtin()
TWO = """# concepts: mirror, symmetry
def solve_aaaa0001(I):
    return mirror_lr(I)

# Turned, then cut to what is there.
# concepts: rotation
def solve_bbbb0002(I):
    x1 = rot90(I)
    return trim(x1)
"""


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The texts that the library has parsed since."""
    texts: list[str] = []
    real = nbbatt.library.parse_defs

    def counting(text: str, language: Language, *, imports: bool = False) -> list:
        texts.append(text)
        return real(text, language, imports=imports)

    monkeypatch.setattr(nbbatt.library, "parse_defs", counting)
    yield texts


# ---------------------------------------------------------------------- the built-in solvers


@pytest.fixture(scope="module")
def training() -> object:
    return load_tasks("arcagi1/training")


@pytest.mark.parametrize("name", BUILTIN.names)
def test_starter_solver_solves_every_pair(name: str, training: object) -> None:
    task = training[BUILTIN.entry(name).task_id]
    program = BUILTIN[name]
    for number, pair in enumerate(task.pairs, start=1):
        assert np.array_equal(program.run(pair.input, task.demos), pair.output), f"pair {number}"


@pytest.mark.parametrize("name", BUILTIN.names)
def test_starter_solver_is_a_rule_not_a_table(name: str) -> None:
    entry, program = BUILTIN.entry(name), BUILTIN[name]
    assert entry.name == f"solve_{entry.task_id}" and entry.concepts
    assert entry.text.startswith("# concepts: ") and entry.text.endswith("\n") and "\t" not in entry.text
    literals = [node.value for node in program.nodes if node.kind == "literal"]
    assert all(type(value) is int and -9 <= value <= 9 for value in literals) and len(literals) <= 4
    assert program.size <= 14


def test_the_built_in_library() -> None:
    assert len(BUILTIN) >= 130 and BUILTIN.language is LANGUAGE
    assert list(BUILTIN.names) == sorted(BUILTIN.names)
    assert len({program.digest for program in BUILTIN}) > 100
    assert "00576224" not in BUILTIN and len(BUILTIN.without_task("00576224")) == len(BUILTIN)
    assert "solve_67a3c6ac" in BUILTIN and "nothing" not in BUILTIN


def test_opening_reads_and_parses_nothing(parsed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda self, **kw: (read.append(self.name), real(self, **kw))[1])
    library = builtin()
    assert len(library) and library.names and not read and not parsed
    first = library[0]
    assert library[0] is first and library[library.names[0]] is first
    assert read == [library.entries[0].place] and len(parsed) == 1


# ---------------------------------------------------------------------- a sequence


def test_from_text(parsed: list[str]) -> None:
    library = Library.from_text(TWO, LANGUAGE)
    assert not parsed
    assert library.names == ("solve_aaaa0001", "solve_bbbb0002") and len(library) == 2
    assert [entry.task_id for entry in library.entries] == ["aaaa0001", "bbbb0002"]
    assert [entry.concepts for entry in library.entries] == [("mirror", "symmetry"), ("rotation",)]
    assert library[1] == Program.parse("def p(I):\n    return trim(rot90(I))", LANGUAGE)
    assert len(parsed) == 1 and library[1] is library[-1] is library["solve_bbbb0002"]
    assert library["aaaa0001"] is library[0]
    assert [program.name for program in library] == list(library.names)
    assert random.Random(0).choice(library) in library
    assert repr(library) == "<Library of 2 solvers over nbbatt>"


def test_parts_share_what_is_parsed(parsed: list[str]) -> None:
    library = Library.from_text(TWO, LANGUAGE)
    program = library[1]
    assert library[1:][0] is program and library.without_task("aaaa0001")[0] is program
    assert library.with_concept("mirror").names == ("solve_aaaa0001",)
    assert len(library.with_concept("mirror")) == 1 and len(parsed) == 1


def test_task_ids_come_from_names() -> None:
    text = "".join(
        f"def {name}(I):\n    return I\n"
        for name in ("solve_aaaa0001_0123abcd", "solve_my_task", "helper", "solve_my_task_89abcdef")
    )
    library = Library.from_text(text, LANGUAGE)
    assert [entry.task_id for entry in library.entries] == ["aaaa0001", "my_task", "", "my_task"]
    assert library.without_task("my-task").names == ("solve_aaaa0001_0123abcd", "helper")
    assert library["my_task"].name == "solve_my_task"


def test_a_missing_solver_is_named() -> None:
    library = Library.from_text(TWO, LANGUAGE)
    with pytest.raises(LibraryError, match=r"solve_aaaa0003.*near it: solve_aaaa0001"):
        library["solve_aaaa0003"]
    with pytest.raises(IndexError):
        library[2]


def test_pickled_and_back() -> None:
    library = pickle.loads(pickle.dumps(Library.from_text(TWO, LANGUAGE)))
    assert library[1].root == Library.from_text(TWO, LANGUAGE)[1].root
    assert pickle.loads(pickle.dumps(builtin()[:2]))[0].root == BUILTIN[0].root


def test_empty() -> None:
    library = Library.empty(LANGUAGE)
    assert len(library) == 0 and list(library) == [] and library.without_task("x").names == ()


# ---------------------------------------------------------------------- sources


@pytest.fixture
def solvers_module(tmp_path: Path) -> Iterator[ModuleType]:
    path = tmp_path / "my_solvers.py"
    head = '"""Solvers."""\nfrom nbbatt.dsl.geometry import *\nimport os\n\n'
    path.write_text(head + TWO, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("my_solvers", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["my_solvers"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["my_solvers"]


def test_from_module(solvers_module: ModuleType) -> None:
    library = Library.from_module(solvers_module, LANGUAGE)
    assert library.names == ("solve_aaaa0001", "solve_bbbb0002") and library[1].size == 2
    assert library.entries[0].concepts == ("mirror", "symmetry")


def test_from_module_without_source() -> None:
    with pytest.raises(LibraryError, match=r"source of 'made_up' cannot be had.*from_text"):
        Library.from_module(ModuleType("made_up"), LANGUAGE)


def test_from_folder(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "b.txt").write_text("def solve_b(I):\n    return rot90(I)\n", encoding="utf-8")
    (tmp_path / "deeper" / "a.py").write_text("import numpy\n" + TWO, encoding="utf-8")
    (tmp_path / "notes.md").write_text("no solver", encoding="utf-8")
    library = Library.from_folder(tmp_path, LANGUAGE)
    assert library.names == ("solve_b", "solve_aaaa0001", "solve_bbbb0002")
    assert [program.size for program in library] == [1, 1, 2]
    assert len(Library.from_folder(tmp_path / "deeper", LANGUAGE)) == 2


def test_from_folder_refuses(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="is no folder"):
        Library.from_folder(tmp_path / "nowhere", LANGUAGE)
    (tmp_path / "a.txt").write_bytes(b"def solve_a(I):\n    return \xff\n")
    with pytest.raises(LibraryError, match=r"a\.txt.*cannot be read"):
        Library.from_folder(tmp_path, LANGUAGE)


@pytest.mark.parametrize(
    ("rest", "where"),
    [
        ("def solve_b(I):\n    return rot91(I)\n", "'solve_b': line 4: the name 'rot91'"),
        ("\nprint(1)\ndef solve_b(I):\n    return I\n", "'solve_a': line 4: "),
        ("@cached\ndef solve_b(I):\n    return I\n", "'solve_b': line 3: a decorator"),
        ("\nimport os\n", "'solve_a': line 4: an import"),
        ('def solve_b(I):\n    """\ndef solve_c(I):\n    """\n    return I\n', "'solve_b': line 4: "),
    ],
)
def test_a_bad_def_is_refused_where_it_is_used(rest: str, where: str) -> None:
    library = Library.from_text("def solve_a(I):\n    return I\n" + rest, LANGUAGE)
    with pytest.raises(ProgramError, match=where):
        list(library)


@pytest.mark.parametrize("head", ["import os\n", "x = 1\n"])
def test_a_bad_beginning_is_refused_at_once(head: str) -> None:
    with pytest.raises(ProgramError, match="line 1: "):
        Library.from_text(head + "def solve_a(I):\n    return I\n", LANGUAGE)


@pytest.mark.parametrize("text", ["", "x = 1\n", "# concepts: none\n"])
def test_a_text_without_solvers_is_refused(text: str) -> None:
    with pytest.raises(LibraryError, match="holds no def"):
        Library.from_text(text, LANGUAGE)


def test_two_solvers_of_one_name_are_refused() -> None:
    with pytest.raises(LibraryError, match="two solvers are named 'solve_aaaa0001'"):
        Library.from_text(TWO + TWO, LANGUAGE)


def test_a_file_that_defines_another_name_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("def solve_b(I):\n    return I\n", encoding="utf-8")
    entry = nbbatt.library.Entry("solve_a", file, place="a.txt")
    with pytest.raises(ProgramError, match=r"'solve_a' of a.txt: its text defines solve_b"):
        Library(LANGUAGE, (entry,))[0]


def test_nothing_of_a_text_runs(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    hostile = f"def solve_a(I):\n    return open({str(trace)!r}, 'w')\n__import__('os')\n"
    with pytest.raises(ProgramError):
        Library.from_text(hostile, LANGUAGE)["solve_a"]
    assert not trace.exists()
