"""Charts: rows say what the record says, artists say what the rows say, and nothing is left with pyplot."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from sample_records import PHASES, caches, hostile, profile, record, segments

from nbbatt.caches import CacheStats
from nbbatt.clock import Profile
from nbbatt.record import CacheTable, RunRecord, Segment
from nbbatt.views import palette
from nbbatt.views.charts import CHARTS, ChartError, plot_caches, plot_timeline, plot_times, save_charts
from nbbatt.views.figures import png, svg
from nbbatt.views.rows import HERE, axis_unit, duration, lanes

PNG = b"\x89PNG\r\n\x1a\n"


def bars(ax: Axes, label: str) -> list[Rectangle]:
    """The bars of one kind, by row."""
    return list(next(bar for bar in ax.containers if bar.get_label() == label))


def words(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.findobj(Text) if text.get_text()]


def ticks(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


@pytest.fixture(scope="module", autouse=True)
def _fonts_of_this_thread() -> None:
    """The main thread keeps its fonts open for the interpreter's life: open them before leaks are sought."""
    png(plot_times(record().profile.rows()), 40)


# ------------------------------------------------------------------- times


def test_bars_of_time_are_as_long_as_the_data_and_keep_their_colours() -> None:
    rows = record().profile.rows()
    ax = plot_times(rows)
    for label, colour, field in (
        ("wall", "#0072B2", "wall_s"),
        ("CPU", "#E69F00", "cpu_s"),
        ("busy", "#999999", "busy_s"),
    ):
        drawn = bars(ax, label)
        assert [bar.get_width() for bar in drawn] == pytest.approx([getattr(row, field) for row in rows])
        assert {to_hex(bar.get_facecolor()).upper() for bar in drawn} == {colour}
    assert ticks(ax) == [*PHASES, "other"]
    assert ax.get_legend() is not None
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["wall", "CPU", "busy"]


def test_values_stand_at_the_bars_in_units_people_read() -> None:
    rows = record().profile.rows()
    said = words(plot_times(rows))
    for row in rows:
        assert duration(row.wall_s) in said
        assert duration(row.cpu_s) in said
    assert f"busy {duration(rows[1].busy_s)}" in said  # spread over workers: busy is not wall
    assert f"busy {duration(rows[0].busy_s)}" not in said


@pytest.mark.parametrize(
    ("scale", "unit"), [(2e-4, "µs"), (0.05, "ms"), (2.0, "s"), (60.0, "s"), (1000.0, "min"), (20000.0, "h")]
)
def test_the_time_axis_has_a_fitting_unit_and_room_for_the_words(scale: float, unit: str) -> None:
    rows = record("serial", scale=scale).profile.rows()
    ax = plot_times(rows)
    longest = max(row.wall_s for row in rows)
    assert ax.get_xlabel() == f"time ({unit})"
    assert ax.get_xlim()[1] > longest
    marks = [label.get_text() for label in ax.get_xticklabels()]
    assert 3 <= len(marks) <= 9
    assert max(map(len, marks)) <= 5
    seconds = axis_unit(longest).seconds
    assert [float(mark) for mark in marks] == pytest.approx([at / seconds for at in ax.get_xticks()])


def test_each_phase_has_one_shade_in_every_chart() -> None:
    made = record()
    ax = plot_times(made.profile.rows())
    swatches = {to_hex(t.get_color()) for t in ax.findobj(Text) if t.get_text() == "■"}
    assert swatches == {palette.phase_shade(phase).lower() for phase in (*PHASES, "other")}
    line = plot_timeline(lanes(made))
    drawn = {to_hex(c.get_facecolor()[0]) for c in line.collections if len(c.get_paths())}
    assert drawn == {palette.phase_shade(phase).lower() for phase in PHASES}


def test_no_phase_shade_is_another_meaning_and_unknown_phases_keep_theirs() -> None:
    meanings = {palette.WALL, palette.CPU, palette.BUSY, palette.HIT, palette.MISS, palette.DUPLICATE}
    shades = [palette.phase_shade(phase) for phase in (*PHASES, "other")]
    assert len({*shades, *meanings}) == len(shades) + len(meanings)
    assert palette.phase_shade("search") == palette.phase_shade("search") != palette.phase_shade("enumerate")


# ------------------------------------------------------------------- caches


