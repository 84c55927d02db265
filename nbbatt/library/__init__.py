"""Known solvers that candidates are bred from: a library is a sequence of programs, read when asked for.

Opening one costs next to nothing, however many solvers it holds: texts are cut at their defs, and each def is
parsed once, when its program is first used; the built-in library does not even read a file before. A comment
``# concepts: tiling, mirror`` above or in a def says what it is about. A def is named ``solve_<task id>``.

Texts are data: nothing in them is executed, and what is no program is a ProgramError where it is used.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, overload

from nbbatt.errors import NbbattError
from nbbatt.languages import Language
from nbbatt.nodes import ProgramError
from nbbatt.parser import parse_defs
from nbbatt.programs import Program

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

SUFFIXES = (".txt", ".py")
_DEF = re.compile(r"def\s+(\w+)")
_CONCEPTS = re.compile(r"^[ \t]*#[ \t]*concepts:[ \t]*(.*)$", re.MULTILINE)
_OWN_DIGEST = re.compile(r"_[0-9a-f]{8}\Z")


class LibraryError(NbbattError):
    """A library that cannot be opened, or a solver that is not in it."""


class _Readable(Protocol):
    def read_text(self, encoding: str) -> str: ...


@dataclass(frozen=True)
class Entry:
    """One solver as it is kept: its name, where its text is, and whether import lines may stand in it."""

    name: str
    source: str | _Readable
    imports: bool = False
    place: str = ""
    """Where it comes from, for people: a file's name, a module's."""

    @cached_property
    def text(self) -> str:
        """The def with the comments above it; a line has the number it has in its file."""
        source = self.source
        return source if isinstance(source, str) else source.read_text(encoding="utf-8")

    @property
    def task_id(self) -> str:
        """The task that the name says it solves, less the digest of a bred solver; "" when it says none."""
        return _OWN_DIGEST.sub("", self.name[6:]) if self.name.startswith("solve_") else ""

    @property
    def concepts(self) -> tuple[str, ...]:
        """What its comment line says that it is about."""
        found = _CONCEPTS.search(self.text)
        return tuple(word.strip() for word in found[1].split(",") if word.strip()) if found else ()

    def parse(self, language: Language) -> Program:
        """The program. Raises ProgramError."""
        subject = f"solver {self.name!r}" + (f" of {self.place}" if self.place else "")
        try:
            defs = parse_defs(self.text, language, imports=self.imports)
        except ProgramError as reason:
            raise ProgramError(f"{subject}: {reason}") from None
        if len(defs) != 1 or defs[0][0] != self.name:
            names = ", ".join(name for name, _ in defs) or "nothing"
            raise ProgramError(f"{subject}: its text defines {names}, and must define just that; rename it")
        return Program(*defs[0], language)


@dataclass(frozen=True, eq=False)
class Library(Sequence[Program]):
    """Solvers over one language, in a fixed order; by position, name or task id."""

    language: Language
    entries: tuple[Entry, ...] = ()
    _parsed: dict[str, Program] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if len(self._places) < len(self.entries):
            names = [entry.name for entry in self.entries]
            twice = next(name for name in names if names.count(name) > 1)
            raise LibraryError(f"two solvers are named {twice!r}, and names are unique; rename one")

    # ------------------------------------------------------------------ opening

    @classmethod
    def empty(cls, language: Language) -> Library:
        """A library of nothing, for a language that nobody has written solvers in."""
        return cls(language)

    @classmethod
    def from_text(cls, text: str, language: Language) -> Library:
        """The solvers of one text of defs. Raises LibraryError when there is none."""
        return cls(language, _entries(text, language, place="", imports=False))

    @classmethod
    def from_module(cls, module: ModuleType, language: Language) -> Library:
        """The solvers in a module's source; import lines are passed over, and nothing is executed.

        Raises LibraryError when the source cannot be had or holds no def.
        """
        try:
            text = inspect.getsource(module)
        except (OSError, TypeError) as reason:
            raise LibraryError(
                f"the source of {getattr(module, '__name__', module)!r} cannot be had ({reason}); pass the"
                f" solvers' text to Library.from_text"
            ) from None
        return cls(language, _entries(text, language, place=module.__name__, imports=True))

    @classmethod
    def from_folder(cls, path: str | Path, language: Language) -> Library:
        """The solvers of every .txt and .py file in a folder and those below it, by file name.

        Raises LibraryError when there is no such folder or a file is no text.
        """
        folder = Path(path)
        if not folder.is_dir():
            raise LibraryError(f"{str(path)!r} is no folder; pass the folder that holds the solver files")
        entries: list[Entry] = []
        for file in sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES and p.is_file()):
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as reason:
                reading = f"{str(file)!r} cannot be read ({reason})"
                raise LibraryError(f"{reading}; a solver file is UTF-8 text") from None
            entries += _entries(text, language, place=file.name, imports=file.suffix == ".py")
        return cls(language, tuple(entries))

    # ------------------------------------------------------------------ a sequence of programs

    def __len__(self) -> int:
        return len(self.entries)

    @overload
    def __getitem__(self, key: int | str) -> Program: ...
    @overload
    def __getitem__(self, key: slice) -> Library: ...
    def __getitem__(self, key: int | str | slice) -> Program | Library:
        if isinstance(key, slice):
            return self._of(self.entries[key])
        entry = self.entry(key) if isinstance(key, str) else self.entries[key]
        program = self._parsed.get(entry.name)
        if program is None:
            program = self._parsed[entry.name] = entry.parse(self.language)
        return program

    def __contains__(self, item: object) -> bool:
        """Whether it holds a solver of that name or for that task, or the very program."""
        return item in self._places if isinstance(item, str) else super().__contains__(item)

    def __repr__(self) -> str:
        return f"<Library of {len(self)} solvers over {self.language.name}>"

    @cached_property
    def _places(self) -> dict[str, int]:
        """Names first, so that their number tells whether they are unique."""
        return {entry.name: place for place, entry in enumerate(self.entries)}

    @cached_property
    def _first_of_task(self) -> dict[str, int]:
        return {entry.task_id: place for place, entry in reversed([*enumerate(self.entries)])}

    # ------------------------------------------------------------------ questions

    def entry(self, key: str) -> Entry:
        """What is kept of the solver of that name, or of the first for that task. Raises LibraryError."""
        place = self._places.get(key, self._first_of_task.get(key))
        if place is None:
            import difflib

            near = difflib.get_close_matches(key, [*self._places, *self._first_of_task], 3)
            raise LibraryError(
                f"{key!r} is no solver's name and no task of the library's {len(self):,}"
                + (f"; near it: {', '.join(near)}" if near else "; its names are in .names")
            )
        return self.entries[place]

    @property
    def names(self) -> tuple[str, ...]:
        """The solvers' names, in order."""
        return tuple(entry.name for entry in self.entries)

    def without_task(self, task_id: str) -> Library:
        """The library less its solvers for a task."""
        spelled = {task_id, task_id.replace("-", "_")}  # a def's name cannot hold a hyphen
        return self._of(entry for entry in self.entries if entry.task_id not in spelled)

    def with_concept(self, concept: str) -> Library:
        """The solvers whose comment line names a concept."""
        return self._of(entry for entry in self.entries if concept in entry.concepts)

    def _of(self, entries: Iterable[Entry]) -> Library:
        return Library(self.language, tuple(entries), self._parsed)


