"""Solver texts that are no programs, some of them malicious: (category, text, the line that is to blame or None)."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

Case = tuple[str, str, int | None]

BUILTINS = [
    "__import__",
    "eval",
    "exec",
    "open",
    "compile",
    "input",
    "breakpoint",
    "exit",
    "quit",
    "getattr",
    "setattr",
    "delattr",
    "globals",
    "locals",
    "vars",
    "dir",
    "type",
    "object",
    "super",
    "print",
    "memoryview",
    "bytes",
    "bytearray",
    "id",
    "help",
    "license",
    "copyright",
    "credits",
    "__build_class__",
    "__debug__",
    "__name__",
    "__builtins__",
    "__loader__",
    "__spec__",
    "isinstance",
    "classmethod",
    "property",
    "range",
    "list",
    "dict",
    "set",
    "map",
    "filter",
    "zip",
    "sum",
    "os",
    "sys",
    "subprocess",
    "builtins",
    "importlib",
    "I.__class__",
    "S",
]

EXPRESSIONS = {
    "attribute": [
        "I.shape", "I.T", "turn.__globals__", "turn.__code__", "I.__class__", "().__class__.__bases__",
        "I.__class__.__mro__[1].__subclasses__()", "turn.__globals__['os'].system('id')", "(1).real", "flip.__call__(I)",
        "I.tofile", "x.y.z", "True.__class__", "turn(I).copy()", "turn(I.T)", "turn(flip(I).data)",
    ],
    "lambda": ["lambda: 0", "lambda x: x", "(lambda: turn)()", "turn((lambda: I)())", "lambda *a: a", "turn(lambda q: q)"],
    "comprehension": [
        "[x for x in I]", "{x for x in I}", "{x: x for x in I}", "(x for x in I)", "[turn(x) for x in S if x]",
        "turn([x for x in I])", "[[y for y in x] for x in I]", "turn(*[I for _ in I])",
    ],
    "f-string": ["f'{I}'", "f'{turn(I)}'", "turn(f'{I!r:>{9}}')", "f''", "f'{__import__(\"os\")}'"],
    "walrus": ["(y := I)", "turn(y := I)", "turn((I := I))", "(turn := flip)(I)"],
    "star": ["turn(*I)", "turn(**I)", "turn(*(I, I))", "turn(I, *(), **{})", "(*I,)", "turn(*turn(*I))"],
    "keyword": ["turn(grid=I)", "brighter(I, by=1)", "turn(I, key=turn)", "turn(__class__=I)"],
    "container": ["[I]", "[]", "{}", "{1}", "{1: 2}", "{'a': I}", "[1, 2]", "(I, I)", "(I,)", "((1, I), 2)", "(ONE, 1)", "(turn(I),)"],
    "text": ["''", "'abc'", "b'abc'", "b''", "'a' 'b'", "turn('os')", "'%s' % I", "'''long'''", "turn(b'\\x00')", "r'\\d'", "u'x'"],
    "number": ["1.0", "1e9", "-1.5", "1j", "0.0", "1_0.5", "brighter(I, 1.0)", "1e400", "2j", ".5", "5."],
    "huge int": ["1000000001", "-1000000001", "9" * 400, "9" * 5_000, "0x" + "f" * 9_999, "0b" + "1" * 50_000, "1_000_000_001", "brighter(I, 2147483648)"],
    "none": ["None", "...", "Ellipsis", "NotImplemented", "turn(None)", "turn(...)", "__debug__"],
    "subscript": ["I[0]", "I[0, 0]", "I[::2]", "I[:]", "I[...]", "turn[I]", "turn(I)[0]", "S[0][1]", "I[turn]", "(1, 2)[0]", "turn(I[0])", "I[0:1, ::-1]"],
    "operator": [
        "I + I", "I @ I", "I ** 9", "9 ** 9 ** 9", "1 << 99999", "I | I", "~I", "+1", "not I", "--1", "-I", "- -1", "I // 2", "I % 2",
        "turn(I) + 1", "turn(I + 1)", "1 + 1", "-turn(I)", "-True", "-(1, 2)", "(1) + (2)", "I >> 1", "-ONE", "I ^ I",
    ],
    "logic": ["I and I", "I or turn(I)", "I if I else I", "turn(I if YES else I)", "YES and I", "not YES"],
    "comparison": ["I == I", "1 < 2", "1 < 2 < 3", "I is None", "I in S", "I not in S", "turn(I == I)", "I is not I", "I != 1"],
    "call": ["turn(I)(I)", "(turn)(I)(I)", "twice(turn)(I)", "5(I)", "I(I)", "ONE(I)", "YES(1)", "'turn'(I)", "(turn, flip)(I)", "S(I)", "CORNER(I)", "True(I)", "(1, 2)(I)", "turn(I(I))", "-1(I)"],
    "yield": ["(yield)", "(yield I)", "(yield from I)", "(await I)", "turn((yield))", "turn((await I))"],
    "unknown name": ["turnn(I)", "unknown", "turn(unknown)", "x0", "turn(turn, x9)", "SIX", "_", "__", "tUrN(I)", "I2", "O"],
    "broken": ["(", ")", "turn(", "turn(I", "turn(I))", "turn(I,,I)", "turn I", "=", "turn(I) flip(I)", "1 2", "$", "?", "!I", "turn(I;)", "def", "I.", "lambda", "0777", "1a", "'", '"""', "`I`", "turn(I)\\", "@", "x = ", "turn((I)"],
}  # fmt: skip

