"""Programs: straight-line solver text <-> a hash-consed graph of calls.

A program is data. Its text is parsed against a whitelist and never executed as Python, so the files that people share
are safe to open. Its digest is that of its graph: variable names, the order of lines and dead lines do not matter.
Reading, digesting and writing are linear in size, whatever is shared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from nbbatt.languages import Language
from nbbatt.nodes import Node, call, leaf_value, ordered
from nbbatt.parser import parse_def
from nbbatt.tasks import Grid, Pair

MAX_FOLD_DEPTH = 12
"""How deep ``inline`` nests calls before it names one; deeper lines are read by nobody."""
LONG_LITERAL = 24
"""Literals of more characters keep a name when they are used more than once."""

Wire = tuple[str, tuple[tuple[str, Any, tuple[int, ...]], ...]]
"""A program as flat plain data: its name and (kind, value, positions of args) of each node in order."""


class Step(NamedTuple):
    """A line of a program at work: its variable ("" for the result), its call, and what that came to."""

    name: str
    text: str
    value: Any
    error: str = ""


@dataclass(frozen=True, eq=False)
class Program:
    """A named solver over a language. Equal programs compute the same thing by the same calls."""

    name: str
    root: Node
    language: Language

    @classmethod
    def parse(cls, text: str, language: Language) -> Program:
        """The program in a text of one ``def``. Raises ProgramError with line and reason."""
        return cls(*parse_def(text, language), language)

    @cached_property
    def digest(self) -> str:
        """Hex digest of what is computed; names of variables and order of lines do not matter."""
        return self.root.digest.hex()

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Distinct nodes, arguments before calls; the last is the result."""
        return ordered(self.root)

    @cached_property
    def calls(self) -> tuple[Node, ...]:
        """The nodes that are calls, in the order in which they can be made."""
        return tuple([node for node in self.nodes if node.args])

    @property
    def size(self) -> int:
        """How many distinct calls it makes."""
        return len(self.calls)

    @cached_property
    def uses_demos(self) -> bool:
        """Whether it reads S, the demo pairs."""
        return any(node.kind == "input" and node.value == "S" for node in self.nodes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self.root == other.root

    def __hash__(self) -> int:
        return hash(self.root)

    def __repr__(self) -> str:
        return f"<Program {self.name} · {self.size} calls · {self.digest[:8]}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Program.from_wire, (self.wire(), self.language)  # flat: pickling a deep graph would recurse

    def wire(self) -> Wire:
        """Flat plain data for another process."""
        place = {node.digest: i for i, node in enumerate(self.nodes)}
        flat = tuple(
            (node.kind, node.value, tuple(place[a.digest] for a in node.args)) for node in self.nodes
        )
        return self.name, flat

    @classmethod
    def from_wire(cls, wire: Wire, language: Language) -> Program:
        """What ``wire`` made, in the other process."""
        name, flat = wire
        nodes: list[Node] = []
        for kind, value, places in flat:
            nodes.append(Node(kind, value, tuple(nodes[i] for i in places)))  # type: ignore[arg-type]
        return cls(name, nodes[-1], language)

    # ------------------------------------------------------------------ text

    def expand(self) -> str:
        """The one-call-a-line form."""
        return self._text(fold=False)

    def inline(self) -> str:
        """Values used once are folded into their use, those used more often keep a name: text stays linear in size."""
        return self._text(fold=True)

    def _text(self, *, fold: bool) -> str:
        head = f"def {self.name}({'I, S' if self.uses_demos else 'I'}):"
        lines = [f"{name} = {text}" if name else f"return {text}" for name, text, _ in self._lines(fold=fold)]
        return "\n    ".join([head, *lines]) + "\n"

    def _lines(self, *, fold: bool) -> Iterator[tuple[str, str, Node]]:
        """(variable, expression, its node) a line; the last line has no variable: it is the result."""
        uses = Counter(arg.digest for node in self.calls for arg in node.args)
        heads = {
            node.args[0].digest for node in self.calls
        }  # called by name, so that a call among them needs one
        prefix, count = self._free_prefix(), 0
        written: dict[
            bytes, tuple[str, int]
        ] = {}  # digest -> (its text where it is used, how deep that nests)
        for node in self.nodes:
            digest = node.digest
            if node.kind == "call":
                parts = [written[arg.digest] for arg in node.args]
                text = f"{parts[0][0]}({', '.join(part for part, _ in parts[1:])})"
                depth = 1 + max(deep for _, deep in parts)
                folded = fold and uses[digest] == 1 and depth < MAX_FOLD_DEPTH and digest not in heads
            else:
                text, depth = _leaf(node), 0
                folded = node.kind != "literal" or uses[digest] == 1 or len(text) <= LONG_LITERAL
            if node is self.root:
                yield "", text, node
            elif folded:
                written[digest] = text, depth
            else:
                count += 1
                written[digest] = f"{prefix}{count}", 0
                yield f"{prefix}{count}", text, node

    def _free_prefix(self) -> str:
        """A stem for variables that no name of the language can clash with."""
        taken = {*self.language.primitives, *self.language.constants}
        prefix = "x"
        while any(name.startswith(prefix) and name[len(prefix) :].isdigit() for name in taken):
            prefix += "_"
        return prefix

    # ------------------------------------------------------------------ meaning

    def run(self, grid: Grid, demos: Sequence[Pair] = ()) -> Grid:
        """The output grid for an input grid. Whatever a primitive raises comes out as it is."""
        return self.language.to_grid(self.values(grid, demos)[self.root.digest])

    def trace(self, grid: Grid, demos: Sequence[Pair] = ()) -> list[Step]:
        """What each line of ``expand`` comes to for an input grid, up to the first that fails."""
        inputs = inputs_for(self.language, grid, demos)
        values: dict[bytes, Any] = {}
        for node in self.nodes:
            if not node.args:
                values[node.digest] = leaf_value(node, self.language, inputs)
        steps: list[Step] = []
        for name, text, node in self._lines(fold=False):
            try:
                if node.args:
                    values[node.digest] = call([values[arg.digest] for arg in node.args])
            except Exception as reason:
                return [*steps, Step(name, text, None, f"{type(reason).__name__}: {reason}")]
            steps.append(Step(name, text, values[node.digest]))
        return steps

    def values(self, grid: Grid, demos: Sequence[Pair] = ()) -> dict[bytes, Any]:
        """Every node's value for one input, by digest."""
        inputs = inputs_for(self.language, grid, demos if self.uses_demos else ())
        values: dict[bytes, Any] = {}
        for node in self.nodes:
            args = node.args
            values[node.digest] = (
                call([values[arg.digest] for arg in args])
                if args
                else leaf_value(node, self.language, inputs)
            )
        return values


def inputs_for(language: Language, grid: Grid, demos: Sequence[Pair]) -> dict[str, Any]:
    """What ``I`` and ``S`` stand for, in the language's own form of grids."""
    return {"I": language.from_grid(grid), "S": shown(language, demos)}


def shown(language: Language, demos: Sequence[Pair]) -> tuple[tuple[Any, Any], ...]:
    """What ``S`` stands for: (input, output) of every demo pair."""
    return tuple(
        (language.from_grid(p.input), language.from_grid(p.output)) for p in demos if p.output is not None
    )


def _leaf(node: Node) -> str:
    return str(node.value) if node.kind in ("input", "constant", "primitive") else repr(node.value)
