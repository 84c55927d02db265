"""What the caches of a run count: hits, misses with reasons, duplicates, and seconds really spent."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbbatt.caches import AnyCache, Cache, NoCache
from nbbatt.store import CacheKey, Entry, Packed, Store, StoreError


def key(program: str = "p", limits: str = "1 s") -> CacheKey:
    return CacheKey(program, "lang", "data", limits, 1)


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "store.sqlite") as store:
        yield store


def test_a_cold_run_then_a_warm_one_in_memory_then_one_from_disk(store: Store) -> None:
    cold = Cache("validation", store)
    for i, name in enumerate("abc"):
        assert cold.get(key(name)) is None
        cold.put(key(name), [i], 0.5 + i)
    cold.flush()
    assert (cold.stats.hits, cold.stats.misses, cold.stats.duplicates) == (0, 3, 0)
    assert (cold.stats.saved_s, cold.stats.spent_s, cold.stats.hit_rate) == (0.0, 4.5, 0.0)
    assert cold.stats.reasons == {"new": 3}

    warm = Cache("validation", store)
    assert [warm.get(key(name)) for name in "abc"] == [Entry([i], 0.5 + i) for i in range(3)]
    assert (warm.stats.hits_memory, warm.stats.hits_disk, warm.stats.misses) == (3, 0, 0)
    assert (warm.stats.saved_s, warm.stats.spent_s, warm.stats.hit_rate) == (4.5, 0.0, 1.0)

    store.memory("validation").clear()
    disk = Cache("validation", store)
    assert [disk.get(key(name)) for name in "abc"] == [Entry([i], 0.5 + i) for i in range(3)]
    assert (disk.stats.hits_memory, disk.stats.hits_disk, disk.stats.saved_s) == (0, 3, 4.5)
    assert len(store.memory("validation")) == 3  # what was read from disk is near from now on


def test_asking_again_is_a_duplicate_and_saves_nothing(store: Store) -> None:
    store.put_many("validation", [(key("stored"), Entry("s", 2.0))])
    cache = Cache("validation", store)
    assert cache.get(key("stored")) == cache.get(key("stored")) == Entry("s", 2.0)
    assert cache.get(key("new")) is None and cache.get(key("new")) is None
    cache.put(key("new"), "n", 1.0)
    cache.put(key("new"), "n", 1.0)
    assert cache.get(key("new")) == Entry("n", 1.0)
    stats = cache.stats
    assert (stats.hits, stats.misses, stats.duplicates) == (1, 1, 3)
    assert (stats.saved_s, stats.spent_s, stats.hit_rate) == (2.0, 1.0, 0.5)


def test_get_many_is_get_for_each(store: Store) -> None:
    store.put_many("validation", [(key("a"), Entry(1, 1.0))])
    cache = Cache("validation", store)
    keys = [key("a"), key("b"), key("a"), key("b"), key("a", limits="9 s")]
    assert cache.get_many(keys) == [Entry(1, 1.0), None, Entry(1, 1.0), None, None]
    stats = cache.stats
    assert (stats.hits_disk, stats.misses, stats.duplicates, stats.saved_s) == (1, 2, 2, 1.0)
    assert stats.reasons == {"new": 1, "limits changed": 1}
    assert cache.get_many([]) == []


def test_nothing_asked_has_no_rate(store: Store) -> None:
    assert Cache("validation", store).stats.hit_rate is None and NoCache("validation").stats.hit_rate is None


def test_puts_reach_the_disk_with_flush_only(store: Store, tmp_path: Path) -> None:
    cache = Cache("validation", store)
    cache.put(key(), "x", 1.0)
    store.memory("validation").clear()
    with Store.open(tmp_path / "store.sqlite") as other:
        assert other.get("validation", key()) is None
        assert cache.get(key()) == Entry("x", 1.0)  # what waits for the disk is found all the same
        cache.flush()
        cache.flush()
        assert other.get("validation", key()) == Entry("x", 1.0)
    assert cache.stats.spent_s == 0.0  # nobody had missed it


def test_values_are_each_callers_own(store: Store) -> None:
    cache = Cache("validation", store)
    value = {"scores": [1, 2]}
    cache.put(key(), value, 1.0)
    value["scores"].append(3)
    first = cache.get(key())
    assert first is not None
    first.value["scores"].clear()
    assert cache.get(key()) == Entry({"scores": [1, 2]}, 1.0)


def test_what_json_would_change_is_refused(store: Store) -> None:
    cache = Cache("validation", store)
    for value in (float("nan"), (1, 2), {1: 2}):
        with pytest.raises(StoreError, match="cache value"):
            cache.put(key(), value, 1.0)
    cache.flush()
    assert cache.get(key()) is None and store.stats() == []


def test_two_caches_do_not_see_each_other(store: Store) -> None:
    one, other = Cache("inlining", store), Cache("validation", store)
    one.put(key(), 1, 1.0)
    one.flush()
    assert other.get(key()) is None and one.get(key()) is not None


def test_evicted_and_changed_keys_are_told_apart(store: Store) -> None:
    cache = Cache("validation", store)
    cache.put(key(), 1, 1.0)
    cache.flush()
    store.prune(max_entries=0)
    after = Cache("validation", store)
    assert after.get(key()) is None and after.get(key(limits="2 s")) is None and after.get(key("q")) is None
    assert after.stats.reasons == {"evicted": 1, "limits changed": 1, "new": 1}


def test_a_damaged_row_is_a_miss_and_mended_by_the_next_put(store: Store) -> None:
    store.put_many("validation", [(key(), Entry("right", 1.0)), (key("q"), Entry("other", 1.0))])
    store._write(lambda db: db.execute("UPDATE entries SET value='\"wrong\"' WHERE program='p'"))
    cache = Cache("validation", store)
    assert cache.get(key()) is None and cache.get(key("q")) == Entry("other", 1.0)
    assert cache.stats.reasons == {"damaged": 1} and len(store.warnings) == 1
    assert [row.entries for row in store.stats()] == [1]
    cache.put(key(), "right", 1.0)
    cache.flush()
    store.memory("validation").clear()
    assert Cache("validation", store).get(key()) == Entry("right", 1.0)


@pytest.mark.parametrize("text", ["no json", "", "[" * 100_000])
def test_a_row_that_is_not_json_is_a_miss_even_under_a_right_checksum(store: Store, text: str) -> None:
    store.put_packed("validation", [(key(), Packed(text, 1.0))])
    cache = Cache("validation", store)
    assert cache.get(key()) is None and cache.get(key()) is None and store.get("validation", key()) is None
    assert (cache.stats.misses, cache.stats.duplicates, cache.stats.reasons) == (1, 1, {"damaged": 1})


def test_no_cache_only_counts() -> None:
    cache: AnyCache = NoCache("validation")
    assert cache.get(key()) is None
    cache.put(key(), (1, 2), 0.25)
    cache.flush()
    assert cache.get_many([key(), key("q")]) == [None, None]
    stats = cache.stats
    assert (stats.hits, stats.misses, stats.duplicates, stats.saved_s, stats.spent_s) == (0, 3, 0, 0.0, 0.25)
    assert stats.reasons == {"caches off": 3} and stats.hit_rate == 0.0


PROGRAMS = st.lists(st.sampled_from("abcdef"), max_size=20)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(PROGRAMS, st.booleans()), max_size=4))
def test_counts_add_up_over_any_runs(runs: list[tuple[list[str], bool]]) -> None:
    """Every question is one hit, one miss or one duplicate; what is saved is what was spent on just those."""
    cost = {name: 0.25 * (1 + i) for i, name in enumerate("abcdef")}
    known: set[str] = set()
    near: set[str] = set()
    with Store.open(None) as store:
        for asked, forget in runs:
            if forget:
                store.memory("validation").clear()
                near.clear()
            cache: AnyCache = Cache("validation", store)
            for name in asked:
                entry = cache.get(key(name))
                assert entry is None or entry == Entry(name, cost[name])
                if entry is None:
                    cache.put(key(name), name, cost[name])
            cache.flush()
            stats, distinct = cache.stats, set(asked)
            assert stats.hits == len(distinct & known) and stats.misses == len(distinct - known)
            assert stats.duplicates == len(asked) - len(distinct)
            assert stats.saved_s == sum(cost[name] for name in distinct & known)
            assert stats.spent_s == sum(cost[name] for name in distinct - known)
            assert sum(stats.reasons.values()) == stats.misses
            assert stats.hits_memory == len(distinct & near)
            known |= distinct
            near |= distinct