STATEMENTS = {
    "import": ["import os", "from os import system", "from os import *", "import os as turn", "from . import x", "from __future__ import annotations"],
    "assignment": [
        "x.y = I", "x[0] = I", "x, y = I", "(x, y) = I", "[x, y] = I", "x = y = I", "*x, y = I", "x += I", "x: int = I", "x: int", "x @= I", "I.x = I",
        "turn.__code__ = I", "x = y, z = I, I", "(x) = (y) = I",
    ],
    "shadowing": ["turn = I", "turn = flip", "I = turn(I)", "S = I", "ONE = 2", "YES = turn(I)", "I = 5", "CORNER = I", "flip = twice(turn)", "S = turn(I)"],
    "expression": ["turn(I)", "I", "print(I)", "5", "__import__('os').system('id')", "'text'", "(yield)", "...", "eval('1')", "exec('x = 1')", "open('/etc/passwd')"],
    "flow": [
        "pass", "break", "continue", "if I: pass", "while True: pass", "for x in I: pass", "try: pass\n    except: pass", "with I: pass", "assert I", "raise I", "raise SystemExit",
        "return turn(I)", "return", "match I:\n        case _: pass", "if YES:\n        x = turn(I)\n    else:\n        x = I", "while I: x = I", "for I in S: pass",
        "try:\n        x = I\n    finally:\n        x = I", "async for x in I: pass", "async with I: pass", "await I", "with open('/tmp/x') as f: pass", "try: pass\n    except* ValueError: pass",
    ],
    "scope": ["global x", "global turn", "nonlocal x", "del I", "del turn", "del x", "global I\n    I = 5"],
    "nested def": ["def g(I): return I", "def turn(I): return I", "class C: pass", "class C(metaclass=I): x = 1", "async def g(I): return I", "g = lambda: 0", "@turn\n    def g(I): return I", "class turn: pass"],
    "type": ["type X = int", "type X[T] = T"],
}  # fmt: skip

HEADS = {
    "decorator": ["@turn\ndef solve_h(I):", "@turn(1)\ndef solve_h(I):", "@__import__('os').system('id')\ndef solve_h(I):", "@(lambda f: f)\ndef solve_h(I):"],
    "parameters": [
        "def solve_h():", "def solve_h(x):", "def solve_h(I, x):", "def solve_h(I, I):", "def solve_h(*I):", "def solve_h(**I):", "def solve_h(I, *S):", "def solve_h(I, *, S):",
        "def solve_h(I, /):", "def solve_h(I, S, O):", "def solve_h(turn):", "def solve_h(i):", "def solve_h(I, **S):", "def solve_h(I, /, S):",
    ],
    "default": ["def solve_h(I=1):", "def solve_h(I, S=turn):", "def solve_h(I=__import__('os').system('id')):", "def solve_h(I=(lambda: 0)()):", "def solve_h(I, *, S=open('/tmp/x')):"],
    "annotation": ["def solve_h(I: int):", "def solve_h(I) -> int:", "def solve_h(I: __import__('os').system('id')):", "def solve_h(I) -> open('/tmp/x'):", "def solve_h(I: 'text'):"],
    "kind": ["async def solve_h(I):", "class solve_h(I):", "if True:", "for I in S:", "while True:", "with I:", "try:", "lambda I:", "def (I):", "def solve_h[T](I):", "match I:", "def 1a(I):", "def solve-h(I):"],
    "name": ["def sölve(I):", "def solve_𝐡(I):", "def " + "a" * 300 + "(I):", "def ｓolve(I):", "def solve_h​(I):"],
}  # fmt: skip