def builtin(language: Language | None = None) -> Library:
    """The starter solvers of nbbatt, over the built-in language or one that has its primitives."""
    if language is None:
        from nbbatt import dsl

        language = dsl.language()
    folder: Path | Traversable = Path(__file__).parent
    if not folder.is_dir():  # imported from an archive; the general way costs an import, so it is the second
        from importlib.resources import files

        folder = files(__name__)
    found = sorted((file.name, file) for file in folder.iterdir() if file.name.endswith(".txt"))
    return Library(language, tuple(Entry(f"solve_{name[:-4]}", file, place=name) for name, file in found))


def _entries(text: str, language: Language, *, place: str, imports: bool) -> tuple[Entry, ...]:
    """A text cut at its defs, each with the comments right above it; the part before the first is checked."""
    lines = text.split("\n")
    heads = [(i, found[1]) for i, line in enumerate(lines) if (found := _DEF.match(line))]
    if not heads:
        raise LibraryError(f"{place or 'the text'} holds no def, and solvers are defs; pass a text of them")
    begins = [_above(lines, at) for at, _ in heads]
    preamble = "\n".join(lines[: begins[0]])
    if preamble.strip():
        parse_defs(preamble, language, imports=imports)
    ends = [*begins[1:], len(lines)]
    return tuple(
        Entry(name, "\n" * begin + "\n".join(lines[begin:end]) + "\n", imports, place)
        for begin, end, (_, name) in zip(begins, ends, heads)
    )


def _above(lines: Sequence[str], at: int) -> int:
    """The first of the comment (or, to be refused, decorator) lines that stand right above a def."""
    while at and lines[at - 1].startswith(("#", "@")):
        at -= 1
    return at
