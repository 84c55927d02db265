"""Candidates bred from known solvers: typed mutation and crossover.

A generator is anything that, given a task, a library, a language and a source of randomness, yields candidates
without end. ``take`` draws distinct ones from it. Every step works on the graph and asks the language what fits
where, so what comes out is a valid program by construction; which worker evaluates it later has no part in what
is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import NamedTuple, Protocol

from nbbatt.battery import Battery
from nbbatt.languages import Language, Primitive
from nbbatt.limits import Status
from nbbatt.nodes import Node, ordered
from nbbatt.parser import MAX_INT
from nbbatt.programs import Program
from nbbatt.tasks import Task

MAX_CALLS = 200
"""Larger programs are not bred further: they are slow, and nobody reads them."""
TRIES_A_CANDIDATE = 60
TRIES_A_CHANGE = 8
MORE_STEPS = 0.3
"""The chance that a candidate is changed once more: one change in seven of ten, rarely more than three."""
SECOND_CHOICE = 0.2
"""The chance that a parent is kept that others are preferred to."""


class Candidate(NamedTuple):
    """A program to try, and in words where it comes from."""

    program: Program
    origin: str


class Generator(Protocol):
    """Yields candidates for a task for as long as it is asked."""

    def __call__(
        self, task: Task, library: Sequence[Program], language: Language, rng: Random
    ) -> Iterator[Candidate]: ...


def take(candidates: Iterator[Candidate], count: int) -> list[Candidate]:
    """The first ``count`` candidates of distinct digests; fewer when the generator has no more to give."""
    found: dict[bytes, Candidate] = {}
    for tries, candidate in enumerate(candidates, start=1):
        found.setdefault(candidate.program.root.digest, candidate)
        if len(found) >= count or tries >= TRIES_A_CANDIDATE * (count + 10):
            break
    return list(found.values())[:count]


def breed(task: Task, library: Sequence[Program], language: Language, rng: Random) -> Iterator[Candidate]:
    """Mutants and crosses of the library's programs.

    Over a trusted language, parents that run on the first demo are preferred: of the others few have children that
    do. Another's primitives are not run here, where nobody could stop them.
    """
    first = Battery(language, task.demos[:1], ())

    def runs(program: Program) -> bool:
        return not language.trusted or all(r.status is Status.OK for r in first.evaluate(program))

    breeder = Breeder(language, library, rng, runs)
    while True:
        yield breeder.candidate(task.id)


Change = tuple[Node, str]
"""A new root, and in words what was done to the old one."""


class Breeder:
    """Draws changes of programs. One a run: it owns the run's source of randomness."""

    def __init__(
        self,
        language: Language,
        library: Sequence[Program],
        rng: Random,
        preferred: Callable[[Program], bool] = lambda program: True,
    ) -> None:
        self.language, self.rng, self.preferred = language, rng, preferred
        identity = Program("identity", Node("input", "I"), language)
        self.library: Sequence[Program] = library if len(library) else (identity,)
        self.by_arity: dict[int, list[Primitive]] = {}
        for primitive in language.primitives.values():
            for arity in range(primitive.required, len(primitive.params) + 1):
                self.by_arity.setdefault(arity, []).append(primitive)
        self._takers: dict[str, list[tuple[Primitive, int]]] = {}
        self._known: dict[bytes, _Sites] = {}

    def candidate(self, task_id: str) -> Candidate:
        """A changed copy of some library program."""
        parent = self.rng.choice(self.library)
        while not self.preferred(parent) and self.rng.random() > SECOND_CHOICE:
            parent = self.rng.choice(self.library)
        sites, said = self._sites(parent), list[str]()
        while not said or self.rng.random() < MORE_STEPS:
            changed = self._change(sites)
            if changed is None:
                break
            sites = changed[0]
            said.append(changed[1])
        name = f"solve_{task_id.replace('-', '_')}_{sites.root.digest.hex()[:8]}"
        return Candidate(
            Program(name, sites.root, self.language), f"{parent.name}: {', '.join(said) or 'as it is'}"
        )

    def _change(self, sites: _Sites) -> tuple[_Sites, str] | None:
        for _ in range(TRIES_A_CHANGE):
            step = self.rng.choices(_STEPS, _WEIGHTS)[0]
            changed = step(self, sites)
            if changed is not None and changed[0].digest != sites.root.digest:
                after = _Sites(changed[0], self.language)
                if len(after.calls) <= MAX_CALLS:
                    return after, changed[1]
        return None

    def _sites(self, program: Program) -> _Sites:
        """A library program's sites; they are asked for again and again."""
        known = self._known.get(program.root.digest)
        if known is None:
            known = self._known[program.root.digest] = _Sites(program.root, self.language)
        return known

    # ------------------------------------------------------------------ steps

    def swap_argument(self, sites: _Sites) -> Change | None:
        """One argument of one call becomes another value that fits there."""
        if not sites.spots:
            return None
        call, at, wanted = self.rng.choice(sites.spots)
        choices = [*sites.values(wanted, before=call), *self._fitting(wanted, call.args[at])]
        return self._swapped(sites, call, at, choices, f"argument of {_word(call)}")

    def swap_constant(self, sites: _Sites) -> Change | None:
        """One constant or literal becomes another of its type."""
        spots = [s for s in sites.spots if s[0].args[s[1]].kind in ("literal", "constant")]
        if not spots:
            return None
        call, at, wanted = self.rng.choice(spots)
        return self._swapped(
            sites, call, at, self._constants(wanted, call.args[at]), f"constant of {_word(call)}"
        )

    def swap_primitive(self, sites: _Sites) -> Change | None:
        """One call's primitive, or a primitive handed over as an argument, becomes another of compatible signature."""
        spots = [(n, 0, "") for n in sites.calls if n.args[0].kind == "primitive"]
        spots += [s for s in sites.spots if s[0].args[s[1]].kind == "primitive"]
        if not spots:
            return None
        call, at, wanted = self.rng.choice(spots)
        if at == 0:
            same = self.by_arity.get(len(call.args) - 1, ())
            names = [p.name for p in same if sites.gives(p.result, call) and sites.takes(p, call.args[1:])]
        else:
            names = list(self.language.functions_for(wanted))
        old = call.args[at].value
        choices = [Node("primitive", name) for name in names if name != old]
        if not choices:
            return None
        new = self.rng.choice(choices)
        return self._swapped(sites, call, at, [new], f"{old} for {new.value}")

    def grow(self, sites: _Sites) -> Change | None:
        """One value is passed through one more primitive before it is used."""
        node = self.rng.choice(sites.grown)
        options = [(p, i) for p, i in self._taking(sites.kind(node)) if sites.gives(p.result, node)]
        if not options:
            return None
        primitive, place = self.rng.choice(options)
        args = [Node("primitive", primitive.name)]
        for i, wanted in enumerate(primitive.params[: max(primitive.required, place + 1)]):
            choices = (
                [node] if i == place else [*sites.values(wanted, before=node), *self._fitting(wanted, None)]
            )
            if not choices:
                return None
            args.append(self.rng.choice(choices))
        return sites.replaced(node, Node("call", None, tuple(args))), f"+{primitive.name}"

    def shrink(self, sites: _Sites) -> Change | None:
        """One call gives way to one of its arguments."""
        options = [(n, a) for n in sites.calls for a in n.args[1:] if sites.gives(sites.kind(a), n)]
        if not options:
            return None
        node, argument = self.rng.choice(options)
        return sites.replaced(node, argument), f"-{_word(node)}"

    def cross(self, sites: _Sites) -> Change | None:
        """One value gives way to a part of another program of the library."""
        donor = self.rng.choice(self.library)
        node = self.rng.choice(sites.calls) if sites.calls else sites.root
        parts = self._sites(donor)
        options = [n for n in parts.calls if sites.gives(parts.kind(n), node)]
        if not options:
            return None
        return sites.replaced(node, self.rng.choice(options)), f"crossed with {donor.name}"

    # ------------------------------------------------------------------ choices

    def _swapped(self, sites: _Sites, call: Node, at: int, choices: list[Node], said: str) -> Change | None:
        choices = [node for node in choices if node.digest != call.args[at].digest]
        if not choices:
            return None
        args = (*call.args[:at], self.rng.choice(choices), *call.args[at + 1 :])
        return sites.replaced(call, Node("call", None, args)), said

    def _taking(self, kind: str) -> list[tuple[Primitive, int]]:
        """Every primitive and place in its parameters where a value of a type fits."""
        if kind not in self._takers:
            self._takers[kind] = [
                (primitive, at)
                for primitive in self.language.primitives.values()
                for at, param in enumerate(primitive.params)
                if self.language.fits(kind, param)
            ]
        return self._takers[kind]

    def _fitting(self, wanted: str, now: Node | None) -> list[Node]:
        """Constants, literals and primitives that fit a place."""
        functions = [Node("primitive", name) for name in self.language.functions_for(wanted)]
        return [*functions, *self._constants(wanted, now)]

    def _constants(self, wanted: str, now: Node | None) -> list[Node]:
        """Constants that fit, and literals: those near the one that stands there, or the first few of a type."""
        found = [Node("constant", name) for name in self.language.constants_for(wanted)]
        value = now.value if now is not None and now.kind == "literal" else None
        kind = self.language.types.annotation(wanted)
        near: Sequence[object] = ()
        if type(value) is bool or (kind is bool and not found):
            near = [False, True]
        elif type(value) is int and (kind is int or not found):
            near = sorted({v for v in (value - 1, value + 1, 0, 1, 2, 3) if abs(v) <= MAX_INT})
        elif kind is int and not found:
            near = [0, 1, 2, 3]
        elif type(value) is tuple and value and all(type(v) is int and abs(v) < MAX_INT for v in value):
            at = self.rng.randrange(len(value))
            near = [(*value[:at], value[at] + step, *value[at + 1 :]) for step in (-1, 1)]
        return found + [Node("literal", item) for item in near]


