"""The main job as a whole: phases, times, caches, determinism, stopping, and what candidates can do to it."""

from __future__ import annotations

import resource
import threading
from pathlib import Path

import hostile
import numpy as np
import pytest

import nbbatt
from nbbatt.languages import Language
from nbbatt.pipeline import PhaseEnded, PhaseStarted, Progress, RunEnded, iter_run, run
from nbbatt.record import RunRecord
from nbbatt.spec import SpecError, make_spec
from nbbatt.tasks import Pair, Task, as_grid

PHASES = ["generate", "check_batt", "filter", "inline", "validate", "save"]


def text(primitive: str, number: int = 0) -> str:
    return f"def solve_{primitive}_{number}(I):\n    return {primitive}(I)\n"


def grid(*rows: list[int]) -> np.ndarray:
    return as_grid(list(rows), "a test's grid")


@pytest.fixture
def task() -> Task:
    pairs = [Pair(g, g) for g in (grid([1, 2], [3, 4]), grid([5, 6], [7, 8]))]
    return Task(
        "mirror01", (pairs[0], pairs[1]), (Pair(grid([1, 0], [0, 1]), grid([1, 0], [0, 1])),), "made up"
    )


@pytest.fixture
def nasty() -> Language:
    return Language.from_module(hostile, name="hostile")


def outcome(record: RunRecord) -> list[tuple[object, ...]]:
    """What must not depend on how a run was computed: everything but times."""
    return [
        (r.name, r.digest, r.solved, r.score, r.demos_ok, r.tests_ok, r.status, r.source, r.kept)
        for r in record.rows
    ]


# ------------------------------------------------------------------------- the run itself


def test_a_run_goes_through_its_phases_in_order(in_tmp: Path) -> None:
    events = list(iter_run(make_spec(nbbatt.load_task("00576224"), seed=3, workers="serial")))
    assert [e.phase for e in events if isinstance(e, PhaseStarted)] == PHASES
    assert [e.phase for e in events if isinstance(e, PhaseEnded)] == PHASES
    progress = [e for e in events if isinstance(e, Progress) and e.phase == "check_batt"]
    assert progress[-1].done == progress[-1].total == 96
    assert isinstance(events[-1], RunEnded)
    assert events[-1].record.status == "ok"
    assert len(events[-1].record.rows) == 32


def test_phases_add_up_to_the_run(in_tmp: Path) -> None:
    record = run("00576224", seed=1, candidates=200, workers="serial")
    walls = [span.wall_s for span in record.profile.spans]
    assert sum(walls) >= 0.98 * record.wall_s
    assert sum(row.wall_s for row in record.profile.rows()) == pytest.approx(record.wall_s, rel=1e-6)
    assert sum(row.cpu_s for row in record.profile.rows()) == pytest.approx(record.cpu_s, rel=1e-6)
    for row in record.profile.rows():
        assert row.efficiency is None or row.efficiency <= 1.05


@pytest.mark.parametrize("workers", ["serial", 1, 2, 4])
def test_results_do_not_depend_on_the_workers(workers: int | str, tmp_path: Path) -> None:
    expected = run(
        "00576224", seed=42, candidates=60, workers="serial", workspace=tmp_path / "a", caches=False
    )
    record = run("00576224", seed=42, candidates=60, workers=workers, workspace=tmp_path / "b", caches=False)
    assert outcome(record) == outcome(expected)
    assert record.workers == workers


def test_without_a_seed_runs_differ_and_say_their_seed(in_tmp: Path) -> None:
    first, second = run("00576224", workers="serial"), run("00576224", workers="serial")
    assert [r.digest for r in first.rows] != [r.digest for r in second.rows]
    again = run("00576224", workers="serial", seed=first.spec["seed"])
    assert outcome(again) == outcome(first)


def test_candidates_of_a_run_are_distinct(in_tmp: Path) -> None:
    record = run("00576224", candidates=500, seed=7, workers="serial")
    assert len({row.digest for row in record.rows}) == len(record.rows) == 500


def test_auto_stays_in_process_for_small_work_and_says_so(in_tmp: Path) -> None:
    record = run("00576224", seed=5)
    assert record.workers == "serial"
    assert "in this process" in record.workers_why
    assert "starting workers" in record.workers_why


