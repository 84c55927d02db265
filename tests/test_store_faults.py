"""What the store survives: many processes, kill -9, damage, disks that refuse, other versions' files."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import nbbatt
from nbbatt.caches import Cache
from nbbatt.store import CacheKey, Entry, Miss, SolverRow, Store, StoreError, StoreWarning, connection, schema

HOUSE = str(Path(nbbatt.__file__).parents[1])
PRELUDE = """
import json, os, sys, time, warnings
from nbbatt.store import CacheKey, Entry, Store, StoreWarning
def key(name): return CacheKey(str(name), "l", "t", "1 s", 1)
path, number = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
"""


def key(name: object, limits: str = "1 s") -> CacheKey:
    return CacheKey(str(name), "l", "t", limits, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def start(code: str, path: Path, number: int = 0, before: list[str] | None = None) -> subprocess.Popen[str]:
    """A process that has imported the store and waits for a line to go on."""
    process = subprocess.Popen(
        [*(before or []), sys.executable, "-c", PRELUDE + code, str(path), str(number)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": HOUSE, "PYTHONWARNINGS": "always::nbbatt.store.StoreWarning"},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if line != "ready\n":
        raise RuntimeError(process.communicate()[1])
    return process


def go(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """Let it go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return process


def says(process: subprocess.Popen[str]) -> str:
    """The next line it prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Let it go on, and return what it printed and its complaints."""
    out, err = process.communicate("\n", timeout=110)
    assert process.returncode == 0, err
    return out, err


def crowd(count: int, code: str, path: Path) -> list[Any]:
    """Run `code` in `count` processes at once; it prints one JSON value, and warns of nothing."""
    processes = [start(code, path, number) for number in range(count)]
    for process in processes:
        go(process)
    done = [process.communicate(timeout=110) for process in processes]
    assert [err for _, err in done] == [""] * count
    return [json.loads(out) for out, _ in done]


def integrity(path: Path) -> str:
    with contextlib.closing(sqlite3.connect(path)) as raw:
        return str(raw.execute("PRAGMA integrity_check").fetchone()[0])


def asides(path: Path) -> list[str]:
    names = (file.name for file in path.parent.iterdir())
    return sorted(name for name in names if "damaged" in name and not name.endswith(("-wal", "-shm")))


@contextlib.contextmanager
def warned(count: int = 1, match: str = "") -> Iterator[None]:
    """Exactly `count` StoreWarnings, and nothing else."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield
    texts = [str(item.message) for item in found if issubclass(item.category, StoreWarning)]
    assert len(texts) == count == len(found) and all(match in text for text in texts), [str(w) for w in found]


# Many processes


CREATE = """
with Store.open(path) as store:
    store.put_many("validation", [(key(number), Entry(number, 1.0))])
    print(json.dumps([store.in_memory, store.warnings]))
