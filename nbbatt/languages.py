"""A language: the table of typed primitives and constants that programs are written in.

Any namespace of annotated functions becomes a language; nothing has to inherit from anything. Types are known by
the names people gave them in annotations (``Grid``, ``Objects``, ``Callable``); what fits where follows from the
annotations themselves (a Union accepts its members, Any accepts all, two NewTypes over int stay apart).

A language has a version: a digest of the names, signatures and compiled code of its primitives, of the functions and
data of the same package that they use, and of its constants. It is the part of every cache key that makes an edited
primitive a new one. Grids cross the edge here: uint8 arrays inside nbbatt, nested tuples for languages that want them.
"""

from __future__ import annotations

import dataclasses
import inspect
import keyword
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nbbatt.errors import NbbattError
from nbbatt.fingerprint import digest
from nbbatt.signatures import TypeTable, value_fits
from nbbatt.tasks import Grid

if TYPE_CHECKING:
    import pandas as pd

GridKind = Literal["array", "tuple"]
MAX_SIDE = 30
RESERVED = frozenset({"I", "S"})
"""Names of a program's inputs: the grid, and the demo pairs."""
_COLOURS = bytes(range(10))
_OUTSIDE = "the result holds values outside 0 to 9, and a grid's cells are colours 0 to 9"


class LanguageError(NbbattError):
    """A function or constant that cannot be part of a language."""


class PrimitiveError(NbbattError):
    """A primitive was given arguments outside its domain, or a program's value is not what its place asks for."""


@dataclass(frozen=True, slots=True)
class Primitive:
    """One function of a language: its name, the names of its parameter types and of its result type."""

    name: str
    fn: Callable[..., Any]
    params: tuple[str, ...]
    result: str
    required: int
    theme: str = ""
    doc: str = ""

    @property
    def signature(self) -> str:
        """``rot90(Grid) -> Grid``, for people."""
        shown = [p if i < self.required else f"{p}=…" for i, p in enumerate(self.params)]
        return f"{self.name}({', '.join(shown)}) -> {self.result}"


