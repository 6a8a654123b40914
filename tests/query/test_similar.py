"""Searches: equal to a slow twin, filtered first, exact, and clear about what is wrong."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.errors import QueryError
from terradrift.query.search.similar import K_MAX, similar
from terradrift.store.tables import Store
from tests.query.conftest import DIMENSIONS, patches_table
from tests.query.twin import observed, stack, twin

TRIANGLE = shapely.Polygon([(3.0, 50.0), (3.1, 50.0), (3.0, 50.1)])


MODES = {
    "delta": ("delta",),
    "reverse": ("delta",),
    "after": ("after",),
    "before": ("before",),
    "before-after": ("before", "after"),
}


@given(
    example=st.integers(0, 599),
    mode=st.sampled_from(sorted(MODES)),
    k=st.sampled_from([1, 3, 10, 100, 1000]),
    kind=st.sampled_from([None, 1, [0, 2]]),
    min_score=st.sampled_from([None, 5.0, 9.9]),
    box=st.sampled_from([None, (3.0, 50.0, 3.05, 50.03)]),
    within=st.sampled_from([None, TRIANGLE]),
    where=st.sampled_from(
        [None, "drift > 1 AND kind IS NOT NULL", "onset >= '2018-08-01'"]
    ),
    exclude=st.booleans(),
    threads=st.sampled_from([1, 3]),
)
@settings(max_examples=40, deadline=None)
def test_similar_equals_plain_numpy(  # noqa: PLR0917 - one argument per condition
    store: Store,
    changes: pa.Table,
    example: int,
    mode: Any,
    k: int,
    kind: Any,
    min_score: float | None,
    box: Any,
    within: Any,
    where: str | None,
    exclude: bool,
    threads: int,
) -> None:
    found = similar(
        store,
        change=f"c{example:05d}",
        mode=mode,
        k=k,
        kind=kind,
        min_score=min_score,
        bbox=box,
        within=within,
        where=where,
        exclude="self" if exclude else "none",
        space="raw",
        threads=threads,
    )
    keep = np.ones(changes.num_rows, bool)
    if exclude:
        keep[example] = False
    if kind is not None:
        keep &= np.isin(changes["kind"].to_numpy(), kind)
    if min_score is not None:
        keep &= changes["score"].to_numpy() >= min_score
    shapes = shapely.from_wkb(changes["geometry"].to_pylist())
    if box is not None:
        keep &= shapely.intersects(shapely.box(*box), shapes)
    if within is not None:
        keep &= shapely.intersects(within, shapes)
    if where is not None and "drift" in where:
        keep &= changes["drift"].to_numpy() > 1
    if where is not None and "onset" in where:
        keep &= changes["onset"].to_numpy() >= np.datetime64("2018-08-01")
    names = MODES[mode]
    vector = stack(changes, *names)[example] * (-1 if mode == "reverse" else 1)
    ids, distances = twin(changes, names, vector, keep, k)
    table = found.to_arrow()
    assert table["change_id"].to_pylist() == ids
    np.testing.assert_allclose(table["distance"].to_numpy(), distances, atol=1e-12)
    assert table["rank"].to_pylist() == list(range(1, len(ids) + 1))
    assert (found.note is None) == (len(ids) == k)


def test_what_undoes_a_change_is_compared_with_its_states_in_turn(
    store: Store, changes: pa.Table
) -> None:
    """From what the example became, to what it was."""
    found = similar(store, change="c00007", mode="after-before", k=600, space="raw")
    turned = np.concatenate([stack(changes, "after")[7], stack(changes, "before")[7]])
    same = similar(store, vector=turned, mode="before-after", k=600, space="raw")
    rows = {row["change_id"]: row["distance"] for row in same.rows()}
    assert found.mode == "after-before"
    assert [row["distance"] for row in found.rows()] == pytest.approx(
        [rows[row["change_id"]] for row in found.rows()], abs=1e-9
    )
    assert len(found) > 500


def test_functions_of_sql_stand_in_conditions(store: Store) -> None:
    asked = {"change": "c00007", "k": 600, "exclude": "none"}
    there = "drift_between(patch_id, '2018-01-01', '2018-12-01') > {}"
    some = similar(store, where=there.format(0.5), **asked)
    assert 0 < len(some) < 600
    seen = "date_after IN (SELECT datetime FROM series('p0007'))"
    assert 0 < len(similar(store, where=seen, **asked)) < 600
    like = "change_id IN (SELECT change_id FROM similar_changes('c00009', 5))"
    assert len(similar(store, where=like, **asked)) == 5


@given(k=st.integers(1, 60), kind=st.integers(-1, 3), seed=st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_k_rows_come_back_when_k_exist(
    store: Store, changes: pa.Table, k: int, kind: int, seed: int
) -> None:
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS)
    exist = int((changes["kind"].to_numpy() == kind).sum())
    for condition in ({"kind": kind}, {"where": f"kind = {kind}"}):
        found = similar(store, vector=vector, k=k, **condition)
        assert len(found) == min(k, exist)
        assert set(found.to_arrow()["kind"].to_pylist()) == {kind}


def test_fewer_rows_than_k_are_said(store: Store) -> None:
    found = similar(store, change="c00001", k=700, exclude="self")
    assert len(found) == 599
    assert (
        found.note
        == "599 rows pass the conditions and can be compared, 700 were asked for"
    )


def test_no_rows_are_an_answer(store: Store) -> None:
    found = similar(store, change="c00001", bbox=(50, 10, 51, 11))
    assert len(found) == 0
    assert found.note is not None
    for conditions in ({"within": shapely.box(50, 10, 51, 11)}, {"where": "false"}):
        assert len(similar(store, change="c00001", **conditions)) == 0
    assert (
        len(
            similar(
                store,
                vector=np.ones(DIMENSIONS),
                target="observations",
                bbox=(50, 10, 51, 11),
            )
        )
        == 0
    )


@pytest.mark.parametrize("mode", ["after", "before"])
def test_observations_are_searched_too(
    store: Store, embeddings: pa.Table, mode: Any
) -> None:
    day = {"after": "2018-04-10", "before": "2018-01-10"}[mode]
    found = similar(
        store,
        patch="p0005",
        date="2018-04",
        mode=mode,
        target="observations",
        k=30,
        within=TRIANGLE,
        between="2018-07",
        exclude="self",
    ).to_arrow()
    vector = observed(embeddings, "p0005", day)
    vectors = stack(embeddings, "embedding")
    patches = patches_table()
    touched = shapely.intersects(
        TRIANGLE, shapely.from_wkb(patches["geometry"].to_pylist())
    )
    inside = set(np.array(patches["patch_id"].to_pylist())[touched])
    distance = 1 - vectors @ vector / np.linalg.norm(vectors, axis=1) / np.linalg.norm(
        vector
    )
    keys = list(
        zip(
            embeddings["patch_id"].to_pylist(),
            embeddings["datetime"].to_pylist(),
            strict=True,
        )
    )
    order = [
        i
        for i in np.argsort(distance)
        if keys[i][0] in inside and keys[i][1].month == 7
    ]
    assert list(
        zip(found["patch_id"].to_pylist(), found["datetime"].to_pylist(), strict=True)
    ) == [keys[i] for i in order[:30]]
    assert {"longitude", "latitude", "bbox", "geometry"} <= set(found.schema.names)


def test_observations_take_sql_conditions_on_scene_and_place(store: Store) -> None:
    found = similar(
        store,
        vector=np.ones(DIMENSIONS),
        target="observations",
        k=1000,
        where="cloud_percent = 20 AND longitude < 3.05",
    )
    assert len(found) == 5 * 12
    assert {row["datetime"].month for row in found.rows()} == {4}


def test_the_example_itself_is_left_out_where_asked(store: Store) -> None:
    key = ("p0005", "2018-04")
    for exclude, first in ((True, False), (False, True)):
        found = similar(
            store,
            patch=key[0],
            date=key[1],
            mode="after",
            target="observations",
            k=600,
            exclude="self" if exclude else "none",
        )
        assert (found.rows()[0]["patch_id"] == "p0005") == first
        assert len(found) == 576 - exclude


def test_vectors_come_when_asked_for(store: Store) -> None:
    plain, full = (
        similar(store, change="c00001", vectors=v).to_arrow() for v in (False, True)
    )
    assert set(full.schema.names) - set(plain.schema.names) == {
        "before",
        "after",
        "delta",
    }
    assert full["delta"].type == pa.list_(pa.float32(), DIMENSIONS)


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        ({"k": 0}, r"k must be between 1 and 100,000, got 0"),
        ({"k": -3}, r"got -3"),
        ({"k": K_MAX + 1}, r"got 100001"),
        ({"change": None}, "expected an example: one of change=ID"),
        ({"patch": "p0001"}, "expected one example, got 2"),
        (
            {"change": "c0009"},
            r"no change 'c0009' .* did you mean c00099 or c00098 or c00097\?",
        ),
        (
            {"change": "c9"},
            r"no change 'c9' among the changes of toy-v1.0; ids look like c00000",
        ),
        (
            {"mode": "shape"},
            "mode must be one of delta, before-after, after, reverse, after-before, before, got 'shape'",
        ),
        ({"target": "scenes"}, "target must be changes or observations"),
        (
            {"target": "observations", "mode": "delta"},
            "mode must be after or before, got 'delta'",
        ),
        ({"target": "observations", "kind": 1}, "observations have no kind"),
        (
            {"model": "clay"},
            "the archive has no changes of clay, it has changes_toy_v1_0",
        ),
        ({"where": "scor > 1"}, r"no column scor in changes; did you mean score\?"),
        ({"where": "score > 1) OR (true"}, "SQL cannot be answered"),
        ({"where": "score > 1; DROP VIEW changes"}, "SQL "),
        ({"where": "score > (SELECT count(*) FROM glob('/*'))"}, r"got glob\(\)"),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_what_cannot_be_asked_is_said(
    store: Store, given_: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        similar(store, **{"change": "c00001", **given_})
    assert "\n" not in str(caught.value)


def test_an_archive_without_changes_says_what_makes_them(
    make: Callable[..., Store],
) -> None:
    with pytest.raises(
        QueryError, match="has none of any model; run terradrift detect first"
    ):
        similar(make(), change="c00001")
