"""The store as it is meant to be used: values come back as they were, runs and solvers are found again."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbbatt.store import (
    CacheKey,
    Entry,
    Memory,
    Miss,
    Owner,
    Packed,
    RunRow,
    SolverRow,
    Store,
    StoreError,
    Workspace,
    entries,
    files,
    write_atomically,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.builds(CacheKey, st.text(), st.text(), st.text(), st.text(), st.integers(-(2**63), 2**63 - 1))


def key(
    program: str = "p", language: str = "l", task: str = "t", limits: str = "1 s", format: int = 1
) -> CacheKey:
    return CacheKey(program, language, task, limits, format)


def solver(digest: str = "abcdef0123456789", **changes: object) -> SolverRow:
    fields: dict[str, object] = {
        "task_id": "00576224",
        "digest": digest,
        "name": "tiles",
        "text": "def tiles(I):\n    return I\n",
        "language": "builtin",
        "language_version": "v1",
        "score": 0.5,
        "demos_ok": 1,
        "tests_ok": 0,
        "solved": False,
        "wall_ms": 2.5,
        "run_id": "run-1",
    }
    return SolverRow(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path: Path):
    with Store.open(path) as store:
        yield store
        assert store.warnings == []


# Workspace


def test_default_workspace_hides_from_git_and_stays_where_it_was_made(in_tmp: Path, monkeypatch) -> None:
    workspace = Workspace()
    (in_tmp / "elsewhere").mkdir()
    monkeypatch.chdir(in_tmp / "elsewhere")
    with workspace.open():
        pass
    assert workspace.store_path == in_tmp / ".nbbatt" / "store.sqlite" and workspace.store_path.exists()
    assert (in_tmp / ".nbbatt" / ".gitignore").read_text() == "*\n"
    assert workspace.solvers_path == in_tmp / ".nbbatt" / "solvers"


def test_a_chosen_workspace_is_left_visible(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "a" / "b #?%")
    with workspace.open() as store:
        assert not store.in_memory and str(workspace.store_path) in repr(store)
    assert not (workspace.path / ".gitignore").exists()
    workspace.create()  # a second time does nothing


def test_looking_into_a_workspace_that_is_not_there_does_not_make_it(tmp_path: Path) -> None:
    with Workspace(tmp_path / "none").open(create=False) as store:
        assert store.in_memory and store.run_rows() == [] and store.warnings == []
    assert list(tmp_path.iterdir()) == []


def test_a_closed_store_says_so(path: Path) -> None:
    store = Store.open(path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.get("validation", key())
    assert [file.name for file in path.parent.iterdir() if "-wal" in file.name or "-shm" in file.name] == []


def test_in_memory_store_keeps_everything_for_its_life() -> None:
    with Store.open(None) as store:
        store.put_many("validation", [(key(), Entry([1], 0.1))])
        store.begin_run("r", "t")
        assert store.get("validation", key()) == Entry([1], 0.1)
        assert store.in_memory and "in memory" in repr(store)
        assert store.write_solvers([solver()]) == []


# Cache rows


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, st.tuples(JSON, st.floats(0, 1e9)), max_size=4))
def test_values_and_keys_come_back(tmp_path_factory, items) -> None:
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    with Store.open(path) as store:
        store.put_many("validation", [(k, Entry(value, cost)) for k, (value, cost) in items.items()])
    with Store.open(path) as store:
        for k, (value, cost) in items.items():
            found = store.get("validation", k)
            assert found == Entry(value, cost) and json.dumps(found.value) == json.dumps(value)
            assert k in store.related("validation", k.program)
            assert store.get("inlining", k) is None


@given(KEYS, KEYS)
def test_keys_have_one_text_each(one: CacheKey, other: CacheKey) -> None:
    assert (one.text == other.text) == (one == other)
    assert CacheKey(one.program, one.language, one.task, one.limits, one.format).text == one.text


def test_parts_of_a_key_cannot_run_into_each_other() -> None:
    assert key(program="a', 'b").text != key(program="a", language="b").text


def test_key_text_is_the_same_in_every_process() -> None:
    code = "from nbbatt.store import CacheKey; print(CacheKey('prögram', 'l', '', '1 s', 1).text)"
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(entries.__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )
    assert done.stdout.strip() == key("prögram", task="").text


CIRCLE: list[object] = []
CIRCLE.append(CIRCLE)
DEEP: list[object] = []
for _ in range(100_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "value",
    [float("nan"), [float("inf")], (1, 2), {"a": (1,)}, {1: "a"}, {1, 2}, b"x", object(), CIRCLE, DEEP],
    ids=["nan", "inf", "tuple", "inner tuple", "int key", "set", "bytes", "object", "circle", "deep"],
)
def test_what_json_would_change_is_refused_and_nothing_kept(store: Store, value: object) -> None:
    with pytest.raises(StoreError, match="cache value"):
        store.put_many("validation", [(key("good"), Entry(1, 0.0)), (key("bad"), Entry(value, 0.0))])
    assert store.stats() == []


@pytest.mark.parametrize("cost", [-1.0, float("nan"), float("inf")])
def test_a_cost_is_a_duration(store: Store, cost: float) -> None:
    with pytest.raises(StoreError, match="CPU seconds"):
        store.put_many("validation", [(key(), Entry(1, cost))])


def test_a_later_entry_replaces_the_earlier(store: Store) -> None:
    store.put_many("validation", [(key(), Entry("old", 1.0))])
    store.put_many("validation", [(key(), Entry("new", 2.0))])
    assert store.get("validation", key()) == Entry("new", 2.0)
    assert [row.entries for row in store.stats()] == [1]


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ([], Miss.NEW),
        ([key("other")], Miss.NEW),
        ([key(language="l2")], Miss.LANGUAGE),
        ([key(task="t2")], Miss.DATA),
        ([key(limits="2 s")], Miss.LIMITS),
        ([key(format=2)], Miss.FORMAT),
        ([key(language="l2", task="t2")], Miss.LANGUAGE),
        ([key(language="l2"), key(limits="2 s", format=2)], Miss.LANGUAGE),  # the nearest decides
        ([key(language="l2", format=2), key(limits="2 s")], Miss.LIMITS),
        ([key(task="t2"), key(limits="2 s")], Miss.LIMITS),  # the same data is nearer than other data
    ],
)
def test_a_miss_says_what_changed(store: Store, stored: list[CacheKey], reason: Miss) -> None:
    store.put_many("validation", [(k, Entry(0, 0.0)) for k in stored])
    assert store.find("validation", key()) is reason
    assert store.find("inlining", key()) is Miss.NEW


def test_find_many_answers_in_order(store: Store) -> None:
    store.put_many("validation", [(key("a"), Entry(1, 0.5))])
    found = store.find_many("validation", [key("b"), key("a"), key("a", limits="9 s")])
    assert found == [Miss.NEW, Packed("1", 0.5), Miss.LIMITS]


def fill(store: Store, cache: str, count: int, monkeypatch, start: float = 1e9) -> None:
    """Entries of 100 bytes, one a day."""
    for i in range(count + 1):
        monkeypatch.setattr(entries, "time", SimpleNamespace(time=lambda i=i: start + i * 86_400))
        if i < count:
            store.put_many(cache, [(key(f"p{i}"), Entry("x" * 98, 1.0))])


@pytest.mark.parametrize(
    ("bounds", "kept"),
    [
        ({"max_entries": 3}, 3),
        ({"max_entries": 0}, 0),
        ({"max_entries": 99}, 10),
        ({"max_bytes": 450}, 4),
        ({"max_bytes": 0}, 0),
        ({"older_than_days": 2.5}, 2),
        ({"max_entries": 5, "max_bytes": 250}, 2),
    ],
)
def test_prune_drops_the_oldest_and_remembers_them(store: Store, monkeypatch, bounds, kept: int) -> None:
    fill(store, "inlining", 2, monkeypatch)
    fill(store, "validation", 10, monkeypatch)
    assert store.prune("validation", **bounds) == 10 - kept
    for i in range(10):
        found = store.find("validation", key(f"p{i}"))
        assert isinstance(found, Packed) if i >= 10 - kept else found is Miss.EVICTED
    assert isinstance(store.find("inlining", key("p0")), Packed)
    assert store.find("validation", key("p0", language="l2")) is Miss.LANGUAGE


def test_prune_over_all_caches_counts_them_together(store: Store, monkeypatch) -> None:
    fill(store, "validation", 3, monkeypatch, start=1e9)
    fill(store, "inlining", 3, monkeypatch, start=2e9)
    assert store.prune(max_entries=4) == 2
    assert {row.cache: row.entries for row in store.stats()} == {"inlining": 3, "validation": 1}
    with pytest.raises(StoreError, match="no bound"):
        store.prune()


def test_tombstones_are_bounded(store: Store, path: Path, monkeypatch) -> None:
    monkeypatch.setattr(entries, "_TOMBSTONES", 5)
    for round in range(4):
        store.put_many("validation", [(key(f"{round}-{i}"), Entry(0, 0.0)) for i in range(4)])
        store.prune(max_entries=0)
    assert store.find("validation", key("3-3")) is Miss.EVICTED
    assert store.find("validation", key("0-0")) is Miss.NEW
    with sqlite3.connect(path) as raw:
        assert raw.execute("SELECT count(*) FROM tombstones").fetchone()[0] <= 5
    raw.close()


def test_pruning_gives_space_back(path: Path) -> None:
    with Store.open(path) as store:
        store.put_many("validation", [(key(f"p{i}"), Entry("x" * 5000, 0.0)) for i in range(200)])
    full = path.stat().st_size
    with Store.open(path) as store:
        store.prune(max_entries=10)
    assert full > 1_000_000 and path.stat().st_size < full / 3


def test_stats_and_clear(store: Store, monkeypatch) -> None:
    fill(store, "validation", 3, monkeypatch, start=0.0)
    fill(store, "inlining", 1, monkeypatch, start=86_400.0)
    first, second = store.stats()
    assert (first.cache, first.entries, first.bytes, first.cpu_s) == ("inlining", 1, 100, 1.0)
    assert (second.cache, second.entries, second.bytes, second.cpu_s) == ("validation", 3, 300, 3.0)
    assert (second.oldest, second.newest) == ("1970-01-01T00:00:00+00:00", "1970-01-03T00:00:00+00:00")
    assert store.clear("validation") == 3
    assert store.find("validation", key("p0")) is Miss.NEW  # cleared, not evicted: a fresh start
    assert [row.cache for row in store.stats()] == ["inlining"]
    assert store.clear() == 1 and store.stats() == []


def test_memory_is_bounded_by_bytes_and_keeps_what_is_used() -> None:
    memory = Memory(bound=3_000)
    for name in "abcd":
        memory.put(name, Packed("x" * 600, 0.0))
        memory.get("a")
    assert memory.bytes <= 3_000 and len(memory) == 3
    assert memory.get("a") and memory.get("b") is None and memory.get("d")
    memory.put("huge", Packed("x" * 9_000, 0.0))
    assert memory.get("huge") is None and memory.get("a")
    memory.put("a", Packed("y", 1.0))
    assert memory.get("a") == Packed("y", 1.0)
    memory.clear()
    assert (len(memory), memory.bytes) == (0, 0)


def test_pruning_and_clearing_empty_the_memory_layer_too(store: Store) -> None:
    for drop in (lambda: store.prune("validation", max_entries=0), lambda: store.clear("validation")):
        store.memory("validation").put("k", Packed("1", 0.0))
        store.memory("inlining").put("k", Packed("1", 0.0))
        drop()
        assert len(store.memory("validation")) == 0 and len(store.memory("inlining")) == 1


def test_threads_share_a_store(store: Store) -> None:
    """A widget reads while a run writes."""
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for i in range(40):
                store.put_many("validation", [(key(f"{i}-{j}"), Entry([i, j], 0.1)) for j in range(5)])
        except BaseException as exc:
            failures.append(exc)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for thread in writers:
        thread.start()
    while any(thread.is_alive() for thread in writers):
        found = [store.get("validation", key(f"7-{j}")) for j in range(5)]
        assert all(entry is None or entry.value == [7, j] for j, entry in enumerate(found))
        assert all(row.entries % 5 == 0 for row in store.stats())  # batches are seen whole
    for thread in writers:
        thread.join()
    assert failures == [] and store.stats()[0].entries == 200


def test_an_interrupted_transaction_leaves_nothing_behind(store: Store) -> None:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM entries")
        raise KeyboardInterrupt

    store.put_many("validation", [(key(), Entry(1, 0.0))])
    with pytest.raises(KeyboardInterrupt):
        store._write(work)
    assert store.get("validation", key()) == Entry(1, 0.0)


# Runs


def test_a_run_from_beginning_to_end(path: Path) -> None:
    record = json.dumps({"run_id": "r-1", "text": "é\ud800 <b>"})
    with Store.open(path) as store:
        store.begin_run(
            "r-1",
            "00576224",
            started="2026-05-01T12:00:00+02:00",
            source="arcagi1/evaluation",
            language="builtin",
            workers="2",
            tags=["a", "b"],
            note="first",
        )
        assert [row.status for row in store.run_rows()] == ["running"]
        with pytest.raises(StoreError, match="has no record: it is running"):
            store.run_json("r-1")
        summary = {"candidates": 32, "caches": {"inlining": {"hits": 3}}}
        store.finish_run("r-1", status="ok", wall_s=1.5, cpu_s=1, solved=3, json=record, summary=summary)
    with Store.open(path) as store:
        assert store.run_json("r") == record
        assert store.run_rows() == [
            RunRow(
                run_id="r-1",
                task_id="00576224",
                source="arcagi1/evaluation",
                started="2026-05-01T10:00:00.000000+00:00",
                status="ok",
                wall_s=1.5,
                cpu_s=1.0,
                solved=3,
                language="builtin",
                workers="2",
                tags=("a", "b"),
                note="first",
                summary=summary,
            )
        ]
        assert store.run_row("r-1") == store.run_rows()[0]


def test_tags_and_note_may_come_at_the_end(store: Store) -> None:
    store.begin_run("r", "t", tags=["a"], note="old")
    store.finish_run("r", status="ok", wall_s=1, cpu_s=1, solved=0, json="{}", tags=["b"], note="new")
    assert (store.run_row("r").tags, store.run_row("r").note) == (("b",), "new")


def test_run_ids_are_taken_once_checked_and_begun_before_finished(store: Store) -> None:
    store.begin_run("r", "t")
    with pytest.raises(StoreError, match="'r' is taken"):
        store.begin_run("r", "t")
    with pytest.raises(StoreError, match=r"run id '\.\./r' must be"):
        store.begin_run("../r", "t")
    with pytest.raises(StoreError, match="'q' was never begun"):
        store.finish_run("q", status="ok", wall_s=1, cpu_s=1, solved=0, json="{}")
    with pytest.raises(StoreError, match="cannot be kept"):
        store.finish_run("r", status="ok", wall_s=1, cpu_s=1, solved=0, json="{}", summary={"x": object()})
    with pytest.raises(StoreError, match="not ISO text"):
        store.begin_run("s", "t", started="yesterday")
    assert [row.run_id for row in store.run_rows()] == ["r"]


def test_a_prefix_must_mean_one_run(store: Store) -> None:
    with pytest.raises(StoreError, match=r"run 'x' is not in .* it holds no runs yet"):
        store.run_json("x")
    for name in ("ab1", "ab2", "ab", "a_c", "a-c"):
        store.begin_run(name, "t")
        store.finish_run(name, status="ok", wall_s=1, cpu_s=1, solved=0, json=json.dumps(name))
    assert store.run_json("ab") == '"ab"'  # a whole id wins over being the beginning of others
    assert store.run_json("ab2") == '"ab2"'
    assert store.run_json("a_") == '"a_c"'  # no wildcards
    with pytest.raises(StoreError, match="run 'a' could be any of 5 runs"):
        store.run_json("a")
    for unknown in ("zz", "a%", ""):
        with pytest.raises(StoreError, match=r"is not in .* the newest are a-c, a_c, ab"):
            store.run_json(unknown)


def test_run_rows_newest_first_and_filtered(store: Store) -> None:
    for i, (task, language, tags) in enumerate(
        [("t1", "x", ["a"]), ("t2", "x", []), ("t1", "y", ["a", "b"])]
    ):
        store.begin_run(f"r{i}", task, language=language, tags=tags, started=f"2026-01-0{i + 1}T00:00:00Z")
    store.finish_run("r1", status="ok", wall_s=1, cpu_s=1, solved=0, json="{}")

    def ids(**filters: object) -> list[str]:
        return [row.run_id for row in store.run_rows(**filters)]  # type: ignore[arg-type]

    assert ids() == ["r2", "r1", "r0"]
    assert ids(limit=2) == ["r2", "r1"]
    assert ids(task_id="t1") == ["r2", "r0"]
    assert ids(language="x") == ["r1", "r0"]
    assert ids(status="ok") == ["r1"]
    assert ids(status="running", limit=1) == ["r2"]
    assert ids(tag="a") == ["r2", "r0"] and ids(tag="b", task_id="t2") == []
    assert ids(since="2026-01-02") == ["r2", "r1"]
    assert ids(since=datetime(2026, 1, 3, tzinfo=UTC)) == ["r2"]


def test_listing_reads_no_records(store: Store, path: Path) -> None:
    for i in range(3):
        store.begin_run(f"r{i}", "t")
        store.finish_run(f"r{i}", status="ok", wall_s=1, cpu_s=1, solved=0, json="{}")
    statements: list[str] = []
    store._connection.set_trace_callback(statements.append)
    assert len(store.run_rows()) == 3
    assert statements and not any("records" in statement for statement in statements)


def test_a_run_is_interrupted_once_its_process_is_gone(store: Store) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        start = Path(f"/proc/{other.pid}/stat").read_text().rpartition(")")[2].split()[19]
        store.begin_run("theirs", "t", owner=Owner(other.pid, start))
        store.begin_run("recycled", "t", owner=Owner(other.pid, "1"))
        store.begin_run("mine", "t")
        store.begin_run("done", "t", owner=Owner(other.pid, start))
        store.finish_run("done", status="ok", wall_s=1, cpu_s=1, solved=0, json="{}")
        status = {row.run_id: row.status for row in store.run_rows()}
        assert status == {"theirs": "running", "recycled": "interrupted", "mine": "running", "done": "ok"}
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # ended, but not yet reaped
        assert store.run_row("theirs").status == "interrupted"
    assert [row.run_id for row in store.run_rows(status="interrupted")] == ["recycled", "theirs"]
    with pytest.raises(StoreError, match="it is interrupted"):
        store.run_json("theirs")


def test_owner_without_proc_asks_by_signal(monkeypatch) -> None:
    from nbbatt.store import owner

    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    monkeypatch.setattr(owner.Path, "exists", lambda self: False)
    assert owner.alive(os.getpid()) and owner.alive(os.getpid(), "whatever")
    assert not owner.alive(ended.pid) and not owner.alive(2**80)


# Solvers


def test_the_first_discovery_stays_and_measures_are_renewed(path: Path) -> None:
    with Store.open(path) as store:
        (first,) = store.save_solvers([solver(created="2026-01-01T00:00:00+00:00")])
        (second,) = store.save_solvers(
            [solver(name="again", text="other", run_id="run-2", score=1.0, solved=True)]
        )
        assert second == solver(created=first.created, score=1.0, solved=True)
    with Store.open(path) as store:
        assert store.solvers() == [second] and store.solvers()[0].solved is True
        store.save_solvers([solver(language_version="v2"), solver(task_id="other")])
        assert len(store.solvers("00576224")) == 2 and len(store.solvers()) == 3
        assert store.solvers("none") == [] and store.save_solvers([]) == []


def test_solvers_come_best_first(store: Store) -> None:
    rows = [
        solver("0" * 16, score=0.9),
        solver("1" * 16, score=1.0, solved=True, wall_ms=9.0),
        solver("2" * 16, score=1.0, solved=True, wall_ms=1.0),
        solver("3" * 16, score=0.1, task_id="0"),
    ]
    saved = store.save_solvers(rows)
    assert all(row.created for row in saved)
    assert [row.digest[0] for row in store.solvers()] == ["3", "2", "1", "0"]


@pytest.mark.parametrize("field", ["task_id", "name", "digest"])
@pytest.mark.parametrize("bad", ["../x", "a/b", "", ".", "a" * 65, "a\0b", "ä", "a\n"])
def test_names_unfit_for_a_path_are_refused(store: Store, path: Path, field: str, bad: str) -> None:
    for use in (store.save_solvers, store.write_solvers):
        with pytest.raises(StoreError, match="must be 1 to 64"):
            use([solver(), solver(**{field: bad})])
    assert store.solvers() == [] and not (path.parent / "solvers").exists()


def test_a_short_digest_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="too short"):
        store.write_solvers([solver("abc")])


def test_solver_files(store: Store, path: Path) -> None:
    rows = [solver(), solver("b" * 16, name="flips", text="def flips(I):\n    return vmirror(I)  # é\n\n\n")]
    one, two = store.write_solvers(rows)
    assert one == path.parent / "solvers" / "00576224" / "tiles-abcdef01.py"
    assert two.read_text(encoding="utf-8") == "def flips(I):\n    return vmirror(I)  # é\n"
    assert sorted(file.name for file in one.parent.iterdir()) == ["flips-bbbbbbbb.py", "tiles-abcdef01.py"]
    before = one.stat().st_ino, two.stat().st_ino
    assert store.write_solvers([solver(), solver("b" * 16, name="flips", text="changed")]) == [one, two]
    assert (
        one.stat().st_ino == before[0] and two.stat().st_ino != before[1] and two.read_text() == "changed\n"
    )


def test_solver_files_never_leave_the_workspace(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with Workspace(tmp_path / "w").open() as store:
        (tmp_path / "w" / "solvers").mkdir()
        (tmp_path / "w" / "solvers" / "00576224").symlink_to(outside)
        with pytest.raises(StoreError, match="leads out of its workspace"):
            store.write_solvers([solver()])
    assert list(outside.iterdir()) == []


def test_what_killed_writers_left_is_swept(store: Store, path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    folder = path.parent / "solvers" / "00576224"
    folder.mkdir(parents=True)
    dead, own = folder / f".x.py.{ended.pid}-1-0.tmp", folder / f".x.py.{os.getpid()}-1-0.tmp"
    dead.touch()
    own.touch()
    store.write_solvers([solver()])
    assert not dead.exists() and own.exists()


# write_atomically


@pytest.mark.parametrize("durable", [True, False])
def test_write_atomically_replaces_whole_files(tmp_path: Path, durable: bool) -> None:
    target = tmp_path / "a.txt"
    for text in ("", "one\r\ntwo", "é" * 10_000):
        write_atomically(target, text, durable=durable)
        assert target.read_bytes() == text.encode("utf-8")
    assert list(tmp_path.iterdir()) == [target]


def test_write_atomically_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    write_atomically(target, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(target, "new \ud800")
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "none" / "a.txt", "x")
    with pytest.raises(IsADirectoryError):
        (tmp_path / "folder").mkdir()
        files.write_all([(target, "new"), (tmp_path / "folder", "x")])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.txt", "folder"]


def test_file_lock_is_held_by_one(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with (
        files.file_lock(lock),
        pytest.raises(TimeoutError, match="held by another"),
        files.file_lock(lock, 0.01),
    ):
        pass
    with files.file_lock(lock, 0.01):
        assert lock.exists()