@dataclass(frozen=True, eq=False)
class Language:
    """Primitives and constants under their names, with the types that connect them.

    Build one with ``from_module`` or ``from_functions``. Immutable: ``extended`` gives a larger copy. Whether two are
    the same is what ``version`` tells.
    """

    name: str
    primitives: Mapping[str, Primitive]
    constants: Mapping[str, Any] = field(default_factory=dict)
    constant_types: Mapping[str, str] = field(default_factory=dict)
    types: TypeTable = field(default_factory=TypeTable)
    grids: GridKind = "array"
    trusted: bool = False
    """True for the built-in language only: its primitives are known to end, so it may run in this process unasked."""

    def __post_init__(self) -> None:
        names = {*self.primitives, *self.constants}
        clash = (set(self.primitives) & set(self.constants)) | (RESERVED & names)
        if clash:
            raise LanguageError(
                f"language {self.name!r} uses the name {sorted(clash)[0]!r} twice or for an input (I and S are the"
                f" inputs of every program, a name is a primitive or a constant); rename it"
            )
        for name in names:
            if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
                raise LanguageError(
                    f"language {self.name!r} has the name {name!r}, which no program can write: names are ASCII"
                    f" letters, digits and _, and no keywords of Python; rename it"
                )

    # ------------------------------------------------------------------ building

    @classmethod
    def from_module(
        cls,
        module: ModuleType | Mapping[str, Any] | Iterable[Callable[..., Any]],
        *,
        constants: ModuleType | Mapping[str, Any] | None = None,
        name: str | None = None,
        grids: Literal["auto", "array", "tuple"] = "auto",
    ) -> Language:
        """A language of the public functions defined in a module, a dict or a list, and of upper-case constants.

        ``constants`` names where the constants are (default: the module itself): bools, ints, texts, and tuples and
        frozensets of what cannot change. ``grids`` says how grids are handed to primitives: "tuple" (nested tuples),
        "array" (read-only uint8), or "auto": tuples when the module's own ``Grid`` type is a tuple. Raises
        LanguageError when nothing in it can be a primitive.
        """
        if grids not in ("auto", "array", "tuple"):
            raise LanguageError(f"grids={grids!r} is no form of grids; choose 'auto', 'array' or 'tuple'")
        space = _namespace(module)
        functions = {
            key: value for key, value in space.items() if not key.startswith("_") and _belongs(value, module)
        }
        if not functions:
            raise LanguageError(
                f"{_name_of(module, name)!r} holds no public function defined in it, and a language needs one;"
                f" pass the module, dict or list that holds your primitives"
            )
        table = TypeTable.of_scope(_scope(functions, space, constants), functions)
        primitives = {key: _primitive(key, fn, table) for key, fn in functions.items()}
        source = space if constants is None else _namespace(constants)
        values = {key: value for key, value in source.items() if _is_constant(key, value)}
        declared = {
            key: table.name(kind) for key, kind in source.get("__annotations__", {}).items() if key in values
        }
        kind: GridKind = table.grid_kind() if grids == "auto" else grids
        return cls(_name_of(module, name), primitives, values, declared, table, kind)

    @classmethod
    def from_functions(
        cls, *functions: Callable[..., Any], name: str = "own", constants: Mapping[str, Any] | None = None
    ) -> Language:
        """A language of just these annotated functions."""
        return cls.from_module(functions, constants=constants or {}, name=name)

    def extended(self, other: Language, name: str | None = None) -> Language:
        """A copy with the primitives and constants of another language added; the other's names win.

        Raises LanguageError when one takes grids as arrays and the other as tuples.
        """
        if self.grids != other.grids:
            raise LanguageError(
                f"{self.name!r} takes grids as {self.grids}s and {other.name!r} as {other.grids}s, and a language has"
                f" one form; build one of them with grids={self.grids!r}"
            )
        return Language(
            name or self.name,
            {**self.primitives, **other.primitives},
            {**self.constants, **other.constants},
            {**self.constant_types, **other.constant_types},
            self.types.merged(other.types),
            self.grids,
        )

    # ------------------------------------------------------------------ identity

    @cached_property
    def version(self) -> str:
        """Hex digest of everything the language's results depend on."""
        signatures = tuple(sorted(p.signature for p in self.primitives.values()))
        functions = tuple(self.primitives[key].fn for key in sorted(self.primitives))
        constants = tuple(sorted((key, digest(value)) for key, value in self.constants.items()))
        return digest((self.grids, digest(functions), signatures, constants))

    def __len__(self) -> int:
        return len(self.primitives)

    def __repr__(self) -> str:
        return f"<Language {self.name} · {len(self.primitives)} primitives · {len(self.constants)} constants>"

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: a version computed here must be computed again where the code may differ."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def table(self) -> pd.DataFrame:
        """One row a primitive: name, signature, theme, and the first sentence of its docstring."""
        import pandas as pd

        rows = [(p.name, p.signature, p.theme, p.doc) for p in self.primitives.values()]
        return pd.DataFrame(rows, columns=["name", "signature", "theme", "sentence"])

    # ------------------------------------------------------------------ types

    def fits(self, result: str, param: str) -> bool:
        """Whether a value of type ``result`` may stand where ``param`` is asked for."""
        return self.types.fits(result, param)

    @cached_property
    def grid_type(self) -> str:
        """The name that grids go by: ``Grid`` where a signature has it, else the type of most first parameters."""
        first = [p.params[0] for p in self.primitives.values() if p.params]
        if "Grid" in first or any(p.result == "Grid" for p in self.primitives.values()):
            return "Grid"
        return max(first, key=first.count, default="Any")

    @cached_property
    def _found(self) -> dict[tuple[str, str], tuple[str, ...]]:
        return {}

    def constants_for(self, param: str) -> tuple[str, ...]:
        """Names of the constants that may stand where ``param`` is asked for: by declared type, else by value."""
        key = ("constants", param)
        if key not in self._found:
            wanted, declared = self.types.annotation(param), self.constant_types
            self._found[key] = tuple(
                name
                for name, value in self.constants.items()
                if (self.fits(declared[name], param) if name in declared else value_fits(value, wanted))
            )
        return self._found[key]

    def functions_for(self, param: str) -> tuple[str, ...]:
        """Names of the primitives that may themselves stand, as values, where ``param`` is asked for."""
        key = ("functions", param)
        if key not in self._found:
            known = self.primitives.values() if self.types.asks_function(param) else ()
            self._found[key] = tuple(
                p.name
                for p in known
                if any(
                    self.types.takes_function(param, p.params[:arity], p.result)
                    for arity in range(p.required, len(p.params) + 1)
                )
            )
        return self._found[key]

    # ------------------------------------------------------------------ the edge

    def from_grid(self, grid: Grid) -> Any:
        """A grid as this language's primitives take it."""
        return grid if self.grids == "array" else tuple(map(tuple, grid.tolist()))

    def to_grid(self, value: Any) -> Grid:
        """A program's result as a grid of at most 30 × 30, whichever form the language uses.

        Raises PrimitiveError when it is not a grid.
        """
        if type(value) is np.ndarray:
            return checked_grid(value)
        if not isinstance(value, tuple | list) or not all(isinstance(row, tuple | list) for row in value):
            raise PrimitiveError(f"the result is a {type(value).__name__}, and a program must return a grid")
        height, width = len(value), len(value[0]) if value else 0
        _check_size(height, width)
        if any(len(row) != width for row in value):
            raise PrimitiveError(
                "the result's rows differ in length, and a grid is a rectangle of colours 0 to 9"
            )
        for kind in set(map(type, chain.from_iterable(value))):
            if kind is not int and not issubclass(kind, np.integer):
                raise PrimitiveError(
                    f"the result holds a cell that is a {kind.__name__}, and a grid's cells are colours 0 to 9"
                )
        try:
            return checked_grid(np.array(value, np.int64))
        except OverflowError:
            raise PrimitiveError(_OUTSIDE) from None


