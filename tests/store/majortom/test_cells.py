import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.store.majortom.cells import LATITUDE, CellGrid

GRID = CellGrid()


def axes(grid: CellGrid, latitude: float | None = None) -> np.ndarray:
    """Coordinates of all rows, or of all points of a row, by halving the whole turn."""
    if latitude is None:
        whole, count, start = (
            180,
            int(np.ceil(np.pi * 6378.137 / grid.distance_km)),
            -90,
        )
    else:
        around = 2 * np.pi * 6378.137 * np.cos(np.radians(latitude))
        whole, count, start = 360, int(np.ceil(around / grid.distance_km)), -180
    even = np.linspace(start, -start, count + 1)[:-1]
    return np.sort(np.mod(even, whole) + start)


def test_there_are_2004_rows_of_10_km() -> None:
    assert GRID.rows == 2004
    assert GRID.latitude(0) == 0
    assert GRID.columns(0) == 4008
    assert GRID.latitude(922) == pytest.approx(82.814, abs=1e-3)


@pytest.mark.parametrize("distance", [10.0, 100.0, 77.7])
def test_points_are_those_of_even_steps_around_the_globe(distance: float) -> None:
    grid = CellGrid(distance)
    latitudes = axes(grid)
    zeroth = int(np.flatnonzero(np.abs(latitudes) < 1e-9)[0])
    for at in (0, 3, zeroth - 1, zeroth, zeroth + 7, len(latitudes) - 1):
        row = at - zeroth
        assert grid.latitude(row) == pytest.approx(latitudes[at], abs=1e-9)
        if abs(latitudes[at]) > LATITUDE:
            with pytest.raises(ValueError, match="has no cell at"):
                grid.name(row, 0)
            continue
        longitudes = axes(grid, latitudes[at])
        own = int(np.flatnonzero(np.abs(longitudes) < 1e-9)[0])
        assert grid.columns(row) == len(longitudes)
        for number in (0, own, len(longitudes) - 1):
            found = grid.longitude(row, number - own)
            assert found == pytest.approx(longitudes[number], abs=1e-9)
            assert grid.parse(grid.name(row, number - own)) == (row, number - own)
        for beyond in (-own - 1, len(longitudes) - own):
            with pytest.raises(ValueError, match=f"{len(longitudes)} columns"):
                grid.name(row, beyond)


def test_names_count_from_the_equator_and_greenwich() -> None:
    assert GRID.name(0, 0) == "0U_0R"
    assert GRID.name(-922, -249) == "922D_249L"
    assert GRID.parse("922D_249L") == (-922, -249)
    assert (
        GRID.epsg("922D_249L")
        == 32700 + int((GRID.longitude(-922, -249) + 180) // 6) + 1
    )
    assert GRID.epsg("0U_0R") == 32631
    for wrong in ("922D249L", "922D_249", "922d_249l", "", "1U_99999R", "950U_0R"):
        with pytest.raises(ValueError, match=r"expected a cell such as|has no cell"):
            GRID.parse(wrong)


@given(longitude=st.floats(-180, 180), latitude=st.floats(-84.9, 84.9))
@settings(deadline=None, max_examples=200)
def test_a_place_lies_in_its_cell(longitude: float, latitude: float) -> None:
    row, col = GRID.cell(longitude, latitude)
    assert GRID.parse(GRID.name(row, col)) == (row, col)
    assert GRID.latitude(row) <= latitude + 1e-9 < GRID.latitude(row + 1) + 1e-8
    width = 360 / GRID.columns(row)
    off = (longitude - GRID.longitude(row, col)) % 360
    assert off < width + 1e-8 or off > 360 - 1e-8


def test_what_is_no_place_is_refused() -> None:
    with pytest.raises(ValueError, match="in degrees"):
        GRID.cell(181, 0)
    with pytest.raises(ValueError, match="rows reach 85 degrees"):
        GRID.cell(0, 89)
    with pytest.raises(ValueError, match="above 0 and at most"):
        CellGrid(0)
