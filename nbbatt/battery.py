"""A battery: many candidates merged into one graph, so that a call that several of them make is made once.

Programs are added one by one; equal calls become one node. A pair is evaluated on demand, candidate by
candidate, each node at most once, and a candidate stops at its first failure; a failure flows only to what
depends on it. Calls of one function on equal values are made once as well, whichever way the values came about
(observational equivalence), so a mutant that changes nothing that matters is settled without running.

What it promises: the results of each program are those it has alone. To hold that for time limits too, a
candidate is charged what shared calls cost, and makes them itself where the charge would end it; to hold it for
memory, results are forgotten when they get in the way. What it leaves to others: arming limits, ranking, workers.
"""

from __future__ import annotations

import marshal
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from hashlib import blake2b
from types import FunctionType
from typing import Any

import numpy as np

from nbbatt.languages import Language, PrimitiveError
from nbbatt.limits import Cancelled, SoftLimit, Status, TimeLimit, explain
from nbbatt.nodes import Node, call, leaf_value, small
from nbbatt.programs import Program, shown
from nbbatt.scoring import DIFFERS, PairResult
from nbbatt.tasks import Pair

HEAVY_SHARE = 0.001
"""Calls cheaper than this share of the limit (or a millisecond) are not worth charging to those who share them."""
OWN_SHARE = 0.9
"""A call that used this share of a whole limit by itself has timed out for everyone."""
MAX_ROWS = 20_000
"""With more values a battery forgets everything and starts again: they must fit in a worker's memory."""
MAX_PARTS = 2_000
"""Values that Python alone can look into are not compared when they have more parts."""

_UNSET = object()
_NO_LIMIT = float("inf")


@dataclass(frozen=True, slots=True)
class Failure:
    """Stands where a value would: why the call has none."""

    status: Status
    error: str


class _CrowdedError(Exception):
    """Memory ran out while values that other candidates left were kept."""


class _Row:
    """A node's value on each pair of a group. ``clean``: all there, no failure, nothing to be charged for.

    ``ids`` number the values, equal ones equally; ``args`` are the rows of a call's function and arguments, ``heavy``
    the seconds of costly calls by pair, ``results`` what the values are worth as outputs, where somebody asked.
    """

    __slots__ = ("args", "clean", "heavy", "ids", "results", "values")

    def __init__(self, args: tuple[_Row, ...], pairs: int) -> None:
        self.args = args
        self.values: list[Any] = [_UNSET] * pairs
        self.ids = [0] * pairs
        self.clean = False
        self.heavy: dict[int, float] = {}
        self.results: dict[int, PairResult] = {}


class _Group:
    """Pairs that are run together, and the rows of all nodes on them.

    ``known`` finds a node's row by its digest, ``made`` by the rows of its arguments, ``same`` by the numbers of its
    values: nodes that come to the same share one row, so that what is made of them is found by its arguments, too.
    ``calls`` finds, for each pair, the row where a call was made on values of these numbers.
    """

    __slots__ = ("calls", "known", "made", "numbers", "pairs", "same")

    def __init__(self, pairs: tuple[Pair, ...]) -> None:
        self.pairs = pairs
        self.known: dict[bytes, _Row] = {}
        self.made: dict[tuple[_Row, ...], _Row] = {}
        self.same: dict[tuple[int, ...], _Row] = {}
        self.calls: list[dict[tuple[int, ...], _Row]] = [{} for _ in pairs]
        self.numbers: dict[Any, int] = {}

    def put(self, row: _Row, at: int, value: Any) -> None:
        """Keep a value under its number: that of an equal one, or its own when it cannot be compared."""
        key = value_key(value)
        row.ids[at] = self.numbers.setdefault(object() if key is None else key, len(self.numbers))
        row.values[at] = value

    def shared(self, row: _Row) -> _Row:
        """The row to use for a complete one: that of a node with equal values on all pairs, where there is one."""
        row.clean = True
        return self.same.setdefault(tuple(row.ids), row)


