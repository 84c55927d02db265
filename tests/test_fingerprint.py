"""Digests: alike in every process, other when a result could be other, and the same when it could not."""

from __future__ import annotations

import enum
import functools
import io
import math
import os
import subprocess
import sys
import textwrap
import threading
import types
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_language
from hypothesis import given
from hypothesis import strategies as st

from nbbatt.fingerprint import digest, digest_text
from nbbatt.languages import Language

MODULE = '''
"""A language with something of everything that a result may depend on."""
import functools
import math
from collections import Counter
from dataclasses import dataclass
import numpy as np

STEP = 2
TABLE = {"a": 1, "b": [2, 3], "c": {4, 5}}
NAMES = frozenset({"red", "green", "blue", "grey", "fuchsia"})
MASK = np.array([[0, 1], [1, 0]], np.uint8)

class Base:
    weight = 3
    def scaled(self, x):
        return x * self.weight

class Pen(Base):
    wide = 1
    def drawn(self, x):
        return self.scaled(x) + self.wide
    @classmethod
    def made(cls):
        return cls()
    @staticmethod
    def plus(x):
        return x + 10
    @property
    def ink(self):
        return 5

@dataclass(frozen=True)
class Box:
    side: int = 4
    def area(self):
        return self.side ** 2

BOX = Box(4)

def helper(x):
    return deeper(x) + 1

def deeper(x):
    return x * 7

def ping(n):
    return n if n < 1 else pong(n - 1)

def pong(n):
    return ping(n - 2)

def maker(by):
    def made(x):
        return x + by
    return made

added = maker(3)

def logged(fn):
    @functools.wraps(fn)
    def inner(*args):
        return fn(*args)
    return inner

def bystander(x):
    return x - 100

def prim(grid, by=1, *, way="up"):
    """Says what it does."""
    inner = lambda q: helper(q) + STEP
    found = [len(NAMES) for _ in TABLE if "red" in {"red", "green", "blue"}]
    if grid is None:
        raise ValueError(f"no grid {found}")
    return inner(grid) + added(by) + Pen.made().drawn(1) + Pen.plus(2) + Pen().ink + MASK.sum() + BOX.area()

@functools.cache
def cached(x):
    return ping(x) + math.floor(2.5)

@logged
def wrapped(x):
    return np.abs(x) + Counter("ab")["a"]
'''
PRIMITIVES = ("prim", "cached", "wrapped")


