"""A foundation model with its real weights, from scenes to a table of its own."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import terradrift as td
from terradrift.archive import halves, modelling
from terradrift.embed import library
from terradrift.embed.models.galileo import NANO
from terradrift.errors import ArchiveError, ModelMismatchError
from terradrift.ingest.scene import Options
from terradrift.ingest.simulate import simulate
from tests.ingest import geotiffs

STORED = "galileo-nano-tokens"
TABLE = "embeddings_galileo_nano_tokens"
TOKENS = {"tokens": True, "token_size": 8, "allow_mismatch": True}
KEY = [("patch_id", "ascending"), ("datetime", "ascending")]


@pytest.fixture(autouse=True)
def _weights(
    shared: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    official = shared("weights/galileo_nano/encoder.pt")
    folder = tmp_path_factory.getbasetemp() / "galileo-weights"
    monkeypatch.setenv("TERRADRIFT_MODELS", str(folder))
    if not library.present(NANO):
        library.add(NANO, official)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six dates of 96 by 96 pixels, at level 2A; Galileo was made for 1C."""
    return simulate(tmp_path_factory.mktemp("small"), size_px=96, dates=6, seed=3)


def archive(path: Path, catalog: Path, **filters: str) -> td.Archive:
    made = td.create(path, td.Grid(80))
    made.ingest(catalog, **filters)
    return made


def rows(given: td.Archive) -> pa.Table:
    return given.store.scan(TABLE).read_all().sort_by(KEY)


def vectors(table: pa.Table) -> np.ndarray:
    flat = table["embedding"].combine_chunks().values.to_numpy()
    return flat.astype(np.float32).reshape(len(table), -1)


def test_tokens_have_a_table_of_their_own_that_says_how_they_were_made(
    small: Path, tmp_path: Path
) -> None:
    given = archive(tmp_path / "a.td", small)
    done = given.embed("galileo-nano", quiet=True, threads=2, **TOKENS)
    assert done.rows == given.store.count(TABLE) > 400
    assert given.model == STORED
    metadata = given.store.dataset(TABLE).schema.metadata
    assert metadata[b"model"] == STORED.encode()
    assert metadata[b"preprocessing"].endswith(b"made for L1C, given L2A")
    assert json.loads(metadata[b"how"])["token_size"] == 8
    assert np.isfinite(vectors(rows(given))).all()
    assert given.validate() == []
    assert given.info()["model"] == STORED
    (count,) = given.sql(f"SELECT count(*) FROM {TABLE}").fetchone() or (0,)  # noqa: S608
    assert count == done.rows
    parameters = given.sql("SELECT parameters FROM runs WHERE verb = 'embed'")
    assert json.loads(parameters.fetchall()[0][0])["precision"] == "auto"


def test_a_later_run_without_options_goes_on_the_same_way(
    small: Path, tmp_path: Path
) -> None:
    whole = archive(tmp_path / "whole.td", small)
    whole.embed(STORED, quiet=True, threads=2, **TOKENS)
    parts = archive(tmp_path / "parts.td", small, datetime="2019-01")
    parts.embed("galileo-nano", quiet=True, threads=2, **TOKENS)
    parts.ingest(small)
    parts.embed(quiet=True, threads=2)
    both = [rows(given).drop_columns(["run_id"]) for given in (whole, parts)]
    assert (
        both[0].drop_columns(["embedding"]).equals(both[1].drop_columns(["embedding"]))
    )
    np.testing.assert_allclose(*map(vectors, both), rtol=2e-3, atol=2e-3)
    with pytest.raises(ModelMismatchError, match="made with --token-size 8, got"):
        parts.embed(token_size=4, quiet=True)
    with pytest.raises(ModelMismatchError, match="made with --dates 1, got --dates 2"):
        parts.embed(STORED, dates=2, quiet=True)


