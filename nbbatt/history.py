"""The runs of a workspace, read back: a table of all, or one whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbbatt.record import RecordError, RunRecord
from nbbatt.store import DEFAULT_FOLDER, RunRow, Workspace

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "run_id", "started", "task", "source", "status", "candidates", "workers", "wall_s", "cpu_s", "validation_hits",
    "validation_rate", "inlining_hits", "inlining_rate", "saved_s", "solved", "seed", "language", "tags",
)  # fmt: skip


def runs(
    *,
    task: str | None = None,
    status: str | None = None,
    language: str | None = None,
    tag: str | None = None,
    since: str | datetime | None = None,
    limit: int | None = None,
    workspace: Path | str | None = None,
) -> pd.DataFrame:
    """All runs of a workspace, newest first, one row each. Rates are shares in [0, 1]; empty where nothing was asked."""
    import pandas as pd

    rows = run_list(
        task=task, status=status, language=language, tag=tag, since=since, limit=limit, workspace=workspace
    )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def run_list(
    *, task: str | None = None, workspace: Path | str | None = None, **filters: Any
) -> list[dict[str, Any]]:
    """The rows of ``runs`` as plain dicts."""
    with Workspace(Path(workspace or DEFAULT_FOLDER)).open(create=False) as store:
        return [_line(row) for row in store.run_rows(task_id=task, **filters)]


def load_run(run_id: str, *, workspace: Path | str | None = None) -> RunRecord:
    """A run of the workspace by its id or the beginning of it. Raises StoreError, RecordError."""
    with Workspace(Path(workspace or DEFAULT_FOLDER)).open(create=False) as store:
        text = store.run_json(run_id)
    try:
        data = json.loads(text)
    except ValueError:
        raise RecordError(f"the record of run {run_id!r} is no JSON; run it again") from None
    return RunRecord.from_json(data)


def _line(row: RunRow) -> dict[str, Any]:
    known: Mapping[str, Any] = row.summary
    return {
        "run_id": row.run_id,
        "started": row.started,
        "task": row.task_id,
        "source": row.source,
        "status": row.status,
        "candidates": known.get("candidates"),
        "workers": known.get("workers", row.workers),
        "wall_s": row.wall_s,
        "cpu_s": row.cpu_s,
        **_answers("validation", known),
        **_answers("inlining", known),
        "saved_s": sum(known.get(f"{cache}_saved_s", 0.0) for cache in ("validation", "inlining"))
        if known
        else None,
        "solved": row.solved,
        "seed": known.get("seed"),
        "language": row.language,
        "tags": list(row.tags),
    }


def _answers(cache: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """``3/12`` and 0.25: hits of first questions."""
    hits, misses = known.get(f"{cache}_hits"), known.get(f"{cache}_misses")
    if hits is None or misses is None:
        return {f"{cache}_hits": None, f"{cache}_rate": None}
    asked = hits + misses
    return {f"{cache}_hits": f"{hits}/{asked}", f"{cache}_rate": hits / asked if asked else None}
