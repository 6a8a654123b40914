"""Python, the command line and SQL give the same answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from typer.testing import CliRunner

import terradrift as td
from terradrift import schema
from terradrift.archive import Archive
from terradrift.cli import app
from terradrift.store.tables import Settings, Store
from tests.query.conftest import (
    MODEL,
    SUFFIX,
    changes_table,
    embeddings_table,
    patches_table,
    scenes_table,
    table,
)

AREA = shapely.to_geojson(shapely.box(3.005, 50.005, 3.055, 50.045))
PERIOD = ("2018-05-01", "2018-08-01")
"""The second day is in it."""


def scores_table() -> pa.Table:
    """Scores of two of three observations."""
    seen = embeddings_table().select(["patch_id", "datetime", "tile", "clear_percent"])
    rows = seen.take(pa.array(np.flatnonzero(np.arange(len(seen)) % 3)))
    columns = {name: rows[name].combine_chunks() for name in rows.column_names}
    drift = pa.array(np.random.default_rng(3).uniform(0, 2, len(rows)))
    return table({**columns, "drift": drift}, schema.scores())


def events_table(changes: pa.Table) -> pa.Table:
    """An event of each of the last ten changes, the last one first."""
    rows = changes.slice(len(changes) - 10)
    names = pa.array([f"e{i}" for i in range(10)])
    same = {
        name: rows[name].combine_chunks()
        for name in ("longitude", "latitude", "bbox", "geometry")
    }
    rank = pa.array(np.arange(10, 0, -1), pa.int32())
    start = rows["onset"].combine_chunks()
    return table(
        {"event_id": names, "rank": rank, "start": start, **same}, schema.events()
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    place = tmp_path_factory.mktemp("same") / "toy.td"
    store = Store.create(place, td_settings())
    changes = changes_table(200)
    store.append("scenes", scenes_table())
    store.append("patches", patches_table())
    store.append(f"embeddings_{SUFFIX}", embeddings_table())
    store.append(f"scores_{SUFFIX}", scores_table())
    store.append(f"changes_{SUFFIX}", changes)
    store.append(f"events_{SUFFIX}", events_table(changes))
    made = td.open(place)
    made.label(["c00001", "c00005"], "yes", "clear-cut", who="ab")
    made.label(["c00009"], "no", "clear-cut")
    return made


def td_settings() -> Settings:
    return Settings(td.Grid(160), model=MODEL)


def told(archive: Archive, verb: str, *words: str) -> list[dict[str, Any]]:
    """What a verb prints with --json."""
    root: Path = archive.store.root
    done = CliRunner().invoke(app, [verb, str(root), *words, "--json"])
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def plain(rows: list[dict[str, Any]], names: list[str]) -> list[tuple[Any, ...]]:
    """The values of some columns, instants as they are printed."""
    return [
        tuple(
            each.isoformat().replace("+00:00", "Z")
            if hasattr(each := row[name], "isoformat")
            else each
            for name in names
        )
        for row in rows
    ]


def in_sql(archive: Archive, text: str, **values: object) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = archive.sql(text, **values).to_arrow().to_pylist()
    return rows


@pytest.mark.parametrize(
    "mode", ["delta", "before-after", "after", "reverse", "after-before", "before"]
)
def test_similar_changes_in_every_mode(archive: Archive, mode: str) -> None:
    names = ["rank", "distance", "change_id", "onset", "score"]
    python = archive.similar(change="c00007", k=9, mode=mode).rows()
    query = "FROM similar_changes('c00007', 9, mode := $mode)"
    of_cli = told(archive, "similar", "--change", "c00007", "-k", "9", "--mode", mode)
    assert len(python) == 9
    assert plain(python, names) == plain(of_cli, names)
    assert plain(python, names) == plain(in_sql(archive, query, mode=mode), names)


def test_the_series_of_a_patch(archive: Archive) -> None:
    python = archive.series("p0017").to_pylist()
    names = list(python[0])
    joined = """
        SELECT e.datetime, e.scene_id, e.clear_percent, s.drift
        FROM embeddings e LEFT JOIN scores s USING (patch_id, datetime)
        WHERE e.patch_id = 'p0017' ORDER BY datetime
    """
    by_hand = ["datetime", "scene_id", "clear_percent", "drift"]
    assert plain(python, by_hand) == plain(in_sql(archive, joined), by_hand)
    assert len({row["drift"] is None for row in python}) == 2
    query = "FROM series('p0017')"
    assert plain(python, names) == plain(told(archive, "sql", query), names)
    assert plain(python, names) == plain(in_sql(archive, query), names)


def test_drift_between_two_instants(archive: Archive) -> None:
    patches = archive.sql("SELECT patch_id FROM patches ORDER BY 1 LIMIT 24").fetchall()
    one, two = "2018-02-01", "2018-09-30"
    python = [archive.drift_between(patch, one, two) for (patch,) in patches]
    query = f"""
        SELECT drift_between(patch_id, '{one}', '{two}') AS d
        FROM patches ORDER BY patch_id LIMIT 24
    """  # noqa: S608 - days of this file
    assert any(python)
    assert None in python
    assert python == [row["d"] for row in in_sql(archive, query)]
    assert python == [row["d"] for row in told(archive, "sql", query)]


def test_events_in_order_of_rank(archive: Archive) -> None:
    names = ["rank", "event_id", "start", "longitude"]
    python = archive.events().to_pylist()
    assert [row["rank"] for row in python] == list(range(1, 11))
    assert plain(python, names) == plain(told(archive, "events"), names)
    query = "FROM events ORDER BY rank"
    assert plain(python, names) == plain(in_sql(archive, query), names)


@pytest.mark.parametrize(
    ("asked", "condition"),
    [
        (
            {"since": "2018-10-20", "until": "2018-10-23"},
            "day(start) BETWEEN 20 AND 23",
        ),
        ({"until": "2018-10-21"}, "start < '2018-10-22'"),
        ({"bbox": "2.99,50,3.03,51"}, "bbox.xmin <= 3.03"),
        ({"bbox": "3.02,50,-170,51"}, "bbox.xmax >= 3.02"),
        ({"within": AREA}, f"within(geometry, '{AREA}')"),
        ({"kind": 1}, "kind = 1"),
        ({"persistence": "transient"}, "persistence = 'transient'"),
    ],
)
def test_events_of_a_place_and_a_period(
    archive: Archive, asked: dict[str, Any], condition: str
) -> None:
    names = ["rank", "event_id", "start"]
    python = archive.events(**asked).to_pylist()
    words = [word for name, one in asked.items() for word in (f"--{name}", str(one))]
    query = f"FROM events WHERE {condition} ORDER BY rank"
    assert plain(python, names) == plain(in_sql(archive, query), names)
    assert plain(python, names) == plain(told(archive, "events", *words), names)
    assert len(python) < 10


def test_events_go_into_a_file_and_an_empty_answer_is_said(
    archive: Archive, tmp_path: Path
) -> None:
    root, file = str(archive.store.root), tmp_path / "e.parquet"
    done = CliRunner().invoke(
        app, ["events", root, "--until", "2018-10-21", "-o", str(file)]
    )
    assert done.exit_code == 0, done.output
    found = pq.read_table(file)
    assert found["event_id"].to_pylist() == [
        row["event_id"] for row in archive.events(until="2018-10-21").to_pylist()
    ]
    done = CliRunner().invoke(app, ["events", root, "--since", "2030"])
    assert "none of 10 events passes the conditions" in done.stderr


def test_structs_are_shown_and_what_is_not_is_named(archive: Archive) -> None:
    text = """
        SELECT {'day': DATE '2018-05-16', 'v': [1.5, 2]::FLOAT[2], 'n': 2 / 3} AS one,
               after, geometry FROM changes LIMIT 1
    """
    done = CliRunner().invoke(app, ["sql", str(archive.store.root), text])
    assert done.exit_code == 0, done.output
    assert '{"day": "2018-05-16", "n": 0.6667}' in done.stdout
    assert "not shown: after, geometry" in done.stderr


def test_what_to_judge_next_can_be_narrowed(archive: Archive) -> None:
    python = archive.uncertain(labels="clear-cut", n=5, kind=2, between=PERIOD).rows()
    words = ("--name", "clear-cut", "--next", "5", "--kind", "2")
    of_cli = told(archive, "label", *words, "--between", "/".join(PERIOD))
    assert [row["change_id"] for row in python] == [row["change_id"] for row in of_cli]
    assert len(python) > 1
    assert {row["kind"] for row in of_cli} == {2}
    asked = ["label", str(archive.store.root), "--list", "--kind", "2"]
    assert "--kind is for --next" in CliRunner().invoke(app, asked).output


def test_changes_in_a_polygon_and_a_period(archive: Archive) -> None:
    first, end = PERIOD
    found = archive.similar(
        change="c00000", k=1000, within=AREA, between=PERIOD, exclude="none"
    )
    python = {row["change_id"] for row in found.rows()}
    query = f"""
        SELECT change_id FROM changes
        WHERE within(geometry, '{AREA}')
          AND onset >= '{first}' AND onset < DATE '{end}' + 1
    """  # noqa: S608 - days of this file
    assert 5 < len(python) < 200
    assert python == {row["change_id"] for row in in_sql(archive, query)}
    assert python == {row["change_id"] for row in told(archive, "sql", query)}
    words = ("--change", "c00000", "-k", "1000", "--exclude", "none")
    filters = ("--within", AREA, "--between", "/".join(PERIOD))
    of_cli = told(archive, "similar", *words, *filters)
    assert python == {row["change_id"] for row in of_cli}


def test_labels(archive: Archive) -> None:
    names = ["target_id", "verdict", "name", "who", "at"]
    python = plain(archive.labels("clear-cut").to_pylist(), names)
    assert [row[:2] for row in python] == [
        ("c00001", "yes"),
        ("c00005", "yes"),
        ("c00009", "no"),
    ]
    query = """FROM labels WHERE name = 'clear-cut' ORDER BY "at", target_id"""
    assert python == plain(in_sql(archive, query), names)
    assert python == plain(told(archive, "label", "--list"), names)
