"""Solver text to graphs, by a whitelist over Python's own syntax tree.

What is allowed: ``def name(I)`` (also ``S``), assignments of expressions to new names, one ``return`` at the end.
Expressions are names, ints, bools, tuples of literals, and calls of names with positional arguments. Everything
else is refused with its line and the reason; nothing of the text is ever run. Characters that make code look other
than it reads are refused too: non-ASCII names, and marks that turn the direction of text, even in comments.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from nbbatt.languages import RESERVED, Language
from nbbatt.nodes import Node, ProgramError
from nbbatt.tasks import shorten

MAX_TEXT = 1_000_000
MAX_INT = 10**9
MAX_TUPLE = 4_096
MAX_NAME = 200

_HIDDEN = re.compile("[\x00\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_WARNS = re.compile(r"\\|(?<!\w)\d\w*?(?:and|else|for|if|in|is|not|or)")
"""What Python's tokenizer would warn about: escapes, and a number that runs into a keyword."""


def parse_defs(text: str, language: Language, *, imports: bool = False) -> list[tuple[str, Node]]:
    """Name and graph of every def of a text, in its order.

    Import lines at the top are passed over when ``imports`` says so, never followed. Raises ProgramError.
    """
    return [_read(define, language) for define in _defines(text, imports=imports)]


def parse_def(text: str, language: Language) -> tuple[str, Node]:
    """Name and graph of the one def of a text. Raises ProgramError."""
    defines = list(_defines(text, imports=False))
    if len(defines) != 1:
        line = defines[1].lineno if defines else 1
        raise ProgramError(
            f"line {line}: the text holds {len(defines)} programs, and one is asked for; pass the text of one"
        )
    return _read(defines[0], language)


def _defines(text: str, *, imports: bool) -> Iterator[ast.FunctionDef]:
    """The defs of a text, none of them read yet; whatever else stands beside them is refused."""
    before = imports
    for statement in _tree(text).body:
        if isinstance(statement, ast.FunctionDef):
            before = False
            yield statement
        elif not (
            _is_docstring(statement) or (before and isinstance(statement, ast.Import | ast.ImportFrom))
        ):
            _refuse(statement, f"{_what(statement)} outside a def", "only programs stand at the top")


def _tree(text: str) -> ast.Module:
    if not isinstance(text, str):
        raise ProgramError(
            f"line 1: a program is a text, and this is a {type(text).__name__}; pass its source"
        )
    if len(text) > MAX_TEXT:
        raise ProgramError(
            f"line {_line(text, MAX_TEXT)}: the text has {len(text):,} characters, and {MAX_TEXT:,} is the limit;"
            f" split it"
        )
    if hidden := _HIDDEN.search(text):
        raise ProgramError(
            f"line {_line(text, hidden.start())}: the character U+{ord(hidden.group()):04X} is no part of a program:"
            f" it cannot be seen, or makes the text look other than it reads; remove it"
        )
    try:
        tree = _quietly(text)
        if not text.isascii():
            _refuse_foreign(text)
    except SyntaxError as reason:
        raise ProgramError(f"line {reason.lineno or 1}: {reason.msg}; a program is a def of calls") from None
    except ProgramError:
        raise
    except Exception as reason:  # nested too deeply for the parser, mostly: MemoryError, RecursionError
        longest = max(enumerate(text.splitlines(), 1), key=lambda line: len(line[1]), default=(1, ""))[0]
        why = str(reason) or type(reason).__name__
        raise ProgramError(
            f"line {longest}: the text cannot be read ({why}); a program is a def of calls"
        ) from None
    return tree


