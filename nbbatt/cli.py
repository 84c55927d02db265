"""The command line: thin commands over the Python API.

A user's slip is one sentence on stderr and exit code 2; with ``--json`` nothing but one JSON value is on stdout; a
progress bar shows on a terminal only.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import nbbatt
from nbbatt.errors import NbbattError

app = typer.Typer(
    help="Explore ARC-AGI tasks by program search: batteries of candidates, trusted caches, honest times.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cache_app = typer.Typer(help="The workspace's caches: what they hold, and making room.", no_args_is_help=True)
solvers_app = typer.Typer(help="Solvers in and out of the workspace as plain files.", no_args_is_help=True)
app.add_typer(cache_app, name="cache")
app.add_typer(solvers_app, name="solvers")

WorkspaceOption = Annotated[
    Path | None, typer.Option("--workspace", help="Folder of the store and the solvers.  [default: .nbbatt]")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]
SourceOption = Annotated[
    str | None, typer.Option("--set", help="Where the task is: arcagi2/training, …, a folder, a JSON file.")
]


def main() -> None:
    """The ``nbbatt`` command."""
    try:
        app()
    except NbbattError as reason:
        print(f"nbbatt: {reason}", file=sys.stderr)
        sys.exit(2)
    except OSError as reason:
        if isinstance(reason, BrokenPipeError):  # the reader of a pipe has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)
        print(f"nbbatt: {reason}", file=sys.stderr)
        sys.exit(2)


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(nbbatt.__version__)
        raise typer.Exit


@app.command("run")
def run_command(
    task: Annotated[str, typer.Argument(help="Id of a task, e.g. 00576224.")],
    candidates: Annotated[int, typer.Option("--candidates", "-n", help="How many candidates to try.")] = 32,
    workers: Annotated[
        str, typer.Option("--workers", "-w", help="A number of processes, serial (in this one), or auto.")
    ] = "auto",
    seed: Annotated[
        int | None, typer.Option(help="Repeat a run: the seed it printed.  [default: drawn]")
    ] = None,
    source: SourceOption = None,
    programs: Annotated[
        Path | None, typer.Option(help="A file of programs: try exactly these.", dir_okay=False)
    ] = None,
    limit: Annotated[float, typer.Option(help="Seconds a candidate has for all pairs.")] = 1.0,
    memory: Annotated[int, typer.Option(help="Megabytes that a worker may add.")] = 512,
    early_stop: Annotated[
        bool, typer.Option("--early-stop", help="Leave a candidate at its first wrong demo.")
    ] = False,
    caches: Annotated[bool, typer.Option("--caches/--no-caches", help="Use and fill the caches.")] = True,
    differ: Annotated[str, typer.Option(help="Partial credit: cells, foreground, shape or exact.")] = "cells",
    tag: Annotated[list[str] | None, typer.Option(help="A tag to find the run by; may be repeated.")] = None,
    charts: Annotated[
        Path | None, typer.Option(help="Write the charts there, as PNG and SVG.", file_okay=False)
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a battery of candidates on a task."""
    from nbbatt.pipeline import iter_run
    from nbbatt.progress import watched
    from nbbatt.spec import make_spec

    spec = make_spec(
        nbbatt.load_task(task, source),
        candidates=candidates,
        workers=int(workers) if workers.isdecimal() else workers,
        seed=seed,
        programs=_programs(programs),
        limit_s=limit,
        memory_mb=memory,
        early_stop=early_stop,
        caches=caches,
        differ=differ,
        tags=tuple(tag or ()),
    )
    record = watched(iter_run(spec, workspace=workspace))
    if charts is not None:
        from nbbatt.views.charts import save_charts

        paths = save_charts(record, charts)
        if not as_json:
            print(f"Charts: {', '.join(str(path) for path in paths)}")
    if as_json:
        _print_json(record.to_json())
    else:
        from nbbatt.views.text import print_run

        print_run(record)
    if record.status == "stopped":
        raise typer.Exit(130)


def _programs(path: Path | None) -> list[Any] | None:
    if path is None:
        return None
    return list(nbbatt.Library.from_text(path.read_text(encoding="utf-8"), nbbatt.language()))