TOPS = {
    "top level": [
        "import os", "from os import *", "x = 1", "turn(I)", "print('x')", "if True: pass", "class C: pass", "async def f(I): return I", "@turn\nclass C: pass", "for x in (): pass", "pass", "del x", "global x",
        "__import__('os').system('id')", "raise SystemExit", "assert False", "lambda: 0", "exec('x = 1')", "5", "try: pass\nfinally: pass", "while True: pass", "with open('/tmp/x'): pass", "f''", "...", "await I", "(yield)",
        "turn = flip", "x: int = 1", "x += 1", "[x for x in ()]", "return 1",
    ],
}  # fmt: skip

HOMOGLYPHS = ["tսrn", "ｔurn", "tur𝐧", "ｆlip", "ﬂip", "turn​", "tu­rn", "тurn", "Ⅰ", "𝐈", "ⅼ", "turn⁠", "fﬁp", "ＯＮＥ", "ΥES", "𝖔𝖓𝖊"]  # fmt: skip
BIDI = [
    "\u202a",
    "\u202b",
    "\u202c",
    "\u202d",
    "\u202e",
    "\u2066",
    "\u2067",
    "\u2068",
    "\u2069",
    "\u200e",
    "\u200f",
    "\u061c",
]
CONTROLS = [
    "\x00",
    "\x01",
    "\x07",
    "\x08",
    "\x0e",
    "\x1a",
    "\x1b",
    "\x7f",
    "\ufeff",
    "\ufffe",
    "\u2028",
    "\ud800",
    "\udfff",
    "\u0085",
]


def cases() -> Iterator[Case]:
    """All of them, the same ones every time."""
    yield from _in_bodies()
    yield from _whole_texts()
    yield from _characters()
    yield from _sizes()


def _in_bodies() -> Iterator[Case]:
    for category, expressions in EXPRESSIONS.items():
        for expression in expressions:
            whose = None if category == "broken" else 3
            yield (
                category,
                f"def solve_h(I):\n    x = turn(I)\n    y = {expression}\n    return turn(y)\n",
                whose,
            )
            if category not in ("broken", "call"):
                yield (
                    category,
                    f"def solve_h(I):\n    return {expression}.x\n",
                    2 if category != "number" else None,
                )
    for name in BUILTINS:
        yield "builtin", f"def solve_h(I):\n    x = turn(I)\n    return {name}(x)\n", 3
        yield "builtin", f"def solve_h(I):\n    x = twin({name}, I)\n    return turn(I)\n", 2
    for category, statements in STATEMENTS.items():
        for statement in statements:
            yield category, f"def solve_h(I):\n    x = turn(I)\n    {statement}\n    return x\n", None


def _whole_texts() -> Iterator[Case]:
    for category, heads in HEADS.items():
        for head in heads:
            yield category, f"{head}\n    return turn(I)\n", None
    good = "def solve_h(I):\n    return turn(I)\n"
    for category, tops in TOPS.items():
        for top in tops:
            yield category, f"{top}\n{good}", None
            yield category, f"{good}{top}\n", None
    for body in (
        "",
        "    pass\n",
        "    x = turn(I)\n",
        "    return\n",
        "    'only words'\n",
        "    ...\n",
        "    return turn(I)\n    x = I\n",
    ):
        yield "no end", f"def solve_h(I):\n{body}", None
    yield "indent", "def solve_h(I):\nreturn I\n", 2
    yield "indent", "  def solve_h(I):\n    return I\n", 1
    yield "indent", "def solve_h(I):\n    x = turn(I)\n\treturn x\n", None
    yield "indent", "def solve_h(I):\n    x = turn(I)\n      return x\n", 3
    for text in (
        "",
        " ",
        "\n\n",
        "# only a remark",
        "'''words'''",
        good + good,
        "solve_h",
        "def",
        "{}",
        "<xml/>",
        '{"a": [1, 2]}',
        "print hello",
    ):
        yield "no program", text, None


