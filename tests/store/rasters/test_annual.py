"""Annual embeddings as series: what changed is found by drift, by changes and by likeness."""

import numpy as np
import pytest

import terradrift as td
from terradrift.archive.importing import Request, bring
from terradrift.grid import parse_id
from tests.store.rasters import made

YEARS = range(2018, 2024)
STEP = 2022
PATCHES, PX = 24, 8
BLOCKS = ((3, 4, 4, 4), (14, 16, 4, 3))
"""Row, column, rows and columns of patches, from the north-west, that became other ground."""


def year(number: int) -> np.ndarray:
    """Four grounds in patches, noise of pixels and of the year, and what was planted."""
    random = np.random.default_rng(number)
    fixed = np.random.default_rng(1)
    grounds = fixed.normal(size=(5, 64))
    which = fixed.integers(0, 4, (PATCHES, PATCHES))
    if number >= STEP:
        for row, col, rows, cols in BLOCKS:
            which[row : row + rows, col : col + cols] = 4
    vectors = np.repeat(np.repeat(grounds[which], PX, 0), PX, 1)
    vectors = vectors + 0.6 * random.normal(size=vectors.shape)
    vectors += 0.3 * random.normal(size=64)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def block(patch: str) -> int:
    """Which block a patch is in; -1: none."""
    _, row, col = parse_id(patch)
    row = PATCHES - 1 - (row - round(made.SOUTH / 80))
    col -= round(made.WEST / 80)
    for number, (first, left, rows, cols) in enumerate(BLOCKS):
        if first <= row < first + rows and left <= col < left + cols:
            return number
    return -1


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> td.Archive:
    folder = tmp_path_factory.mktemp("annual")
    for number in YEARS:
        made.alphaearth(folder / "in", number, year(number))
    place = folder / "annual.td"
    bring(place, [folder / "in"], Request(patch_size=80))
    archive = td.open(place)
    archive.detect(quiet=True)
    return archive


def test_drift_is_highest_where_and_when_ground_changed(archive: td.Archive) -> None:
    top = archive.sql(
        "SELECT patch_id, year(datetime) FROM scores ORDER BY drift DESC NULLS LAST LIMIT 28"
    ).fetchall()
    assert {when for _, when in top} == {STEP}
    assert sum(block(patch) >= 0 for patch, _ in top) >= 27
    reasons = archive.sql(
        "SELECT year(datetime), count(drift), count(p_value) FROM scores GROUP BY 1 ORDER BY 1"
    ).fetchall()
    # The first year has no past; every later one is judged.
    assert reasons == [(2018, 0, 0), *((one, 576, 576) for one in YEARS[1:])]


def test_states_of_one_year_make_changes_of_annual_series(archive: td.Archive) -> None:
    """By default a state needs three dates: of six the fifth begins one badly."""
    text = "SELECT patch_id, year(onset) FROM changes ORDER BY score DESC"
    right = [one for one in archive.sql(text).fetchall() if one[1] == STEP]
    assert len({patch for patch, _ in right if block(patch) >= 0}) < 26
    archive.detect(quiet=True, min_segment=1)
    found = archive.sql(text).fetchall()
    planted = [(patch, when) for patch, when in found if block(patch) >= 0]
    assert len({patch for patch, _ in planted}) >= 26
    assert {when for _, when in planted} == {STEP}
    assert all(block(patch) >= 0 for patch, _ in found[:20])
    # A change finds the like elsewhere.
    (change,) = next(
        (one,)
        for one, patch in archive.sql(
            "SELECT change_id, patch_id FROM changes ORDER BY score DESC"
        ).fetchall()
        if block(patch) == 0
    )
    like = archive.similar(change=change, k=10).to_arrow().to_pylist()
    assert [block(row["patch_id"]) for row in like[:8]] == [1] * 8


def test_a_place_and_year_find_the_like_without_any_change(archive: td.Archive) -> None:
    (patch,) = next(
        (one,)
        for (one,) in archive.sql("SELECT patch_id FROM patches ORDER BY 1").fetchall()
        if block(one) == 0
    )
    rows = (
        archive.similar(
            patch=patch,
            date=f"{STEP}-07-02",
            target="observations",
            k=27,
            per_patch=1,
        )
        .to_arrow()
        .to_pylist()
    )
    assert all(block(row["patch_id"]) >= 0 for row in rows)
    assert all(row["datetime"].year >= STEP for row in rows)