def test_bars_of_lookups_are_as_long_as_the_counts() -> None:
    rows = caches().rows
    ax = plot_caches(rows)
    for label, colour, field in (
        ("hit, from memory", "#009E73", "hits_memory"),
        ("hit, from disk", palette.HIT_DISK, "hits_disk"),
        ("miss", "#D55E00", "misses"),
        ("duplicate", "#CC79A7", "duplicates"),
    ):
        drawn = bars(ax, label)
        assert [bar.get_width() for bar in drawn] == [getattr(row, field) for row in rows]
        assert {to_hex(bar.get_facecolor()).upper() for bar in drawn} == {colour}
    assert bars(ax, "duplicate")[0].get_x() == 160
    assert ticks(ax) == ["inlining", "validation"]
    assert ax.get_xlabel() == "lookups"
    assert "80% hits (128 of 160)" in words(ax)
    assert "0% hits (0 of 32)" in words(ax)


def test_caches_without_lookups_say_so_and_caches_off_too() -> None:
    off = CacheStats("validation", 0, 0, 5, 0, 0.0, 0.1, {"caches off": 5})
    said = words(plot_caches([CacheStats("inlining", 0, 0, 0, 0, 0.0, 0.0, {}), off]))
    assert "no lookups" in said
    assert "off: 5 computed" in said
    assert not any("memory 0" in text for text in said)
    assert "No caches." in words(plot_caches([]))


# ----------------------------------------------------------------- timeline


def test_a_lane_for_every_worker_and_one_for_this_process() -> None:
    made = record(8)
    data = lanes(made)
    assert [lane.label for lane in data.lanes] == [HERE, *(f"worker {n}" for n in range(1, 9))]
    assert {s.phase for s in data.lanes[0].stretches} == {"generate", "filter", "inline", "save"}
    assert all({s.phase for s in lane.stretches} == {"check_batt", "validate"} for lane in data.lanes[1:])
    assert sum(len(lane.stretches) for lane in data.lanes[1:]) == len(made.segments)
    assert all(0 < lane.share < 1 for lane in data.lanes)
    ax = plot_timeline(data)
    assert ticks(ax) == [lane.label for lane in data.lanes]
    assert ax.get_xlabel() == "time (s) since the run began"


def test_a_serial_run_is_one_lane_and_idle_workers_are_seen() -> None:
    (only,) = lanes(record("serial")).lanes
    assert only.label == HERE
    assert {s.phase for s in only.stretches} == set(PHASES)
    idle = lanes(replace(record(2), segments=()))
    assert [lane.share for lane in idle.lanes[1:]] == [0.0, 0.0]
    assert words(plot_timeline(idle)).count("0% at work") == 2


def test_stretches_lie_where_the_segments_were() -> None:
    made = replace(
        record(1), segments=(Segment(0, "validate", 0.2, 0.3, 0.3), Segment(0, "validate", 0.6, 0.1, 0.1))
    )
    ax = plot_timeline(lanes(made))
    shade = palette.phase_shade("validate").lower()
    (drawn,) = [c for c in ax.collections if len(c.get_paths()) and to_hex(c.get_facecolor()[0]) == shade]
    spans = [path.get_extents() for path in drawn.get_paths()]
    assert [(round(s.x0, 6), round(s.width, 6)) for s in spans] == [(0.2, 0.3), (0.6, 0.1)]
    assert all(round((s.y0 + s.y1) / 2) == 1 for s in spans)  # the second row: worker 1


def test_a_thousand_workers_do_not_make_a_wall() -> None:
    ax = plot_timeline(lanes(replace(record(2), workers=1000)))
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    assert figure.get_size_inches()[1] < 14
    assert "936 more not shown" in ax.get_title(loc="left")


# ------------------------------------------------------------ every chart


def odd_records() -> dict[str, RunRecord]:
    nothing = CacheTable((CacheStats("inlining", 0, 0, 0, 0, 0.0, 0.0, {}),))
    twelve = profile({f"phase_{n}": 10 ** -(n / 2) for n in range(12)})
    two = profile({"generate": 1e-6, "check_batt": 3600.0}, lanes=2)
    return {
        "usual": record(2),
        "serial": record("serial"),
        "one worker": record(1),
        "eight workers": record(8, scale=20),
        "microseconds": record("serial", scale=2e-4),
        "hours": record(4, scale=9000),
        "two phases": replace(record(2), profile=two, segments=segments(two, 2)),
        "twelve phases": replace(record(2), profile=twelve, segments=()),
        "empty": replace(record("serial", count=0), profile=Profile(), segments=(), caches=nothing),
        "hostile": hostile(),
    }


