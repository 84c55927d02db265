"""Versions: equal in every process, another whenever a result could be, and the same when only a line has moved."""

from __future__ import annotations

import itertools
import linecache
import os
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import dill
import numpy as np
import pytest

import nbbatt
from nbbatt.fingerprint import _global_names, digest
from nbbatt.languages import Language
from nbbatt.nodes import call

numbers = itertools.count()
REPO = Path(nbbatt.__file__).parents[1]

BASE = """
import functools, math, re
from dataclasses import dataclass
from enum import Enum
import numpy as np

TABLE = {1: (2, 3), 'k': [4]}
LIMITS = (3, 4)
ARRAY = np.arange(3)
PATTERN = re.compile('a+')
LOOSE = 17

class Base:
    rate = 3
    def scaled(self, n):
        return n * self.rate

class Tool(Base):
    names = ('a', 'b')
    @staticmethod
    def plain(n):
        return n + 1
    @property
    def double(self):
        return 2
    def made(self, n):
        return self.scaled(n)

@dataclass(frozen=True)
class Rule:
    left: int
    right: int = 5
    def applied(self, n):
        return n + self.left

class Shade(Enum):
    DARK = 1
    LIGHT = 2

RULE = Rule(1)
SHADES = {Shade.DARK, Shade.LIGHT}

def helper(n):
    return deeper(n) + 1

def deeper(n):
    return n * 2

def stranger(n):
    return n - 1

def factory(k):
    def made(grid, n=1):
        return grid + k
    return made

@functools.cache
def kept(n):
    return n + 3

made = factory(2)
bound = functools.partial(helper, 3)

def turn(grid, times=1):
    try:
        grid = grid + times
    except ValueError:
        grid = None
    return grid

def use_helper(grid):
    return [helper(x) for x in grid]

def use_data(grid):
    return TABLE[1], LIMITS[0], ARRAY, PATTERN

def use_class(grid):
    return Tool().made(grid), RULE.applied(2), SHADES

def use_cached(grid):
    return kept(grid), bound()

def use_library(grid):
    return math.floor(np.mean(grid))

def early(flag):
    if flag:
        return 1.0
    return -0.0
"""
USED = ("turn", "made", "use_helper", "use_data", "use_class", "use_cached", "use_library", "early")


def language(source: str = BASE) -> Language:
    """A language of some of a cell's functions; the cell is known to linecache alone."""
    file = f"<cell {next(numbers)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, file, "exec", dont_inherit=True), space)
    return Language.from_module({name: space[name] for name in USED}, constants={"ONE": 1}, name="cell")


VERSION = language().version


def changed(old: str, new: str) -> str:
    assert BASE.count(old) == 1, old
    return language(BASE.replace(old, new)).version


