"""Digests of code and data that are equal in every process, and change when a result could.

The digest of a function covers its bytecode, constants, defaults and closure, and, followed transitively, the
functions, classes, objects and plain data of its own code that it names. Installed libraries count by name and version.
Object addresses, line numbers and set order never enter, so workers and later sessions agree. Bytecode ties a digest
to the minor version of Python, which is meant: what another interpreter computed is not taken on trust.
Data is taken as it is now: a global dict that primitives fill as they go makes another version of them.
"""

from __future__ import annotations

import builtins
import copyreg
import dis
import hashlib
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from types import CodeType, FunctionType, MappingProxyType, ModuleType
from typing import Any

import numpy as np

DIGEST_BYTES = 16
_PLAIN = frozenset({bool, int, float, complex, str, bytes, type(None), type(Ellipsis)})
_SILENT = frozenset(
    [
        "__doc__",
        "__module__",
        "__qualname__",
        "__dict__",
        "__weakref__",
        "__annotations__",
        "__annotate__",
        "__firstlineno__",
        "__static_attributes__",
        "__dataclass_fields__",
        "__dataclass_params__",
    ]
)
"""Members of classes that say nothing about what their methods do."""
_BUILTINS = vars(builtins)
_LOAD_GLOBAL, _LOAD_NAME, _EXTENDED = (
    dis.opmap[name] for name in ("LOAD_GLOBAL", "LOAD_NAME", "EXTENDED_ARG")
)