class Battery:
    """Candidates over the demo and test pairs of a task, with everything shared that can be.

    ``differ`` names the partial-credit measure; with ``early_stop`` a candidate that gets a demo pair wrong is not
    run on the later pairs. ``seconds`` is the time a candidate has for all its pairs; ``limit`` the watchdog of the
    room, which ends it then. Without one, a call that takes too long is noticed when it returns.
    """

    def __init__(
        self,
        language: Language,
        demos: Sequence[Pair],
        tests: Sequence[Pair],
        *,
        differ: str = "cells",
        early_stop: bool = False,
        limit: SoftLimit | None = None,
        seconds: float = _NO_LIMIT,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.language = language
        self.demos, self.tests = tuple(demos), tuple(tests)
        self.differ = DIFFERS[differ]
        self.early_stop = early_stop
        self.limit, self.seconds, self.now = limit, seconds, now
        self.programs: list[Program] = []
        self.calls_made = 0
        self._heavy_s = min(0.001, HEAVY_SHARE * seconds)
        self._last = self._deadline = 0.0
        self.forget()

    def forget(self) -> None:
        """Start again without any value."""
        together = (
            [(pair,) for pair in self.demos] + [self.tests] if self.early_stop else [self.demos + self.tests]
        )
        self._groups = [_Group(pairs) for pairs in together if pairs]
        self._rows, self._alone = 0, True

    def add(self, program: Program) -> None:
        """Merge a program, for ``results`` to tell what it comes to."""
        self.programs.append(program)

    def results(self) -> list[tuple[PairResult, ...]]:
        """What every merged program comes to, in the order in which they were added."""
        return [self.evaluate(program) for program in self.programs]

    def evaluate(self, program: Program) -> tuple[PairResult, ...]:
        """The program on every pair, demos first; timed out on all of them if its time did not suffice for all.

        Never raises for what a program does, but Cancelled and KeyboardInterrupt pass through.
        """
        if self._rows > MAX_ROWS:
            self.forget()
        try:
            return self._evaluated(program)
        except _CrowdedError:
            self.forget()
            return self._evaluated(program)
        finally:
            self._alone = False

    def _evaluated(self, program: Program) -> tuple[PairResult, ...]:
        self._last = self.now()
        self._deadline = self._last + self.seconds
        results: list[PairResult] = []
        try:
            for group in self._groups:
                results += self._on(group, program)
                if self.early_stop and len(results) <= len(self.demos) and not results[-1].ok:
                    break
        except TimeLimit as reason:
            late = Failure(*explain(reason))
            return tuple([_failed(pair, late) for pair in self.demos + self.tests])
        return tuple(results)

    # ------------------------------------------------------------------ one group of pairs

    def _on(self, group: _Group, program: Program) -> list[PairResult]:
        """Call by call, on each pair up to its first failure."""
        known, made, pairs = group.known, group.made, group.pairs
        left = list(range(len(pairs)))
        failed: dict[int, Failure] = {}
        for node in program.calls:
            row = known.get(node.digest)
            if row is None:
                args = tuple([known.get(arg.digest) or self._leaf(arg, group) for arg in node.args])
                row = made.get(args)
                if row is None:
                    row = made[args] = _Row(args, len(pairs))
                    self._rows += 1
                known[node.digest] = row
            if not row.clean:
                self._fill(row, group, node, left, failed)
                if failed:
                    left = [at for at in left if at not in failed]
                    if not left:
                        break
                elif not row.heavy:
                    known[node.digest] = made[row.args] = group.shared(row)
        if not left:
            return [_failed(pair, failed[at]) for at, pair in enumerate(pairs)]
        root = known.get(program.root.digest) or self._leaf(program.root, group)
        return [
            _failed(pair, failed[at]) if at in failed else self._result(root, at, pair)
            for at, pair in enumerate(pairs)
        ]

    def _leaf(self, node: Node, group: _Group) -> _Row:
        row = _Row((), len(group.pairs))
        for at, pair in enumerate(group.pairs):
            if node.kind != "input":
                value = leaf_value(node, self.language, {})
            else:
                value = self._shown if node.value == "S" else self.language.from_grid(pair.input)
            group.put(row, at, value)
        row = group.known[node.digest] = group.shared(row)
        return row

    @cached_property
    def _shown(self) -> Any:
        return shown(self.language, self.demos)

    def _fill(
        self, row: _Row, group: _Group, node: Node, left: list[int], failed: dict[int, Failure]
    ) -> None:
        """Make a row's calls that are open on the pairs left; be charged for costly ones that were made."""
        for at in left:
            value = row.values[at]
            if value is _UNSET:
                key = tuple([arg.ids[at] for arg in row.args])
                twin = group.calls[at].get(key)
                if twin is None:
                    value = self._call(row, group, at, node)
                    group.calls[at][key] = row
                else:
                    value = self._charged(twin, group, at, node) if at in twin.heavy else twin.values[at]
                    row.ids[at], row.values[at] = twin.ids[at], value
                    if at in twin.heavy:
                        row.heavy[at] = twin.heavy[at]
            elif at in row.heavy:
                value = self._charged(row, group, at, node)
            if type(value) is Failure:
                if value.status is Status.TIMEOUT:
                    raise TimeLimit
                failed[at] = value

    def _call(self, row: _Row, group: _Group, at: int, node: Node) -> Any:
        self.calls_made += 1
        try:
            value = call([arg.values[at] for arg in row.args])
            if self.limit is not None and self.limit.struck:  # swallowed: whatever came back is not the value
                raise TimeLimit
        except (Cancelled, KeyboardInterrupt):
            raise
        except TimeLimit as reason:
            if (
                self.now() - self._last >= OWN_SHARE * self.seconds
            ):  # else: for others it may still end in time
                row.values[at] = Failure(*explain(reason))
            raise
        except BaseException as reason:
            if isinstance(reason, MemoryError) and not self._alone:
                raise _CrowdedError from None
            value = _failure(reason, node)
        last, self._last = self._last, self.now()
        if self._last - last > self._heavy_s:
            row.heavy[at] = self._last - last
        elif row.heavy:
            row.heavy.pop(at, None)
        if type(value) is Failure:
            row.values[at] = value
        else:
            group.put(row, at, value)
        if self._last > self._deadline and self.limit is None:
            raise TimeLimit
        return value

    def _charged(self, row: _Row, group: _Group, at: int, node: Node) -> Any:
        """A value that was costly to get: the candidate is charged for it, or gets it anew.

        A charge never ends a candidate. What the clock said about somebody else's call may include a pause of the
        whole machine; that time has run out is only believed of one's own calls.
        """
        cost = row.heavy[at]
        if cost > self._deadline - self._last:
            return self._call(row, group, at, node)
        self._deadline -= cost
        if self.limit is not None:
            self.limit.charge(cost)
        return row.values[at]

    def _result(self, row: _Row, at: int, pair: Pair) -> PairResult:
        result = row.results.get(at)
        if result is None:
            result = row.results[at] = self._compared(row.values[at], pair)
        return result

    def _compared(self, value: Any, pair: Pair) -> PairResult:
        try:
            output = self.language.to_grid(value)
        except PrimitiveError as reason:
            return _failed(pair, Failure(Status.ERROR, str(reason)))
        mark = blake2b(bytes(output.shape) + output.tobytes(), digest_size=8).hexdigest()
        if pair.output is None:
            return PairResult(Status.OK, None, 0.0, mark)
        part = self.differ(output, pair.output)
        return PairResult(Status.OK, part == 1.0, part, mark)


def merge(
    programs: Iterable[Program],
    language: Language,
    demos: Sequence[Pair],
    tests: Sequence[Pair] = (),
    **options: Any,
) -> Battery:
    """A battery with these programs in it; options as in ``Battery``."""
    battery = Battery(language, demos, tests, **options)
    for program in programs:
        battery.add(program)
    return battery


def _failed(pair: Pair, failure: Failure) -> PairResult:
    return PairResult(failure.status, None if pair.output is None else False, 0.0, "", failure.error)


def _failure(reason: BaseException, node: Node) -> Failure:
    status, message = explain(reason)
    head = node.args[0]
    return Failure(status, f"{head.value if head.kind == 'primitive' else 'a computed function'}: {message}")


def value_key(value: Any) -> Any:
    """A key that is equal for values that no function of values can tell apart, or None for what cannot be compared.

    True and 1 differ all through, as do 0.0 and -0.0, and sets of one content that are read in another order. Frozen
    dataclasses are known by their fields, functions and objects without an equality of their own by identity.
    """
    if type(value) is np.ndarray:  # by far the most
        return None if value.dtype.hasobject else (value.dtype, value.shape, value.tobytes())
    try:
        return _key(value, [MAX_PARTS])
    except Exception:  # a class of the user's that cannot be looked into
        return None


def _key(value: Any, budget: list[int]) -> Any:
    kind = type(value)
    if kind is np.ndarray:
        return value_key(value)
    if kind in _EXACT:
        return kind, value
    if kind is tuple or kind is frozenset:
        return _container_key(value, kind, budget) if small(value) else None
    if kind is float or isinstance(
        value, np.generic
    ):  # NaN is found in a container by identity: it equals nothing
        return (kind, repr(value)) if value == value else None
    if is_dataclass(kind) and getattr(kind, "__dataclass_params__").frozen:  # noqa: B009 - unknown to type checkers
        return _parts_key(kind, [getattr(value, field.name) for field in fields(kind)], budget)
    plain: Any = object
    return (kind, value) if (kind.__eq__, kind.__hash__) == (plain.__eq__, plain.__hash__) else None


_EXACT = frozenset({int, bool, str, bytes, type(None), FunctionType})
_TOLD_APART = re.compile(rb"[>gys]")
"""How marshal begins a frozenset (which it sorts), a float, a complex number, and whatever it takes for bytes, arrays
among them, whose shape and type it drops; found in other values by chance, which costs time only."""


def _container_key(value: Any, kind: type, budget: list[int]) -> Any:
    """Tuples and frozensets: as marshal writes them, where that says it all."""
    size = sys.getsizeof(value) if kind is frozenset else 0  # the order of a union depends on it, too
    items = tuple(value)
    try:
        written = marshal.dumps(items, 2)
    except ValueError:
        written = b">"
    if _TOLD_APART.search(written):
        return _parts_key((kind, size), items, budget)
    return kind, size, written


def _parts_key(kind: Any, parts: Sequence[Any], budget: list[int]) -> Any:
    budget[0] -= len(parts)
    if budget[0] < 0:
        return None
    keys = [_key(part, budget) for part in parts]
    return None if None in keys else (kind, *keys)