def _quietly(text: str) -> ast.Module:
    """The syntax tree. Warnings are switched off only where there would be some, as doing so affects all threads."""
    if not _WARNS.search(text):
        return ast.parse(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def _refuse_foreign(text: str) -> None:
    """Refuse non-ASCII in code: Python would read ``ｒot90`` as ``rot90``. Comments and docstrings are free."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in (tokenize.COMMENT, tokenize.STRING) and not token.string.isascii():
            raise ProgramError(
                f"line {token.start[0]}: {shorten(token.string)} is no part of a program: names are ASCII words"
            )


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _read(define: ast.FunctionDef, language: Language) -> tuple[str, Node]:
    try:
        return define.name, _Reader(language).root(define)
    except RecursionError:
        raise ProgramError(
            f"line {define.lineno}: {shorten(define.name)} nests its calls too deeply to be read; name some of them"
        ) from None


class _Reader:
    """One def: names resolve to inputs, earlier variables, primitives and constants."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.variables: dict[str, Node] = {}
        self.nodes: dict[bytes, Node] = {}

    def root(self, define: ast.FunctionDef) -> Node:
        self._head(define)
        body = define.body[1:] if _is_docstring(define.body[0]) else define.body
        if not body or not isinstance(body[-1], ast.Return) or body[-1].value is None:
            _refuse(
                body[-1] if body else define, "a def that does not end in a return of a value", "end it so"
            )
        for statement in body[:-1]:
            self._assign(statement)
        return self._node(body[-1].value)

    def _head(self, define: ast.FunctionDef) -> None:
        args = define.args
        if define.decorator_list:
            _refuse(define.decorator_list[0], "a decorator", "a program is a plain def")
        if getattr(define, "type_params", None):
            _refuse(define, "a type parameter", "a program is a plain def")
        if args.vararg or args.kwarg or args.kwonlyargs or args.defaults or args.posonlyargs:
            _refuse(
                define, "a parameter with a default, a star or a slash", "the inputs are I and, if wanted, S"
            )
        if define.returns or any(arg.annotation for arg in args.args):
            _refuse(define, "an annotation", "the inputs are I and, if wanted, S, and the result is a grid")
        names = [arg.arg for arg in args.args]
        if not names or len(set(names)) < len(names) or not set(names) <= RESERVED:
            shown = shorten(", ".join(names))
            _refuse(define, f"the parameter list {shown}", "the inputs are I (the grid) and, if wanted, S")
        if len(define.name) > MAX_NAME:
            _refuse(define, f"the name {shorten(define.name)}", f"names have at most {MAX_NAME} characters")
        for name in names:
            self.variables[name] = self._kept(Node("input", name))

    def _assign(self, statement: ast.stmt) -> None:
        if not isinstance(statement, ast.Assign):
            _refuse(statement, _what(statement), "a line is an assignment of a call, the last a return")
        target = statement.targets[0]
        if len(statement.targets) != 1 or not isinstance(target, ast.Name):
            _refuse(statement, "an assignment to something other than one name", "write x1 = f(I)")
        name = target.id
        if name in RESERVED or name in self.language.primitives or name in self.language.constants:
            _refuse(
                statement, f"an assignment to {name!r}", "inputs and names of the language stay what they are"
            )
        self.variables[name] = self._node(statement.value)

    def _node(self, expression: ast.expr) -> Node:
        if isinstance(expression, ast.Call):
            return self._call(expression)
        if isinstance(expression, ast.Name):
            return self._name(expression)
        return self._kept(Node("literal", _literal(expression)))

    def _call(self, expression: ast.Call) -> Node:
        if expression.keywords:
            _refuse(expression, "a keyword argument", "arguments are positional")
        if not isinstance(expression.func, ast.Name):
            _refuse(expression, f"a call of {_what(expression.func)}", "only names are called")
        function = self._name(expression.func)
        if function.kind not in ("primitive", "call"):
            _refuse(
                expression, f"a call of {expression.func.id!r}", f"it is a {function.kind}, and no function"
            )
        return self._kept(Node("call", None, (function, *map(self._node, expression.args))))

    def _name(self, expression: ast.Name) -> Node:
        name = expression.id
        if name in self.variables:
            return self.variables[name]
        if name in self.language.primitives:
            return self._kept(Node("primitive", name))
        if name in self.language.constants:
            return self._kept(Node("constant", name))
        near = _near(name, [*self.variables, *self.language.primitives, *self.language.constants])
        _refuse(
            expression, f"the name {shorten(name)}", f"it is nothing that {self.language.name!r} has{near}"
        )

    def _kept(self, node: Node) -> Node:
        return self.nodes.setdefault(node.digest, node)


def _literal(expression: ast.expr) -> Any:
    if isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.USub):
        value = _literal(expression.operand) if isinstance(expression.operand, ast.Constant) else None
        if type(value) is int:
            return -value
    if isinstance(expression, ast.Constant) and isinstance(expression.value, int):
        if expression.value > MAX_INT:
            _refuse(expression, "an int this large", f"ints go to {MAX_INT:,}")
        return expression.value
    if isinstance(expression, ast.Tuple):
        if len(expression.elts) > MAX_TUPLE:
            _refuse(expression, f"a tuple of {len(expression.elts):,}", f"tuples go to {MAX_TUPLE:,}")
        return tuple(map(_literal, expression.elts))
    _refuse(expression, _what(expression), "values are calls, names, and ints, bools and tuples of those two")


def _near(name: str, known: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, list(known), 3) if len(name) <= MAX_NAME else ()
    return f"; near it: {', '.join(near)}" if near else ""


def _is_docstring(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


_WORDS = {
    "AnnAssign": "an annotated assignment",
    "AsyncFunctionDef": "an async def",
    "AsyncFor": "an async for",
    "AsyncWith": "an async with",
    "Assign": "an assignment",
    "Attribute": "an attribute",
    "AugAssign": "an augmented assignment",
    "BinOp": "an arithmetic operation",
    "BoolOp": "an and or an or",
    "Call": "a call inside a tuple",
    "ClassDef": "a class",
    "Compare": "a comparison",
    "Constant": "a literal of this kind",
    "Expr": "an expression that is not assigned",
    "FunctionDef": "a def inside a def",
    "If": "an if",
    "IfExp": "a conditional",
    "Import": "an import",
    "ImportFrom": "an import",
    "JoinedStr": "an f-string",
    "Lambda": "a lambda",
    "Name": "a name inside a tuple",
    "NamedExpr": "a walrus",
    "Return": "an early return",
    "Starred": "a star",
    "Subscript": "a subscript",
    "UnaryOp": "an operation",
}
"""Kinds of the syntax tree whose own names say little, as people call them where they are refused."""


def _what(node: ast.AST) -> str:
    kind = type(node).__name__
    return _WORDS.get(kind, f"a {kind}")


def _refuse(node: ast.AST, what: str, rule: str) -> NoReturn:
    raise ProgramError(f"line {getattr(node, 'lineno', 1)}: {what} is no part of a program: {rule}")