def test_the_same_cell_run_again_is_the_same_language() -> None:
    assert language().version == VERSION


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("        grid = grid + times\n", "        grid = grid - times\n"),
        ("def turn(grid, times=1)", "def turn(grid, times=2)"),
        ("def turn(grid, times=1)", "def turn(grid, times=True)"),
        ("def turn(grid, times=1)", "def turn(grid: int, times=1)"),
        ("def turn(grid, times=1)", "def turn(grid, *, times=1)"),
        ("except ValueError", "except TypeError"),
        ("        grid = grid + times\n    except ValueError:\n        grid = None\n", "        pass\n    except ValueError:\n        grid = None\n    grid = grid + times\n"),
        ("made = factory(2)", "made = factory(3)"),
        ("    def made(grid, n=1):", "    def made(grid, n=2):"),
        ("        return grid + k", "        return k + grid"),
        ("    return deeper(n) + 1", "    return deeper(n) + 2"),
        ("    return n * 2", "    return n * 3"),
        ("1: (2, 3)", "1: (2, 4)"),
        ("'k': [4]", "'k': [5]"),
        ("'k': [4]", "'k': (4,)"),
        ("LIMITS = (3, 4)", "LIMITS = (4, 4)"),
        ("LIMITS = (3, 4)", "LIMITS = (True, 4)"),
        ("np.arange(3)", "np.arange(4)"),
        ("np.arange(3)", "np.arange(3, dtype=np.uint8)"),
        ("np.arange(3)", "np.array([0, 1, 2], dtype=object)"),
        ("'a+'", "'b+'"),
        ("re.compile('a+')", "re.compile('a+', re.I)"),
        ("    rate = 3", "    rate = 4"),
        ("        return n * self.rate", "        return n + self.rate"),
        ("class Tool(Base)", "class Tool"),
        ("        return n + 1\n    @property", "        return n + 2\n    @property"),
        ("        return 2\n", "        return 3\n"),
        ("('a', 'b')", "('a', 'c')"),
        ("    right: int = 5", "    right: int = 6"),
        ("        return n + self.left", "        return n + self.right"),
        ("RULE = Rule(1)", "RULE = Rule(2)"),
        ("{Shade.DARK, Shade.LIGHT}", "{Shade.DARK}"),
        ("    LIGHT = 2", "    LIGHT = 3"),
        ("    return n + 3", "    return n + 4"),
        ("functools.partial(helper, 3)", "functools.partial(helper, 4)"),
        ("functools.partial(helper, 3)", "functools.partial(stranger, 3)"),
        ("math.floor(np.mean(grid))", "math.ceil(np.mean(grid))"),
        ("    return -0.0", "    return 0.0"),
        ("        return 1.0", "        return 1"),
    ],
)  # fmt: skip
def test_whatever_could_change_a_result_changes_the_version(old: str, new: str) -> None:
    assert changed(old, new) != VERSION


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import functools, math, re", "\n\n# a remark\nimport functools, math, re"),
        ("def turn(grid", "\n\n\ndef turn(grid"),
        ("    return n - 1", "    return n - 2"),
        ("LOOSE = 17", "LOOSE = 18"),
        ("def stranger(n)", "def another(n)"),
        ("    return grid\n\ndef use_helper", "    return (\n        grid\n    )\n\ndef use_helper"),
        ("{Shade.DARK, Shade.LIGHT}", "{Shade.LIGHT, Shade.DARK}"),
    ],
)
def test_what_changes_no_result_leaves_the_version(old: str, new: str) -> None:
    assert changed(old, new) == VERSION


def test_constants_names_and_the_form_of_grids_are_part_of_the_version() -> None:
    def turn(grid: Any) -> Any:
        return grid

    def flip(grid: Any) -> Any:
        return grid[::-1]

    versions = [
        Language.from_functions(turn),
        Language.from_functions(flip),
        Language.from_functions(turn, flip),
        Language.from_module({"turn": flip, "flip": turn}),
        Language.from_module({"round": turn}),
        Language.from_functions(turn, constants={"ONE": 1}),
        Language.from_functions(turn, constants={"ONE": True}),
        Language.from_functions(turn, constants={"ONE": 2}),
        Language.from_functions(turn, constants={"TWO": 1}),
        Language.from_functions(turn, constants={"ONE": (1, 2)}),
        Language.from_functions(turn, constants={"ONE": frozenset({1, 2})}),
        Language.from_module([turn], grids="tuple"),
    ]
    assert len({lang.version for lang in versions}) == len(versions)
    assert Language.from_functions(turn, name="other").version == versions[0].version
    assert Language.from_functions(flip, turn).version == versions[2].version


def test_running_primitives_does_not_change_the_version() -> None:
    lang = language()
    for _ in range(3_000):  # enough for the interpreter to specialise their bytecode
        call([lang.primitives["turn"].fn, 5])
        call([lang.primitives["use_helper"].fn, (1, 2, 3)])
        call([lang.primitives["use_cached"].fn, 4])
    lang.__dict__.pop("version", None)
    assert lang.version == VERSION