def checked_grid(array: Any) -> Grid:
    """The array as a read-only contiguous uint8 grid; PrimitiveError unless 1..30 × 1..30 of values 0..9."""
    if array.ndim != 2 or array.dtype.kind not in "ui":
        raise PrimitiveError(
            f"the result is an array of {array.ndim} dimensions and type {array.dtype}, and a grid has two, of ints"
        )
    _check_size(*array.shape)
    grid = np.ascontiguousarray(array, dtype=np.uint8)
    if grid.tobytes().translate(None, _COLOURS) or (array.dtype != np.uint8 and (array != grid).any()):
        raise PrimitiveError(_OUTSIDE)
    grid.setflags(write=False)
    return grid


def _check_size(height: int, width: int) -> None:
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise PrimitiveError(
            f"the result is {height}×{width}, and a grid has 1 to {MAX_SIDE} rows and columns"
        )


def _namespace(source: Any) -> dict[str, Any]:
    """What a module, a mapping, or a list of functions holds, by name."""
    if isinstance(source, ModuleType):
        return dict(vars(source))
    if isinstance(source, Mapping):
        return {key: value for key, value in source.items() if isinstance(key, str)}
    if not isinstance(source, Iterable):
        raise LanguageError(
            f"a {type(source).__name__} holds no functions, and a language is made of some; pass the module, dict or"
            f" list that holds your primitives"
        )
    found: dict[str, Any] = {}
    for function in source:
        key = getattr(function, "__name__", "")
        if not key.isidentifier():
            raise LanguageError(
                f"{function!r} has no usable name, and a primitive is called by name; use a def"
            )
        if found.setdefault(key, function) is not function:
            raise LanguageError(
                f"two functions are named {key!r}, and a name means one thing; rename one of them"
            )
    return found


def _scope(functions: Mapping[str, Any], space: Mapping[str, Any], constants: object) -> dict[str, Any]:
    """Every name that an annotation of these functions may use."""
    scope: dict[str, Any] = {}
    for spaces in {id(g): g for g in (getattr(fn, "__globals__", {}) for fn in functions.values())}.values():
        scope |= spaces
    if isinstance(constants, ModuleType | Mapping):
        scope |= _namespace(constants)
    return {**scope, **space}


def _belongs(value: Any, module: object) -> bool:
    """Functions written in the module itself, cached ones included; from a dict or a list, whatever functions are given."""
    written = isinstance(inspect.unwrap(value) if callable(value) else value, FunctionType)
    if isinstance(module, ModuleType):
        return written and getattr(value, "__module__", None) == module.__name__
    return written or isinstance(value, BuiltinFunctionType | np.ufunc)


def _name_of(module: object, name: str | None) -> str:
    return name or str(getattr(module, "__name__", "own"))


def _is_constant(name: str, value: Any) -> bool:
    if not name.isupper() or name in RESERVED or not isinstance(value, bool | int | tuple | frozenset | str):
        return False
    try:
        hash(value)
    except TypeError:  # something inside can change, and values are shared
        return False
    return True


def _primitive(name: str, fn: Callable[..., Any], table: TypeTable) -> Primitive:
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError) as reason:
        raise LanguageError(
            f"{name!r} has no readable signature ({reason}), and a primitive's parameters must be known; wrap it in a"
            f" def with annotations"
        ) from None
    params, required = [], 0
    for parameter in signature.parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty:
                continue
            raise LanguageError(
                f"{name!r} takes {parameter}, and a primitive takes a fixed number of positional parameters;"
                f" give each its name, or begin the function's own with _ if it is a helper"
            )
        params.append("Any" if parameter.annotation is parameter.empty else table.name(parameter.annotation))
        required += parameter.default is parameter.empty
    result = (
        "Any" if signature.return_annotation is signature.empty else table.name(signature.return_annotation)
    )
    doc = " ".join((inspect.getdoc(fn) or "").split("\n\n")[0].split())
    theme = (getattr(fn, "__module__", None) or "").rpartition(".")[2]
    return Primitive(name, fn, tuple(params), result, required, theme, doc)
