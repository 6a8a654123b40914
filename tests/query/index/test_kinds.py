"""Recall of each kind of query: rows in dense places and outliers, opposites, no row's."""

from pathlib import Path

import numpy as np
import pytest

from terradrift import schema
from terradrift.query.index.build import build
from terradrift.query.index.held import opened
from terradrift.query.index.open import Open
from terradrift.query.search.nearest import Query
from tests.query.conftest import table, vectors
from tests.query.index import made
from tests.query.index.made import TABLE

ROWS, WIDTH, ASKED = 8000, 64, 50


def drawn(rows: int, outlier: np.ndarray, seed: int) -> np.ndarray:
    """Vectors about 20 centres, tightly, and outliers all about."""
    centres = 3 * np.random.default_rng(0).normal(size=(20, WIDTH))
    rng = np.random.default_rng(seed)
    tight = centres[rng.integers(0, 20, rows)] + 0.3 * rng.normal(size=(rows, WIDTH))
    broad = 3 * rng.normal(size=(rows, WIDTH))
    return np.where(outlier[:, None], broad, tight).astype(np.float16)


OUTLIER = np.arange(ROWS) % 20 == 0
VALUES = drawn(ROWS, OUTLIER, 1)
HELD = drawn(ASKED, np.arange(ASKED) % 20 == 0, 2)
KINDS = {
    "rows in clusters": VALUES[~OUTLIER][::150][:ASKED],
    "outliers": VALUES[OUTLIER][::8][:ASKED],
    "opposites": -VALUES[~OUTLIER][::151][:ASKED],
    "held out": HELD,
    "any direction": np.random.default_rng(3).normal(size=(ASKED, WIDTH)),
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Open:
    folder = tmp_path_factory.mktemp("kinds")
    return built(folder)


def built(folder: Path) -> Open:
    same = vectors(VALUES)
    columns = {
        "change_id": [f"c{i:05d}" for i in range(ROWS)],
        "patch_id": [f"p{i}" for i in range(ROWS)],
        "tile": ["t"] * ROWS,
        "before": same,
        "after": same,
        "delta": same,
    }
    store = made.archive(folder, table(columns, schema.changes(WIDTH)))
    build(store, TABLE, ("delta",), None, quiet=True)
    found = opened(store, TABLE, store.dataset(TABLE), ("delta",), None)
    assert isinstance(found, Open)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [10, 50])
def test_every_kind_of_query_has_the_recall_that_is_told(
    index: Open, kind: str, k: int
) -> None:
    shares, told = [], []
    for vector in KINDS[kind]:
        query = Query(("delta",), vector[None].astype(np.float32), ())
        near, recall = index.near(query, k)
        exact = index.exact(query, k)
        shares.append((near.distances <= exact.distances[-1] + 1e-12).sum() / k)
        told.append(recall.value)
        assert recall.queries > 0 or shares[-1] == 1
    error = np.std(shares, ddof=1) / np.sqrt(ASKED)
    assert np.mean(shares) >= 0.98 - error
    assert np.mean(told) - np.mean(shares) < 0.015 + error
    assert min(told) >= 0.98


def test_most_rows_are_found_in_few_lists_and_outliers_in_more(index: Open) -> None:
    parts = index.lists.parts(10)
    probes = [probes for _, probes, _ in parts]
    assert probes == sorted(probes)
    assert probes[0] <= index.lists.count // 4
    assert probes[-1] >= 3 * probes[0]
    assert parts[0][2].queries >= 0.8 * 200
