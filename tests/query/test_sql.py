"""Views, macros, geometry and relations."""

import gc
from collections.abc import Callable
from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest
import shapely

from terradrift import schema
from terradrift.errors import QueryError
from terradrift.query.sql import sandbox
from terradrift.query.sql.ask import connect, sql
from terradrift.query.sql.views import PER_MODEL, PLAIN
from terradrift.store.tables import Store
from tests.query.conftest import (
    DIMENSIONS,
    MODEL,
    SUFFIX,
    changes_table,
    embeddings_table,
)

SQUARE = shapely.to_geojson(shapely.box(3.001, 50.001, 3.029, 50.019))


def test_every_table_is_a_view_and_again_with_its_model(store: Store) -> None:
    names = {name for (name,) in sql(store, "SHOW TABLES").fetchall()}
    assert {*PLAIN, *PER_MODEL, "observations"} <= names
    assert {
        f"changes_{SUFFIX}",
        f"embeddings_{SUFFIX}",
        f"observations_{SUFFIX}",
    } <= names
    assert not {name for name in names if name.startswith("_")}


def test_a_view_without_suffix_shows_the_current_model(
    make: Callable[..., Store],
) -> None:
    store = make(
        **{f"changes_{SUFFIX}": changes_table(3), "changes_other": changes_table(5)}
    )
    assert sql(store, "SELECT count(*) FROM changes").fetchall() == [(3,)]
    assert sql(store, "SELECT count(*) FROM changes_other").fetchall() == [(5,)]


@pytest.mark.parametrize("name", [*PLAIN, *PER_MODEL, "observations"])
def test_tables_that_are_not_there_yet_are_empty_views(
    make: Callable[..., Store], name: str
) -> None:
    found = sql(make(), f"FROM {name}").to_arrow_table()
    assert found.num_rows == 0
    if name != "observations":
        build = getattr(schema, name)
        wanted = build(1) if name in ("embeddings", "changes") else build()
        assert found.schema.names == wanted.names


def test_an_empty_table_has_vectors_of_the_models_length(
    make: Callable[..., Store],
) -> None:
    store = make(**{f"embeddings_{SUFFIX}": embeddings_table()})
    types = dict(row[:2] for row in sql(store, "DESCRIBE changes").fetchall())
    assert types["delta"] == f"FLOAT[{DIMENSIONS}]"


def test_observations_have_their_scene_and_place(store: Store) -> None:
    query = "SELECT collection, cloud_percent, longitude FROM observations WHERE patch_id = 'p0001' ORDER BY datetime LIMIT 1"
    ((collection, cloud, longitude),) = sql(store, query).fetchall()
    assert (collection, cloud, longitude) == (
        "sentinel-2-l2a",
        1.0,
        pytest.approx(3.015),
    )
    count = sql(store, "SELECT count(*) FROM observations").fetchall()
    assert count == sql(store, "SELECT count(*) FROM embeddings").fetchall()


def test_an_answer_sees_what_was_written_since_the_last_one(
    make: Callable[..., Store],
) -> None:
    store = make(**{f"changes_{SUFFIX}": changes_table(3)})
    assert sql(store, "SELECT count(*) FROM changes").fetchall() == [(3,)]
    store.overwrite(f"changes_{SUFFIX}", changes_table(7))
    assert sql(store, "SELECT count(*) FROM changes").fetchall() == [(7,)]
    store.drop(f"changes_{SUFFIX}")
    assert sql(store, "SELECT count(*) FROM changes").fetchall() == [(0,)]


def test_cosine_distance_is_that_of_numpy(store: Store, changes: pa.Table) -> None:
    given = np.linspace(-1, 1, DIMENSIONS)
    query = "SELECT cosine_distance(delta, $given) FROM changes ORDER BY change_id"
    got = sql(store, query, given=given).fetchnumpy()
    stored = np.stack(changes["delta"].to_numpy(zero_copy_only=False)).astype(float)
    cosine = stored @ given / np.linalg.norm(stored, axis=1) / np.linalg.norm(given)
    np.testing.assert_allclose(
        np.concatenate(list(got.values())), 1 - cosine, atol=1e-6
    )


def test_cosine_distance_compares_two_columns(store: Store) -> None:
    assert sql(
        store, "SELECT max(cosine_distance(delta, delta)) < 1e-6 FROM changes"
    ).fetchall() == [(True,)]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ("3.001, 50.001, 3.009, 50.009", {"p0000"}),
        ("3.005, 50.005, 3.015, 50.006", {"p0000", "p0001"}),
        ("-180, -90, 180, 90", 144),
        ("3.111, 49, -170, 51", {f"p{i:04d}" for i in range(11, 144, 12)}),
        ("170, 49, 3.001, 51", {f"p{i:04d}" for i in range(0, 144, 12)}),
        ("4, 50, 5, 51", set()),
    ],
)
def test_in_bbox_finds_patches_that_touch_a_box(
    store: Store, box: str, expected: set[str] | int
) -> None:
    query = f"SELECT patch_id FROM patches WHERE in_bbox(bbox, {box})"  # noqa: S608
    found = {name for (name,) in sql(store, query).fetchall()}
    assert found == expected or len(found) == expected