def test_the_version_is_the_same_in_every_process() -> None:
    code = "import test_fingerprint as t, nbbatt.dsl; print(t.VERSION, nbbatt.dsl.language().version)"
    found = set()
    for seed in ("0", "1", "4711"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{REPO}:{REPO / 'tests'}"}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
        found.add(done.stdout.strip())
    from nbbatt import dsl

    assert found == {f"{VERSION} {dsl.language().version}"}


def test_a_cells_language_has_its_version_in_a_process_that_got_it_by_value(tmp_path: Path) -> None:
    """A worker must not find another version than its parent: what dill carries along is what is digested."""
    source = BASE + "\ndef count(n):\n    return n\n\ndef attribute(grid):\n    return grid.count(1), grid.stranger, count\n"
    file = tmp_path / "cell.py"
    file.write_text(source)
    sender = tmp_path / "send.py"
    sender.write_text(
        "import dill, sys\nfrom pathlib import Path\nfrom nbbatt.languages import Language\n"
        "source = Path(sys.argv[1]).read_text()\n"
        "exec(compile(source, '<cell>', 'exec'), globals())\n"
        f"names = {(*USED, 'attribute')!r}\n"
        "lang = Language.from_module({n: globals()[n] for n in names}, constants={'ONE': 1})\n"
        "Path(sys.argv[2]).write_bytes(dill.dumps(lang, recurse=True))\nprint(lang.version)\n"
    )
    receiver = "import dill, sys; from pathlib import Path; print(dill.loads(Path(sys.argv[1]).read_bytes()).version)"
    sent = tmp_path / "language.pickle"
    env = {**os.environ, "PYTHONPATH": str(REPO)}
    told = [
        subprocess.run([sys.executable, *args], capture_output=True, text=True, check=True, env=env).stdout
        for args in ([str(sender), str(file), str(sent)], ["-c", receiver, str(sent)])
    ]
    assert told[0] == told[1] and len(told[0].strip()) == 32


def test_an_edited_helper_module_is_followed_however_it_is_named(tmp_path: Path) -> None:
    package = tmp_path / "own_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "tools.py").write_text("RATE = 2\n\ndef scaled(n):\n    return n * RATE\n\ndef unused(n):\n    return n\n")
    (package / "own.py").write_text(
        "import own_package.tools\nfrom own_package import tools as t\nfrom own_package.tools import scaled\n"
        "def by_path(grid): return own_package.tools.scaled(grid)\ndef by_alias(grid): return t.scaled(grid)\ndef by_name(grid): return scaled(grid)\n"
    )
    code = (
        "from nbbatt.languages import Language\nfrom own_package import own\n"
        "print(*[Language.from_functions(f).version for f in (own.by_path, own.by_alias, own.by_name)])"
    )

    def versions() -> list[str]:
        env = {**os.environ, "PYTHONPATH": f"{REPO}:{tmp_path}", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
        return done.stdout.split()

    before = versions()
    tools = package / "tools.py"
    tools.write_text(tools.read_text().replace("    return n\n", "    return n + 1\n"))
    assert versions() == before
    tools.write_text(tools.read_text().replace("RATE = 2", "RATE = 3"))
    after = versions()
    assert all(new != old for new, old in zip(after, before))
    tools.write_text(tools.read_text().replace("n * RATE", "n + RATE"))
    assert all(new != old for new, old in zip(versions(), after))


def test_the_digest_of_data_tells_types_apart_and_forgets_the_order_of_sets() -> None:
    values = [1, True, 1.0, "1", b"1", (1,), [1], {1}, {1: 1}, None, ..., 0.0, -0.0, 1j, np.int8(1), np.uint8(1), np.array([1]), np.array([[1]]), range(1), range(2)]
    assert len({digest(value) for value in values}) == len(values)
    assert digest({3, "a", (1, 2)}) == digest({(1, 2), "a", 3}) and digest({1}) == digest(set([1, 1]))
    assert digest(float("nan")) == digest(float("nan")) and digest("\ud800") == digest("\ud800")


def test_data_that_holds_itself_or_cannot_be_copied_has_a_digest() -> None:
    knot: list[Any] = [1]
    knot.append(knot)
    assert digest(knot) == digest(knot)
    assert digest(threading.Lock()) == digest(threading.Lock())
    assert digest([types.SimpleNamespace(a=1)]) != digest([types.SimpleNamespace(a=2)])


def test_functions_that_use_each_other_have_a_digest() -> None:
    space: dict[str, Any] = {}
    exec("def ping(n):\n    return pong(n - 1)\ndef pong(n):\n    return ping(n) if n else 0\n", space)
    assert digest(space["ping"]) != digest(space["pong"])
    assert digest((space["ping"],)) == digest((space["ping"],))


def test_exactly_the_names_that_code_looks_up_outside_itself_are_found() -> None:
    import dis

    names = " ".join(f"name{i}()," for i in range(300))  # more than one byte counts
    space: dict[str, Any] = {}
    exec(f"def many(x):\n    class Local:\n        y = outer\n    return [{names} lambda: inner, x.attribute]\n", space)
    codes = [space["many"].__code__]
    for code in codes:
        codes += [const for const in code.co_consts if isinstance(const, types.CodeType)]
    told = {i.argval for code in codes for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    assert _global_names(space["many"].__code__) == told
    assert {"name299", "outer", "inner"} <= told and "attribute" not in told


def test_a_pickled_language_works_out_its_version_anew() -> None:
    from nbbatt import dsl

    lang = dsl.language()
    assert lang.version
    again = dill.loads(dill.dumps(lang, recurse=True))
    assert "version" not in vars(again) and again.version == lang.version
