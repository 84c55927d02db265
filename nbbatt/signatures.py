"""Type names and what fits where: annotations of any style reduced to one table.

Two modules may write the same idea as a string, a typing alias or a NewType. Here each annotation gets the name people
know it by (an alias found in the scope, else its own name), and ``fits`` answers by structure: a Union takes its
members, a base class or abstract container takes what derives from it, a container takes one of fitting members, Any
takes and gives everything. bool is no int here, and a NewType fits only itself: whoever tells colours from numbers
wants them kept apart.
"""

from __future__ import annotations

import collections.abc
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar


@dataclass(frozen=True)
class TypeTable:
    """``aliases``: type object → the name it goes by; ``objects``: name → type object. Answers are remembered."""

    aliases: Mapping[Any, str] = field(default_factory=dict)
    objects: Mapping[str, Any] = field(default_factory=dict)
    _known: dict[tuple[str, str], bool] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of_scope(cls, scope: Mapping[str, Any], functions: Mapping[str, Any]) -> TypeTable:
        """The types bound to capitalised names in a scope, and those that functions spell out themselves."""
        aliases: dict[Any, str] = {}
        objects: dict[str, Any] = {}
        for key, value in scope.items():
            if key[:1].isupper() and _is_type(value):
                objects[key] = value
                if value not in aliases or value is getattr(typing, key, None):
                    aliases[value] = key
        for fn in functions.values():
            for written in getattr(fn, "__annotations__", {}).values():
                name = annotation_name(written, aliases)
                if name not in objects and name not in _BUILTIN:
                    objects[name] = _evaluated(written, fn) if isinstance(written, str) else written
        return cls(aliases, objects)

    def merged(self, other: TypeTable) -> TypeTable:
        """Both tables in one; where they differ, the other's word counts."""
        return TypeTable({**self.aliases, **other.aliases}, {**self.objects, **other.objects})

    def __getstate__(self) -> dict[str, Any]:
        return {"aliases": dict(self.aliases), "objects": dict(self.objects)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _known={})

    def name(self, annotation: Any) -> str:
        """The name an annotation goes by."""
        return annotation_name(annotation, self.aliases)

    def annotation(self, name: str) -> Any:
        """The type object behind a name, or Any when nothing is known of it."""
        return self.objects.get(name, _BUILTIN.get(name, Any))

    def fits(self, result: str, param: str) -> bool:
        """Whether a value of type ``result`` may stand where ``param`` is asked for."""
        if result == param or "Any" in (result, param):
            return True
        key = (result, param)
        if key not in self._known:
            bound = all(name in self.objects or name in _BUILTIN for name in key)
            # a name that nobody bound to a type fits only itself
            self._known[key] = bound and _accepts(self.annotation(param), self.annotation(result))
        return self._known[key]

    def asks_function(self, param: str) -> bool:
        """Whether functions are what ``param`` asks for, rather than anything at all."""
        wanted = _bare(self.annotation(param))
        return wanted not in (Any, object) and _accepts(wanted, collections.abc.Callable)

    def takes_function(self, param: str, params: Sequence[str], result: str) -> bool:
        """Whether a function of that signature may stand where ``param`` is asked for."""
        inputs = [self.annotation(name) for name in params]
        given = collections.abc.Callable[inputs, self.annotation(result)]  # type: ignore[valid-type]
        return _accepts(self.annotation(param), given)

    def grid_kind(self) -> Literal["array", "tuple"]:
        """How the scope's own ``Grid`` type is built."""
        grid = _bare(self.objects.get("Grid"))
        grid = _bare(getattr(grid, "__supertype__", grid))
        return "tuple" if _base(grid) is tuple else "array"


_BUILTIN: dict[str, Any] = {
    "int": int,
    "bool": bool,
    "str": str,
    "float": float,
    "object": object,
    "tuple": tuple,
    "list": list,
    "frozenset": frozenset,
    "set": set,
    "Callable": collections.abc.Callable,
    "None": type(None),
}