def test_in_bbox_filters_inside_the_scan(store: Store) -> None:
    query = (
        "EXPLAIN SELECT change_id FROM changes WHERE in_bbox(bbox, 3, 50, 3.05, 50.05)"
    )
    ((_, plan),) = sql(store, query).fetchall()
    assert "bbox.ymin<=50.05" in plan.replace(" ", "").replace("\n", "").replace(
        "│", ""
    )


def test_within_finds_patches_that_touch_a_polygon(store: Store) -> None:
    query = "SELECT patch_id FROM patches WHERE within(geometry, $area) ORDER BY ALL"
    found = [name for (name,) in sql(store, query, area=SQUARE).fetchall()]
    assert found == ["p0000", "p0001", "p0002", "p0012", "p0013", "p0014"]


def test_functions_of_spatial_take_the_geometry(store: Store) -> None:
    query = "SELECT ST_X(ST_Centroid(geometry)), longitude FROM patches LIMIT 5"
    for x, longitude in sql(store, query).fetchall():
        assert x == pytest.approx(longitude)


def test_without_spatial_geometry_is_wkb(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "spatial_file", lambda: None)
    connection = connect(store)
    ((type_, wkb),) = connection.sql(
        "SELECT typeof(geometry), geometry FROM patches LIMIT 1"
    ).fetchall()
    assert type_ == "BLOB"
    assert shapely.from_wkb(wkb).area == pytest.approx(1e-4)
    query = "SELECT patch_id FROM patches WHERE within(geometry, ?) ORDER BY ALL"
    found = [name for (name,) in connection.execute(query, [SQUARE]).fetchall()]
    assert found == ["p0000", "p0001", "p0002", "p0012", "p0013", "p0014"]


def test_months_are_those_of_utc(store: Store) -> None:
    query = "SELECT month_of($at), year_month($at)"
    at = datetime(2018, 5, 31, 23, 59, tzinfo=UTC)
    assert sql(store, query, at=at).fetchall() == [(date(2018, 5, 1), "2018-05")]


def test_instants_are_utc_whatever_the_machine_says(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    hour = "SELECT strftime(TIMESTAMPTZ '2018-05-01 12:00:00+00', '%H')"
    assert sql(store, hour).fetchall() == [("12",)]


def test_a_relation_outlives_archive_and_connection(make: Callable[..., Store]) -> None:
    relation = sql(make(**{f"changes_{SUFFIX}": changes_table(9)}), "FROM changes")
    gc.collect()
    assert sum(kind >= 0 for kind in relation.df()["kind"].dropna()) == 7
    assert len(relation.fetchall()) == 9


def test_two_relations_can_be_read_in_turns(store: Store) -> None:
    first, second = (
        sql(store, "SELECT change_id FROM changes ORDER BY 1") for _ in "ab"
    )
    pairs = [(first.fetchone(), second.fetchone()) for _ in range(5)]
    assert all(a == b for a, b in pairs)


def test_values_are_bound_not_written_in(store: Store) -> None:
    evil = "x' OR '1' = '1"
    assert sql(
        store, "SELECT count(*) FROM changes WHERE change_id = $id", id=evil
    ).fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT scor FROM changes", "no column scor in changes; did you mean score"),
        ("FROM change", "no view change; did you mean changes"),
        (
            "SELECT cosine_distanc(delta, delta) FROM changes",
            "did you mean cosine_distance",
        ),
        ("SELEC 1", "syntax error"),
    ],
)
def test_what_is_not_there_is_named_in_one_line(
    store: Store, query: str, said: str
) -> None:
    with pytest.raises(QueryError, match=r"^SQL cannot be answered") as caught:
        sql(store, query)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "values", "said"),
    [
        ("FROM changes WHERE kind = $kind", {}, r"names the values \$kind, got none"),
        ("FROM changes", {"kind": 1}, r"names the values none, got \$kind"),
        ("SELECT $a, $b", {"a": 1, "c": 2}, r"values \$a, \$b, got \$a, \$c"),
    ],
)
def test_values_and_names_must_match(
    store: Store, query: str, values: dict[str, int], said: str
) -> None:
    with pytest.raises(QueryError, match=said):
        sql(store, query, **values)


def test_the_model_of_the_archive_is_in_the_names(store: Store) -> None:
    assert schema.suffix(MODEL) == SUFFIX