@app.command("runs")
def runs_command(
    task: Annotated[str | None, typer.Option(help="Only runs on this task.")] = None,
    status: Annotated[str | None, typer.Option(help="ok, stopped, error, running or interrupted.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only runs with this tag.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many, the newest.", min=1)] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the runs of the workspace, oldest first."""
    from nbbatt.history import run_list

    rows = run_list(task=task, status=status, tag=tag, limit=limit, workspace=workspace)
    if as_json:
        _print_json(rows)
    else:
        from nbbatt.views.text import print_runs

        print_runs(rows[::-1])


@app.command("show")
def show_command(
    task: Annotated[str, typer.Argument(help="Id of a task.")],
    source: SourceOption = None,
    hide: Annotated[bool, typer.Option("--hide", help="Keep the expected test outputs back.")] = False,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Draw a task in the terminal."""
    found = nbbatt.load_task(task, source)
    if as_json:
        _print_json({"id": found.id, "source": found.source, **found.to_json()})
        return
    from nbbatt.views.ansi import print_task

    print_task(found, expected=not hide)


@app.command("tasks")
def tasks_command(
    source: Annotated[str | None, typer.Argument(help="A set, a folder or a Kaggle input folder.")] = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """List the tasks of a set; without one, the sets there are."""
    from nbbatt.sources import BUNDLED

    if source is None:
        rows = [{"set": name, "tasks": len(nbbatt.load_tasks(name))} for name in BUNDLED]
        lines = [f"{row['set']:<22}{row['tasks']:>6} tasks" for row in rows]
    else:
        rows = [
            {"id": task.id, "demos": len(task.demos), "tests": len(task.tests), "digest": task.digest}
            for task in nbbatt.load_tasks(source)
        ]
        lines = [f"{row['id']:<12}{row['demos']:>3} demos{row['tests']:>3} tests" for row in rows]
    if as_json:
        _print_json(rows)
    else:
        print("\n".join(lines))


@cache_app.command("stats")
def cache_stats(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """What the caches hold, and what that once cost to compute."""
    from dataclasses import asdict

    with _store(workspace) as store:
        rows = [asdict(row) for row in store.stats()]
    if as_json:
        _print_json(rows)
    else:
        from nbbatt.views.text import print_cache_stats

        print_cache_stats(rows)


@cache_app.command("clear")
def cache_clear(
    cache: Annotated[str | None, typer.Argument(help="inlining or validation.  [default: both]")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Forget what the caches hold; runs and solvers stay."""
    _known_cache(cache)
    with _store(workspace) as store:
        print(f"{store.clear(cache):,} entries forgotten.")


@cache_app.command("prune")
def cache_prune(
    entries: Annotated[int | None, typer.Option(help="Keep at most so many entries.", min=0)] = None,
    megabytes: Annotated[float | None, typer.Option(help="Keep at most so many megabytes.", min=0)] = None,
    days: Annotated[float | None, typer.Option(help="Drop what is older than so many days.", min=0)] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Make room: drop the entries used longest ago."""
    if entries is None and megabytes is None and days is None:
        raise typer.BadParameter("say what to keep: --entries, --megabytes or --days")
    with _store(workspace) as store:
        dropped = store.prune(
            max_entries=entries,
            max_bytes=None if megabytes is None else int(megabytes * 2**20),
            older_than_days=days,
        )
    print(f"{dropped:,} entries dropped.")


@solvers_app.command("export")
def solvers_export(
    folder: Annotated[Path, typer.Argument(help="Where to write <task>/<name>.py.", file_okay=False)],
    task: Annotated[str | None, typer.Option(help="Only the solvers of this task.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write the workspace's solvers as plain files."""
    from nbbatt.exchange import export_solvers

    count = len(export_solvers(folder, task=task, workspace=workspace))
    print(f"{count:,} {'solver' if count == 1 else 'solvers'} written to {folder}.")


@solvers_app.command("import")
def solvers_import(
    path: Annotated[Path, typer.Argument(help="A solver's file, or a folder of them.", exists=True)],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run solvers from files on their tasks and keep those that get a demo pair right."""
    from nbbatt.exchange import import_solvers

    answers = import_solvers(path, workspace=workspace)
    kept = [a for a in answers if a.row is not None and a.row.status == "ok" and a.row.demos_ok]
    if as_json:
        _print_json([{"path": str(a.path), "task_id": a.task_id, "error": a.error or (a.row.error if a.row else ""),
                      "candidate": a.row._asdict() if a.row else None} for a in answers])  # fmt: skip
        return
    for answer in answers:
        said = answer.error if answer.row is None else f"{answer.row.verdict} {answer.row.error}".strip()
        print(f"{answer.path}: {said}")
    print(f"{len(kept):,} of {len(answers):,} solvers kept.")


def _known_cache(cache: str | None) -> None:
    if cache not in (None, "inlining", "validation"):
        raise typer.BadParameter(f"{cache!r} is no cache: there are inlining and validation")


def _store(workspace: Path | None) -> Any:
    from nbbatt.store import DEFAULT_FOLDER, Workspace

    return Workspace(workspace or Path(DEFAULT_FOLDER)).open(create=False)


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, allow_nan=False))
