"""Scores that runs of other methods left, looked up as a method."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import terradrift as td
from terradrift.archive.judge import stored_anomalies
from terradrift.errors import ArchiveError
from terradrift.evaluate.bench.lines import Site, ground_of, lines
from terradrift.evaluate.stored import Scores, Stored
from terradrift.evaluate.truth import Truth
from tests.detect.worlds import series


@pytest.fixture(scope="module")
def world() -> object:
    return series(seed=5)


def _scores(world, seed: int) -> tuple[Scores, np.ndarray]:
    """Scores of three of four observations in any order, and as (n, t)."""
    random = np.random.default_rng(seed)
    whole = random.random((len(world.patch_ids), len(world.days))).astype(np.float32)
    row, column = np.nonzero(random.random(whole.shape) < 0.75)
    order = random.permutation(len(row))
    row, column = row[order], column[order]
    times = world.days[column].astype("datetime64[us]") + np.timedelta64(11, "h")
    found = Scores.of(world.patch_ids[row], times, whole[row, column])
    held = np.full(whole.shape, np.nan, np.float32)
    held[row, column] = whole[row, column]
    return found, held


def test_scores_are_found_by_patch_and_day(world) -> None:
    found, held = _scores(world, 1)
    np.testing.assert_array_equal(found.on(world), held)
    nothing = Scores.of(
        np.array([], np.str_), np.array([], "datetime64[us]"), np.array([], np.float32)
    )
    assert np.isnan(nothing.on(world)).all()
    judged = Stored(name="anomalies-x", column="z", scores=found).judge([world])
    np.testing.assert_allclose(judged.score, np.nanmax(held, axis=1))
    assert (judged.onset == world.days[np.nanargmax(held, axis=1)]).all()
    assert not judged.reported.any()


def test_a_control_has_its_own_scores_or_no_figure(world) -> None:
    truth = Truth(
        changed=np.arange(len(world)) < 6,
        known=np.ones(len(world), bool),
        kind=np.full(len(world), ""),
        onset=np.full(len(world), "NaT", "datetime64[D]"),
        share=(np.arange(len(world)) < 6).astype(float),
    )
    ground = ground_of([world], 40, 70)
    site = Site(model="m", series=[world], ground=ground, truth=truth)
    quiet = Site(model="m", series=[world], ground=ground)
    own, held = _scores(world, 2)
    other, elsewhere = _scores(world, 3)
    there = Stored(name="anomalies-x", column="z", scores=other)
    both = Stored(name="anomalies-x", column="z", scores=own, control=there)
    alone = Stored(name="anomalies-y", column="z", scores=own)
    first, second = lines([both, alone], site, quiet)
    assert np.isnan(first.cpu_s)
    least = np.sort(np.nanmax(held[:6], axis=1))[3]
    assert first.control.count == (np.nanmax(elsewhere, axis=1) >= least).sum()
    assert second.control is None
    assert first.model == ""


def test_what_other_methods_left_stands_in_the_comparison(
    finished: Path, scenes: Path, tmp_path: Path
) -> None:
    archive = td.open(shutil.copytree(finished, tmp_path / "small.td"))
    labels = scenes.parent / "truth.geojson"
    how = {"quiet": True, "any_touch": True, "threads": 1}
    asked = ["anomalies-temporal-median"]
    with pytest.raises(ArchiveError, match="holds no anomalies-temporal-median"):
        archive.bench(labels, detectors=asked, **how)
    archive.detect(method="temporal-median", quiet=True, min_history=3)
    found = archive.bench(labels, detectors=["scores-z", *asked], **how)
    assert [(each.detector, each.model) for each in found.lines] == [
        ("scores-z", "mosaiks"),
        ("anomalies-temporal-median", ""),
    ]
    line = found.lines[1]
    assert "column='z'" in line.how
    assert line.judged > 0.5
    assert line.evaluation.ranking.roc_auc.value > 0.5
    assert "looked up by patch and date" in " ".join(str(found).split())
    every = list(stored_anomalies.methods(archive.store, None, None))
    assert [each.name for each in every] == [
        "anomalies-temporal-median",
        "anomalies-temporal-median-lasting",
    ]
    assert [each.stays for each in every] == [False, True]
