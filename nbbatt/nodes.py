"""The graph that programs are made of: hash-consed nodes, and what evaluating one means.

Equal calls are one node: a node's digest covers what it computes and nothing of how it was written, and is
made once, from its children's, when the node is built. What calling a primitive means is decided here, so that
a program alone, in a battery, and in a trace cannot disagree: a result is made unchangeable, since whoever
uses it may share it. Walks are loops, never recursion.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from hashlib import blake2b
from types import FunctionType, MappingProxyType
from typing import Any, Literal

import numpy as np

from nbbatt.errors import NbbattError
from nbbatt.languages import Language, PrimitiveError

Kind = Literal["input", "literal", "constant", "primitive", "call"]
DIGEST_BYTES = 16
MAX_LOOKED_AT = 20_000
"""Containers of more items, all levels counted, are taken as they are: looking into them would cost too much."""
MAX_LEVELS = 50


class ProgramError(NbbattError):
    """A text that is not a program: says the line and the reason."""


class Node:
    """One value of a program. ``args`` of a call are the function's node and then its arguments'.

    Nodes are equal when they compute the same thing, wherever they come from.
    """

    __slots__ = ("args", "digest", "kind", "value")

    kind: Kind
    value: Any
    args: tuple[Node, ...]
    digest: bytes

    def __init__(self, kind: Kind, value: Any = None, args: tuple[Node, ...] = ()) -> None:
        self.kind, self.value, self.args = kind, value, args
        if kind == "call":
            payload = b"call" + b"".join([arg.digest for arg in args])
        else:
            payload = f"{kind}:{value!r}".encode()  # repr keeps True and 1 apart
        self.digest = blake2b(payload, digest_size=DIGEST_BYTES).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<Node {self.kind} {self.digest.hex()[:8]} {self.value if self.kind != 'call' else ''}>"


def ordered(root: Node) -> tuple[Node, ...]:
    """The distinct nodes below and with ``root``, arguments before calls, in a fixed order."""
    done: dict[bytes, Node] = {}
    stack: list[tuple[Node, int]] = [(root, 0)]
    while stack:
        node, at = stack.pop()
        if node.digest in done:
            continue
        args = node.args
        while at < len(args) and args[at].digest in done:
            at += 1
        if at < len(args):
            stack.append((node, at + 1))
            stack.append((args[at], 0))
        else:
            done[node.digest] = node
    return tuple(done.values())


def leaf_value(node: Node, language: Language, inputs: dict[str, Any]) -> Any:
    """The value of a node that is no call."""
    if node.kind == "input":
        return inputs[node.value]
    if node.kind == "constant":
        return language.constants[node.value]
    if node.kind == "primitive":
        return language.primitives[node.value].fn
    return node.value


def call(values: Sequence[Any]) -> Any:
    """The first value called with the others, its result settled."""
    fn = values[0]
    if not callable(fn):
        raise PrimitiveError(
            f"a {type(fn).__name__} is called, and only functions can be; check the line's first name"
        )
    return settled(fn(*values[1:]))


def settled(value: Any) -> Any:
    """A result as a value that may be shared: nothing in it can be changed, nor used up by reading it.

    Arrays become read-only and contiguous; lists, sets, dicts and iterators become tuples, frozensets, read-only
    mappings and tuples, at every level of tuples. Objects of other classes are taken at their word.
    """
    kind = type(value)
    if kind is np.ndarray:
        if not value.flags.c_contiguous:
            value = value.copy()
        value.setflags(write=False)
        return value
    if kind is tuple or kind is list:
        value = tuple(value)
        return value if _unchangeable(value) else tuple(map(settled, value))
    if kind in _SETTLED:
        return value
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    elif isinstance(value, set):
        return frozenset(value)
    elif isinstance(value, dict):
        return MappingProxyType({key: settled(item) for key, item in value.items()})
    elif hasattr(kind, "__next__"):
        return tuple(map(settled, value))
    return value


_SETTLED = frozenset({int, bool, str, float, type(None), frozenset, FunctionType})


def _unchangeable(value: tuple[Any, ...]) -> bool:
    """Whether nothing in a tuple can be changed, as far as hashing tells; too large ones pass unseen."""
    if not small(value):
        return True
    try:
        hash(value)
    except TypeError:
        return False
    return True


def small(value: tuple[Any, ...] | frozenset[Any]) -> bool:
    """Whether nested tuples and frozensets hold few items, what they hold several times counted as often.

    Programs build towers such as pair(x, x) line by line, whose hash takes time exponential in their height.
    """
    level: list[Any] = [value]
    total = 0
    for _ in range(MAX_LEVELS):
        below = gc.get_referents(*level)  # in C: the cost of looking must not show beside that of a primitive
        if below and not set(map(type, level)) <= _CONTAINERS:
            level = [item for item in level if type(item) in _CONTAINERS]
            below = gc.get_referents(*level)
        if not below:
            return True
        total += len(below)
        if total > MAX_LOOKED_AT:
            return False
        level = below
    return False


_CONTAINERS = frozenset({tuple, frozenset})
