"""The commands as a user meets them: what they print, what they write, how they refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SOLVER = "def solve_6150a2bd_mine(I):\n    return rot180(I)\n"


def nbbatt(*words: str, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    code = "from nbbatt.cli import main; main()"
    env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=cwd, capture_output=True, text=True, env=env
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done


def value(*words: str, cwd: Path) -> Any:
    return json.loads(nbbatt(*words, "--json", cwd=cwd).stdout)


def test_run_prints_the_answer_the_tables_and_the_run_id(tmp_path: Path) -> None:
    shown = nbbatt("run", "00576224", "--seed", "1", cwd=tmp_path)
    for word in ("00576224", "check_batt", "validate", "inlining", "validation", "solved", "failed", "run "):
        assert word in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert shown.stderr == ""
    (listed,) = value("runs", cwd=tmp_path)
    assert listed["run_id"] in shown.stdout


def test_run_json_has_the_promised_shape(tmp_path: Path) -> None:
    record = value("run", "00576224", "--candidates", "8", "--seed", "4", cwd=tmp_path)
    assert {
        "run_id",
        "task_id",
        "spec",
        "started",
        "wall_s",
        "cpu_s",
        "phases",
        "caches",
        "candidates",
    } <= set(record)
    assert {"solved", "workers", "status"} <= set(record)
    assert len(record["candidates"]) == 8
    assert {"phase", "wall_s", "busy_s", "cpu_s", "items"} <= set(record["phases"][0])
    for cache in ("inlining", "validation"):
        assert {"hits", "misses", "duplicates", "saved_s"} <= set(record["caches"][cache])
    wanted = {"name", "digest", "status", "solved", "score", "demos_ok", "tests_ok", "source"}
    assert wanted <= set(record["candidates"][0])
    assert sum(phase["wall_s"] for phase in record["phases"]) == pytest.approx(record["wall_s"])


def test_three_seeds_and_the_first_again(tmp_path: Path) -> None:
    """The seed document's table, with true numbers: another seed hardly hits, the same one hits all."""
    for seed in ("1", "2", "3", "1"):
        nbbatt("run", "00576224", "--seed", seed, cwd=tmp_path)
    rows = value("runs", "--task", "00576224", cwd=tmp_path)[::-1]
    assert [row["seed"] for row in rows] == [1, 2, 3, 1]
    assert rows[0]["validation_rate"] == 0
    assert rows[3]["validation_rate"] == rows[3]["inlining_rate"] == 1
    stored = sum(row["cpu_s"] for row in value("cache", "stats", cwd=tmp_path))
    assert 0 < rows[3]["saved_s"] < stored
    table = nbbatt("runs", "--task", "00576224", cwd=tmp_path).stdout
    assert table.count("100%") == 2


def test_charts_are_written_as_png_and_svg(tmp_path: Path) -> None:
    nbbatt("run", "00576224", "--charts", "charts", cwd=tmp_path)
    names = {path.name for path in (tmp_path / "charts").iterdir()}
    assert names == {
        f"{chart}.{kind}" for chart in ("times", "caches", "timeline") for kind in ("png", "svg")
    }
    assert (tmp_path / "charts" / "times.png").read_bytes().startswith(b"\x89PNG")


def test_programs_from_a_file_are_the_candidates(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(SOLVER)
    record = value("run", "6150a2bd", "--programs", "mine.txt", cwd=tmp_path)
    assert [row["name"] for row in record["candidates"]] == ["solve_6150a2bd_mine"]
    assert record["solved"] == 1
    assert Path(record["saved"][0]).read_text().endswith("return rot180(I)\n")


def test_solvers_go_out_and_come_in_again_elsewhere(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    (here / "mine.txt").write_text(SOLVER)
    nbbatt("run", "6150a2bd", "--programs", "mine.txt", cwd=here)
    assert "1 solver written" in nbbatt("solvers", "export", "../out", cwd=here).stdout
    (tmp_path / "out" / "evil.py").write_text("import os\nos.system('true')\n")
    answers = value("solvers", "import", "../out", cwd=there)
    by_name = {Path(answer["path"]).name: answer for answer in answers}
    assert by_name.pop("evil.py")["candidate"] is None
    (kept,) = by_name.values()
    assert kept["candidate"]["solved"]


def test_caches_are_counted_pruned_and_cleared(tmp_path: Path) -> None:
    nbbatt("run", "00576224", "--seed", "1", cwd=tmp_path)
    entries = sum(row["entries"] for row in value("cache", "stats", cwd=tmp_path))
    assert entries > 4
    nbbatt("cache", "prune", "--entries", "1", cwd=tmp_path)
    assert sum(row["entries"] for row in value("cache", "stats", cwd=tmp_path)) == 1
    assert "1 entries forgotten" in nbbatt("cache", "clear", cwd=tmp_path).stdout
    assert nbbatt("cache", "clear", "nonsense", cwd=tmp_path, check=False).returncode == 2


def test_show_and_tasks(tmp_path: Path) -> None:
    assert "2×2 → 6×6" in nbbatt("show", "00576224", cwd=tmp_path).stdout
    assert len(value("show", "00576224", cwd=tmp_path)["train"]) == 2
    assert len(value("tasks", "arcagi1/training", cwd=tmp_path)) == 400
    assert {"set": "arcagi2/evaluation", "tasks": 120} in value("tasks", cwd=tmp_path)
    assert not (tmp_path / ".nbbatt").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "00576225"), "nearest ids: 00576224"),
        (("run", "00576224", "--workers", "many"), "'serial' or 'auto'"),
        (("run", "00576224", "--limit", "0"), "is no time limit"),
        (("show", "../../etc/passwd"), "letters, digits"),
        (("tasks", "arcagi9"), "arcagi9"),
        (("run", "00576224", "--programs", "bad.txt"), "line 2"),
    ],
)
def test_a_slip_is_one_sentence_and_exit_code_2(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "bad.txt").write_text("def solve(I):\n    return I.T\n")
    done = nbbatt(*words, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
