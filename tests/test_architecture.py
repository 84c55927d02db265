"""The house has floors: a file imports only from rooms that come before its own, and importing nbbatt costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nbbatt

HOUSE = Path(nbbatt.__file__).parent

ROOMS = [
    "errors",
    "tasks",
    "sources",
    "fingerprint",
    "signatures",
    "languages",
    "dsl",
    "nodes",
    "parser",
    "programs",
    "library",
    "clock",
    "limits",
    "scoring",
    "battery",
    "generate",
    "jobs",
    "workers",
    "dispatch",
    "store",
    "caches",
    "record",
    "spec",
    "phases",
    "pipeline",
    "history",
    "exchange",
    "views",
    "progress",
    "cli",
]
"""From the ground up. CONTRIBUTING.md tells what each is for."""

HEAVY = [
    "numpy",
    "pandas",
    "matplotlib",
    "ipywidgets",
    "IPython",
    "distributed",
    "typer",
    "rich",
    "multiprocess",
]


def files() -> list[Path]:
    return [path for path in sorted(HOUSE.rglob("*.py")) if path != HOUSE / "__init__.py"]


def room(path: Path) -> str:
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The rooms a file imports from, at its top or inside its functions; imports for type checkers do not count."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "nbbatt":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nbbatt."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("nbbatt.")}
    return found - {"__version__"}


def test_every_file_has_its_room() -> None:
    assert {room(path) for path in files()} == set(ROOMS)


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(HOUSE)))
def test_imports_only_from_rooms_before(path: Path) -> None:
    own = ROOMS.index(room(path))
    above = {name for name in imported(path) if ROOMS.index(name) > own}
    assert not above, f"{path.name} imports from {above}, which come after it"


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(HOUSE)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


def test_importing_nbbatt_loads_nothing_heavy() -> None:
    code = f"import sys, nbbatt; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_running_loads_no_view_library() -> None:
    views = ["pandas", "matplotlib", "ipywidgets", "IPython", "typer", "rich"]
    code = (
        f"import sys, tempfile, nbbatt; nbbatt.run('00576224', candidates=4, workspace=tempfile.mkdtemp());"
        f"print([m for m in {views!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_loads() -> None:
    for name in nbbatt.__all__:
        assert getattr(nbbatt, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        nbbatt.nonsense