Step = Callable[[Breeder, "_Sites"], Change | None]
_STEPS: tuple[Step, ...] = (
    Breeder.swap_argument,
    Breeder.swap_constant,
    Breeder.swap_primitive,
    Breeder.grow,
    Breeder.shrink,
    Breeder.cross,
)
_WEIGHTS = (3, 3, 4, 2, 1, 1)


def _word(call: Node) -> str:
    return str(call.args[0].value or "a call")


class _Sites:
    """A program's graph with its types: where values stand, and what its places ask for."""

    def __init__(self, root: Node, language: Language) -> None:
        self.root, self.language = root, language
        self.nodes = ordered(root)
        self.calls = [node for node in self.nodes if node.args]
        self.spots: list[tuple[Node, int, str]] = []
        """(call, place of the argument, type asked for), of calls to known primitives."""
        self.asked: dict[bytes, set[str]] = {root.digest: {language.grid_type}}
        for node in self.calls:
            params = self._params(node)
            for at, wanted in enumerate(params, start=1):
                self.spots.append((node, at, wanted))
                self.asked.setdefault(node.args[at].digest, set()).add(wanted)
            # what a computed function asks for nobody knows: it and its arguments stay as they are
            for arg in node.args if not params else node.args[:1]:
                self.asked.setdefault(arg.digest, set()).add("?")
        self.grown = [
            n for n in self.nodes if n.kind in ("call", "input") and "?" not in self.asked[n.digest]
        ]
        self.grown = self.grown or [root]

    def _params(self, node: Node) -> tuple[str, ...]:
        head = node.args[0]
        if head.kind != "primitive":
            return ()
        return self.language.primitives[head.value].params[: len(node.args) - 1]

    def kind(self, node: Node) -> str:
        """The name of a value's type; Any where only running could tell."""
        if node.kind == "input":
            return self.language.grid_type if node.value == "I" else "Demos"
        if node.kind == "call":
            head = node.args[0]
            return self.language.primitives[head.value].result if head.kind == "primitive" else "Any"
        return node.kind

    def values(self, wanted: str, before: Node) -> list[Node]:
        """Inputs, and results of the program up to a node, that fit a place."""
        fits, found = self.language.fits, []
        for node in self.nodes:
            if node is before:
                break
            if node.kind in ("call", "input") and fits(self.kind(node), wanted):
                found.append(node)
        if fits(self.language.grid_type, wanted) and all(n.value != "I" for n in found):
            found.append(Node("input", "I"))
        return found

    def gives(self, result: str, node: Node) -> bool:
        """Whether a value of that type may stand wherever ``node`` stands."""
        fits = self.language.fits
        return all(wanted != "?" and fits(result, wanted) for wanted in self.asked[node.digest])

    def takes(self, primitive: Primitive, args: Sequence[Node]) -> bool:
        """Whether a primitive may be called with these values."""
        return all(map(self._may_stand, args, primitive.params))

    def _may_stand(self, node: Node, wanted: str) -> bool:
        if node.kind == "constant":
            return node.value in self.language.constants_for(wanted)
        if node.kind == "primitive":
            return node.value in self.language.functions_for(wanted)
        if node.kind == "literal":  # taken to be what its other places ask for
            return self.asked[node.digest] <= {wanted}
        return self.language.fits(self.kind(node), wanted)

    def replaced(self, old: Node, new: Node) -> Node:
        """The root of the program with ``old`` replaced wherever it is used."""
        made: dict[bytes, Node] = {old.digest: new}
        for node in self.calls:
            if node.digest not in made and any(arg.digest in made for arg in node.args):
                made[node.digest] = Node(
                    "call", None, tuple([made.get(arg.digest, arg) for arg in node.args])
                )
        return made.get(self.root.digest, self.root)
