import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.grid import Grid
from terradrift.ingest.acquisition import Acquisition, Asset
from terradrift.ingest.compose import Layer, tile_image
from terradrift.ingest.ground import Ground
from terradrift.ingest.plan import Unit

GRID = Grid(40, 10.0)
PX = 4


def acquisition(name: str, hour: int) -> Acquisition:
    band = Asset("red", f"{name}.tif", 1, 1.0, 0.0, None, float("nan"))
    when = np.datetime64(f"2020-06-01T{hour:02d}", "us")
    return Acquisition(name, when, "", "L2A", (band,), (), None, None, "")


def unit(names: tuple[str, ...], covered: np.ndarray, across: int) -> Unit:
    n = covered.shape[1]
    down = n // across
    rows = np.repeat(np.arange(down)[::-1], across) + 50
    cols = np.tile(np.arange(across), down) + 70
    ids = GRID.patch_ids(32631, rows, cols)
    ground = Ground(32631, rows, cols, ids, GRID.centers(32631, rows, cols), covered)
    return Unit(np.datetime64("2020-06-01"), "32631_40m_2_1", names, ground)


def layers(clear: np.ndarray) -> list[Layer]:
    """Scene k is worth k + 1 wherever it is clear."""
    return [
        Layer(
            acquisition("abcd"[k], 9 + k),
            np.where(mask, np.float32(k + 1), np.float32(np.nan))[None],
            mask,
        )
        for k, mask in enumerate(clear)
    ]


@settings(max_examples=50, deadline=None)
@given(
    scenes=st.integers(1, 4),
    down=st.integers(1, 3),
    across=st.integers(1, 3),
    halo=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_each_patch_comes_whole_from_its_clearest_scene(
    scenes: int, down: int, across: int, halo: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = scenes, down * PX + 2 * halo, across * PX + 2 * halo
    clear = rng.random(shape) < rng.choice([0.0, 0.5, 1.0], (scenes, 1, 1))
    covered = np.ones((scenes, down * across), bool)
    names = tuple("abcd"[:scenes])
    image = tile_image(
        unit(names, covered, across), layers(clear), ("red",), GRID, halo_px=halo
    )
    for n in range(down * across):
        row, col = image.rows[n], image.cols[n]
        box = (
            slice(halo + row * PX, halo + (row + 1) * PX),
            slice(halo + col * PX, halo + (col + 1) * PX),
        )
        counts = [int(mask[box].sum()) for mask in clear]
        best = counts.index(max(counts))
        assert image.patch_scenes[n] == best
        assert image.times[n] == np.datetime64(f"2020-06-01T{9 + best:02d}", "us")
        assert image.clear_percent[n] == np.float32(100.0 * counts[best] / PX**2)
        expected = np.where(clear[best][box], np.float32(best + 1), np.nan)
        np.testing.assert_array_equal(image.pixels[0][box], expected)
    assert image.pixels.shape == (1, *shape[1:])
    assert image.scene_ids == names


def test_a_scene_that_does_not_cover_a_patch_does_not_win_it() -> None:
    covered = np.array([[False, True], [True, True]])
    clear = np.zeros((2, PX, 2 * PX), bool)
    image = tile_image(
        unit(("a", "b"), covered, 2), layers(clear), ("red",), GRID, halo_px=0
    )
    assert image.patch_scenes.tolist() == [1, 0]
    assert image.clear_percent.tolist() == [0.0, 0.0]


def test_the_halo_comes_from_the_scene_of_the_patch_it_borders_on() -> None:
    clear = np.ones((2, PX + 4, 2 * PX + 4), bool)
    clear[0, 2 : 2 + PX, 2 + PX : 2 + 2 * PX] = False
    image = tile_image(
        unit(("a", "b"), np.ones((2, 2), bool), 2),
        layers(clear),
        ("red",),
        GRID,
        halo_px=2,
    )
    assert image.patch_scenes.tolist() == [0, 1]
    assert (image.pixels[0][:, : 2 + PX] == 1).all()
    assert (image.pixels[0][:, 2 + PX :] == 2).all()


def test_an_image_names_only_the_scenes_it_has() -> None:
    covered = np.ones((3, 1), bool)
    some = layers(np.ones((3, PX, PX), bool))[1:]
    image = tile_image(
        unit(("a", "b", "c"), covered, 1), some, ("red",), GRID, halo_px=0
    )
    assert image.scene_ids == ("b", "c")
    assert image.patch_scenes.tolist() == [0]
    assert image.wavelengths.tolist() == [np.float32(0.665)]