def _characters() -> Iterator[Case]:
    for name in HOMOGLYPHS:
        yield "homoglyph", f"def solve_h(I):\n    x = turn(I)\n    return {name}(x)\n", None
        yield "homoglyph", f"def solve_h(I):\n    {name} = turn(I)\n    return {name}\n", None
    for mark in BIDI:
        yield "bidi", f"def solve_h(I):\n    x = turn(I)  # {mark} remark\n    return x\n", 2
        yield "bidi", f"def solve_h(I):\n    '''{mark}'''\n    return turn(I)\n", 2
        yield "bidi", f"def solve_h(I):\n    x{mark} = turn(I)\n    return x\n", None
    for mark in CONTROLS:
        yield "control", f"def solve_h(I):\n    x = turn(I)\n    y = tu{mark}rn(x)\n    return y\n", None
    yield "control", "def solve_h(I):\n    return turn(I) # \x00\n", 2
    yield "control", "def solve_h(I):\n    return turn(I) # \udc80\n", 2


def _sizes() -> Iterator[Case]:
    def body(expression: str) -> str:
        return f"def solve_h(I):\n    x = turn(I)\n    return {expression}\n"

    for times in (1_000, 100_000):
        for category, opening, closing in (
            ("deep", "(", ")"), ("deep", "[", "]"), ("deep", "turn(", ")"), ("deep", "(1,", ")"), ("deep", "{", "}"), ("deep", "((", "))"),
            ("deep", "-", ""), ("deep", "~", ""), ("deep", "not ", ""), ("deep", "lambda:", ""), ("deep", "await ", ""), ("deep", "I if I else ", ""),
            ("deep", "*", ""), ("deep", "I.", ""), ("deep", "f'{", "}'"),
        ):  # fmt: skip
            yield category, body(opening * times + "I" + closing * times), None
        for category, tail in (
            ("long", ".x"),
            ("long", "[0]"),
            ("long", "+1"),
            ("long", "()"),
            ("long", "**2"),
            ("long", " and I"),
            ("long", "<1"),
        ):
            yield category, body("I" + tail * times), None
    yield "deep", body("(" * 10**6), None
    yield "deep", "(" * 999_000, None
    yield "deep", "\n".join("    " * n + "if I:" for n in range(150)), None
    yield "long", "def solve_h(I):\n    return turn(I)" + " " * 10**6 + "\n", None
    yield "long", body("x" * 900_000), 3
    yield "long", body("turn(" + "I, " * 10**6 + ")"), None
    yield "long", body("'" + "a" * 10**6 + "'"), None
    yield "long", body("(" + "1, " * 5_000 + ")"), 3
    yield "long", "def solve_h(I):\n" + "    x = turn(I)\n" * 200_000 + "    return x\n", None
    yield "long", "# " + "remark " * 200_000, None


def mutants(seed: int, count: int) -> Iterator[str]:
    """Valid texts with a few characters or words changed; some stay valid."""
    rng = Random(seed)
    seeds = [
        "def solve_m(I):\n    x1 = turn(I)\n    x2 = brighter(x1, -3)\n    return join(x2, x1)\n",
        "def solve_m(I, S):\n    '''words'''\n    f = twice(turn)\n    y = f(I)  # remark\n    return choose(YES, y, I)\n",
        "def solve_m(I):\n    return brighter(flip(turn(I)), told(((1, 2), True)))\n",
    ]
    words = [
        "I", "S", "turn", "(", ")", ",", "=", "==", ":", "\n", "\n    ", "    ", "\t", "def ", "return ", "lambda: ", "import os", "0", "1", "-1", "9999999999", "1.5", "'", '"', "#", "\\", "\\\n", ".", "__class__", "*", "**",
        "[", "]", "{", "}", "@", ";", "é", "\u202e", "\x00", "\x0c", "None", "True", "x1", "x2", "0x", "1_0", "1if", "0xfor", "f'{I}'", "b''", ":=", "->", "...", "async ", "await ", "yield ", "pass", "del ", "/", "\r", "\r\n", "\ufeff",
    ]  # fmt: skip
    for _ in range(count):
        text = rng.choice(seeds)
        for _ in range(rng.randint(1, 4)):
            at, to = sorted(rng.sample(range(len(text) + 1), 2))
            text = rng.choice((
                text[:at] + rng.choice(words) + text[at:],
                text[:at] + text[min(to, at + rng.randint(1, 6)) :],
                text[:at] + rng.choice(words) + text[min(to, at + rng.randint(1, 6)) :],
                text[:at] + text[at:to] + text[at:],
            ))  # fmt: skip
        yield text