def annotation_name(annotation: Any, aliases: Mapping[Any, str]) -> str:
    """``Grid`` for "Grid", for an alias bound to that name, for a class or NewType of that name."""
    if isinstance(annotation, str):
        text = annotation.strip().strip("\"'")
        return text.rpartition(".")[2] if text.replace(".", "").isidentifier() else " ".join(text.split())
    if annotation is Any:
        return "Any"
    if annotation is None or annotation is type(None):
        return "None"
    try:
        if annotation in aliases:
            return aliases[annotation]
    except TypeError:  # an unhashable annotation has no alias
        pass
    if isinstance(annotation, list):  # the parameters of a Callable
        return f"[{', '.join(annotation_name(item, aliases) for item in annotation)}]"
    args = [annotation_name(arg, aliases) for arg in typing.get_args(annotation)]
    base = _base(annotation)
    if base in (typing.Union, types.UnionType):
        return " | ".join(args)
    named = "..." if annotation is Ellipsis else str(getattr(base, "__name__", base)).replace("typing.", "")
    return f"{named}[{', '.join(args)}]" if args else named


def value_fits(value: Any, annotation: Any) -> bool:
    """Whether a constant's value is of a type: True for bool only, ints for int and its NewTypes, tuples by member."""
    annotation = _bare(annotation)
    if annotation is Any:
        return True
    base: Any = _base(annotation)
    args: tuple[Any, ...] = typing.get_args(annotation)
    if base in (typing.Union, types.UnionType):
        return any(value_fits(value, member) for member in args)
    if hasattr(annotation, "__supertype__"):
        return value_fits(value, annotation.__supertype__)
    if not (isinstance(base, type) and isinstance(value, base)) or (type(value) is bool and base is int):
        return False
    items: Any = value
    if base is tuple and args and args[-1] is not Ellipsis:
        return len(args) == len(items) and all(map(value_fits, items, args))
    if base in (tuple, frozenset) and args:
        return all(value_fits(item, args[0]) for item in items)
    return True


def _evaluated(written: str, fn: Any) -> Any:
    """A text annotation as the type it stands for, in the scope of the function that carries it; Any if it fails.

    This is the user's own module, already imported; program texts never come this way.
    """
    try:
        return typing.get_type_hints(types.SimpleNamespace(__annotations__={"it": written}), fn.__globals__)[
            "it"
        ]
    except Exception:
        return Any


def _is_type(value: Any) -> bool:
    """Classes, typing's aliases, NewTypes and ``type`` statements, as far as a table can hold them."""
    shaped = isinstance(value, type) or typing.get_origin(value) is not None
    if not (shaped or any(hasattr(value, mark) for mark in ("__supertype__", "__value__"))):
        return False
    try:
        hash(value)
    except TypeError:  # Annotated with something unhashable
        return False
    return True


def _bare(annotation: Any) -> Any:
    """The type without what says nothing about values: Annotated's notes, the name of a ``type`` statement."""
    if typing.get_origin(annotation) is Annotated:
        return _bare(annotation.__origin__)
    if hasattr(annotation, "__value__"):
        return _bare(annotation.__value__)
    return Any if isinstance(annotation, TypeVar) else annotation


def _base(annotation: Any) -> Any:
    return typing.get_origin(annotation) or annotation


def _accepts(param: Any, result: Any) -> bool:
    param, result = _bare(param), _bare(result)
    if param in (Any, object) or result is Any or param == result:
        return True
    p_base: Any = _base(param)
    r_base: Any = _base(result)
    if r_base in (typing.Union, types.UnionType):
        return any(_accepts(param, member) for member in typing.get_args(result))
    if p_base in (typing.Union, types.UnionType):
        return any(_accepts(member, result) for member in typing.get_args(param))
    if not (isinstance(p_base, type) and isinstance(r_base, type)):
        return False  # two NewTypes, or something we cannot look into
    if p_base is r_base:
        members = _call_accepts if p_base is collections.abc.Callable else _members_accept
        return members(typing.get_args(param), typing.get_args(result))
    try:
        return issubclass(r_base, p_base) and not (p_base is int and r_base is bool)
    except TypeError:  # protocols with data members cannot tell
        return False


def _members_accept(params: tuple[Any, ...], results: tuple[Any, ...]) -> bool:
    """Container types by what they hold; one that does not say holds anything."""
    if not params or not results:
        return True
    if params[-1] is Ellipsis:
        return all(_accepts(params[0], member) for member in results if member is not Ellipsis)
    return len(params) == len(results) and all(map(_accepts, params, results))


def _call_accepts(params: tuple[Any, ...], results: tuple[Any, ...]) -> bool:
    """Function types: the one given must take what it will be called with, and give what is asked."""
    if not params or not results:
        return True
    (wanted, wanted_result), (taken, given) = params, results
    if not _accepts(wanted_result, given):
        return False
    if not isinstance(wanted, list) or not isinstance(taken, list):
        return True  # Callable[..., X]
    return len(wanted) == len(taken) and all(map(_accepts, taken, wanted))
