import numpy as np
import pytest

from terradrift.evaluate import measures
from terradrift.evaluate.class_maps.grid import grade
from terradrift.evaluate.compare import page as compare_page
from terradrift.evaluate.compare.models import Map, Shares, common_cells, graded, onto
from terradrift.evaluate.compare.result import Compared, Line

EPSG = 32631


def square(first_row: int, first_col: int, side: int) -> np.ndarray:
    row, col = (axis.ravel() for axis in np.indices((side, side)))
    return np.column_stack([np.full(side**2, EPSG), row + first_row, col + first_col])


def shares(cells: np.ndarray, size: int, changed: np.ndarray) -> Shares:
    return Shares.of(cells, size, changed, np.zeros(len(cells)))


def test_the_common_cells_are_those_that_every_map_covers_by_half() -> None:
    fine = shares(square(100, 200, 8), 40, np.zeros(64))  # 4,000 to 4,320 m north
    coarse = shares(square(25, 51, 3), 160, np.zeros(9))  # 8,160 m to 8,640 m east
    cells = common_cells([fine, coarse], 160)
    assert cells.tolist() == [[EPSG, 26, 51], [EPSG, 25, 51]]
    other = Shares(coarse.cells + np.array([1, 0, 0]), 160, coarse.share, coarse.known)
    assert len(common_cells([fine, other], 160)) == 0
    # 8,000 m to 8,240 m covers 80 of the 100 m from 8,160 m on, and 40 of the next 100.
    part = shares(square(100, 200, 6), 40, np.zeros(36))
    assert common_cells([part], 100)[:, 2].max() == 81


def test_maps_of_any_patch_size_come_to_the_same_cells() -> None:
    truth = np.random.default_rng(0).random((8, 8))  # northward
    fine = square(100, 200, 16)
    of_fine = truth[(fine[:, 1] - 100) // 2, (fine[:, 2] - 200) // 2]
    coarse = square(50, 100, 8)
    of_coarse = truth[coarse[:, 1] - 50, coarse[:, 2] - 100]
    cells = common_cells([shares(fine, 40, of_fine), shares(coarse, 80, of_coarse)], 80)
    assert len(cells) == 64
    expected = truth[cells[:, 1] - 50, cells[:, 2] - 100]
    random = np.random.default_rng(1)
    for own, size, score in ((fine, 40, of_fine), (coarse, 80, of_coarse)):
        order = random.permutation(len(own))
        held = shares(own[order], size, np.zeros(len(own)))
        found = onto(Map("a", "m", "cosine", score[order], held), cells, 80)
        np.testing.assert_allclose(found, expected)


def test_grades_are_those_of_the_measures_with_intervals_around_them() -> None:
    random = np.random.default_rng(2)
    cells = square(0, 0, 24)
    share = np.where(random.random(576) < 0.3, random.uniform(0.02, 0.98, 576), 0)
    share[:40] = 1.0
    score = share + 0.4 * random.normal(size=576)
    score[5] = np.nan
    found = graded(score, shares(cells, 100, share), repeats=200)
    expected = grade(share[None], score[None])
    for least, area in expected.roc_auc.items():
        value = found.roc_auc[least]
        assert value.value == pytest.approx(area)
        assert value.low < value.value < value.high
    assert found.average_precision.value == pytest.approx(expected.average_precision)
    assert found.spearman == pytest.approx(expected.spearman)
    assert (found.silent, found.cells) == (1, 576)
    assert found.changed[1.0] == 40
    wholly = share >= 1
    for at in np.unique(score[np.isfinite(score)]):
        told = score >= at
        precision, recall = wholly[told].mean(), told[wholly].mean()
        if precision + recall:
            own = 2 * found.best[0] * found.best[1] / sum(found.best)
            assert 2 * precision * recall / (precision + recall) <= own + 1e-9


def test_ground_that_is_not_known_takes_no_part() -> None:
    cells = square(0, 0, 6)
    share, unknown = np.zeros(36), np.zeros(36)
    share[:6], share[6], unknown[30:] = 1.0, 0.005, 0.5
    held = Shares.of(cells, 100, share, unknown)
    score = np.arange(36, 0, -1.0)
    found = graded(score, held, repeats=50)
    assert found.cells == 30
    assert found.changed == {0.0: 6, 0.25: 6, 0.5: 6, 1.0: 6}  # a sliver is none
    assert found.roc_auc[0.0].value == measures.roc_auc(share[:30] == 1, score[:30])
    nothing = graded(score, shares(cells, 100, np.zeros(36)))
    assert np.isnan(nothing.roc_auc[0.5].value)


def test_the_page_has_both_tables_and_chance() -> None:
    cells = square(0, 0, 12)
    share = np.zeros(144)
    share[::5] = 1.0
    random = np.random.default_rng(3)
    lines = []
    for model, noise in (("faint", 2.0), ("clear", 0.1)):
        graded_ = graded(
            share + noise * random.normal(size=144),
            shares(cells, 40, share),
            repeats=50,
        )
        lines.append(
            Line(
                archive="/a",
                model=model,
                measure="cosine",
                patch_size=40,
                common=graded_,
                own=graded_,
            )
        )
    found = Compared(
        labels="l.tif", cell=40, dates="Distance", notes=("so",), lines=tuple(lines)
    )
    page = compare_page.markdown(found)
    assert page.index("| clear | 40 m | cosine |") < page.index("| faint |")
    assert "| chance | - | - | 0.500 |" in page
    assert "## Each on its own grid: these do not compare" in page
    assert "* so" in page
    assert max(map(len, str(found).splitlines())) <= 100
    assert found.to_dict()["lines"][0]["common"]["changed"]["1"] == 29
