"""`terradrift taxonomy` on an archive: tables, views, placing, and what is refused."""

import datetime as dt
import itertools
import json
import shutil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import shapely
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from typer.testing import CliRunner

import terradrift as td
from terradrift import schema
from terradrift.archive.taxonomy import model as taxonomy_model
from terradrift.archive.taxonomy import run as taxonomy
from terradrift.cli import app
from terradrift.errors import ArchiveError
from terradrift.store import series, spaces

MODEL = "mosaiks"


@pytest.fixture(scope="module")
def archive(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> td.Archive:
    """The small archive with a taxonomy."""
    place = tmp_path_factory.mktemp("taxonomy") / "small.td"
    shutil.copytree(finished, place)
    opened = td.open(place)
    assert opened.taxonomy(quiet=True).fresh
    return opened


def table(archive: td.Archive, name: str) -> pa.Table:
    return archive.store.scan(f"{name}_{MODEL}").read_all()


def scores(archive: td.Archive) -> dict[tuple, tuple]:
    """Score and p-value of each observation."""
    rows = table(archive, "anomalies_taxonomy").to_pylist()
    return {
        (row["patch_id"], row["datetime"]): (row["score"], row["p_value"])
        for row in rows
    }


def test_every_patch_has_one_row_and_regimes_add_up(archive: td.Archive) -> None:
    tree = table(archive, "taxonomy").to_pylist()
    rows = table(archive, "regimes")
    schema.check(rows.schema, schema.regimes())
    assert sorted(rows["patch_id"].to_pylist()) == sorted(
        archive.store.scan("patches", ["patch_id"]).read_all()["patch_id"].to_pylist()
    )
    assert len(tree) > 2
    placed = rows.filter(rows["regime"].is_valid())
    for each in tree:
        column = "regime" if each["parent"] is not None else "ground"
        assert each["size"] == placed[column].to_pylist().count(each["regime"])
        assert each["share"] == pytest.approx(each["size"] / len(placed))
        assert each["level"] == (1 if each["parent"] is None else 2)
        assert len(each["centroid"]) == each["n_steps"] * each["dimensions"]
        assert len(each["steps"]) == each["n_steps"]
        of = dict(
            zip(*(rows[name].to_pylist() for name in ("patch_id", column)), strict=True)
        )
        assert each["representatives"]
        assert {of[patch] for patch in each["representatives"]} == {each["regime"]}
    ground = [each for each in tree if each["parent"] is None]
    assert sum(each["share"] for each in ground) == pytest.approx(1)


def test_representatives_are_the_nearest_patches_to_the_path(
    archive: td.Archive,
) -> None:
    store = archive.store
    fitted = taxonomy_model.read(store, MODEL, taxonomy_model.newest(store, MODEL))
    rows = table(archive, "regimes").to_pylist()
    for each in table(archive, "taxonomy").to_pylist():
        if each["regime"] not in {leaf.number for leaf in fitted.taxonomy.leaves}:
            continue
        own = [row for row in rows if row["regime"] == each["regime"]]
        best = min(own, key=lambda row: row["distance"])["patch_id"]
        assert best in each["representatives"]


def test_every_observation_is_judged_or_it_is_said_why_not(archive: td.Archive) -> None:
    rows = table(archive, "anomalies_taxonomy").to_pylist()
    assert len(rows) == archive.store.count(f"embeddings_{MODEL}")
    scored = [row for row in rows if row["score"] is not None]
    assert len(scored) > 0.3 * len(rows)
    for row in rows:
        assert (row["score"] is None) == (row["reason"] is not None)
        assert (row["reason"] == "not clear enough") == (row["clear_percent"] < 70)
    assert all(0 < row["p_value"] <= 1 and row["n_reference"] >= 7 for row in scored)
    small = np.mean([row["p_value"] <= 0.1 for row in scored])
    assert small == pytest.approx(0.1, abs=0.05)
    top = max(scored, key=lambda row: row["score"])
    of = {row["patch_id"]: row for row in table(archive, "regimes").to_pylist()}
    assert of[top["patch_id"]]["max_deviation"] == top["score"]
    assert of[top["patch_id"]]["deviation_z"] >= top["z"]


def unchanged(archive: td.Archive, scenes: Path) -> set[str]:
    """Patches that no change of the simulation touches."""
    truth = gpd.read_file(scenes.parent / "truth.geojson").to_crs("OGC:CRS84")
    shown = archive.sql("SELECT patch_id, geometry FROM patches").to_arrow_table()
    touched = truth.union_all()
    return {
        row["patch_id"]
        for row in shown.to_pylist()
        if not shapely.from_wkb(bytes(row["geometry"])).intersects(touched)
    }


def test_patches_that_become_other_ground_stand_out(
    archive: td.Archive, scenes: Path, tmp_path: Path
) -> None:
    place = tmp_path / "changed.td"
    shutil.copytree(archive.store.root, place)
    store = td.open(place).store
    paths = {
        row["regime"]: np.array(row["centroid"])
        for row in table(archive, "taxonomy").to_pylist()
        if row["parent"] is None
    }
    pairs = itertools.combinations(paths, 2)
    apart = max(pairs, key=lambda pair: np.linalg.norm(paths[pair[0]] - paths[pair[1]]))
    rows = sorted(table(archive, "regimes").to_pylist(), key=lambda row: -row["margin"])
    first, second = (
        [row["patch_id"] for row in rows if row["ground"] == number][:8]
        for number in apart
    )
    turned = dict(zip([*first, *second], [*second, *first], strict=True))
    rows = table(archive, "embeddings").to_pylist()
    onset = sorted({row["datetime"] for row in rows})[8]
    vectors = {(row["patch_id"], row["scene_id"]): row["embedding"] for row in rows}
    for row in rows:
        other = vectors.get((turned.get(row["patch_id"]), row["scene_id"]))
        if row["datetime"] >= onset and other is not None:
            row["embedding"] = other
    embeddings = f"embeddings_{MODEL}"
    columns = store.dataset(embeddings).schema
    store.overwrite(embeddings, pa.Table.from_pylist(rows, schema=columns), columns)
    td.open(place).taxonomy(
        period=f"../{onset - dt.timedelta(days=1):%Y-%m-%d}", quiet=True
    )
    found = table(td.open(place), "anomalies_taxonomy").to_pylist()
    late = [
        row for row in found if row["datetime"] >= onset and row["score"] is not None
    ]
    others = unchanged(archive, scenes)
    late = [row for row in late if row["patch_id"] in {*turned, *others}]
    changed = [row["patch_id"] in turned for row in late]
    assert roc_auc_score(changed, [row["score"] for row in late]) > 0.9
    early = [
        row for row in found if row["datetime"] < onset and row["score"] is not None
    ]
    changed = [row["patch_id"] in turned for row in early]
    assert roc_auc_score(changed, [row["score"] for row in early]) < 0.7


def test_views_show_regimes_with_their_places(archive: td.Archive) -> None:
    shown = archive.sql(
        "SELECT r.patch_id, r.longitude, t.size FROM regimes r JOIN taxonomy t "
        "USING (regime) ORDER BY r.patch_id"
    ).to_arrow_table()
    assert len(shown) == archive.store.count("patches")
    assert shown["longitude"].null_count == 0
    assert archive.validate() == []


def test_an_archive_without_a_taxonomy_has_empty_views(finished: Path) -> None:
    opened = td.open(finished)
    assert opened.sql("SELECT * FROM regimes").fetchall() == []
    assert opened.sql("SELECT * FROM taxonomy").fetchall() == []


def test_a_second_run_finds_all_up_to_date(archive: td.Archive) -> None:
    before = archive.store.dataset(f"regimes_{MODEL}").version
    done = archive.taxonomy(quiet=True)
    assert not done.fresh
    assert str(done).startswith("up to date: ")
    assert archive.store.dataset(f"regimes_{MODEL}").version == before
    assert not archive.taxonomy(assign=True, quiet=True).fresh


def test_tables_of_two_runs_are_made_anew(archive: td.Archive, tmp_path: Path) -> None:
    one, other = tmp_path / "one.td", tmp_path / "other.td"
    shutil.copytree(archive.store.root, one)
    shutil.copytree(archive.store.root, other)
    assert td.open(other).taxonomy(regimes=2, paths=1, quiet=True).leaves == 2
    # As a run that was killed between two tables leaves them.
    shutil.rmtree(one / f"regimes_{MODEL}.lance")
    shutil.copytree(other / f"regimes_{MODEL}.lance", one / f"regimes_{MODEL}.lance")
    assert td.open(one).taxonomy(quiet=True).fresh
    mended = table(td.open(one), "regimes")
    assert mended.drop(["run_id"]).equals(table(archive, "regimes").drop(["run_id"]))


def test_the_same_seed_gives_the_same_regimes_whatever_the_blocks(
    archive: td.Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "again.td"
    shutil.copytree(archive.store.root, place)
    opened = td.open(place)
    for name in ("taxonomy", "regimes"):
        opened.store.drop(f"{name}_{MODEL}")
    blocks = series.blocks
    monkeypatch.setattr(
        series, "blocks", lambda store, model: blocks(store, model, max_bytes=1 << 17)
    )
    opened.taxonomy(threads=3, quiet=True)
    for name in ("taxonomy", "regimes"):
        one, two = table(archive, name), table(opened, name)
        assert one.drop(["run_id"]).equals(two.drop(["run_id"]))


def test_new_dates_are_placed_without_fitting_and_old_ones_stay(
    scenes: Path, tmp_path: Path
) -> None:
    opened = td.create(tmp_path / "grows.td", td.Grid(160))
    opened.ingest(scenes, datetime="../2019-06")
    opened.embed(quiet=True)
    with pytest.raises(ArchiveError, match="without --assign first"):
        opened.taxonomy(assign=True, quiet=True)
    opened.taxonomy(regimes=3, paths=1, period="../2019-05", quiet=True)
    before, judged = table(opened, "regimes"), scores(opened)
    number = taxonomy_model.newest(opened.store, MODEL)
    held = opened.store.count(f"embeddings_{MODEL}")
    opened.ingest(scenes)
    opened.embed(quiet=True)
    assert opened.store.count(f"embeddings_{MODEL}") > held
    assert opened.taxonomy(assign=True, quiet=True).fresh
    assert taxonomy_model.newest(opened.store, MODEL) == number
    after = table(opened, "regimes")
    # Dates after the period are not of the path, but they are judged.
    later = ["max_deviation", "deviation_z", "run_id"]
    assert after.drop(later).equals(before.drop(later))
    again = scores(opened)
    assert again.items() > judged.items()
    new = [each for key, each in again.items() if key not in judged]
    assert sum(score is not None for score, _ in new) > 0.3 * len(new)
    assert opened.taxonomy(regimes=3, paths=1, period="../2019-05", quiet=True).fresh
    assert taxonomy_model.newest(opened.store, MODEL) == number + 1


def test_new_patches_are_placed_without_fitting_and_old_ones_stay(
    archive: td.Archive, tmp_path: Path
) -> None:
    place = tmp_path / "patches.td"
    shutil.copytree(archive.store.root, place)
    store = td.open(place).store
    ids = sorted(store.scan("patches", ["patch_id"]).read_all()["patch_id"].to_pylist())
    new = ids[::3]
    every = table(archive, "embeddings")
    late = pc.is_in(every["patch_id"], pa.array(new))
    embeddings = f"embeddings_{MODEL}"
    store.overwrite(embeddings, every.filter(pc.invert(late)), every.schema)
    td.open(place).taxonomy(quiet=True)
    before = {
        row["patch_id"]: row for row in table(td.open(place), "regimes").to_pylist()
    }
    assert not before.keys() & set(new)
    store.append(embeddings, every.filter(late))
    done = td.open(place).taxonomy(assign=True, quiet=True)
    assert (done.patches, done.placed) == (len(ids), len(ids))
    after = {
        row["patch_id"]: row for row in table(td.open(place), "regimes").to_pylist()
    }
    for patch, row in before.items():
        for column in ("regime", "ground", "distance", "margin", "n_clear"):
            assert after[patch][column] == row[column]
    tree = table(td.open(place), "taxonomy")
    assert sum(tree["size"].filter(tree["parent"].is_null()).to_pylist()) == len(ids)


def test_regimes_follow_the_ground_of_the_simulation(
    archive: td.Archive, scenes: Path
) -> None:
    from terradrift.grid import parse_id
    from terradrift.ingest.simulate.covers import covers

    rows = table(archive, "regimes")
    cells = np.array([parse_id(name) for name in rows["patch_id"].to_pylist()])
    share, _ = covers(scenes.parent, 2019).shares(cells[:, 1], cells[:, 2], 80)
    pure = share.max(axis=1) >= 0.9
    cover = share.argmax(axis=1)[pure]
    found = rows["regime"].to_numpy(zero_copy_only=False)[pure]
    by_chance = [
        adjusted_rand_score(cover, np.random.default_rng(seed).permutation(found))
        for seed in range(20)
    ]
    assert adjusted_rand_score(cover, found) > max(0.2, 3 * max(by_chance))


def test_a_taxonomy_is_read_back_as_it_was_written(archive: td.Archive) -> None:
    store = archive.store
    number = taxonomy_model.newest(store, MODEL)
    once = taxonomy_model.read(store, MODEL, number)
    taxonomy_model.write(store, MODEL, number + 1, once)
    path = taxonomy_model.path(store, MODEL, number + 1)
    again = taxonomy_model.read(store, MODEL, number + 1)
    for one, two in zip(once.taxonomy.regimes, again.taxonomy.regimes, strict=True):
        np.testing.assert_array_equal(one.path, two.path)
        assert (one.number, one.parent, one.level) == (
            two.number,
            two.parent,
            two.level,
        )
    np.testing.assert_array_equal(
        once.taxonomy.calendar.steps, again.taxonomy.calendar.steps
    )
    assert once.taxonomy.notes == again.taxonomy.notes
    assert (once.since, once.until) == (again.since, again.until)
    path.write_bytes(b"nothing")
    with pytest.raises(ArchiveError, match="cannot read the taxonomy of mosaiks"):
        taxonomy_model.read(store, MODEL, number + 1)
    path.unlink()


@pytest.mark.parametrize(
    ("given", "error", "phrase"),
    [
        ({"model": "presto"}, ArchiveError, "run terradrift embed first"),
        ({"period": "1990"}, ArchiveError, "choose another --period"),
        ({"period": "soon"}, ValueError, "expected a period such as"),
        ({"method": "som"}, ValueError, "method must be one of"),
        ({"steps": 0}, ValueError, "steps must be at least 1"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    archive: td.Archive, given: dict, error: type[Exception], phrase: str
) -> None:
    before = archive.store.dataset(f"taxonomy_{MODEL}").version
    with pytest.raises(error, match=phrase) as refused:
        archive.taxonomy(**given, quiet=True)
    assert "\n" not in str(refused.value)
    assert archive.store.dataset(f"taxonomy_{MODEL}").version == before


def test_other_vectors_of_as_many_units_are_not_up_to_date(
    scenes: Path, tmp_path: Path
) -> None:
    opened = td.create(tmp_path / "again.td", td.Grid(160))
    opened.ingest(scenes)
    opened.embed(quiet=True)
    ask = {"regimes": 3, "paths": 1, "quiet": True}
    assert opened.taxonomy(**ask).fresh
    opened.optimize()
    assert not opened.taxonomy(**ask).fresh
    held = opened.store.count(f"embeddings_{MODEL}")
    for name in ("embeddings", "units"):
        opened.store.drop(f"{name}_{MODEL}")
    opened.embed(quiet=True)
    assert opened.store.count(f"embeddings_{MODEL}") == held
    assert opened.taxonomy(**ask).fresh


def test_a_space_that_knows_later_days_than_the_period_is_told(
    archive: td.Archive, tmp_path: Path
) -> None:
    place = tmp_path / "whiten.td"
    shutil.copytree(archive.store.root, place)
    opened = td.open(place)
    ask = {"regimes": 3, "paths": 1, "quiet": True}
    opened.space("whiten", quiet=True)
    last = spaces.current(opened.store, MODEL).last_day
    done = opened.taxonomy(period="../2019-05", **ask)
    assert f"whiten/1 was fitted on days up to {last}" in done.notes[-1]
    about = opened.store.dataset(f"anomalies_taxonomy_{MODEL}").schema.metadata
    assert about[b"space_fitted_on"].decode() == f"up to {last}"
    # Of all dates nothing else is claimed, and vectors as they are know nothing.
    assert not any("fitted on" in note for note in opened.taxonomy(**ask).notes)
    opened.space("raw")
    done = opened.taxonomy(period="../2019-05", **ask)
    assert not any("fitted on" in note for note in done.notes)


def test_regimes_that_are_placed_anew_keep_their_names(
    archive: td.Archive, tmp_path: Path
) -> None:
    place = tmp_path / "names.td"
    shutil.copytree(archive.store.root, place)
    store = td.open(place).store
    called = table(td.open(place), "taxonomy")
    rows = table(archive, "embeddings").to_pylist()
    for row in rows:
        row["ndvi"] = -0.5
    columns = store.dataset(f"embeddings_{MODEL}").schema
    fewer = pa.Table.from_pylist(rows[1:], schema=columns)
    store.overwrite(f"embeddings_{MODEL}", fewer, columns)
    assert td.open(place).taxonomy(assign=True, quiet=True).fresh
    after = table(td.open(place), "taxonomy")
    for column in ("regime", "label", "description"):
        assert after[column].equals(called[column])


def test_the_verb_prints_the_tree(archive: td.Archive) -> None:
    run = CliRunner().invoke(app, ["taxonomy", str(archive.store.root), "--json"])
    assert run.exit_code == 0, run.output
    told, *regimes = [json.loads(line) for line in run.stdout.splitlines()]
    assert told["leaves"] == archive.taxonomy(quiet=True).leaves
    assert regimes[0]["regime"] == 0
    assert len(regimes) == len(table(archive, "taxonomy"))
    bad = CliRunner().invoke(
        app, ["taxonomy", str(archive.store.root), "--method", "som"]
    )
    assert bad.exit_code == 2


def test_period_ends_with_its_last_day() -> None:
    first, last = taxonomy._days("2018-05/2018-06")
    assert (str(first), str(last)) == ("2018-05-01", "2018-06-30")