@pytest.mark.parametrize("case", odd_records())
@pytest.mark.parametrize("chart", CHARTS)
def test_labels_never_overlap_nor_leave_the_picture(case: str, chart: str) -> None:
    ax = CHARTS[chart](odd_records()[case])
    figure = ax.get_figure()
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    shown = [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]
    boxes = [(t.get_text(), t.get_window_extent()) for t in shown]
    page = figure.bbox.padded(1)
    for text, box in boxes:
        assert page.x0 <= box.x0 and box.x1 <= page.x1, f"{text!r} leaves the picture"
        assert page.y0 <= box.y0 and box.y1 <= page.y1, f"{text!r} leaves the picture"
    for i, (text, box) in enumerate(boxes):
        for other, beside in boxes[i + 1 :]:
            common = Bbox.intersection(box, beside)
            deep = common is not None and min(common.width, common.height) > 2
            assert not deep, f"{text!r} overlaps {other!r}"


@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_is_drawn_on_the_axes_given_and_keeps_their_colours(chart: str) -> None:
    ax = Figure().add_subplot()
    ax.set_facecolor("black")
    ax.xaxis.label.set_color("white")
    made = record(2)
    drawn = {
        "times": lambda: plot_times(made.profile.rows(), ax=ax),
        "caches": lambda: plot_caches(made.caches.rows, ax=ax),
        "timeline": lambda: plot_timeline(lanes(made), ax=ax),
    }[chart]()
    assert drawn is ax
    assert to_hex(ax.get_facecolor()) == "#000000"
    assert to_hex(ax.title.get_color()) != "" and ax.get_title(loc="left")
    assert {to_hex(label.get_color()) for label in ax.get_yticklabels()} == {"#ffffff"}


def test_our_own_figures_are_opaque_with_dark_ink_under_any_style() -> None:
    from matplotlib import rc_context

    with rc_context({"axes.facecolor": "black", "figure.facecolor": "black", "text.color": "white"}):
        ax = plot_times(record().profile.rows())
        figure = ax.get_figure()
        assert isinstance(figure, Figure)
        assert to_hex(figure.get_facecolor()) == to_hex(ax.get_facecolor()) == "#ffffff"
        assert to_hex(ax._left_title.get_color()) == palette.INK.lower()  # type: ignore[attr-defined]


def test_a_notebook_shows_the_axes_as_a_picture() -> None:
    picture, size = plot_times(record().profile.rows())._repr_png_()  # type: ignore[attr-defined]
    assert picture.startswith(PNG)
    assert 400 < size["width"] < 800


def test_hostile_names_are_drawn_as_they_are() -> None:
    for chart in CHARTS.values():
        ax = chart(hostile())
        assert png(ax, 40).startswith(PNG)
        assert b"<img" not in svg(ax)


# ---------------------------------------------------------------- as files


def test_save_charts_writes_png_and_svg_of_each(tmp_path: Path) -> None:
    paths = save_charts(record(), tmp_path / "new" / "charts")
    assert [path.name for path in paths] == [f"{name}.{kind}" for name in CHARTS for kind in ("png", "svg")]
    for path in paths:
        data = path.read_bytes()
        if path.suffix == ".png":
            assert data.startswith(PNG)
            assert int.from_bytes(data[16:20], "big") == pytest.approx(6.4 * 200, abs=2)  # 200 dots an inch
        else:
            assert ET.fromstring(data).tag == "{http://www.w3.org/2000/svg}svg"


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ChartError, match=r"charts can't be written to .*file.*; name a folder"):
        save_charts(record(), tmp_path / "file")


def test_threads_draw_at_once_and_get_equal_pictures() -> None:
    made = record()
    alone = png(CHARTS["times"](made), 60)
    found: list[bytes] = []

    def draw() -> None:
        from nbbatt.views.charts import chart_png

        found.extend(chart_png(made, "times", 60) for _ in range(3))

    threads = [threading.Thread(target=draw) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 9


def test_nothing_of_this_loads_pyplot() -> None:
    code = (
        "import sys, tempfile; from sample_records import record;"
        "from nbbatt.views.charts import save_charts; from nbbatt.views.html import run_html;"
        "save_charts(record(), tempfile.mkdtemp()); run_html(record());"
        "print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    here = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=here,
        env={**os.environ, "PYTHONPATH": f"{here}{os.pathsep}{here.parent}"},
    )
    assert done.stdout.split() == ["True", "False"], done.stderr
