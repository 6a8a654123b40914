import numpy as np
import pytest

from terradrift.report.data import ranked, shown_patches, strongest


def test_a_table_without_a_column_is_refused(report_data):
    data = report_data(n_events=1)
    with pytest.raises(ValueError, match="events lacks the columns geometry, label; a"):
        report_data(events=data.events.drop_columns(["geometry", "label"]))


def test_arrays_of_unequal_length_are_refused(report_data):
    with pytest.raises(ValueError, match=r"corners must be \(5, 4, 2\) for 5 values"):
        report_data(values=np.zeros(5, np.float32))


def test_no_events_to_show_are_refused(report_data):
    with pytest.raises(ValueError, match="top must be at least 1, got 0"):
        report_data(top=0)


def test_events_come_by_rank_whatever_their_order(report_data):
    events = report_data(n_events=6).events
    shuffled = events.take([4, 1, 5, 0, 3, 2])
    assert ranked(shuffled).equals(events)
    assert ranked(shuffled, 2)["rank"].to_pylist() == [1, 2]


def test_the_strongest_change_of_an_event_is_shown(report_data):
    changes = report_data(n_events=3).changes
    rows = changes.to_pylist()
    weaker = {**rows[0], "change_id": "a", "patch_id": "other", "score": 1.0}
    tied = {**rows[0], "change_id": "zzz", "patch_id": "tied"}
    both = type(changes).from_pylist([weaker, tied, *rows], schema=changes.schema)
    assert strongest(both)["event-0"]["patch_id"] == "patch-0"
    events = report_data(n_events=3).events
    assert shown_patches(events, both, 2) == ["patch-0", "patch-1"]