"""


@pytest.mark.parametrize("round", range(2))
def test_eight_processes_create_one_store(path: Path, round: int) -> None:
    assert crowd(8, CREATE, path) == [[False, []]] * 8
    with Store.open(path) as store:
        assert [store.get("validation", key(i)) for i in range(8)] == [Entry(i, 1.0) for i in range(8)]
    with contextlib.closing(sqlite3.connect(path)) as raw:
        assert len(raw.execute("SELECT * FROM sqlite_master WHERE sql IS NOT NULL").fetchall()) == len(
            schema.TABLES
        )
    assert integrity(path) == "ok"
    assert sorted(file.name for file in path.parent.iterdir()) == ["store.sqlite", "store.sqlite.lock"]


STORM = """
from nbbatt.caches import Cache
count = int(os.environ["NBBATT_ITEMS"])
with Store.open(path) as store:
    for batch in range(count // 50):
        cache = Cache("validation", store)
        for i in range(batch * 50, batch * 50 + 50):
            cache.get(key(f"{number}-{i}"))
            cache.get(key(f"{(number + 1) % 8}-{i}"))
            cache.put(key(f"{number}-{i}"), [number, i], 0.1)
        cache.flush()
    store.begin_run(f"run-{number}", "t")
    store.finish_run(f"run-{number}", status="ok", wall_s=1, cpu_s=1, solved=0, json="{}")
    print(json.dumps([store.in_memory, store.warnings]))
"""


@pytest.mark.parametrize("items", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_eight_instances_share_one_store(path: Path, monkeypatch, items: int) -> None:
    monkeypatch.setenv("NBBATT_ITEMS", str(items))
    assert crowd(8, STORM, path) == [[False, []]] * 8
    with Store.open(path) as store:
        assert store.stats()[0].entries == 8 * items and len(store.run_rows()) == 8
        for number in range(8):
            found = store.find_many("validation", [key(f"{number}-{i}") for i in range(items)])
            assert [json.loads(packed.text) for packed in found] == [[number, i] for i in range(items)]
    assert integrity(path) == "ok"


WRITER = """
store = Store.open(path)
i = 0
while True:
    store.put_many("validation", [(key(f"{number}-{i}-{j}"), Entry([number, i, j], 0.1)) for j in range(8)])
    print(i, flush=True)
    i += 1
"""


@pytest.mark.parametrize("kills", [16, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_killed_writers_lose_nothing_acknowledged(path: Path, kills: int) -> None:
    """Eight writers, killed one after another at random moments, each followed by a new one."""
    dice = random.Random(1)
    acknowledged: dict[int, int] = {}
    writers: list[subprocess.Popen[str]] = []
    reading: list[threading.Thread] = []

    def read(number: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith("\n"):  # a writer may be killed in the middle of one
                acknowledged[number] = int(line)

    def launch(number: int) -> None:
        writers.append(go(start(WRITER, path, number)))
        reading.append(threading.Thread(target=read, args=(number, writers[-1])))
        reading[-1].start()

    def kill(place: int) -> None:
        process, thread = writers.pop(place), reading.pop(place)
        process.kill()
        thread.join()
        assert process.communicate()[1] == ""

    for number in range(8):
        launch(number)
    try:
        for number in range(8, 8 + kills):
            time.sleep(dice.uniform(0.0, 0.08))
            kill(dice.randrange(8))
            launch(number)
    finally:
        while writers:
            kill(0)
    assert sum(acknowledged.values()) > 50
    with Store.open(path) as store:
        for number, last in acknowledged.items():
            wanted = [(i, j) for i in range(last + 1) for j in range(8)]
            found = store.find_many("validation", [key(f"{number}-{i}-{j}") for i, j in wanted])
            assert [json.loads(p.text) for p in found] == [[number, i, j] for i, j in wanted]
        assert store.warnings == []
    assert integrity(path) == "ok" and asides(path) == []


RUNNER = """
store = Store.open(path)
store.begin_run("mine", "00576224")
print("begun", flush=True)
time.sleep(600)
"""


def test_the_run_of_a_killed_process_is_interrupted(path: Path) -> None:
    process = go(start(RUNNER, path))
    assert says(process) == "begun"
    with Store.open(path) as store:
        assert store.run_row("mine").status == "running"
        process.kill()
        process.communicate()
        assert store.run_row("mine").status == "interrupted"


# Damage


def fill(store: Store) -> None:
    for cache in ("inlining", "validation"):
        store.put_many(
            cache, [(key(i), Entry({"i": i, "text": "é" * (i * 13 % 400)}, 0.5 + i)) for i in range(40)]
        )
    store.prune("inlining", max_entries=20)
    for i in range(8):
        store.begin_run(f"run-{i}", "00576224", tags=["a"], note="é", started=f"2026-01-0{i + 1}T00:00:00Z")
        if i % 3:
            text = json.dumps({"i": i, "x": "y" * i * 900})
            store.finish_run(
                f"run-{i}", status="ok", wall_s=i, cpu_s=i / 2, solved=i, json=text, summary={"i": i}
            )
    store.save_solvers(
        SolverRow(
            f"task{i % 3}",
            f"{i:016x}",
            f"n{i}",
            "def f(I):\n return I\n",
            "b",
            "v",
            1 / 3,
            i,
            1,
            True,
            0.3,
            "r",
        )
        for i in range(8)
    )


def contents(store: Store) -> dict[object, object]:
    """All that is in a store, by what it is asked for by."""
    found: dict[object, object] = {}
    for cache in ("inlining", "validation"):
        found |= {(cache, i): store.get(cache, key(i)) for i in range(40)}
    found |= {row.run_id: row for row in store.run_rows()}
    found |= {(row.task_id, row.digest): row for row in store.solvers()}
    for i in range(8):
        with contextlib.suppress(StoreError):
            found["json", i] = store.run_json(f"run-{i}")
    return {name: value for name, value in found.items() if value is not None}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory) -> tuple[bytes, dict[object, object]]:
    """A full store as bytes, and its contents."""
    path = tmp_path_factory.mktemp("healthy") / "store.sqlite"
    with Store.open(path) as store:
        fill(store)
        found = contents(store)
    assert len(found) > 60
    return path.read_bytes(), found


def use(store: Store, right: dict[object, object], *, sound: bool = True) -> dict[object, object]:
    """Read all, then write: nothing found is wrong, and writing works, if the file is `sound` by now."""
    found = contents(store)
    assert found.items() <= right.items(), "a wrong result"
    for cache in ("inlining", "validation"):
        fresh = Cache(cache, store)
        for i in range(40):
            if fresh.get(key(i)) is None:
                fresh.put(key(i), {"i": i, "text": "é" * (i * 13 % 400)}, 0.5 + i)
        fresh.flush()
        assert fresh.stats.hits + fresh.stats.misses == 40
    store.begin_run("new", "t")
    store.finish_run("new", status="ok", wall_s=1, cpu_s=1, solved=1, json='"new"')
    try:
        assert store.run_json("new") == '"new"' and store.run_row("new").status == "ok"
    except StoreError as exc:
        assert not sound and ("and is lost" in str(exc) or "is not in" in str(exc))
    store.stats()
    assert not store.in_memory
    return found


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda image: b"",
    "one byte": lambda image: image[:1],
    "half a header": lambda image: image[:50],
    "first page only": lambda image: image[:4096],
    "half": lambda image: image[: len(image) // 2],
    "last page missing": lambda image: image[:-4096],
    "garbage": lambda image: random.Random(1).randbytes(len(image)),
    "text": lambda image: b"not a database, just a note\n" * 200,
    "zeros": lambda image: bytes(len(image)),
    "garbage after the header": lambda image: image[:100] + random.Random(2).randbytes(len(image) - 100),
    "garbage after page one": lambda image: image[:4096] + random.Random(3).randbytes(len(image) - 4096),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_set_aside_and_rebuilt(path: Path, healthy, damage: str) -> None:
    image, right = healthy
    damaged = DAMAGES[damage](image)
    path.write_bytes(damaged)
    with warned(1, "was damaged"):
        store = Store.open(path)
        with store:
            use(store, right)
            assert any("kept as store.sqlite.damaged-1" in text for text in store.warnings)
    assert asides(path) == ["store.sqlite.damaged-1"]
    if damage != "garbage after page one":  # found while in use: SQLite may have begun to write by then
        assert path.with_name("store.sqlite.damaged-1").read_bytes() == damaged
    with Store.open(path) as store:
        assert store.run_json("new") == '"new"' and store.warnings == []
    assert integrity(path) == "ok"


def test_damages_are_numbered(path: Path) -> None:
    for _ in range(3):
        path.write_bytes(b"garbage")
        with warned(), Store.open(path):
            pass
    assert asides(path) == [f"store.sqlite.damaged-{n}" for n in (1, 2, 3)]


@pytest.mark.parametrize("damage", ["empty", "first page only", "garbage", "garbage after page one"])
def test_damage_in_mid_run(path: Path, healthy, damage: str) -> None:
    image, right = healthy
    path.write_bytes(image)
    with warned(1, "was damaged"), Store.open(path) as store:
        assert store.get("validation", key(0)) == right["validation", 0]
        with path.open("r+b") as file:
            file.truncate(0)
            file.write(DAMAGES[damage](image))
        use(store, right)
        assert asides(path) == ["store.sqlite.damaged-1"]


def flip(image: bytes, dice: random.Random) -> tuple[bytes, bool]:
    """Some bits flipped, many of them at the beginning of a page; and whether the version may have been."""
    flipped = bytearray(image)
    places = []
    for _ in range(dice.choice([1, 1, 1, 4, 32])):
        page = 4096 * dice.randrange(len(image) // 4096)
        places.append(page + dice.randrange(dice.choice([120, 4096])))
        flipped[places[-1]] ^= 1 << dice.randrange(8)
    return bytes(flipped), any(60 <= place < 64 for place in places)


@pytest.mark.parametrize("running", [False, True], ids=["before opening", "in mid-run"])
@pytest.mark.parametrize(
    "trials", [120, pytest.param(4000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_flipped_bits_never_give_a_wrong_result(path: Path, healthy, trials: int, running: bool) -> None:
    image, right = healthy
    untouched = 0
    for trial in range(trials):
        dice = random.Random(trial)
        flipped, maybe_newer = flip(image, dice)
        for file in path.parent.iterdir():
            file.unlink()
        path.write_bytes(image if running else flipped)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StoreWarning)
            try:
                with Store.open(path) as store:
                    if running:
                        store.get("validation", key(0))
                        with path.open("r+b") as file:
                            file.write(flipped)
                    untouched += use(store, right, sound=False) == right
                    assert len(asides(path)) <= 1
            except StoreError as exc:
                # A version raised by a flipped bit cannot be told from a newer store: refused, left as it is.
                assert maybe_newer and "upgrade nbbatt" in str(exc), trial
    assert 0 < untouched < trials


def test_a_header_that_asks_for_another_sqlite_is_damage(path: Path, healthy) -> None:
    image, right = healthy
    path.write_bytes(image[:18] + b"\x03\x02" + image[20:])
    with warned(1, "was damaged"), Store.open(path) as store:
        use(store, right)


def test_rows_that_fail_their_checksum_are_dropped(path: Path, healthy) -> None:
    image, right = healthy
    path.write_bytes(image)
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE runs SET solved = 7 WHERE run_id = 'run-1'")
        raw.execute("UPDATE records SET json = '{}' WHERE run_id = 'run-2'")
        raw.execute("UPDATE solvers SET text = 'import os' WHERE digest LIKE '%1'")
        raw.execute("UPDATE entries SET cpu_s = 99 WHERE cache = 'validation' AND program = '3'")
        raw.commit()
    with warned(1, "damaged rows"), Store.open(path) as store:
        found = contents(store)
        with pytest.raises(StoreError, match="run 'run-1' is not in"):
            store.run_row("run-1")
        with pytest.raises(StoreError, match="the record of run 'run-2' was damaged"):
            store.run_json("run-2")
        assert len(store.warnings) == 4
    missing = right.keys() - found.keys()
    assert missing == {"run-1", ("json", 1), ("json", 2), ("task1", f"{1:016x}"), ("validation", 3)}
    assert found.items() <= right.items()


def test_a_stale_log_of_a_removed_file_is_not_read(path: Path) -> None:
    """Removing store.sqlite alone leaves a log that would be played into the next file."""
    process = go(start(WRITER, path))
    assert says(process) == "0"
    process.kill()
    process.communicate()
    assert path.with_name("store.sqlite-wal").stat().st_size > 0
    path.unlink()
    with Store.open(path) as store:
        assert store.stats() == [] and store.warnings == []
        store.put_many("validation", [(key(0), Entry(0, 0.0))])
    assert integrity(path) == "ok"


NOTICE = """
warnings.simplefilter("ignore", StoreWarning)
with Store.open(path) as store:
    for i in range(30):
        found = store.get("validation", key(f"{number}-{i}"))
        assert found is None or found.value == [number, i]
        store.put_many("validation", [(key(f"{number}-{i}"), Entry([number, i], 0.1))])
    assert store.get("validation", key(f"{number}-29")).value == [number, 29]
    print(json.dumps([store.in_memory, len(store.warnings)]))
"""


@pytest.mark.parametrize("damage", ["empty", "garbage", "garbage after page one"])
def test_eight_processes_notice_a_damage_at_once(path: Path, healthy, damage: str) -> None:
    path.write_bytes(DAMAGES[damage](healthy[0]))
    done = crowd(8, NOTICE, path)
    assert [in_memory for in_memory, _ in done] == [False] * 8
    assert sum(count for _, count in done) == 1  # who renames it says so
    assert asides(path) == ["store.sqlite.damaged-1"] and integrity(path) == "ok"
    with Store.open(path) as store:
        found = [store.get("validation", key(f"{n}-{i}")) for n in range(8) for i in range(30)]
        assert found == [Entry([n, i], 0.1) for n in range(8) for i in range(30)]


SHARE = """
warnings.simplefilter("ignore", StoreWarning)
store = Store.open(path)
store.get("validation", key(0))
print("open", flush=True)
sys.stdin.readline()
for i in range(30):
    found = store.get("validation", key(f"{number}-{i}"))
    assert found is None or found.value == [number, i]
    store.put_many("validation", [(key(f"{number}-{i}"), Entry([number, i], 0.1))])
store.close()
print(json.dumps([store.path.name, len(store.warnings)]))
"""


@pytest.mark.parametrize("damage", ["empty", "garbage", "garbage after page one"])
def test_eight_processes_have_the_file_open_when_it_is_damaged(path: Path, healthy, damage: str) -> None:
    """Those that close the old file must not take the new one's log with them."""
    image, _ = healthy
    path.write_bytes(image)
    processes = [start(SHARE, path, number) for number in range(8)]
    for process in processes:
        assert says(go(process)) == "open"
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(DAMAGES[damage](image))
    for process in processes:
        go(process)
    done = [process.communicate(timeout=110) for process in processes]
    assert [err for _, err in done] == [""] * 8
    assert sum(json.loads(out)[1] for out, _ in done) == len(asides(path)) <= 1
    assert integrity(path) == "ok"
    with Store.open(path) as store:
        assert store.warnings == []
        last = [store.get("validation", key(f"{n}-29")) for n in range(8)]
        assert last == [Entry([n, 29], 0.1) for n in range(8)]


def test_closing_a_moved_file_leaves_the_new_ones_log_alone(path: Path) -> None:
    with Store.open(path) as old, warnings.catch_warnings():
        warnings.simplefilter("ignore", StoreWarning)
        old.get("validation", key(0))
        os.truncate(path, 0)  # SQLite takes a file of no pages for one that never moved
        with contextlib.suppress(sqlite3.Error):
            old._connection.execute("SELECT * FROM runs")
        new = Store.open(path)
        with new:
            new.put_many("validation", [(key(1), Entry(1, 0.1))])
            log = path.with_name("store.sqlite-wal")
            before = log.stat().st_ino
            old.close()
            assert log.stat().st_ino == before and not list(path.parent.glob("*.kept"))
            new.put_many("validation", [(key(2), Entry(2, 0.1))])
    with Store.open(path) as again:
        assert [again.get("validation", key(i)) for i in (1, 2)] == [Entry(1, 0.1), Entry(2, 0.1)]


def test_damage_without_end_ends_in_memory(path: Path, monkeypatch) -> None:
    """A disk that damages whatever is written to it."""
    monkeypatch.setattr(schema, "make_file", lambda new: new.write_bytes(b"garbage"))
    with warned(2), Store.open(path) as store:
        assert store.in_memory and "even when new" in store.warnings[-1]
        store.put_many("validation", [(key(0), Entry(0, 0.0))])
        assert store.get("validation", key(0)) == Entry(0, 0.0)
    assert len(asides(path)) == 3


# Disks that refuse


def works_uncached(store: Store) -> None:
    """All of a run's calls, on a store that has nowhere to write."""
    cache = Cache("validation", store)
    for i in range(300):
        assert cache.get(key(f"u{i}")) is None
        cache.put(key(f"u{i}"), "x" * 1000, 0.1)
        if i % 50 == 49:
            cache.flush()
    assert cache.stats.misses == 300
    store.begin_run("r", "t")
    store.finish_run("r", status="ok", wall_s=1, cpu_s=1, solved=0, json='"r"')
    row = SolverRow("t", "a" * 16, "n", "def n(I):\n    return I\n", "b", "v", 1.0, 1, 1, True, 0.1, "r")
    store.save_solvers([row])
    store.write_solvers([row])
    assert store.run_json("r") == '"r"' and len(store.solvers()) == 1
    assert store.get("validation", key("u299")) == Entry("x" * 1000, 0.1)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with warned(1, "cannot be used"), Store.open(tmp_path / "file" / "w" / "store.sqlite") as store:
        works_uncached(store)
        assert store.in_memory and len(store.warnings) == 1


def test_a_folder_in_the_place_of_the_store(path: Path) -> None:
    path.mkdir()
    with warned(1, "cannot be used"), Store.open(path) as store:
        works_uncached(store)


def test_a_folder_removed_in_mid_run(tmp_path: Path) -> None:
    path = tmp_path / "w" / "store.sqlite"
    with warned(1, "its folder was removed"), Store.open(path) as store:
        store.put_many("validation", [(key(0), Entry(0, 0.0))])
        store.begin_run("before", "t")
        shutil.rmtree(path.parent)
        works_uncached(store)
        store.finish_run("before", status="ok", wall_s=1, cpu_s=1, solved=0, json='"before"')
        assert store.run_json("before") == '"before"'  # begun on disk, finished in memory
    assert list(tmp_path.iterdir()) == []


def test_a_file_removed_in_mid_run_is_made_anew(path: Path) -> None:
    with warned(1, "was removed while in use"), Store.open(path) as store:
        store.put_many("validation", [(key(0), Entry(0, 0.0))])
        path.unlink()
        works_uncached(store)
        assert not store.in_memory
    with Store.open(path) as store:
        assert store.run_json("r") == '"r"' and store.find("validation", key(0)) is Miss.NEW
    assert integrity(path) == "ok"


def test_a_disk_quota_reached_in_mid_run(path: Path, monkeypatch) -> None:
    """No file may grow beyond a limit: SQLite then says that the disk is full or failing."""
    code = """
import resource, signal
sys.path.insert(0, os.environ["NBBATT_TESTS"])
from test_store_faults import works_uncached
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with Store.open(path) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, resource.RLIM_INFINITY))
    works_uncached(store)
    print(json.dumps([store.in_memory, store.warnings]))
"""
    monkeypatch.setenv("NBBATT_TESTS", str(Path(__file__).parent))
    out, err = finish(start(code, path))
    in_memory, told = json.loads(out)
    assert in_memory and len(told) == 1 and "cannot be used" in told[0]
    assert err.count("StoreWarning:") == 1
    with Store.open(path) as store:
        assert not store.in_memory and store.warnings == []
    assert integrity(path) == "ok"


def mounting(folder: Path) -> list[str]:
    """What to put before a command so that it may mount what nobody else sees; skips where it may not."""
    for options in (["-m"], ["-Urm"]):
        words = ["unshare", *options, "--propagation", "private"]
        with contextlib.suppress(OSError):
            trial = [*words, "mount", "-t", "tmpfs", "none", str(folder)]
            if subprocess.run(trial, capture_output=True, check=False).returncode == 0:
                return words
    pytest.skip("needs the right to mount a file system of its own")


FULL = """
import subprocess
sys.path.insert(0, os.environ["NBBATT_TESTS"])
from test_store_faults import works_uncached
folder = os.path.dirname(path)
def mount(*words): subprocess.run(["mount", *words, folder], check=True)
state = os.environ["NBBATT_DISK"]
mount("-t", "tmpfs", "-o", "size=300k" if state == "full" else "size=8m", "none")
if state == "full before":
    mount("-o", "remount,size=4k")
    open(folder + "/filler", "w").write("x" * 4096)
if state == "read-only":
    Store.open(path).close()
    mount("-o", "remount,ro")
with Store.open(path) as store:
    works_uncached(store)
    print(json.dumps([store.in_memory, store.warnings]))
"""


@pytest.mark.parametrize("state", ["full", "full before", "read-only"])
def test_a_disk_that_refuses(tmp_path: Path, monkeypatch, state: str) -> None:
    (tmp_path / "disk").mkdir()
    words = mounting(tmp_path / "disk")
    monkeypatch.setenv("NBBATT_TESTS", str(Path(__file__).parent))
    monkeypatch.setenv("NBBATT_DISK", state)
    out, err = finish(start(FULL, tmp_path / "disk" / "store.sqlite", before=words))
    in_memory, told = json.loads(out)
    assert in_memory and len(told) == 1 and "cannot be used" in told[0], told
    assert err.count("StoreWarning:") == 1


def test_a_writer_that_stands_still_is_not_waited_for_forever(path: Path, monkeypatch) -> None:
    monkeypatch.setattr(connection, "_BUSY_S", 0.05)
    with Store.open(path) as store, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with warned(1, "database is locked"):
            works_uncached(store)
        other.execute("ROLLBACK")
    assert integrity(path) == "ok"


def test_an_opener_that_stands_still_is_not_waited_for_forever(path: Path, monkeypatch) -> None:
    from nbbatt.store import database, files

    monkeypatch.setattr(database, "file_lock", lambda lock, patience=0: files.file_lock(lock, 0.05))
    with (
        files.file_lock(path.with_name("store.sqlite.lock")),
        warned(1, "held by another"),
        Store.open(path) as store,
    ):
        works_uncached(store)


# Other versions, other people's data


def test_a_newer_store_is_refused_and_not_touched(path: Path) -> None:
    with Store.open(path) as store:
        fill(store)
    with contextlib.closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version=7")
        raw.execute("CREATE TABLE future(x)")
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir()}
    sentence = (
        rf"store {path} has version 7, and this nbbatt knows up to {schema.VERSION}: upgrade nbbatt, or"
    )
    for _ in range(2):
        with pytest.raises(StoreError, match=sentence):
            Store.open(path)
    after = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir()}
    assert after == before