def digest_text(text: str) -> str:
    """Hex digest of a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()


def digest(value: Any) -> str:
    """Hex digest of plain data and of functions, by content; True and 1 differ."""
    return digest_text(_Walk(_home(value)).text(value))


def _home(value: Any) -> frozenset[str]:
    """The top packages of the functions in a value: followed into even when they are installed ones."""
    items = value if isinstance(value, tuple) else (value,)
    modules = {getattr(item, "__module__", None) or "" for item in items if callable(item)}
    return frozenset(module.partition(".")[0] for module in modules) | {"__main__"}


class _Walk:
    """One walk over a value. What has code or state of its own is spelled out once and a number after, so it ends."""

    def __init__(self, home: frozenset[str], seen: dict[int, tuple[int, Any]] | None = None) -> None:
        self.home = home
        self.seen = seen or {}
        self.open: set[int] = set()

    def text(self, value: Any) -> str:
        kind = type(value)
        if kind in _PLAIN:
            return f"{kind.__name__}:{value!r}"
        if kind in (tuple, list, dict, set, frozenset, MappingProxyType):
            return self._container(value, kind.__name__)
        if kind is np.ndarray:
            content = self.text(value.tolist()) if value.dtype.hasobject else value.tobytes().hex()
            return f"array({value.dtype.str},{value.shape},{content})"
        if kind is CodeType:
            return self._code(value)
        if kind is ModuleType:
            return f"module({value.__name__},{self._version(value.__name__)})"
        if id(value) in self.seen:
            return f"again({self.seen[id(value)][0]})"
        self.seen[id(value)] = len(self.seen), value
        return self._object(value)

    def _container(self, value: Any, name: str) -> str:
        if id(value) in self.open:
            return "within itself"
        self.open.add(id(value))
        if name in ("dict", "mappingproxy"):
            parts = [f"{self.text(key)}:{self.text(item)}" for key, item in value.items()]
        elif name in (
            "set",
            "frozenset",
        ):  # each item by a walk of its own, so that their order leaves no trace
            parts = sorted(_Walk(self.home, dict(self.seen)).text(item) for item in value)
        else:
            parts = [self.text(item) for item in value]
        self.open.discard(id(value))
        return f"{name}({','.join(parts)})"

    def _code(self, code: CodeType) -> str:
        shape = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        table = code.co_exceptiontable.hex()
        return f"code({code.co_code.hex()},{table},{shape},{names},{self.text(code.co_consts)})"

    def _object(self, value: Any) -> str:
        if isinstance(value, FunctionType | type) and self._installed(value.__module__):
            return f"library({value.__module__}.{value.__qualname__},{self._version(value.__module__)})"
        if isinstance(value, FunctionType):
            return f"function({self._function(value)})"
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, property):
            return f"property({self.text((value.fget, value.fset))})"
        wrapped = getattr(value, "__wrapped__", None)
        stateless = self._installed(type(value).__module__) and not isinstance(value, partial)
        if isinstance(wrapped, FunctionType) and stateless:  # functools.cache, staticmethod
            return f"wrapped({type(value).__name__},{self.text(wrapped)})"
        label = (
            f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
        )
        return f"object({label},{self._state(value)})"

    def _state(self, value: Any) -> str:
        """What a copy of an object would be made from; nothing for what cannot be copied, as locks and files."""
        reducer = copyreg.dispatch_table.get(type(value))
        try:
            reduced = reducer(value) if reducer else value.__reduce_ex__(4)
        except Exception:
            return ""
        if not isinstance(reduced, tuple):
            return str(reduced)
        return self.text(tuple(tuple(part) if isinstance(part, Iterator) else part for part in reduced))

    def _class(self, value: type) -> str:
        members = {name: member for name, member in sorted(vars(value).items()) if name not in _SILENT}
        made_by = () if type(value) is type else (type(value),)
        return f"class({value.__module__}.{value.__qualname__},{self.text((*made_by, value.__bases__, members))})"

    def _function(self, fn: FunctionType) -> str:
        parts = [self.text(fn.__code__), self.text(fn.__defaults__), self.text(fn.__kwdefaults__)]
        for cell in fn.__closure__ or ():
            try:
                parts.append(self.text(cell.cell_contents))
            except ValueError:  # a cell that is not filled yet
                parts.append("empty")
        if marks := {name: mark for name, mark in sorted(vars(fn).items()) if name != "__wrapped__"}:
            parts.append(
                self.text(marks)
            )  # what people, and decorators such as singledispatch, keep on a function
        attributes = {name for code in _codes(fn.__code__) for name in code.co_names}
        parts += self._named(fn.__globals__, _global_names(fn.__code__), attributes, set())
        return "|".join(parts)

    def _named(
        self, scope: dict[str, Any], names: Iterable[str], attributes: set[str], passed: set[str]
    ) -> Iterator[str]:
        """What code uses by these names; from modules that are not libraries, the attributes it may mean."""
        for name in sorted(names):
            used = scope.get(name, _BUILTINS.get(name))
            if used is _BUILTINS.get(
                name
            ):  # functions pickled by value bring the builtins they use with them
                continue
            yield f"{name}={self.text(used)}"
            if (
                type(used) is ModuleType
                and not self._installed(used.__name__)
                and used.__name__ not in passed
            ):
                passed.add(used.__name__)
                yield from self._named(vars(used), attributes, attributes, passed)

    def _version(self, module: str) -> str:
        return str(getattr(sys.modules.get(module.partition(".")[0]), "__version__", ""))

    def _installed(self, module: str | None) -> bool:
        """Packages of others and the standard library: known by name, not followed into."""
        top = (module or "").partition(".")[0]
        if top in self.home and top != "numpy":
            return False
        origin = getattr(getattr(sys.modules.get(top), "__spec__", None), "origin", None) or ""
        return top in sys.stdlib_module_names or "site-packages" in origin or "dist-packages" in origin


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the functions, lambdas and classes inside it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _codes(const)


def _global_names(code: CodeType) -> set[str]:
    """The names that code looks up outside itself: exactly those, as pickling by value carries no others along."""
    names = set()
    for inner in _codes(code):
        raw, high = inner.co_code, 0
        for operation, arg in zip(raw[::2], raw[1::2]):
            if operation == _LOAD_GLOBAL:
                names.add(inner.co_names[(high | arg) >> 1])  # the lowest bit says something else
            elif operation == _LOAD_NAME:
                names.add(inner.co_names[high | arg])
            high = (high | arg) << 8 if operation == _EXTENDED else 0
    return names
