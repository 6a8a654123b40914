"""Exact search on a device of torch: the answer of the scan on the processor."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from terradrift.query.index import exact
from terradrift.query.index.flat import Flat
from terradrift.query.index.frame import Frame
from terradrift.query.index.rows import lengths_of
from terradrift.query.search import resident
from terradrift.query.search.nearest import Query
from terradrift.space import Space

pytest.importorskip("torch")
from terradrift.query.search import gpu

DIMENSIONS = 40
ROWS = 3000
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
ALL = np.array([[0, ROWS]])


def space(name: str) -> Space | None:
    rng = np.random.default_rng(4)
    mean = rng.normal(size=DIMENSIONS).astype(np.float32)
    matrix = rng.normal(size=(DIMENSIONS, 24)).astype(np.float32)
    return {
        "raw": None,
        "centre": Space("centre", 1, mean, None, 100),
        "whiten": Space("whiten", 1, mean, matrix, 100),
    }[name]


def made(columns: tuple[str, ...], held: Space | None) -> exact.Vectors:
    """Rows of which many are twins, and some have no direction."""
    rng = np.random.default_rng(len(columns))
    flats = []
    for _ in columns:
        rows = rng.normal(size=(ROWS, DIMENSIONS)).astype(np.float16)
        rows[1000:2000] = rows[rng.integers(0, 40, 1000)]
        rows[5], rows[7, 3], rows[9, 0] = 0, np.nan, np.inf
        flats.append(Flat(rows, lengths_of(rows)))
    squares = np.zeros(ROWS)
    for name, flat in zip(columns, flats, strict=True):
        rows = flat.vectors.astype(np.float32)
        if held is not None:
            rows = held.step(rows) if name == "delta" else held.place(rows)
        with np.errstate(invalid="ignore"):
            squares += (rows.astype(np.float64) ** 2).sum(axis=1)
    squares[~np.isfinite(squares)] = np.nan
    lengths = np.sqrt(squares).astype(np.float32)
    return exact.Vectors(Frame(columns, DIMENSIONS, held), flats, lengths)


def asked(columns: tuple[str, ...], held: Space | None, seed: int = 0) -> Query:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(columns), DIMENSIONS)).astype(np.float32)
    return Query(columns, values, ("change_id",)).within(held)


def same(
    found: tuple[NDArray[np.int64], NDArray[np.float64]],
    expected: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> None:
    for got, wanted in zip(in_order(found), in_order(expected), strict=True):
        np.testing.assert_array_equal(got, wanted)


def in_order(
    found: tuple[NDArray[np.int64], NDArray[np.float64]],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    order = np.argsort(found[0])
    return found[0][order], found[1][order]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["raw", "centre", "whiten"])
@pytest.mark.parametrize("columns", [("delta",), ("after",), ("before", "after")])
def test_a_device_answers_as_the_processor_does(
    device: str, name: str, columns: tuple[str, ...]
) -> None:
    held = space(name)
    vectors, query = made(columns, held), asked(columns, held)
    for k in (1, 10, 1000, 5000):
        found = gpu.nearest_on(device, vectors, query, k, ALL)
        same(found, exact.search(vectors, query, k, ALL, 1))
        assert len(found[0]) >= min(k, ROWS - 3)


@pytest.mark.parametrize("device", DEVICES)
def test_twins_of_the_last_come_too(device: str) -> None:
    vectors = made(("delta",), None)
    query = Query(("delta",), vectors.flats[0].vectors[1500:1501].astype("f4"), ("id",))
    positions, distances = gpu.nearest_on(device, vectors, query, 1, ALL)
    twins = (vectors.flats[0].vectors == vectors.flats[0].vectors[1500]).all(axis=1)
    assert twins.sum() > 10
    np.testing.assert_array_equal(np.sort(positions), np.flatnonzero(twins))
    assert (distances == 0).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("ranges", [0, 1, 3, 500])
def test_only_allowed_rows_answer(device: str, ranges: int) -> None:
    vectors, query = (
        made(("after",), space("centre")),
        asked(("after",), space("centre")),
    )
    rng = np.random.default_rng(ranges)
    edges = np.sort(rng.choice(ROWS, 2 * ranges, replace=False)).reshape(-1, 2)
    found = gpu.nearest_on(device, vectors, query, 20, edges)
    same(found, exact.search(vectors, query, 20, edges, 1))
    inside = np.concatenate([np.arange(a, b) for a, b in edges] or [np.empty(0)])
    assert np.isin(found[0], inside).all()


@pytest.mark.parametrize("device", DEVICES)
def test_rows_that_do_not_fit_are_streamed(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "CHUNK_ROWS", 700)
    vectors, query = made(("before", "after"), None), asked(("before", "after"), None)
    one = vectors.flats[0].vectors.nbytes
    expected = np.sort(exact.search(vectors, query, 10, ALL, 1)[0])
    for room in (0, one * 5 // 4, 4 * one):
        place = gpu.Place(device, room)
        for _ in range(2):
            (near,) = place.candidates(vectors, [query], 10, ALL)
            assert np.isin(expected, near).all()
            assert len(near) < 50
        assert place.held_bytes <= room
    assert place.held_bytes > 2 * one


def test_rows_leave_the_device_when_nobody_holds_them() -> None:
    place = gpu.Place("cpu", 1 << 30)
    vectors, query = made(("delta",), None), asked(("delta",), None)
    place.candidates(vectors, [query], 3, ALL)
    assert place.held_bytes > 0
    del vectors
    assert place.held_bytes == 0


@pytest.mark.parametrize("device", DEVICES)
def test_many_queries_are_answered_as_one_by_one(device: str) -> None:
    vectors = made(("delta",), space("whiten"))
    queries = [asked(("delta",), space("whiten"), seed) for seed in range(7)]
    found = gpu.nearest_of(device, vectors, queries, 10, ALL)
    for query, own in zip(queries, found, strict=True):
        same(own, exact.search(vectors, query, 10, ALL, 1))
    assert len({tuple(np.sort(p)) for p, _ in found}) == 7


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e7])
def test_a_query_of_any_length_is_the_same(scale: float) -> None:
    vectors, query = made(("delta",), None), asked(("delta",), None)
    longer = Query(query.columns, query.vectors * np.float32(scale), query.keys)
    found = gpu.nearest_on("cpu", vectors, longer, 10, ALL)
    same(found, exact.search(vectors, longer, 10, ALL, 1))
    (near,) = gpu.Place("cpu").candidates(vectors, [longer], 10, ALL)
    assert len(near) < 50


def test_the_bound_holds_for_sums_of_halves() -> None:
    """What the candidates are chosen by is nearer to float64 than the slack says."""
    vectors = made(("after",), space("whiten"))
    query = asked(("after",), space("whiten"))
    place = gpu.Place("cpu")
    pieces = list(resident.pieces(ALL))
    rough = place._distances(vectors, [query], pieces)[0].numpy()
    slack = np.broadcast_to(np.asarray(place._slack(vectors, pieces)), rough.shape)
    known = np.flatnonzero(np.isfinite(rough))
    positions, distances = exact.measure(vectors, query, known, ROWS)
    assert (np.abs(rough[positions] - distances) <= slack[positions]).all()


def test_a_missing_gpu_is_said() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    assert gpu.available() is None
    vectors, query = made(("delta",), None), asked(("delta",), None)
    with pytest.raises(ValueError, match="torch sees no CUDA device"):
        gpu.nearest_on("cuda", vectors, query, 1, ALL)


def test_importing_it_imports_no_torch() -> None:
    code = "import sys, terradrift.query.search.gpu; print('torch' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"


@pytest.mark.parametrize("ranges", [1, 2, 65, 200])
def test_pieces_are_the_rows_in_turn(
    ranges: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "CHUNK_ROWS", 100)
    rng = np.random.default_rng(ranges)
    edges = np.sort(rng.choice(ROWS, 2 * ranges, replace=False)).reshape(-1, 2)
    wanted = np.concatenate([np.arange(a, b) for a, b in edges])
    pieces = list(resident.pieces(edges))
    rows = np.arange(ROWS)
    np.testing.assert_array_equal(np.concatenate([rows[p] for p in pieces]), wanted)
    assert max(map(resident.size, pieces)) <= 100
    assert all(a[1] <= b[0] for a, b in pairwise(edges))
    counted = np.arange(len(wanted))
    np.testing.assert_array_equal(resident.positions(counted, edges), wanted)
