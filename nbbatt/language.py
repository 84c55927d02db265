"""The old name of ``nbbatt.languages``, until every importer has the new one."""

from nbbatt.languages import GridKind, Language, LanguageError, Primitive, PrimitiveError, checked_grid

__all__ = ["GridKind", "Language", "LanguageError", "Primitive", "PrimitiveError", "checked_grid"]
