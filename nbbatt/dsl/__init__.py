"""The built-in language: typed primitives over grids, in one module a theme.

``language()`` builds it when first asked. Values and their rules are in values.py, constants in constants.py.
Every public function of a theme module is a primitive, but for a few that modules share. Each is pure, takes
and gives what its annotations say, ends, and raises PrimitiveError, never another error, for well-typed
arguments outside its domain.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import FunctionType

from nbbatt.languages import Language

THEMES = ("geometry", "colour", "masks", "objects", "lines", "assembly", "combinators")
HELPERS = frozenset({"downward", "upward", "calls", "apply"})
"""Public functions of theme modules that other modules share and programs do not see."""


@cache
def language() -> Language:
    """The built-in Language, trusted to end and to harm nothing."""
    from importlib import import_module

    from nbbatt.dsl import constants

    modules = [import_module(f"nbbatt.dsl.{theme}") for theme in THEMES]
    functions = {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == module.__name__ and _is_offered(name)
    }
    return replace(Language.from_module(functions, constants=constants, name="nbbatt"), trusted=True)


def _is_offered(name: str) -> bool:
    return not name.startswith("_") and name not in HELPERS
