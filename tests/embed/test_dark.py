import numpy as np
import pytest

from terradrift.embed import dark, run
from tests.embed.images import landscape, tile_image
from tests.embed.test_contract import Sums

BANDS = ("red", "nir")


def image(pixels):
    return tile_image(pixels, bands=BANDS)


def bright():
    return image(landscape(bands=2))


def tiny():
    return image(1e-4 * landscape(bands=2))


def unclear():
    return image(np.full((2, 34, 34), np.nan))


def water():
    """Dark in every band, but for what light it has in one."""
    pixels = np.full((2, 34, 34), 1e-4)
    pixels[0] = np.random.default_rng(0).uniform(0, 0.004, (34, 34))
    return image(pixels)


@pytest.mark.parametrize("count", [1, 3, 9])
def test_numbers_that_a_wrong_scale_made_small_are_refused_before_any_row(count):
    given = [tiny() for _ in range(count)]
    with pytest.raises(
        ValueError, match=r"e-05 and less in every band.*wrong scale"
    ) as e:
        next(run.embed(iter(given), Sums(), run_id="r", threads=1))
    assert "\n" not in str(e.value)
    assert f"all of {min(count, 4)} images" in str(e.value)


def test_no_more_images_are_read_than_it_takes_to_tell():
    taken = []

    def stream():
        for number in range(50):
            taken.append(number)
            yield tiny()

    with pytest.raises(ValueError, match="wrong scale"):
        list(dark.refused(stream()))
    assert len(taken) == 4


@pytest.mark.parametrize(
    "given",
    [
        [],
        [water],
        [unclear],
        [unclear, unclear, tiny, unclear, bright, tiny],
        [tiny, tiny, tiny, water],
        [bright, *[tiny] * 8],
    ],
)
def test_dark_images_among_others_pass_in_their_order(given):
    images = [make() for make in given]
    passed = list(dark.refused(iter(images)))
    assert [id(one) for one in passed] == [id(one) for one in images]
    list(run.embed(iter(images), Sums(), run_id="r", threads=1))