def test_a_store_that_becomes_newer_in_mid_run_is_left_alone(path: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.sqlite"
    schema.make_file(newer)
    with contextlib.closing(sqlite3.connect(newer)) as raw:
        raw.execute("PRAGMA user_version=7")
    image = newer.read_bytes()
    with warned(1, "upgrade nbbatt"), Store.open(path) as store:
        newer.rename(path)
        works_uncached(store)
        assert store.in_memory
    assert path.read_bytes() == image


class Trap:
    """A pickle of it makes a file when loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (self.path,))


@pytest.mark.parametrize("sealed", [False, True], ids=["own checksum", "right checksum"])
def test_a_pickle_in_a_row_is_never_loaded(path: Path, sealed: bool) -> None:
    trap = pickle.dumps(Trap(str(path.parent / "sprung")))
    with Store.open(path) as store:
        fill(store)
    with contextlib.closing(sqlite3.connect(path)) as raw:
        for cache, name, cost, created in raw.execute(
            "SELECT cache, key, cpu_s, created FROM entries"
        ).fetchall():
            checksum = schema.seal(cache, name, cost, created, trap) if sealed else "x"
            raw.execute(
                "UPDATE entries SET value=?, checksum=? WHERE cache=? AND key=?",
                (trap, checksum, cache, name),
            )
        for table, column in [
            ("runs", "tags"),
            ("runs", "summary"),
            ("records", "json"),
            ("solvers", "text"),
        ]:
            raw.execute(f"UPDATE {table} SET {column} = ?", (trap,))
        raw.commit()
    with warned(1), Store.open(path) as store:
        cache = Cache("validation", store)
        assert [cache.get(key(i)) for i in range(40)] == [None] * 40
        assert cache.stats.reasons == {"damaged": 40}
        assert store.run_rows() == [] and store.solvers() == []
        assert not (path.parent / "sprung").exists()
        use(store, {})


def test_the_store_knows_no_pickle() -> None:
    code = "import sys, nbbatt.caches; print('pickle' in sys.modules, 'dill' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": HOUSE}
    )
    assert done.stdout == "False False\n"


# Files beside the store


REWRITE = """
from pathlib import Path
from nbbatt.store import write_atomically
i = 0
while True:
    write_atomically(Path(path), f"{i}\\n" * 3000, durable=False)
    if not i: print("begun", flush=True)
    i += 1
"""


@pytest.mark.parametrize("kills", [8, pytest.param(40, marks=pytest.mark.slow)])
def test_a_file_is_whole_whenever_its_writer_is_killed(tmp_path: Path, kills: int) -> None:
    target, dice = tmp_path / "report.txt", random.Random(2)
    for _ in range(kills):
        process = go(start(REWRITE, target))
        assert says(process) == "begun"
        time.sleep(dice.uniform(0.0, 0.02))
        process.kill()
        process.communicate()
        lines = target.read_text().splitlines()
        assert len(lines) == 3000 and len(set(lines)) == 1


def test_no_descriptor_is_left_by_many_openings(path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for i in range(60):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StoreWarning)
            if i % 3 == 0:
                path.write_bytes(b"garbage")
            with Store.open(path) as store:
                store.put_many("validation", [(key(i), Entry(i, 0.0))])
    assert len(list(Path("/proc/self/fd").iterdir())) == before
