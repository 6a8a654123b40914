from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import LogNorm
from matplotlib.patches import PathPatch

from terradrift.report import history, ink
from terradrift.report.place import _norm, place
from terradrift.report.timeline import timeline

START = datetime(2020, 1, 1, tzinfo=UTC)


def series(z, reasons=None, **given):
    count = len(z)
    return history.History(
        tuple(START + timedelta(days=10 * step) for step in range(count)),
        tuple(z),
        tuple(reasons or [""] * count),
        given.get("before"),
        given.get("after"),
    )


def test_every_patch_is_coloured_grey_or_hatched(report_data):
    data = report_data()
    axes = place(data).axes[0]
    (coloured,) = (one for one in axes.collections if isinstance(one, PathCollection))
    inks = coloured.to_rgba(coloured.get_array())
    shown = {
        tuple(corner): tuple(ink)
        for path, ink in zip(coloured.get_paths(), inks, strict=True)
        for corner in path.vertices[::5]
    }
    moved = data.values > 0
    corners = map(tuple, data.corners[moved][:, 0])
    assert shown == dict(
        zip(corners, map(tuple, coloured.to_rgba(data.values[moved])), strict=True)
    )
    regions = [one for one in axes.patches if isinstance(one, PathPatch)]
    still, unknown = sorted(regions, key=lambda one: one.get_hatch() is not None)
    assert still.get_hatch() is None
    assert unknown.get_hatch()
    one_patch = abs(signed_area(data.corners[0]))
    for region, wanted in ((still, data.values == 0), (unknown, np.isnan(data.values))):
        # Holes run the other way round than outlines, so they count as less.
        whole = sum(signed_area(ring) for ring in region.get_path().to_polygons())
        assert abs(whole) / one_patch == pytest.approx(wanted.sum(), rel=1e-4)


def signed_area(ring):
    x, y = (np.asarray(ring) - np.asarray(ring)[0]).T
    return 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def test_the_map_is_true_to_scale_and_has_north_a_bar_and_degrees(report_data):
    axes = place(report_data()).axes[0]
    assert axes.get_aspect() == pytest.approx(1 / np.cos(np.radians(50.976)), rel=1e-3)
    said = {text.get_text() for text in axes.texts}
    assert {"N", "200 m", "1", "9"} <= said
    assert axes.xaxis.get_major_formatter()(3.0104, 0).endswith("° E")
    assert axes.yaxis.get_major_formatter()(-3.0, 0).endswith("° S")


def test_the_map_of_patches_that_nothing_can_be_said_of_has_no_colour_bar(report_data):
    data = report_data(n_events=0, values=np.full(576, np.nan, np.float32))
    assert len(place(data).axes) == 1


def test_a_logarithmic_colour_bar_has_more_than_one_number(report_data):
    values = np.geomspace(0.3, 12, 576).astype(np.float32)
    bar = place(report_data(n_events=0, values=values)).axes[1]
    low, high = bar.get_ylim()
    shown = [tick for tick in bar.get_yticks() if low <= tick <= high]
    assert shown == pytest.approx([0.5, 1, 2, 5, 10])


def test_scores_of_very_different_size_get_a_logarithmic_scale():
    assert isinstance(_norm(np.array([1, 10, 100], np.float32)), LogNorm)
    assert not isinstance(_norm(np.array([0.1, 0.2], np.float32)), LogNorm)
    assert not isinstance(_norm(np.array([-1, 200], np.float32)), LogNorm)


def test_the_timeline_counts_every_event_in_its_month(report_data):
    bars, _ = timeline(report_data()).axes
    assert sum(patch.get_height() for patch in bars.patches) == 9
    assert {text.get_text() for text in bars.get_legend().get_texts()} == {
        "persistent (6)",
        "transient (3)",
    }


def test_persistence_is_told_by_pattern_and_not_by_colour_alone(report_data):
    bars, _ = timeline(report_data()).axes
    hatches = {patch.get_hatch() for patch in bars.patches}
    assert hatches == {None, "////"}


def courses(report_data, *names):
    """Report data with events of the courses named."""
    events = report_data(n_events=len(names)).events
    at = events.column_names.index("persistence")
    return report_data(
        n_events=len(names),
        events=events.set_column(at, events.schema.field(at), [list(names)]),
    )


def test_every_course_has_a_look_of_its_own_and_a_place_in_the_legend(report_data):
    every = ("persistent", "transient", "gradual", "seasonal", "gradual", None)
    bars, lanes = timeline(courses(report_data, *every)).axes
    assert [text.get_text() for text in bars.get_legend().get_texts()] == [
        "persistent (1)",
        "gradual (2)",
        "seasonal (1)",
        "transient (1)",
        "not classed (1)",
    ]
    looks = {
        (patch.get_hatch(), patch.get_facecolor(), patch.get_edgecolor())
        for patch in bars.patches
    }
    assert len(looks) == 5
    assert sum(patch.get_height() for patch in bars.patches) == 6
    dots = [one for one in lanes.collections if len(one.get_offsets())]
    assert sum(len(one.get_offsets()) for one in dots) == 6
    shapes = {one.get_paths()[0].vertices.tobytes() for one in dots}
    assert len(shapes) == 5


def test_a_course_that_no_event_takes_is_not_in_the_legend(report_data):
    bars, _ = timeline(courses(report_data, "gradual", "gradual")).axes
    (text,) = bars.get_legend().get_texts()
    assert text.get_text() == "gradual (2)"


def test_the_year_of_december_turns_into_the_next(report_data):
    seen = [datetime(2019, 12, 20, tzinfo=UTC)]
    scenes = report_data(n_events=0).scenes.slice(0, 1)
    scenes = scenes.set_column(
        scenes.column_names.index("datetime"), scenes.schema.field("datetime"), [seen]
    )
    low, high = timeline(report_data(n_events=0, scenes=scenes)).axes[1].get_xlim()
    assert (low, high) == (
        ink.days(datetime(2019, 12, 1, tzinfo=UTC)),
        ink.days(datetime(2020, 1, 1, tzinfo=UTC)),
    )


def test_a_history_shows_scores_abstentions_and_the_change():
    seen = series(
        [None, None, 0.1, -0.4, None, 9.0, 8.5],
        ["history too short"] * 2 + ["", "", "not clear enough", "", ""],
        before=START + timedelta(days=30),
        after=START + timedelta(days=50),
    )
    axes = history.figure(seen).axes[0]
    points = {line.get_marker(): len(line.get_xdata()) for line in axes.lines}
    assert points["o"] == 4
    assert points["x"] == 1
    assert points["1"] == 2
    assert [text.get_text() for text in axes.texts] == ["change"]


def test_a_single_missed_cloud_does_not_flatten_a_history():
    seen = series([0.0, 1.0, -1.0, 0.5] * 6 + [900.0])
    axes = history.figure(seen).axes[0]
    assert axes.get_ylim()[1] < 20
    assert axes.get_ylabel() == "z (1 above)"


@pytest.mark.parametrize("z", [[None], [None, None], [2.0]])
def test_a_history_of_little_is_drawn(z):
    assert len(ink.png(history.figure(series(z)))) > 1000


def test_ids_of_two_drawings_do_not_clash(report_data):
    one = ink.svg(place(report_data()), "a")
    other = ink.svg(place(report_data()), "b")
    assert one != other
    assert one.replace("a-", "") == other.replace("b-", "") or 'id="a-' in one
    assert 'id="b-' not in one