def version(text: str, name: str = "made_up_language") -> str:
    """The version of the language of three functions that a module of this text holds."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    try:
        exec(compile(text, f"/nowhere/{name}.py", "exec", dont_inherit=True), module.__dict__)
        functions = {key: getattr(module, key) for key in PRIMITIVES}
        return Language.from_module(functions, constants={"CORNER": (0, 1)}).version
    finally:
        del sys.modules[name]


VERSION = version(MODULE)


def edited(old: str, new: str) -> str:
    assert MODULE.count(old) == 1, old
    return MODULE.replace(old, new)


# ---------------------------------------------------------------------- other processes

ELSEWHERE = """
import sys
sys.path[:0] = {paths!r}
padding = [object() for _ in range({padding})]  # so that addresses differ
import test_fingerprint, tiny_language
from nbbatt.languages import Language
print(test_fingerprint.VERSION, tiny_language.language().version, test_fingerprint.digest(test_fingerprint.DATA))
"""

DATA = {
    "sets": [{"a", "b", "c", (1, "d")}, frozenset({"x", "y", frozenset({"z", "w"})})],
    "plain": (1, True, 1.5, -0.0, 2j, b"b", None, ..., "text"),
    "arrays": np.arange(6).reshape(2, 3),
}


@pytest.mark.parametrize("seed", ["0", "1", "4321"])
def test_versions_are_equal_in_another_process_whatever_its_hash_seed(seed: str, tmp_path: Path) -> None:
    here = Path(__file__).parent
    code = ELSEWHERE.format(paths=[str(here), str(here.parent)], padding=int(seed) * 7)
    env = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=env, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [VERSION, tiny_language.language().version, digest(DATA)]


def test_a_digest_is_thirty_two_hex_digits() -> None:
    assert len(VERSION) == 32 and int(VERSION, 16) >= 0
    assert digest_text("a") != digest_text("b") and len(digest_text("\ud800")) == 32


def test_what_was_run_before_leaves_no_trace() -> None:
    lang = tiny_language.language()
    before = lang.version
    lang.primitives["brighter"].fn(np.zeros((2, 2), np.uint8), 3)
    assert tiny_language.language().version == before


# ---------------------------------------------------------------------- what changes a version

CHANGES = {
    "code": ("return inner(grid) +", "return inner(grid) -"),
    "a number in the code": ("math.floor(2.5)", "math.floor(3.5)"),
    "an inner lambda": ("helper(q) + STEP", "helper(q) - STEP"),
    "a text in the code": ('f"no grid {found}"', 'f"no  grid {found}"'),
    "a set in the code": ('in {"red", "green", "blue"}', 'in {"red", "green", "black"}'),
    "default": ("by=1, *", "by=2, *"),
    "a default's type": ("by=1, *", "by=True, *"),
    "keyword default": ('way="up"', 'way="down"'),
    "closure": ("added = maker(3)", "added = maker(4)"),
    "the code of a closure": ("return x + by", "return x - by"),
    "helper": ("return deeper(x) + 1", "return deeper(x) + 2"),
    "a helper's helper": ("return x * 7", "return x * 8"),
    "one of two that call each other": ("return ping(n - 2)", "return ping(n - 1)"),
    "constant": ("STEP = 2", "STEP = 3"),
    "a constant's type": ("STEP = 2", "STEP = 2.0"),
    "a global dict": ('"a": 1', '"a": 2'),
    "a list in a global dict": ("[2, 3]", "[2, 4]"),
    "a set in a global dict": ("{4, 5}", "{4, 6}"),
    "a global frozenset": ('"fuchsia"', '"violet"'),
    "a global array": ("[[0, 1], [1, 0]]", "[[0, 1], [1, 1]]"),
    "a global array's type": ("np.uint8", "np.uint16"),
    "method": ("return self.scaled(x) + self.wide", "return self.scaled(x) - self.wide"),
    "a method of a base class": ("return x * self.weight", "return x / self.weight"),
    "class attribute": ("wide = 1", "wide = 2"),
    "a base class's attribute": ("weight = 3", "weight = 4"),
    "classmethod": ("return cls()", "return cls() or None"),
    "staticmethod": ("return x + 10", "return x + 11"),
    "property": ("return 5", "return 6"),
    "a dataclass's default": ("side: int = 4", "side: int = 5"),
    "a dataclass's method": ("return self.side ** 2", "return self.side ** 3"),
    "an object's state": ("BOX = Box(4)", "BOX = Box(6)"),
    "bases": ("class Pen(Base):", "class Pen(Base, Exception):"),
    "decorator": ("return fn(*args)", "return fn(*args) or 0"),
    "beneath a decorator": ("np.abs(x)", "np.sign(x)"),
    "what a cached one uses": ("n if n < 1 else", "n if n < 2 else"),
    "exception handling": ("raise ValueError(", "raise KeyError("),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_version_changes_with(what: str) -> None:
    assert version(edited(*CHANGES[what])) != VERSION


def test_all_these_versions_differ_from_each_other() -> None:
    assert len({VERSION, *(version(edited(*change)) for change in CHANGES.values())}) == len(CHANGES) + 1


def test_a_version_changes_with_the_languages_own_names_constants_and_grids() -> None:
    functions = {"turn": tiny_language.turn, "flip": tiny_language.flip}

    def of(space: dict[str, Any], constants: Any = None, **how: Any) -> str:
        return Language.from_module(space, constants=constants or {"ONE": 1}, **how).version

    versions = [
        of(functions),
        of({"turn": tiny_language.turn}),
        of({"turn": tiny_language.flip, "flip": tiny_language.turn}),
        of(functions, {"ONE": 2}),
        of(functions, {"ONE": True}),
        of(functions, {"TWO": 1}),
        of(functions, {"ONE": 1, "TWO": 2}),
        of(functions, grids="tuple"),
    ]
    assert len(set(versions)) == len(versions)
    assert of(functions, name="other") == versions[0] == of(dict(reversed(functions.items())))
    assert of(functions, {"A": 1, "B": 2}) == of(functions, {"B": 2, "A": 1})


# ---------------------------------------------------------------------- what does not

KEEPS = {
    "line numbers": ("def helper(x):", "\n\n\n# moved down\ndef helper(x):"),
    "a remark": ("return x * 7", "return x * 7  # seven"),
    "spaces": ("return x * 7", "return (x   *   7)"),
    "an unrelated function": ("return x - 100", "return x - 200"),
    "a new function": ("def bystander(x):", "def newcomer(x):\n    return x\n\ndef bystander(x):"),
    "an unused import": ("import math\n", "import math\nimport json, re\n"),
    "an unused constant": ("STEP = 2", "OTHER = 5\nSTEP = 2"),
    "the order of a set": (
        '{"red", "green", "blue", "grey", "fuchsia"}',
        '{"fuchsia", "grey", "blue", "green", "red"}',
    ),
    "where a helper stands": (
        "def helper(x):\n    return deeper(x) + 1\n\ndef deeper(x):\n    return x * 7\n",
        "def deeper(x):\n    return x * 7\n\ndef helper(x):\n    return deeper(x) + 1\n",
    ),
    "the docstring of a class": ("class Pen(Base):", 'class Pen(Base):\n    "Draws."'),
    "an equal object": ("BOX = Box(4)", "BOX = Box(side=2 + 2)"),
    "the module's docstring": ("A language with something", "A language with a bit"),
}


@pytest.mark.parametrize("what", KEEPS)
def test_a_version_keeps_with_other(what: str) -> None:
    assert version(edited(*KEEPS[what])) == VERSION


def test_a_version_keeps_where_the_file_lies() -> None:
    code = compile(MODULE, "/elsewhere/x.py", "exec", dont_inherit=True)
    module = types.ModuleType("made_up_language")
    sys.modules["made_up_language"] = module
    try:
        exec(code, module.__dict__)
    finally:
        del sys.modules["made_up_language"]
    functions = {key: getattr(module, key) for key in PRIMITIVES}
    assert Language.from_module(functions, constants={"CORNER": (0, 1)}).version == VERSION


# ---------------------------------------------------------------------- helpers in other modules


def spread(tmp_path: Path, tag: str, helper: str, how: str, use: str) -> str:
    """The version of a function in one file that uses another file's helper, read in a process of its own."""
    folder = tmp_path / tag
    folder.mkdir()
    (folder / "aside.py").write_text(textwrap.dedent(helper), encoding="utf-8")
    (folder / "words.py").write_text(f"{how}\ndef prim(x):\n    return {use}\n", encoding="utf-8")
    code = "import words\nfrom nbbatt.languages import Language\nprint(Language.from_module(words).version)"
    path = f"{folder}{os.pathsep}{Path(__file__).parents[1]}"
    env = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("how", "use"),
    [
        ("from aside import far", "far(x)"),
        ("import aside", "aside.far(x)"),
        ("import aside as a", "a.Kit.far(x)"),
    ],
)
def test_helpers_in_files_beside_count(tmp_path: Path, how: str, use: str) -> None:
    text = """
    FACTOR = {factor}
    def far(x):
        return x * FACTOR
    class Kit:
        @classmethod
        def far(cls, x):
            return x * FACTOR
    def near(x):
        return x {near}
    """
    one = spread(tmp_path, "one", text.format(factor=2, near="- 1"), how, use)
    factor = spread(tmp_path, "two", text.format(factor=3, near="- 1"), how, use)
    near = spread(tmp_path, "three", text.format(factor=2, near="- 2"), how, use)
    assert one == near != factor


