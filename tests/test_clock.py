"""Wall, busy and CPU, measured with clocks that the tests set: nothing here depends on the machine."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbbatt.clock import OTHER, PhaseRow, Profile, Span, Stopwatch, seconds_text


class Clocks:
    """A wall and a CPU clock that stand still until told otherwise."""

    def __init__(self) -> None:
        self.wall, self.own = 100.0, 7.0

    def pass_(self, wall: float, cpu: float = 0.0) -> None:
        self.wall += wall
        self.own += cpu

    def watch(self) -> Stopwatch:
        return Stopwatch(lambda: self.wall, lambda: self.own)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def by_phase(profile: Profile) -> dict[str, PhaseRow]:
    return {row.phase: row for row in profile.rows()}


# ---------------------------------------------------------------------- measuring


def test_phases_and_other_add_up_to_the_run(clocks: Clocks) -> None:
    watch = clocks.watch()
    clocks.pass_(1.0, 0.5)
    with watch.phase("first"):
        clocks.pass_(2.0, 1.0)
    clocks.pass_(0.5, 0.25)
    with watch.phase("second"):
        clocks.pass_(4.0, 3.0)
    clocks.pass_(0.5, 0.25)
    profile = watch.profile(cores=4)
    rows = by_phase(profile)
    assert list(rows) == ["first", "second", OTHER]
    assert [row.wall_s for row in rows.values()] == pytest.approx([2.0, 4.0, 2.0])
    assert [row.cpu_s for row in rows.values()] == pytest.approx([1.0, 3.0, 1.0])
    assert [row.wall_pct for row in rows.values()] == pytest.approx([25.0, 50.0, 25.0])
    assert (profile.wall_s, profile.cpu_s, profile.cores) == (8.0, 5.0, 4)
    assert [span.started_s for span in profile.spans] == pytest.approx([1.0, 3.5])


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)), max_size=6))
def test_whatever_happens_the_parts_add_up(steps: list[tuple[int, int, int]]) -> None:
    clocks = Clocks()
    watch = clocks.watch()
    for number, (between, wall, cpu) in enumerate(steps):
        clocks.pass_(between / 8, between / 16)
        with watch.phase(f"phase {number}"):
            clocks.pass_(wall / 8, cpu / 8)
    profile = watch.profile(workers_cpu_s=0.5)
    assert sum(row.wall_s for row in profile.rows()) == pytest.approx(profile.wall_s)
    assert sum(row.cpu_s for row in profile.rows()) == pytest.approx(profile.cpu_s)
    if profile.wall_s:
        assert sum(row.wall_pct for row in profile.rows()) == pytest.approx(100.0)


def test_items_that_wait_side_by_side_are_busy_and_cost_no_cpu(clocks: Clocks) -> None:
    watch = clocks.watch()
    with watch.phase("waiting") as meter:
        meter.remote, meter.lanes, meter.parallel = True, 10, True
        for _ in range(10):
            meter.add(1.0, 0.0)
        clocks.pass_(1.0)
    row = by_phase(watch.profile())["waiting"]
    assert (row.wall_s, row.busy_s, row.cpu_s, row.items) == (1.0, 10.0, 0.0, 10)
    assert (row.concurrency, row.cores_used, row.efficiency) == (10.0, 0.0, 0.0)


def test_cpu_of_remote_items_is_added_to_this_threads(clocks: Clocks) -> None:
    watch = clocks.watch()
    with watch.phase("spread") as meter:
        meter.remote, meter.lanes = True, 2
        meter.add(2.0, 1.5, items=3)
        meter.add(2.0, 1.5, items=3)
        clocks.pass_(2.0, 0.5)
    profile = watch.profile(workers_cpu_s=3.25)
    row = by_phase(profile)["spread"]
    assert (row.cpu_s, row.busy_s, row.items) == (3.5, 4.0, 6)
    assert (row.cores_used, row.concurrency) == (1.75, 2.0)
    assert row.efficiency == 0.75  # of the lanes: this thread's share is not theirs
    assert profile.cpu_s == 3.75
    assert by_phase(profile)[OTHER].cpu_s == 0.25  # starting the workers


def test_cpu_of_items_in_this_thread_is_not_counted_twice(clocks: Clocks) -> None:
    watch = clocks.watch()
    with watch.phase("here") as meter:
        meter.add(1.5, 1.5)
        clocks.pass_(2.0, 1.75)
    row = by_phase(watch.profile())["here"]
    assert (row.cpu_s, row.busy_s, row.efficiency) == (1.75, 1.5, 0.875)


def test_a_phase_without_items_was_busy_all_the_time(clocks: Clocks) -> None:
    watch = clocks.watch()
    with watch.phase("save"):
        clocks.pass_(0.5, 0.25)
    row = by_phase(watch.profile())["save"]
    assert (row.busy_s, row.items, row.concurrency) == (0.5, 0, 1.0)


def test_a_phase_that_raises_is_measured_too(clocks: Clocks) -> None:
    watch = clocks.watch()
    with pytest.raises(KeyError), watch.phase("broken"):
        clocks.pass_(3.0, 1.0)
        raise KeyError
    assert watch.spans[0][:5] == ("broken", 0.0, 3.0, 3.0, 1.0)


def test_a_phase_that_took_no_time_has_no_ratios(clocks: Clocks) -> None:
    watch = clocks.watch()
    with watch.phase("nothing"):
        pass
    row = by_phase(watch.profile())["nothing"]
    assert (row.concurrency, row.cores_used, row.efficiency, row.wall_pct) == (None, None, None, 0.0)


def test_real_clocks_go_forwards() -> None:
    watch = Stopwatch()
    with watch.phase("work"):
        sum(range(100_000))
    profile = watch.profile()
    assert 0 < profile.spans[0].wall_s <= profile.wall_s
    assert 0 <= profile.spans[0].cpu_s <= profile.cpu_s


def test_the_table_has_a_line_a_phase(clocks: Clocks) -> None:
    watch = clocks.watch()
    with watch.phase("first"):
        clocks.pass_(1.0)
    table = watch.profile().table()
    assert list(table.columns) == list(PhaseRow._fields)
    assert list(table["phase"]) == ["first", OTHER]


# ---------------------------------------------------------------------- words


def span(phase: str = "check_batt", wall_s: float = 8.0, cpu_s: float = 8.0, **more: object) -> Span:
    return Span(phase, 0.0, wall_s, wall_s, cpu_s, **more)  # type: ignore[arg-type]


def test_nothing_measured_is_said() -> None:
    assert Profile().verdict() == "Nothing was measured."
    assert Profile((span(),), 0.0).verdict() == "Nothing was measured."


def test_verdict_of_one_process_says_what_workers_could_gain() -> None:
    spans = (span(lane_cpu_s=8.0, parallel=True), span("save", 2.0, 0.5))
    assert Profile(spans, 10.0, 8.5, cores=4).verdict() == (
        "check_batt took 80% of 10.00 s, in one process with 1.0 core busy."
        " Spreading its items over 4 cores without any cost could save at most 6.00 s (2.5x)."
    )


def test_verdict_of_two_workers_that_are_busy_says_there_is_no_more() -> None:
    spans = (span(wall_s=9.0, cpu_s=18.0, lane_cpu_s=18.0, lanes=2, parallel=True), span("save", 1.0, 0.5))
    assert Profile(spans, 10.0, 18.5, cores=2).verdict() == (
        "check_batt took 90% of 10.00 s, on 2 workers with 2.0 cores busy."
        " Neither more workers nor warmer caches could gain more than 2%."
    )


def test_verdict_says_what_warm_caches_could_gain() -> None:
    spans = (span("validate", 5.0, 5.0, cacheable_s=5.0), span("save", 5.0, 5.0))
    said = Profile(spans, 10.0, 10.0, cores=2).verdict()
    assert said.startswith("validate took 50% of 10.00 s, in one process with 1.0 core busy.")
    assert said.endswith(" Warm caches could save at most 5.00 s (2.0x).")


def test_a_bound_is_never_more_than_the_phases_took() -> None:
    spans = (span("validate", 1.0, 4.0, lane_cpu_s=4.0, lanes=4, cacheable_s=400.0, parallel=True),)
    assert (
        Profile(spans, 10.0, 4.0, cores=4).verdict().endswith("Warm caches could save at most 1.00 s (1.1x).")
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"),
        (0.000001, "0 ms"),
        (0.00123, "1.2 ms"),
        (0.012, "12 ms"),
        (0.9994, "999 ms"),
        (0.9999, "1.00 s"),
        (1.318, "1.32 s"),
        (59.99, "59.99 s"),
        (59.999, "1 min 0 s"),
        (250.0, "4 min 10 s"),
        (3599.6, "1 h 0 min"),
        (3 * 3600 + 125, "3 h 2 min"),
        (-1.5, "-1.50 s"),
    ],
)
def test_durations_as_people_read_them(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@given(st.floats(0, 1e6))
def test_every_duration_has_a_text_near_it(seconds: float) -> None:
    units = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
    words = seconds_text(seconds).split()
    said = sum(float(number) * units[unit] for number, unit in zip(words[::2], words[1::2]))
    slack = 60.0 if "h" in words else 0.5 if "min" in words else 0.005 if "s" in words else 0.0005
    assert said == pytest.approx(seconds, abs=slack * 1.001)


# ---------------------------------------------------------------------- plain data

SECONDS = st.floats(0, 1e5)
SPANS = st.builds(
    Span,
    st.sampled_from(["generate", "check_batt", "save"]),
    SECONDS,
    SECONDS,
    SECONDS,
    SECONDS,
    st.integers(0, 1000),
    st.integers(1, 64),
    SECONDS,
    SECONDS,
    st.booleans(),
)


@given(st.lists(SPANS, max_size=4), SECONDS, SECONDS, st.integers(1, 64))
def test_a_profile_survives_json(spans: list[Span], wall_s: float, cpu_s: float, cores: int) -> None:
    profile = Profile(tuple(spans), wall_s, cpu_s, cores)
    text = json.dumps(profile.to_json(), allow_nan=False)
    again = Profile.from_json(json.loads(text), wall_s, cpu_s, cores)
    assert again == profile
    assert again.rows() == profile.rows()
    assert again.verdict() == profile.verdict()