def test_auto_gives_foreign_primitives_workers(in_tmp: Path, task: Task, nasty: Language) -> None:
    record = run(task, language=nasty, programs=[text("same")])
    assert record.workers != "serial"
    assert "killed" in record.workers_why


def test_a_record_survives_json_and_the_store(in_tmp: Path) -> None:
    record = run("00576224", seed=9, workers="serial")
    read = nbbatt.load_run(record.run_id)
    assert read.to_json() == record.to_json()
    listed = nbbatt.runs(task="00576224")
    assert list(listed["run_id"]) == [record.run_id]
    assert listed["wall_s"][0] == record.wall_s


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("candidates", 0, "candidates=0 is out of range"),
        ("candidates", True, "candidates=True is out of range"),
        ("seed", -1, "seed=-1 is out of range"),
        ("limit_s", 0, "limit_s=0 is no time limit"),
        ("differ", "vibes", "choose one of cells"),
        ("programs", [], "leaves nothing to run"),
    ],
)
def test_settings_that_mean_nothing_are_refused(in_tmp: Path, setting: str, value: object, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        run("00576224", **{setting: value})
    assert not (in_tmp / ".nbbatt").exists()


# ------------------------------------------------------------------------- caches


def test_a_warm_run_hits_everything_and_saves_what_the_cold_one_spent(in_tmp: Path) -> None:
    cold = run("00576224", seed=11, candidates=64, workers="serial")
    warm = run("00576224", seed=11, candidates=64, workers="serial")
    kept = sum(row.kept for row in cold.rows)
    assert kept > 3
    for name in ("inlining", "validation"):
        assert (cold.caches[name].hits, cold.caches[name].misses) == (0, kept)
        assert (warm.caches[name].hits, warm.caches[name].misses) == (kept, 0)
        assert warm.caches[name].saved_s == pytest.approx(cold.caches[name].spent_s)
    assert outcome(warm) == outcome(cold)


def test_a_cache_hit_never_changes_a_speed(in_tmp: Path) -> None:
    cold = run("00576224", seed=11, candidates=64, workers="serial")
    warm = run("00576224", seed=11, candidates=64, workers="serial")
    assert [row.wall_ms for row in warm.rows] == [row.wall_ms for row in cold.rows]


def test_another_limit_is_another_validation(in_tmp: Path) -> None:
    run("00576224", seed=11, workers="serial", limit_s=1.0)
    other = run("00576224", seed=11, workers="serial", limit_s=2.0)
    assert other.caches["validation"].hits == 0
    assert set(other.caches["validation"].reasons) == {"limits changed"}
    assert other.caches["inlining"].misses == 0


def test_without_caches_nothing_is_looked_up(in_tmp: Path) -> None:
    run("00576224", seed=11, workers="serial")
    record = run("00576224", seed=11, workers="serial", caches=False)
    assert record.caches["validation"].hits == record.caches["inlining"].hits == 0


def test_an_impure_primitive_is_a_mismatch_and_never_saved(in_tmp: Path, nasty: Language) -> None:
    grids = [grid([1]), grid([2]), grid([3])]
    impure = Task(
        "impure01", tuple(Pair(grid([9, 9]), g) for g in grids), (Pair(grid([9, 8]), None),), "made up"
    )
    record = run(impure, language=nasty, programs=[text("counts")], workers=1, limit_s=0.5)
    (row,) = record.rows
    assert row.status == "mismatch"
    assert "not pure" in row.error
    assert not record.saved
    assert not row.solved


def test_timeouts_are_no_results_to_cache(in_tmp: Path, task: Task, nasty: Language) -> None:
    for _ in range(2):
        record = run(task, language=nasty, programs=[text("loops"), text("same")], workers=1, limit_s=0.2)
        assert [row.status for row in record.rows] == ["timeout", "ok"]
    assert record.caches["validation"].hits == 1


# ------------------------------------------------------------------------- hostile primitives


def test_each_misbehaving_candidate_gets_its_status_and_harms_no_other(
    in_tmp: Path, task: Task, nasty: Language
) -> None:
    expected = {
        "loops": "timeout",
        "loops_in_c": "killed",
        "swallows": "killed",
        "exits": "error",
        "interrupts": "error",
        "kills_itself": "died",
        "leaves": "died",
        "eats_memory": "memory",
        "recurses": "memory",
        "unpicklable": "error",
        "chatters": "ok",
        "same": "ok",
        "turned": "ok",
    }
    programs = [text(name) for name in expected]
    record = run(task, language=nasty, programs=programs, workers=2, limit_s=1.0)
    found = {row.name.split("_", 1)[1].rsplit("_", 1)[0]: row.status for row in record.rows}
    alike = {found.pop(name) for name in ("chatters", "same")}  # one of them is the other's duplicate
    assert alike == {"ok", "duplicate"}
    assert found == {name: status for name, status in expected.items() if name in found}
    assert all(row.error for row in record.rows if row.status not in ("ok",))
    assert record.solved == 2
    assert record.status == "ok"


def test_all_workers_busy_with_loops_stop_at_once(in_tmp: Path, task: Task, nasty: Language) -> None:
    cancel = threading.Event()
    spec = make_spec(
        task, language=nasty, programs=[text("same"), *[text("loops")] * 8], workers=2, limit_s=30.0
    )
    events = iter_run(spec, cancel=cancel)
    for event in events:
        if isinstance(event, Progress) and event.phase == "check_batt":
            cancel.set()
    assert isinstance(event, RunEnded)
    assert event.record.status == "stopped"
    assert event.record.rows[0].score == 1.0
    assert event.record.rows[-1].status == "cancelled"
    assert event.record.wall_s < 10


def test_closing_the_stream_leaves_a_stopped_run_behind(in_tmp: Path) -> None:
    events = iter_run(make_spec(nbbatt.load_task("00576224"), workers="serial", seed=1))
    for event in events:
        if isinstance(event, Progress) and event.phase == "check_batt":
            break
    events.close()
    assert list(nbbatt.runs()["status"]) == ["stopped"]


# ------------------------------------------------------------------------- honest time


def test_cpu_agrees_with_the_operating_system(in_tmp: Path, task: Task, nasty: Language) -> None:
    def used() -> float:
        both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(r.ru_utime + r.ru_stime for r in both)

    programs = [f"def solve_a(I):\n    return burns(burns(I, {k}), 1)\n" for k in range(1, 9)]
    nbbatt.load_task("00576224")
    before = used()
    record = run(task, language=nasty, programs=programs, workers=2, limit_s=10, caches=False)
    spent = used() - before
    assert spent > 2
    assert record.cpu_s == pytest.approx(spent, rel=0.1)


def test_sleeping_is_wall_and_busy_but_no_cpu(in_tmp: Path, task: Task, nasty: Language) -> None:
    programs = [f"def solve_a(I):\n    return sleeps(I, {shade})\n" for shade in range(1, 9)]
    record = run(task, language=nasty, programs=programs, workers=2, limit_s=10)
    row = {row.phase: row for row in record.profile.rows()}["check_batt"]
    assert row.busy_s > 0.99 * 8 * 3 * 0.05
    assert row.wall_s > 0.45 * 8 * 3 * 0.05
    assert row.cpu_s < 0.3 * row.busy_s


def test_burning_in_two_workers_is_cpu_of_both_at_once(in_tmp: Path, task: Task, nasty: Language) -> None:
    """How much of two cores they get is the machine's affair (see the benchmarks); what is reported must add up."""
    programs = [f"def solve_a(I):\n    return burns(I, {shade})\n" for shade in range(1, 31)]
    record = run(task, language=nasty, programs=programs, workers=2, limit_s=60, caches=False)
    row = {row.phase: row for row in record.profile.rows()}["check_batt"]
    assert row.cpu_s == pytest.approx(30 * 3 * 0.05, rel=0.2)
    assert row.cores_used == pytest.approx(row.cpu_s / row.wall_s)
    assert row.efficiency is not None and row.efficiency <= 1.02
    assert row.concurrency is not None and row.concurrency > 1.3  # both at once, however slowly