# ---------------------------------------------------------------------- plain data


class Plain:
    def __init__(self, value: object) -> None:
        self.value = value

    def told(self) -> object:
        return self.value


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def by(n: int) -> Any:
    return lambda x: x + n


DISTINCT: list[Any] = [
    *(0, 0.0, -0.0, False, None, "", b"", (), [], {}, set(), frozenset(), ..., 1, True, 1.0, "1", b"1", 1j),
    *(math.nan, math.inf, (1,), (True,), [1], {1}, frozenset({1}), {1: 2}, {2: 1}, {1: 2, 2: 1}, (1, (2, 3))),
    *(
        ((1, 2), 3),
        (1, 2, 3),
        ("1,2",),
        ("1", "2"),
        "int:1",
        np.uint8(1),
        np.int64(1),
        len,
        max,
        math,
        np.abs,
    ),
    *(
        np.zeros(2),
        np.zeros(2, np.uint8),
        np.zeros((1, 2)),
        np.zeros((2, 1)),
        np.array([1, None]),
        np.array(["a"]),
    ),
    *(
        Plain(1),
        Plain(2),
        Plain(True),
        Slotted(1),
        Slotted(2),
        Plain,
        Slotted,
        Colour.RED,
        Colour.BLUE,
        Colour,
    ),
    *(by(1), by(2), partial(by, 1), partial(by, 2), Plain(by(1)), Plain(by(2)), Plain(1).told, Plain(2).told),
]


def test_things_that_differ_have_digests_that_differ() -> None:
    digests: dict[str, Any] = {}
    for value in DISTINCT:
        other = digests.setdefault(digest((value,)), value)
        assert other is value, f"{other!r} and {value!r} have one digest"


