"""The six phases of a run, each a function over the run's state that yields after every item.

The state is all that phases share. A phase reads what earlier ones left there and adds its own; it never measures
itself (the pipeline's stopwatch does) and knows nothing of events, screens or the run's end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from nbbatt.caches import AnyCache
from nbbatt.clock import Meter
from nbbatt.dispatch import Dispatch
from nbbatt.generate import Candidate
from nbbatt.jobs import Validated, make_check, make_validate
from nbbatt.limits import Status
from nbbatt.nodes import ProgramError
from nbbatt.programs import Program
from nbbatt.record import CandidateRow, Timeline
from nbbatt.scoring import PairResult, Score, score
from nbbatt.spec import RunSpec
from nbbatt.store import CacheKey, SolverRow, Store
from nbbatt.workers import Job, Outcome

INLINING_FORMAT = 1
VALIDATION_FORMAT = 1
_STAND_IN = "solve"


NO_SCORE = Score(0.0, 0, 0, 0, 0)


@dataclass
class Tried:
    """One candidate on its way through the phases."""

    candidate: Candidate
    results: tuple[PairResult, ...] = ()
    score: Score = NO_SCORE
    status: str = Status.CANCELLED.value
    error: str = ""
    text: str = ""
    kept: bool = False
    wall_s: float | None = None

    @property
    def program(self) -> Program:
        return self.candidate.program

    def fail(self, status: str, error: str) -> None:
        """End its way: it is not kept, and says why."""
        self.status, self.error, self.kept = status, error, False

    def row(self) -> CandidateRow:
        """What the record keeps of it."""
        program = self.program
        return CandidateRow(
            program.name,
            program.digest,
            self.score.solved and self.status in (Status.OK, "duplicate"),
            self.score.value,
            self.score.demos_ok,
            self.score.tests_ok,
            None if self.wall_s is None else 1000 * self.wall_s,
            self.status,
            self.text or program.inline(),
            self.error,
            program.size,
            self.kept,
            self.candidate.origin,
        )


@dataclass
class RunState:
    """What phases share: the spec, the rooms, the caches, and every candidate as far as it got."""

    spec: RunSpec
    run_id: str
    store: Store
    dispatch: Dispatch
    inlining: AnyCache
    validation: AnyCache
    timeline: Timeline
    tried: list[Tried] = field(default_factory=list)
    saved: tuple[str, ...] = ()

    @property
    def kept(self) -> list[Tried]:
        """Candidates that are still in the running."""
        return [tried for tried in self.tried if tried.kept]

    @property
    def pairs(self) -> int:
        return len(self.spec.task.pairs)


def generate(state: RunState, meter: Meter) -> Iterator[int]:
    """Draw the candidates."""
    state.tried = [Tried(candidate) for candidate in state.spec.drawn()]
    meter.items = len(state.tried)
    yield meter.items


def check_batt(state: RunState, meter: Meter) -> Iterator[int]:
    """Run every candidate on every pair, merged into batteries; an item is a candidate on a pair."""
    spec = state.spec
    task, language = spec.task, spec.language
    args = (language, language.version, task.demos, task.tests, spec.differ, spec.early_stop, spec.limit_s)
    job = Job(make_check, args, "check_batt")
    items = [tried.program.wire() for tried in state.tried]
    for outcome in _mapped(state, meter, job, items):
        tried = state.tried[outcome.index]
        if outcome.status is Status.OK:
            tried.results = outcome.value
        else:
            failed = PairResult(outcome.status, False, 0.0, "", outcome.error)
            tried.results = (failed,) * state.pairs
        tried.score = score(tried.results, len(task.demos))
        bad = next((r for r in tried.results if r.status is not Status.OK), None)
        tried.status, tried.error = (Status.OK.value, "") if bad is None else (bad.status.value, bad.error)
        yield len(tried.results)


def filter_(state: RunState, meter: Meter) -> Iterator[int]:
    """Keep what can rank: an output for every demo pair, and outputs that no smaller candidate has too."""
    demos = len(state.spec.task.demos)
    first: dict[tuple[str, ...], Tried] = {}
    for tried in sorted(state.tried, key=lambda t: t.program.size):
        ran = len(tried.results) == state.pairs and all(r.status is Status.OK for r in tried.results[:demos])
        outputs = tuple(r.output for r in tried.results)
        same = first.setdefault(outputs, tried) if ran and all(outputs) else tried
        if same is not tried:
            tried.status, tried.error = "duplicate", f"same outputs as {same.program.name}"
        tried.kept = ran and same is tried
        meter.items += 1
    yield meter.items


def inline(state: RunState, meter: Meter) -> Iterator[int]:
    """Write each kept solver as text, checked to read back as the same program."""
    for tried in state.kept:
        began, cpu = time.perf_counter(), time.thread_time()
        program = tried.program
        key = CacheKey(program.digest, program.language.version, "", "", INLINING_FORMAT)
        known = state.inlining.get(key)
        text = known.value if known is not None else None
        if not isinstance(text, str):
            try:
                text = inlined(program)
            except ProgramError as reason:
                tried.fail(Status.ERROR.value, str(reason))
                continue
            cost = time.thread_time() - cpu
            state.inlining.put(key, text, cost)
            meter.cacheable_s += cost
        tried.text = text.replace(f"def {_STAND_IN}(", f"def {program.name}(", 1)
        meter.add(time.perf_counter() - began, time.thread_time() - cpu)
        yield 1


def inlined(program: Program) -> str:
    """The program's inlined text under a stand-in name. Raises ProgramError unless it reads back as the same graph."""
    text = Program(_STAND_IN, program.root, program.language).inline()
    if Program.parse(text, program.language).digest != program.digest:
        raise ProgramError(
            f"{program.name} does not read back as itself once inlined; report its source as a fault"
        )
    return text


