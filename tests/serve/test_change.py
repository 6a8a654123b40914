"""What the server tells of one change, one event, one patch."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from terradrift.serve.app import application
from terradrift.serve.change import band
from terradrift.serve.held import Held


@pytest.fixture(scope="module")
def strongest(held: Held) -> dict:
    (row,) = (
        held.newest()
        .archive.sql(
            "SELECT * EXCLUDE (geometry) FROM changes ORDER BY score DESC LIMIT 1"
        )
        .to_arrow_table()
        .to_pylist()
    )
    return row


def test_a_change_has_all_columns_but_vectors_and_sentences_with_its_numbers(
    client: TestClient, strongest: dict
) -> None:
    told = client.get(f"/api/change/{strongest['change_id']}").json()
    change = told["change"]
    assert not {"before", "after", "delta"} & change.keys()
    assert change["score"] == pytest.approx(strongest["score"])
    assert change["onset"].endswith("Z")
    assert len(change["bbox"]) == 4
    assert change["geometry"]["type"] == "Polygon"
    words = " ".join(told["words"])
    assert f"{strongest['date_before'].day} {strongest['date_before']:%B %Y}" in words
    assert f"{strongest['date_after'].day} {strongest['date_after']:%B %Y}" in words
    assert "95 %" in words
    assert f"Score {strongest['score']:.1f}" in words
    assert "patches with a like history on the same date" in words
    assert "NDVI" in words
    assert "per 1,000 km² and year" in words


def test_each_null_of_a_change_is_explained(client: TestClient, held: Held) -> None:
    ids = held.newest().archive.sql("SELECT change_id FROM changes").fetchall()
    for (one,) in ids[:20]:
        told = client.get(f"/api/change/{one}").json()
        null = {name for name, value in told["change"].items() if value is None}
        assert null == told["unknown"].keys()
        assert all(told["unknown"].values())


def test_changes_of_an_event_lead_from_one_to_the_next(
    client: TestClient, held: Held
) -> None:
    event, n = (
        held.newest()
        .archive.sql(
            "SELECT event_id, count(*) AS n FROM changes GROUP BY event_id "
            "ORDER BY n DESC, event_id LIMIT 1"
        )
        .fetchall()[0]
    )
    listed = client.get(f"/api/event/{event}").json()
    assert listed["total"] == n > 1
    at, seen = listed["changes"][0]["change_id"], []
    while at is not None:
        within = client.get(f"/api/change/{at}").json()["within_event"]
        assert within["n"] == n
        assert within["previous"] == (seen[-1] if seen else None)
        seen.append(at)
        at = within["next"]
    assert seen == [one["change_id"] for one in listed["changes"]]


def test_a_series_is_that_of_the_archive(
    client: TestClient, held: Held, strongest: dict
) -> None:
    told = client.get(f"/api/change/{strongest['change_id']}/series").json()
    rows = held.newest().archive.series(strongest["patch_id"]).to_pylist()
    assert len(told["times"]) == len(rows) > 5
    for at, z, ndvi, row in zip(
        told["times"], told["z"], told["ndvi"], rows, strict=True
    ):
        assert at == f"{row['datetime']:%Y-%m-%dT%H:%M:%SZ}"
        assert z == (None if row["z"] is None else pytest.approx(row["z"], abs=1e-4))
        assert ndvi == pytest.approx(row["ndvi"], abs=1e-4)
    assert all(
        (z is None) <= (reason is not None)
        for z, reason in zip(told["z"], told["reason"], strict=True)
    )
    assert told["onset"] == told["date_after"]
    assert [one["patch_id"] for one in told["controls"]] == strongest["controls"]
    other = told["controls"][0]
    theirs = {
        row["datetime"].date(): row["z"]
        for row in held.newest().archive.series(other["patch_id"]).to_pylist()
    }
    for at, z in zip(told["times"], other["z"], strict=True):
        held_z = theirs.get(np.datetime64(at[:10]).item())
        assert z == (None if held_z is None else pytest.approx(held_z, abs=1e-4))


def test_the_band_is_where_p_is_a_twentieth(
    client: TestClient, held: Held, strongest: dict
) -> None:
    told = client.get(f"/api/patch/{strongest['patch_id']}/series").json()
    found = 0
    for z, p, high, low in zip(
        *(told["z"], told["p_value"]),
        *(told["reference"]["high"], told["reference"]["low"]),
        strict=True,
    ):
        if None not in (z, p, high):
            # Its p is on the same side of 0.05 as its z is of the band's end.
            assert (p <= 0.05) == (z >= high - 1e-3)
            found += 1
        if None not in (low, high):
            assert low < high
    assert found > 3


def test_a_band_is_read_off_between_the_rows_beside_its_level() -> None:
    p = np.array([0.9, 0.5, 0.06, 0.04, 0.01])
    rows = pa.table(
        {
            "datetime": pa.array([0] * 5, pa.timestamp("us", "UTC")),
            "z": pa.array([-1.0, 0.0, 2.0, 3.0, 5.0]),
            "p_value": pa.array(p),
            "reference": ["season+analogues+calm"] * 5,
        }
    )
    (found,) = band.bands(rows).items()
    assert found[0] == (0, "+calm")
    assert found[1].high == pytest.approx(2.5)
    assert np.isnan(found[1].low)
    assert band.stratum("season") is None
    assert band.stratum(None) is None
    assert band.stratum("recent+analogues") == ""
    assert band.bands(rows.slice(0, 0)) == {}


def test_a_patch_without_a_change_says_so(client: TestClient, held: Held) -> None:
    (patch,) = (
        held.newest()
        .archive.sql("SELECT patch_id FROM patch_changes WHERE n_changes = 0 LIMIT 1")
        .fetchall()[0]
    )
    told = client.get(f"/api/patch/{patch}").json()
    assert told["changes"] == []
    assert told["words"][0] == "No change is reported here."
    assert "strongest candidate" in told["words"][1]
    assert client.get(f"/api/patch/{patch}/series").json()["controls"] == []


def test_analogues_of_the_same_event_are_named_as_such(
    client: TestClient, held: Held
) -> None:
    archive = held.newest().archive
    rows = archive.sql("SELECT change_id, event_id, patch_id, controls FROM changes")
    rows = rows.to_arrow_table().to_pylist()
    patches: dict[str, set[str]] = {}
    for row in rows:
        patches.setdefault(row["event_id"], set()).add(row["patch_id"])
    moved = {
        row["change_id"]: [one in patches[row["event_id"]] for one in row["controls"]]
        for row in rows
    }
    most = max(moved, key=lambda one: (sum(moved[one]), one))
    assert sum(moved[most]) > 1
    told = client.get(f"/api/change/{most}/series").json()["controls"]
    assert [one["same_event"] for one in told] == moved[most]
    words = client.get(f"/api/change/{most}").json()["words"]
    said = f"{sum(moved[most])} of the {len(moved[most])} nearest analogues are part"
    assert any(one.startswith(said) for one in words)


def test_ids_of_before_are_gone_when_changes_were_found_anew(
    many: Path, tmp_path: Path
) -> None:
    import terradrift as td

    place = Path(shutil.copytree(many, tmp_path / "anew.td"))
    held = Held(place)
    client = TestClient(application(held))
    version = held.newest().version
    ids = held.newest().archive.sql("SELECT change_id FROM changes ORDER BY score")
    weakest = ids.fetchall()[0][0]
    td.open(place).detect(quiet=True)
    gone = client.get(f"/api/change/{weakest}")
    assert gone.status_code == 404
    assert "detect was run again since" in gone.json()["error"]
    searched = client.post("/api/similar", json={"change": weakest})
    assert searched.status_code == 404
    # A page that is open goes on with what it shows.
    for part in ("", "/series", "/chip/before.png"):
        url = f"/api/change/{weakest}{part}?v={version}"
        assert client.get(url).status_code == 200
    assert client.get(f"/api/change/{weakest}?v=0000").status_code == 410


@pytest.mark.parametrize(
    "path",
    [
        "change/mosaiks-32631_80m_1_1-20200101T000000",
        "change/' OR 1=1 --",
        "event/event-none",
        "patch/32631_80m_1_1",
        "patch/x",
        "patch/32631_80m_99999999999999999999_1/series",
        "change/none/series",
        "change/none/spectra",
        "change/none/chip/before.png",
    ],
)
def test_what_is_not_there_is_one_line(client: TestClient, path: str) -> None:
    answer = client.get(f"/api/{path}")
    assert answer.status_code == 404
    assert "\n" not in answer.json()["error"]
