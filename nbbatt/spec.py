"""A run's specification: everything that decides what it does, checked before anything starts.

Two runs of one spec and one seed find the same, on any number of workers.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from nbbatt.errors import NbbattError
from nbbatt.generate import Candidate, Generator, breed, take
from nbbatt.languages import Language
from nbbatt.library import Library
from nbbatt.limits import Limits
from nbbatt.programs import Program
from nbbatt.scoring import DIFFERS
from nbbatt.tasks import Task

SEEDS = 2**32
HARD = 2.0
"""The parent kills a worker when an item has taken this many times its limit."""


class SpecError(NbbattError):
    """A setting of a run that means nothing."""


@dataclass(frozen=True)
class RunSpec:
    """One run. ``programs``, when given, are exactly its candidates; else ``generator`` makes ``candidates`` of them.

    ``limit_s`` is the time a candidate has for all its pairs, ``memory_mb`` the address space a worker may add,
    ``library_left_out`` how many known solvers of this very task the library was relieved of.
    """

    task: Task
    language: Language
    library: Library
    candidates: int = 32
    workers: int | str = "auto"
    seed: int = field(default_factory=lambda: secrets.randbelow(SEEDS))
    programs: tuple[Program, ...] = ()
    generator: Generator = breed
    limit_s: float = 1.0
    memory_mb: int = 512
    early_stop: bool = False
    caches: bool = True
    differ: str = "cells"
    tags: tuple[str, ...] = ()
    library_left_out: int = 0

    def __post_init__(self) -> None:
        _whole("candidates", self.candidates, 1, 1_000_000)
        _whole("seed", self.seed, 0, SEEDS - 1)
        _whole("memory_mb", self.memory_mb, 16, 1_000_000)
        if not isinstance(self.limit_s, int | float) or not 0.001 <= self.limit_s <= 3600:
            raise SpecError(f"limit_s={self.limit_s!r} is no time limit: pass seconds from 0.001 to 3600")
        if self.differ not in DIFFERS:
            raise SpecError(f"differ={self.differ!r} is not known: choose one of {', '.join(DIFFERS)}")

    @property
    def limits(self) -> Limits:
        return Limits(soft_s=self.limit_s, hard_s=HARD * self.limit_s, memory_mb=self.memory_mb)

    @property
    def limits_text(self) -> str:
        """The part of a validation's cache key that its limits and measure make up."""
        return f"{float(self.limit_s)!r}s {self.memory_mb}MB {self.differ}"

    def drawn(self) -> list[Candidate]:
        """The run's candidates: the programs given, or distinct ones from the generator and the seed."""
        if self.programs:
            return [Candidate(program, "given") for program in self.programs]
        source = self.generator(self.task, self.library, self.language, Random(self.seed))
        return take(source, self.candidates)

    def to_json(self) -> dict[str, Any]:
        """The spec as plain data, languages and libraries by name, version and size."""
        return {
            "candidates": len(self.programs) or self.candidates,
            "workers": self.workers,
            "seed": self.seed,
            "limit_s": self.limit_s,
            "memory_mb": self.memory_mb,
            "early_stop": self.early_stop,
            "caches": self.caches,
            "differ": self.differ,
            "generator": "given"
            if self.programs
            else getattr(self.generator, "__name__", type(self.generator).__name__),
            "language": {
                "name": self.language.name,
                "version": self.language.version,
                "primitives": len(self.language.primitives),
            },
            "library": len(self.library),
            "library_left_out": self.library_left_out,
            "tags": list(self.tags),
        }


def make_spec(
    task: Task,
    *,
    language: Language | None = None,
    library: Library | None = None,
    programs: Sequence[str | Program] | None = None,
    seed: int | None = None,
    generator: Generator | None = None,
    **settings: Any,
) -> RunSpec:
    """A spec with its defaults filled in: the built-in language and library, a seed drawn now.

    The library's own solver for the task is left out, so that a run shows what was found, not what was known. Raises
    SpecError, ProgramError.
    """
    from nbbatt import dsl  # the built-in language is built when it is asked for
    from nbbatt.library import builtin

    language = language or dsl.language()
    if library is None:
        library = builtin(language) if language.trusted else Library.empty(language)
    others = library.without_task(task.id)
    given = tuple(p if isinstance(p, Program) else Program.parse(p, language) for p in programs or ())
    if programs is not None and not given:
        raise SpecError(
            "programs=[] leaves nothing to run: pass texts of programs, or leave it out to breed candidates"
        )
    extra: Mapping[str, Any] = {} if seed is None else {"seed": seed}
    return RunSpec(
        task,
        language,
        others,
        programs=given,
        generator=generator or breed,
        library_left_out=len(library) - len(others),
        **extra,
        **settings,
    )


def _whole(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise SpecError(f"{name}={value!r} is out of range: pass a whole number from {low:,} to {high:,}")
