from dataclasses import replace

import numpy as np
import pytest

from terradrift.evaluate.class_maps.grid import Cells, common_grid, grade
from terradrift.evaluate.class_maps.maps import (
    BANDS,
    CLASSES,
    Recipe,
    changed_share,
    draw,
    onsets,
    render,
)
from terradrift.ingest.simulate import spectra

SMALL = Recipe(size_px=64, months=26, parcels=12, transitions=4, seed=5)


def test_without_transitions_or_drift_nothing_changes() -> None:
    still = draw(replace(SMALL, transitions=0, drifting=0.0))
    assert (still.labels == still.labels[0]).all()
    assert changed_share(still.labels[0], still.labels[-1], 16).max() == 0
    assert np.isnat(onsets(draw(replace(SMALL, transitions=1)), 64)).sum() == 0


def test_transitions_hold_from_their_month_on() -> None:
    maps = draw(replace(SMALL, drifting=0.0))
    for number in range(1, len(maps.onset)):
        inside, month = maps.transition == number, maps.onset[number]
        assert month >= SMALL.quiet_months
        after = maps.labels[month:, inside]
        assert (after == after[0, 0]).all()
        assert (maps.labels[:month, inside] == maps.labels[0, inside]).all()
        assert (maps.labels[month - 1, inside] != after[0, 0]).mean() > 0.5
    untouched = maps.transition == 0
    assert (maps.labels[:, untouched] == maps.labels[0, untouched]).all()


def test_borders_drift_by_less_than_a_pixel_or_so() -> None:
    maps = draw(replace(SMALL, transitions=0, drifting=1.0, drift_px=0.04))
    moved = maps.labels[0] != maps.labels[-1]
    assert 0 < moved.mean() < 0.15


def test_each_month_looks_like_its_classes() -> None:
    maps = draw(SMALL)
    images = render(SMALL, maps)
    assert images.shape == (26, len(BANDS), 64, 64)
    assert (images == render(SMALL, maps)).all()
    red, nir = images[:, 2].astype(float), images[:, 3].astype(float)
    ndvi = (nir - red) / (nir + red)
    conifer = maps.labels == CLASSES.index("conifer")
    leafy = maps.labels == CLASSES.index("deciduous")
    assert conifer.any() or leafy.any()
    summer, winter = ndvi[6], ndvi[0]
    if leafy[0].any():
        assert summer[leafy[6]].mean() > winter[leafy[0]].mean() + 0.2
    late = maps.labels[-1] == CLASSES.index("water")
    if late.any():
        at = spectra.positions(BANDS)
        water = (spectra.spectrum("water")[at], spectra.spectrum("turbid")[at])
        low, high = np.minimum(*water)[3], np.maximum(*water)[3]
        assert low - 0.02 < nir[-1][late].mean() / 10_000 < high + 0.02


def test_the_share_of_a_cell_counts_its_pixels() -> None:
    first = np.zeros((32, 48), np.uint8)
    last = first.copy()
    last[:16, :4], last[20, 40] = 1, 2
    share = changed_share(first, last, 16)
    assert share.tolist() == [[0.25, 0, 0], [0, 0, 1 / 256]]
    with pytest.raises(ValueError, match="multiple of 20"):
        changed_share(first, last, 20)


@pytest.mark.parametrize(("patch", "cell"), [(8, 16), (16, 16), (32, 16), (24, 16)])
def test_the_common_grid_is_the_mean_over_pixels(patch: int, cell: int) -> None:
    """Scores spread to pixels of 1 m and averaged there."""
    random = np.random.default_rng(patch)
    side = 96
    count = side // patch
    south, west = 7, 11  # first row and column of patches
    row, col = (axis.ravel() for axis in np.indices((count, count)))
    score = random.random(count**2)
    score[random.random(count**2) < 0.2] = np.nan
    pixels = np.full((side, side), np.nan)  # y downwards
    for r, c, value in zip(row, col, score, strict=True):
        top = side - (r + 1) * patch
        pixels[top : top + patch, c * patch : (c + 1) * patch] = value
    cells = Cells(west * patch, south * patch + side, cell, side // cell, side // cell)
    shuffled = random.permutation(count**2)
    found = common_grid(
        score[shuffled], row[shuffled] + south, col[shuffled] + west, patch, cells
    )
    parts = pixels.reshape(side // cell, cell, side // cell, cell)
    parts = parts.transpose(0, 2, 1, 3).reshape(side // cell, side // cell, -1)
    known = np.isfinite(parts).mean(axis=2)
    total = np.nansum(parts, axis=2) / np.maximum(np.isfinite(parts).sum(axis=2), 1)
    np.testing.assert_allclose(found, np.where(known >= 0.5, total, np.nan))


def test_a_grid_beyond_the_patches_is_empty_there() -> None:
    cells = Cells(0, 200, 100, 2, 3)
    found = common_grid(np.array([5.0]), np.array([1]), np.array([0]), 100, cells)
    assert found[0, 0] == 5
    assert np.isnan(found).sum() == 5
    none = np.zeros(0, np.int64)
    assert np.isnan(common_grid(none.astype(float), none, none, 100, cells)).all()


def test_patches_that_cannot_be_a_map_are_refused() -> None:
    cells, two = Cells(0, 200, 100, 2, 2), np.array([1, 1])
    with pytest.raises(ValueError, match="one patch at a place"):
        common_grid(np.array([1.0, 2.0]), two, two, 100, cells)
    with pytest.raises(ValueError, match="got 1 scores, 2 rows"):
        common_grid(np.array([1.0]), two, two, 100, cells)


def test_grades_follow_the_share() -> None:
    share = np.linspace(0, 1, 30).reshape(5, 6)
    perfect = grade(share, share * 3)
    assert set(perfect.roc_auc.values()) == {1.0}
    assert perfect.spearman == pytest.approx(1.0)
    assert perfect.average_precision == 1.0
    assert perfect.floor == 0.5
    backwards = grade(share, -share)
    assert set(backwards.roc_auc.values()) == {0.0}
    assert backwards.spearman == pytest.approx(-1.0)
    silent = np.where(share > 0.9, np.nan, share)
    assert grade(share, silent).silent == (share > 0.9).sum()
    assert grade(share, silent).roc_auc[1.0] == 0.0 + 0.5 * 2 / 29
    assert np.isnan(grade(share, np.zeros_like(share)).spearman)
    assert np.isnan(grade(np.zeros_like(share), share).roc_auc[0.25])


def test_recipes_that_cannot_be_drawn_are_refused() -> None:
    with pytest.raises(ValueError, match="leave 6 months"):
        Recipe(months=20)
    with pytest.raises(ValueError, match="64 pixels"):
        Recipe(size_px=32)
