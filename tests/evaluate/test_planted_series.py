from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest

from terradrift.evaluate.method import Frames, Judged
from terradrift.evaluate.methods import methods
from terradrift.evaluate.planted_series.measures import (
    AFTER,
    Chance,
    Found,
    mean,
    measure,
    over_seeds,
    truth_of_frames,
)
from terradrift.evaluate.planted_series.series import Planted, Recipe, plant
from terradrift.series import Series

SMALL = Recipe(side=10, dates=50, dimensions=8, events=5, quiet_days=300)


@dataclass(frozen=True)
class Oracle:
    """Says what is true, `late` clear observations too late."""

    planted: Planted
    late: int = 0
    name: str = "oracle"

    def judge(self, series: Sequence[Series]) -> Judged:
        onset = self.planted.onset.copy()
        clear = series[0].clear_percent >= 70
        days = series[0].days
        for row in np.flatnonzero(self.planted.changed):
            seen = days[clear[row] & (days >= self.planted.settled[row])]
            if self.late:
                onset[row] = seen[min(self.late, len(seen) - 1)]
        score = self.planted.changed.astype(np.float32)
        return Judged(score, onset, self.planted.changed)

    def frames(self, series: Sequence[Series]) -> list[Frames]:
        true, _ = truth_of_frames(self.planted)
        return [Frames(true.astype(np.float32)) for _ in series]


def test_equal_recipes_give_equal_series_and_seeds_other_ones() -> None:
    one, same = plant(SMALL), plant(SMALL)
    assert (one.series.vectors == same.series.vectors).all()
    assert (one.event == same.event).all()
    other = plant(replace(SMALL, seed=1))
    assert not (one.series.vectors == other.series.vectors).all()


def test_without_noise_only_what_changed_differs() -> None:
    """Same seed with and without changes: everything else stays where it was."""
    bare = replace(SMALL, cloud=0.0, ramp=0.0, strength=(0.5, 0.6))
    with_changes = plant(bare)
    without = plant(replace(bare, strength=(0.0, 0.0)))
    apart = np.abs(
        with_changes.series.vectors.astype(float) - without.series.vectors.astype(float)
    ).max(axis=2)
    after = with_changes.series.days >= with_changes.onset[:, None]
    assert (apart[with_changes.changed[:, None] & after] > 0.01).all()
    assert (apart[~after] == 0).all()
    assert with_changes.kind[with_changes.changed].tolist() == (
        ["step"] * with_changes.changed.sum()
    )
    np.testing.assert_allclose(
        np.linalg.norm(with_changes.series.vectors.astype(float), axis=2), 1, atol=2e-3
    )


@pytest.mark.parametrize("cloud", [0.0, 0.1, 0.5])
def test_clouds_take_their_share_and_the_mask_misses_some(cloud: float) -> None:
    percent = plant(replace(SMALL, cloud=cloud)).series.clear_percent
    masked = (percent < 70).mean()
    assert masked <= cloud
    assert masked == pytest.approx(0.9 * cloud, abs=0.04)


def test_ramps_take_their_time() -> None:
    planted = plant(replace(SMALL, ramp=1.0, ramp_days=90))
    took = (planted.settled - planted.onset)[planted.changed]
    assert (took == np.timedelta64(90, "D")).all()
    assert (planted.onset[planted.changed] >= planted.start).all()
    assert np.isnat(planted.onset[~planted.changed]).all()


def test_the_truth_gets_everything_and_chance_the_floor() -> None:
    planted = plant(SMALL)
    found = measure(planted, Oracle(planted))
    assert (found.patches, found.dated, found.frames) == (1.0, 1.0, 1.0)
    assert (found.precision, found.off, found.found) == (1.0, 0.0, 1.0)
    assert found.delay <= 1
    floor = planted.changed.mean()
    chance = [measure(planted, Chance(seed=seed)) for seed in range(60)]
    told = over_seeds(chance)
    assert told["precision"].low < floor < told["precision"].high
    true, known = truth_of_frames(planted)
    frames = told["frames"]
    assert frames.value == pytest.approx(true[known].mean(), rel=0.2)
    assert told["dated"].value < told["patches"].value


def test_a_date_that_is_off_finds_the_patch_but_not_the_pair() -> None:
    planted = plant(SMALL)
    near = measure(planted, Oracle(planted, late=AFTER))
    assert near.dated == 1.0
    far = measure(planted, Oracle(planted, late=AFTER + 2))
    assert far.patches == 1.0
    assert far.dated == 0.0
    assert far.off == AFTER + 2


def test_abstaining_costs() -> None:
    planted = plant(SMALL)

    @dataclass(frozen=True)
    class Shy(Oracle):
        def judge(self, series: Sequence[Series]) -> Judged:
            told = super().judge(series)
            score = told.score.copy()
            score[np.flatnonzero(self.planted.changed)[::2]] = np.nan
            return replace(told, score=score)

    assert measure(planted, Shy(planted)).patches < 0.8


def test_every_detector_takes_the_series() -> None:
    planted = plant(SMALL)
    bands = tuple(f"e{at}" for at in range(SMALL.dimensions))
    for method in methods(["changes", "lof", "rx"], bands=bands, threads=1):
        found = measure(planted, method)
        assert found.patches > planted.changed.mean()
    assert np.isnan(measure(planted, methods(["changes"], threads=1)[0]).frames)


def test_nothing_but_cloud_is_not_judged_and_has_a_reason() -> None:
    planted = plant(replace(SMALL, cloud=1.0, missed=0.0))
    whole = methods(["changes"], threads=1)[0]
    (block,) = whole.blocks([planted.series])  # type: ignore[attr-defined]  # the whole detection
    assert np.isnan(block.patches.score).all()
    assert set(block.patches.reason) == {"not clear enough"}
    assert set(block.scores.reason.ravel()) == {"not clear enough"}
    assert np.isnan(measure(planted, whole).off)
    assert np.isnan(measure(planted, methods(["drift"])[0]).delay)


def test_means_over_seeds_have_students_interval() -> None:
    one = {field.name: 1.0 for field in fields(Found)}
    found = over_seeds([Found(**one), Found(**{**one, "patches": 0.0, "off": np.nan})])
    assert found["patches"].value == 0.5
    assert (found["patches"].low, found["patches"].high) == (0.0, 1.0)
    wide = mean([1.0, 0.0])
    assert wide.high == pytest.approx(0.5 + 12.7062 * 0.5, abs=1e-3)
    assert found["off"].value == 1.0
    assert np.isnan(found["off"].low)


def test_recipes_that_cannot_be_made_are_refused() -> None:
    with pytest.raises(ValueError, match="cloud must be 0 to 1"):
        Recipe(cloud=1.5)
    with pytest.raises(ValueError, match="leave 10 dates"):
        Recipe(dates=20)
    with pytest.raises(ValueError, match="2 covers"):
        Recipe(covers=1)
    with pytest.raises(ValueError, match="expected planted changes"):
        measure(plant(replace(SMALL, events=0)), Chance())
