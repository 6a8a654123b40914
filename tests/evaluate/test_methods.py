"""Methods: every detector by name, and what is handed to it."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from terradrift import plugins
from terradrift.detect.median import TemporalMedian
from terradrift.detect.rx import Rx, mahalanobis
from terradrift.errors import UnknownPluginError
from terradrift.evaluate.methods import methods, names
from terradrift.evaluate.ranked import Largest, reads
from tests.detect.worlds import part, planted, run, series

BANDS = ("blue", "red", "nir", "swir16")


@pytest.fixture(scope="module")
def world():
    return planted(series(n=40, t=24, seed=3), 7, 12)


def only(name, bands=BANDS):
    (method,) = methods([name], bands=bands, threads=1)
    return method


def test_every_installed_detector_is_a_method():
    made = {method.name for method in methods(bands=BANDS)}
    assert made >= {"changes", *plugins.names(plugins.DETECTORS)}
    assert {"band-difference-red", "band-difference-nir"} <= made
    assert "band-difference-blue" not in made
    assert "band-difference-blue" in names(BANDS)


def test_without_bands_there_are_no_detectors_of_bands():
    made = methods()
    assert made
    assert "bands" not in {reads(method) for method in made}


def test_all_of_them_judge_and_the_planted_patch_is_above_most(world):
    every = tuple("abcdefghijkl")  # what was planted is in all twelve
    for method in methods(bands=every, threads=1):
        judged = method.judge([world])
        assert judged.score.shape == judged.onset.shape == (40,)
        assert judged.score.dtype == np.float32
        assert judged.onset.dtype == np.dtype("datetime64[D]")
        assert (judged.score > judged.score[7]).mean() < 0.5, method.name


def test_blocks_are_judged_in_their_order(world):
    first, last = part(world, np.arange(15)), part(world, np.arange(15, 40))
    for method in methods(["temporal-median", "rx", "rx-difference"], bands=BANDS):
        whole, cut = method.judge([world]), method.judge([first, last])
        np.testing.assert_allclose(cut.score, whole.score, rtol=1e-5)
        np.testing.assert_array_equal(cut.onset, whole.onset)


def test_rx_sees_all_blocks_of_a_date_even_if_days_differ(world):
    clear = np.nan_to_num(world.clear_percent) >= 70
    later = part(world, np.arange(15, 40))
    later = replace(
        later,
        **{
            name: getattr(later, name)[:, 4:]
            for name in ("times", "vectors", "clear_percent", "indices")
        },
        days=later.days[4:],
    )
    method = only("rx")
    assert isinstance(method.detector, Rx)
    first, last = method.frames([part(world, np.arange(15)), later])
    at = 20
    scene = mahalanobis(world.vectors[clear[:, at], at, : len(BANDS)])
    both = np.concatenate([first.score[:, at], last.score[:, at - 4]])
    np.testing.assert_allclose(both[clear[:, at]], scene, rtol=1e-4)


def test_the_onset_is_the_date_of_the_largest_score(world):
    method = only("temporal-median")
    (frames,) = method.frames([world])
    judged = method.judge([world])
    np.testing.assert_array_equal(judged.score, np.nanmax(frames.score, axis=1))
    dates = world.days[np.nanargmax(frames.score, axis=1)]
    np.testing.assert_array_equal(judged.onset, dates)
    assert not judged.reported.any()
    quantile = only("temporal-median-q90").judge([world])
    np.testing.assert_allclose(
        quantile.score, np.nanquantile(frames.score, 0.9, axis=1), rtol=1e-6
    )
    np.testing.assert_array_equal(quantile.onset, judged.onset)


def test_bands_are_the_leading_columns_and_indices_the_series_own(world):
    bands = only("temporal-median", BANDS[:2])
    assert reads(bands) == "bands"
    plain = TemporalMedian().detect(
        world.days,
        world.vectors[..., :2],
        np.nan_to_num(world.clear_percent) >= 70,
    )
    (frames,) = bands.frames([world])
    np.testing.assert_array_equal(frames.score, plain)
    one = only("band-difference-nir").frames([world])[0].score
    most = only("band-difference").frames([world])[0].score
    assert (most[np.isfinite(most)] >= one[np.isfinite(most)]).all()
    index = only("index-difference")
    assert reads(index) == "indices"
    assert index.judge([world]).score.argmax() == 7


def test_the_whole_detection_ranks_by_the_strongest_candidate(world):
    method = only("changes")
    judged = method.judge([world])
    (block,) = run(world)
    np.testing.assert_array_equal(judged.score, block.patches.score)
    assert judged.reported[7]
    np.testing.assert_array_equal(
        np.flatnonzero(judged.reported), np.unique(block.changes.row)
    )
    assert judged.onset[7] == block.patches.onset[7].astype("datetime64[D]")
    assert method.frames([world]) is None


def test_a_column_of_scores_is_a_method(world):
    (block,) = run(world)
    for column in ("drift", "z", "lof", "cusum", "ewma"):
        method = only(f"scores-{column}")
        (frames,) = method.frames([world])
        np.testing.assert_array_equal(frames.score, getattr(block.scores, column))
        judged = method.judge([world])
        np.testing.assert_array_equal(judged.score, np.nanmax(frames.score, axis=1))


def test_a_patch_that_is_never_clear_has_no_score_and_no_date(world):
    cloudy = replace(world, clear_percent=np.zeros_like(world.clear_percent))
    for method in methods(bands=BANDS, threads=1):
        judged = method.judge([cloudy])
        assert np.isnan(judged.score).all(), method.name
        assert np.isnat(judged.onset).all(), method.name
        assert not judged.reported.any()


def test_an_unknown_name_is_refused_with_those_that_may_be_meant():
    with pytest.raises(UnknownPluginError, match=r"'drft'; did you mean drift") as said:
        methods(["drft"], bands=BANDS)
    assert str(said.value).endswith("? docs/evaluation.md lists all")
    assert len(str(said.value)) < 160
    with pytest.raises(UnknownPluginError, match=r"'xyzzy'; docs/evaluation\.md lists"):
        methods(["xyzzy"])


def test_a_detector_of_bands_must_be_told_how_many():
    with pytest.raises(ValueError, match="at least 1, got 0"):
        methods(["temporal-median"])


def test_a_quantile_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"at most 1, got 1\.5"):
        Largest(name="drift", detector=TemporalMedian(), bands=1, quantile=1.5)


def test_a_detector_that_reads_something_else_is_refused():
    @dataclass(frozen=True)
    class Odd:
        reads: ClassVar[str] = "pixels"

    with pytest.raises(ValueError, match="embedding, bands, indices, got 'pixels'"):
        reads(Odd())