def validate(state: RunState, meter: Meter) -> Iterator[int]:
    """Run each kept solver alone, from its text, on every pair; what disagrees with the battery is not kept."""
    spec = state.spec
    task, language = spec.task, spec.language
    todo: list[tuple[Tried, CacheKey]] = []
    for tried in state.kept:
        key = CacheKey(
            tried.program.digest, language.version, task.digest, spec.limits_text, VALIDATION_FORMAT
        )
        known = state.validation.get(key)
        stored = None if known is None else _validated(known.value)
        if stored is None:
            todo.append((tried, key))
            continue
        _judge(tried, stored)
        meter.items += state.pairs
        yield state.pairs
    args = (language, task.demos, task.tests, spec.differ, spec.limit_s)
    job = Job(make_validate, args, "validate")
    for outcome in _mapped(state, meter, job, [tried.text for tried, _ in todo]):
        tried, key = todo[outcome.index]
        if outcome.status is Status.OK:
            found: Validated = outcome.value
            _judge(tried, found)
            if all(r.status in (Status.OK, Status.ERROR) for r in found.results):
                state.validation.put(key, _plain(found), outcome.cpu_s)
                meter.cacheable_s += outcome.cpu_s
        else:
            tried.fail(outcome.status.value, outcome.error)
        yield state.pairs


def save(state: RunState, meter: Meter) -> Iterator[int]:
    """Keep what the run learned: both caches, and the solvers that get at least one demo pair right."""
    state.inlining.flush()
    state.validation.flush()
    spec = state.spec
    rows = [
        SolverRow(
            task_id=spec.task.id,
            digest=tried.program.digest,
            name=tried.program.name,
            text=tried.text,
            language=spec.language.name,
            language_version=spec.language.version,
            score=tried.score.value,
            demos_ok=tried.score.demos_ok,
            tests_ok=tried.score.tests_ok,
            solved=tried.score.solved,
            wall_ms=1000 * (tried.wall_s or 0.0),
            run_id=state.run_id,
        )
        for tried in state.kept
        if tried.status == Status.OK and tried.score.demos_ok
    ]
    state.store.save_solvers(rows)
    state.saved = tuple(str(path) for path in state.store.write_solvers(rows))
    meter.items = len(rows)
    yield meter.items


Phase = Callable[[RunState, Meter], Iterator[int]]
PHASES: Mapping[str, Phase] = {
    "generate": generate,
    "check_batt": check_batt,
    "filter": filter_,
    "inline": inline,
    "validate": validate,
    "save": save,
}


def expected(name: str, spec: RunSpec, state: RunState | None) -> int:
    """How many items a phase will have, as far as can be told before it starts."""
    if state is None or name == "generate":
        return len(spec.programs) or spec.candidates
    if name == "check_batt":
        return len(state.tried) * state.pairs
    if name == "validate":
        return len(state.kept) * state.pairs
    return len(state.tried) if name == "filter" else len(state.kept)


# ---------------------------------------------------------------------- pieces


def _mapped(state: RunState, meter: Meter, job: Job, items: list) -> Iterator[Outcome]:  # type: ignore[type-arg]
    """The outcomes of a job, metered and put on the timeline."""
    meter.parallel = True
    for outcome in state.dispatch.map(job, items, state.spec.limits):
        meter.lanes, meter.remote = state.dispatch.lanes, state.dispatch.remote
        if outcome.worker >= 0:
            meter.add(outcome.wall_s, outcome.cpu_s, state.pairs)
            failed = outcome.status is not Status.OK
            state.timeline.add(
                job.name, outcome.worker, outcome.started, outcome.wall_s, outcome.cpu_s, failed=failed
            )
        yield outcome


def _judge(tried: Tried, found: Validated) -> None:
    """Take a validation's word, unless it contradicts the battery's."""
    told = [(r.status, r.ok, r.differ, r.output) for r in tried.results]
    seen = [(r.status, r.ok, r.differ, r.output) for r in found.results]
    tried.wall_s = found.wall_s
    if told != seen:
        at = next((i for i, (a, b) in enumerate(zip(told, seen)) if a != b), len(told))
        now = found.results[at] if at < len(seen) else None
        tried.fail(
            "mismatch",
            f"pair {at + 1}: validation alone came to {_words(now)}, the battery to {_words(tried.results[at])};"
            f" a primitive is not pure or depends on chance",
        )


def _words(result: PairResult | None) -> str:
    if result is None:
        return "nothing"
    if result.status is not Status.OK:
        return f"{result.status.value} ({result.error})"
    return f"{100 * result.differ:.0f}% (output {result.output[:6]})"


def _plain(found: Validated) -> dict[str, object]:
    """A validation as JSON; what is not deterministic (messages with addresses) is cut short elsewhere."""
    return {"wall_s": found.wall_s, "results": [[r.status.value, *r[1:]] for r in found.results]}


def _validated(value: object) -> Validated | None:
    """What ``_plain`` wrote, or None when it is something else."""
    try:
        results = tuple(PairResult(Status(row[0]), *row[1:]) for row in value["results"])  # type: ignore[index]
        return Validated(results, float(value["wall_s"]))  # type: ignore[index]
    except (TypeError, ValueError, KeyError, IndexError):
        return None