def test_equal_things_made_anew_have_one_digest() -> None:
    for make in (
        lambda: Plain([1, {2}]),
        lambda: Slotted((1,)),
        lambda: by(3),
        lambda: np.arange(4),
        lambda: {"a": [1]},
    ):
        assert digest(make()) == digest(make())
    assert digest({"b", "a", "c"}) == digest({"c", "a", "b"})
    assert digest(np.arange(6).reshape(2, 3).T) == digest(np.ascontiguousarray(np.arange(6).reshape(2, 3).T))


def test_what_holds_itself_and_what_cannot_be_copied_have_a_digest() -> None:
    ring: list[Any] = [1]
    ring.append(ring)
    pair = Plain(None)
    pair.value = Plain(pair)
    for value in (ring, pair, threading.Lock(), io.StringIO("a"), iter([1, 2]), (n for n in "ab"), object()):
        assert len(digest(value)) == 32
    deep = by(1)
    for _ in range(20):
        deep = (lambda inner: lambda x: inner(x))(deep)
    assert digest(deep) != digest(by(1))


plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(a=plain_data, b=plain_data)
def test_digests_of_plain_data_are_equal_exactly_when_their_texts_are(a: object, b: object) -> None:
    assert (digest(a) == digest(b)) == (repr(a) == repr(b))


@given(
    items=st.lists(st.integers() | st.text(max_size=4), unique_by=lambda item: (type(item), item)),
    data=st.data(),
)
def test_the_order_of_a_set_never_shows(items: list[Any], data: st.DataObject) -> None:
    other = data.draw(st.permutations(items))
    assert digest(frozenset(items)) == digest(frozenset(other)) and digest(set(items)) == digest(set(other))


# ---------------------------------------------------------------------- what code is wrapped in

KEPT_ASIDE = {
    "a function's own attribute": ("def prim(x): return prim.k\nprim.k = {}\n", "1", "2"),
    "singledispatch": (
        "@functools.singledispatch\ndef prim(x): return 0\n@prim.register\ndef _(x: int): return {}\n",
        "1",
        "2",
    ),
    "a partial": (
        "def h(a, b): return a - b\np = functools.partial(h, {})\ndef prim(x): return p(x)\n",
        "1",
        "2",
    ),
    "a partial that looks like its function": (
        "def h(a, b): return a\np = functools.update_wrapper(functools.partial(h, {}), h)\ndef prim(x): return p(x)\n",
        "1",
        "2",
    ),
    "the state of a wrapping object": (
        "class Times:\n    def __init__(self, fn, n): functools.update_wrapper(self, fn); self.n = n\n"
        "    def __call__(self, x): return self.n\ndef h(x): return x\ng = Times(h, {})\ndef prim(x): return g(x)\n",
        "1",
        "2",
    ),
    "the code of a wrapping object": (
        "class Sign:\n    def __init__(self, fn): functools.update_wrapper(self, fn)\n"
        "    def __call__(self, x): return {}x\ndef h(x): return x\ng = Sign(h)\ndef prim(x): return g(x)\n",
        "+",
        "-",
    ),
    "a read-only mapping": ("K = types.MappingProxyType({{1: {}}})\ndef prim(x): return K[x]\n", "1", "2"),
    "a metaclass": (
        "class M(type):\n    def __len__(cls): return {}\nclass A(metaclass=M): pass\ndef prim(x): return len(A)\n",
        "1",
        "2",
    ),
    "a cached property": (
        "class A:\n    @functools.cached_property\n    def f(self): return {}\ndef prim(x): return A().f\n",
        "1",
        "2",
    ),
    "what super finds": (
        "class A:\n    def f(self): return {}\nclass B(A):\n    def f(self): return super().f()\n"
        "def prim(x): return B().f()\n",
        "1",
        "2",
    ),
    "a function in a dict": ("D = dict(a=lambda x: x + {})\ndef prim(x): return D['a'](x)\n", "1", "2"),
    "a bound method": (
        "class A:\n    def __init__(self, n): self.n = n\n    def f(self): return self.n\nf = A({}).f\n"
        "def prim(x): return f()\n",
        "1",
        "2",
    ),
    "a descriptor": (
        "class D:\n    def __get__(self, it, kind): return {}\nclass A:\n    a = D()\ndef prim(x): return A.a\n",
        "1",
        "2",
    ),
}


@pytest.mark.parametrize("what", KEPT_ASIDE)
def test_a_digest_covers_what_is_kept_aside(what: str) -> None:
    text, one, other = KEPT_ASIDE[what]

    def of(part: str) -> str:
        space: dict[str, Any] = {"__name__": "__main__", "functools": functools, "types": types}
        exec(compile(text.format(part), "<cell>", "exec", dont_inherit=True), space)
        return digest(space["prim"])

    assert of(one) == of(one) != of(other)
