"""`taxonomy --refine`, `--stability` and `--output` on an archive."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

import terradrift as td
from terradrift.archive.taxonomy import model as taxonomy_model
from terradrift.cli import app
from terradrift.errors import ArchiveError
from terradrift.store import spaces

MODEL = "mosaiks"


@pytest.fixture(scope="module")
def archive(finished, tmp_path_factory):
    """The small archive with a taxonomy in a space that was learned from another."""
    place = tmp_path_factory.mktemp("refined") / "small.td"
    shutil.copytree(finished, place)
    opened = td.open(place)
    done = opened.taxonomy(regimes=3, paths=2, refine=True, stability=True, quiet=True)
    assert done.fresh
    return opened


def test_the_learned_space_is_kept_and_what_vectors_are_compared_in_stays(archive):
    held = spaces.held(archive.store, MODEL, "triplet/1")
    assert held.learned
    assert held.matrix.shape[0] == len(held.mean)
    assert archive.space().space == "raw"
    number = taxonomy_model.newest(archive.store, MODEL)
    fitted = taxonomy_model.read(archive.store, MODEL, number)
    assert fitted.projection.basis is None
    assert fitted.projection.space.label == "triplet/1"
    about = archive.store.dataset(f"anomalies_taxonomy_{MODEL}").schema.metadata
    assert about[b"space"] == b"triplet/1"
    assert about[b"regimes_fitted_on"] == b"all dates"
    notes = " ".join(fitted.taxonomy.notes)
    assert "triplet/1" in notes
    assert "stability, 1 at best and 0 by chance" in notes


def test_nothing_is_learned_again_where_nothing_changed(archive):
    done = archive.taxonomy(regimes=3, paths=2, refine=True, stability=True, quiet=True)
    assert not done.fresh
    assert any("triplet/1" in note for note in done.notes)
    with pytest.raises(ArchiveError, match="no space triplet/2"):
        spaces.held(archive.store, MODEL, "triplet/2")


def test_a_learned_space_serves_detection_and_search_by_its_name(archive, tmp_path):
    own = td.open(shutil.copytree(archive.store.root, tmp_path / "own.td"))
    with pytest.raises(ValueError, match="learned by terradrift taxonomy --refine"):
        own.space("triplet")
    before = own.sql("SELECT drift FROM scores ORDER BY patch_id, datetime").df()
    assert own.space("triplet/1").space == "triplet/1"
    assert own.detect(quiet=True).fresh
    after = own.sql("SELECT drift FROM scores ORDER BY patch_id, datetime").df()
    assert not np.allclose(before["drift"], after["drift"], equal_nan=True)
    change = own.sql("SELECT change_id FROM changes ORDER BY score DESC").fetchone()
    assert own.similar(change=change[0], k=3).space == "triplet/1"
    # A taxonomy takes it as it is; one that is refined again gets the next number.
    assert own.taxonomy(regimes=3, paths=2, quiet=True).fresh
    number = taxonomy_model.newest(own.store, MODEL)
    fitted = taxonomy_model.read(own.store, MODEL, number)
    assert fitted.projection.basis is None
    own.taxonomy(regimes=2, paths=2, refine=True, quiet=True)
    assert spaces.held(own.store, MODEL, "triplet/2").version == 2


def test_one_regime_teaches_nothing(archive, tmp_path):
    own = td.open(shutil.copytree(archive.store.root, tmp_path / "own.td"))
    with pytest.raises(ArchiveError, match="no space can be learned"):
        own.taxonomy(regimes=1, paths=1, refine=True, quiet=True)


def test_pictures_and_numbers_are_written(archive, tmp_path):
    asked = ["taxonomy", str(archive.store.root), "--regimes", "3", "--paths", "2"]
    asked += ["--refine", "--stability", "--output", str(tmp_path / "out"), "--json"]
    answer = CliRunner().invoke(app, asked)
    assert answer.exit_code == 0, answer.output
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "regimes.png",
        "colours.png",
        "tree.png",
        "cards.png",
        "taxonomy.json",
    }
    told = json.loads((tmp_path / "out" / "taxonomy.json").read_text())
    tree = archive.sql("SELECT regime, parent, label FROM taxonomy").fetchall()
    assert {
        (one["regime"], one["parent"], one["label"]) for one in told["regimes"]
    } == {*tree}
    leaves = {regime for regime, _, _ in tree} - {parent for _, parent, _ in tree}
    assert len(told["graph"]) == len(leaves) - 1
    ends = {end for one in told["graph"] for end in (one["first"], one["second"])}
    assert ends == leaves
    assert len(told["between"]) == 3 * len(told["graph"])
    known = {row[0] for row in archive.sql("SELECT patch_id FROM regimes").fetchall()}
    assert {one["patch_id"] for one in told["between"]} <= known
    assert told["coherence"]["beside"] > told["coherence"]["beside_by_chance"]


def test_without_a_taxonomy_there_is_nothing_to_draw(finished, tmp_path):
    from terradrift.archive.taxonomy import pictures as taxonomy_pictures

    with pytest.raises(ArchiveError, match="run terradrift taxonomy first"):
        taxonomy_pictures.draw(td.open(finished).store, MODEL, tmp_path, threads=1)