def test_scenes_of_another_level_are_refused_before_a_pixel_is_read(
    small: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "scenes"
    shutil.copytree(small.parent, folder)
    given = archive(tmp_path / "a.td", folder / "catalog.json")
    shutil.rmtree(folder / "images")
    before = given.store.tables()
    with pytest.raises(
        ArchiveError, match=r"made for L1C, given L2A.*--allow-mismatch"
    ):
        given.embed("galileo-nano", tokens=True, token_size=8, quiet=True)
    assert given.store.tables() == before
    assert given.store.settings.model is None


def test_vectors_of_several_dates_are_the_same_when_dates_come_later(
    small: Path, tmp_path: Path
) -> None:
    whole = archive(tmp_path / "whole.td", small)
    whole.embed(STORED, dates=3, quiet=True, threads=2, **TOKENS)
    parts = archive(tmp_path / "parts.td", small, datetime="../2019-02-15")
    parts.embed(STORED, dates=3, quiet=True, threads=2, **TOKENS)
    first = parts.store.count(TABLE)
    parts.ingest(small)
    done = parts.embed(quiet=True, threads=2)
    assert 0 < first < first + done.rows == whole.store.count(TABLE)
    both = [rows(given).drop_columns(["run_id"]) for given in (whole, parts)]
    assert (
        both[0].drop_columns(["embedding"]).equals(both[1].drop_columns(["embedding"]))
    )
    np.testing.assert_allclose(*map(vectors, both), rtol=2e-3, atol=2e-3)
    alone = archive(tmp_path / "alone.td", small)
    alone.embed(STORED, quiet=True, threads=2, **TOKENS)
    assert np.abs(vectors(rows(alone)) - vectors(both[0])).max() > 0.1


def test_half_precision_is_near(small: Path, tmp_path: Path) -> None:
    given = {}
    for precision in ("fp32", "bf16"):
        made = archive(tmp_path / f"{precision}.td", small, datetime="2019-01")
        made.embed(STORED, precision=precision, quiet=True, threads=2, **TOKENS)
        given[precision] = vectors(rows(made))
    one, other = given["fp32"], given["bf16"]
    assert not np.array_equal(one, other)
    cosine = (one * other).sum(1) / np.linalg.norm(one, axis=1)
    cosine /= np.linalg.norm(other, axis=1)
    assert cosine.min() > 0.999


def test_scenes_older_than_vectors_of_several_dates_are_refused_before_reading(
    small: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "scenes"
    shutil.copytree(small.parent, folder)
    given = archive(
        tmp_path / "a.td", folder / "catalog.json", datetime="2019-02-01/.."
    )
    given.embed(STORED, dates=2, quiet=True, threads=2, **TOKENS)
    before = rows(given)
    given.ingest(folder / "catalog.json")
    shutil.move(folder / "images", folder / "away")
    with pytest.raises(
        ArchiveError, match=r"came too late.*2 dates.*another archive"
    ) as refusal:
        given.embed(quiet=True, threads=2)
    assert "\n" not in str(refusal.value)
    done = given.embed(quiet=True, threads=2, skip_bad=True)
    assert done.rows == 0
    assert all("is older than vectors" in reason for reason in done.bad.values())
    assert len(done.bad) == given.store.count("scenes") - len(
        set(before["scene_id"].to_pylist())
    )
    assert rows(given).equals(before)


def test_older_scenes_are_welcome_to_a_model_of_one_date(
    small: Path, tmp_path: Path
) -> None:
    given = archive(tmp_path / "a.td", small, datetime="2019-02-01/..")
    given.embed(STORED, quiet=True, threads=2, **TOKENS)
    given.ingest(small)
    assert given.embed(quiet=True, threads=2).rows > 0


def precision(given: td.Archive) -> bytes:
    return given.store.dataset(TABLE).schema.metadata[b"precision"]


def test_precision_is_recorded_and_not_mixed_where_it_matters(
    small: Path, tmp_path: Path
) -> None:
    given = archive(tmp_path / "a.td", small, datetime="2019-01")
    given.embed(STORED, precision="bf16", quiet=True, threads=2, **TOKENS)
    assert precision(given) == b"bf16"
    given.ingest(small)
    before = rows(given)
    for other in ("fp32", "auto"):
        with pytest.raises(
            ModelMismatchError, match=r"made in bf16, got fp32.*--precision bf16"
        ) as refusal:
            given.embed(precision=other, quiet=True, threads=2)
        assert "\n" not in str(refusal.value)
    assert rows(given).equals(before)
    assert given.embed(precision="bf16", quiet=True, threads=2).rows > 0
    assert precision(given) == b"bf16"


def test_a_table_says_both_precisions_where_both_are_safe(
    small: Path, tmp_path: Path
) -> None:
    given = archive(tmp_path / "a.td", small, datetime="2019-01")
    given.embed(STORED, precision="bf16", quiet=True, threads=2, **TOKENS)
    given.ingest(small)
    choice = given.choice(STORED)
    card = replace(modelling.opened(given.store, choice).card, bf16=True)
    assert halves.settle(given.store, choice, card, "bf16") == "bf16"
    assert halves.settle(given.store, choice, card, "fp32") == "bf16,fp32"
    assert precision(given) == b"bf16,fp32"
    assert given.validate() == []
    # A card that has changed its mind since takes neither.
    with pytest.raises(ModelMismatchError, match="made in bf16,fp32"):
        halves.settle(given.store, choice, replace(card, bf16=False), "fp32")


def refused(given: td.Archive, message: str) -> None:
    with pytest.raises(ArchiveError, match=message) as refusal:
        given.embed(STORED, token_size=8, quiet=True)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("platform", "words"),
    [("landsat-8", "made for sentinel-2, given landsat;"), ("sentinel-2a", None)],
)
def test_scenes_of_another_sensor_are_refused(
    tmp_path: Path, platform: str, words: str | None
) -> None:
    tags = {"platform": platform, "processing_level": "L1C"}
    names = ("blue", "green", "red", "nir", "swir16", "swir22")
    tags["datetime"] = "2020:01:01 10:30:00"
    geotiffs.write(tmp_path / "in" / "scene.tif", names, tags=tags)
    given = td.create(tmp_path / "a.td", td.Grid(40, 10.0))
    given.ingest(tmp_path / "in", options=Options(scale=1e-4, boa_offset=0))
    if words:
        with pytest.raises(ArchiveError, match=words):
            given.embed(STORED, token_size=4, quiet=True)
    else:
        assert given.embed(STORED, token_size=4, quiet=True).rows > 0


def test_coarser_scenes_read_at_the_models_pixels_are_refused(tmp_path: Path) -> None:
    coarse = simulate(tmp_path / "scenes", size_px=48, dates=2, seed=3, gsd=20)
    given = td.create(tmp_path / "a.td", td.Grid(80, 10.0))
    given.ingest(coarse)
    refused(given, "given L2A; made for 10 m per pixel, given scenes of 20 m;")
    given.embed(STORED, quiet=True, threads=2, **TOKENS)
    line = given.store.dataset(TABLE).schema.metadata[b"preprocessing"]
    assert line.endswith(b"made for 10 m per pixel, given scenes of 20 m")


@pytest.mark.parametrize("other", ["S2MSI1C", None])
def test_scenes_of_two_levels_make_no_table_together(
    small: Path, tmp_path: Path, other: str | None
) -> None:
    folder = tmp_path / "scenes"
    shutil.copytree(small.parent, folder)
    given = archive(tmp_path / "a.td", folder / "catalog.json", datetime="2019-01")
    for path in (folder / "items").glob("*.json"):
        item = json.loads(path.read_text())
        del item["properties"]["s2:product_type"]
        item["properties"] |= {"s2:product_type": other} if other else {}
        path.write_text(json.dumps(item))
    other_archive = archive(tmp_path / "b.td", folder / "catalog.json")
    held = set(given.store.scan("scenes").read_all()["scene_id"].to_pylist())
    more = other_archive.store.scan("scenes").read_all()
    fresh = [name not in held for name in more["scene_id"].to_pylist()]
    given.store.append("scenes", more.filter(pa.array(fresh)))
    for allow in (False, True):
        with pytest.raises(
            ArchiveError, match=r"one level, L1C, and these are of L2A and"
        ):
            given.embed(
                STORED, token_size=8, allow_mismatch=allow, quiet=True, threads=2
            )
    assert given.embed("spectral", quiet=True).rows > 0
