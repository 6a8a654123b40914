import itertools
import threading

import numpy as np
import pyarrow as pa
import pytest
import torch

from terradrift import schema
from terradrift.chip import INDICES
from terradrift.embed import run
from terradrift.embed.mosaiks import Mosaiks
from terradrift.embed.sample import sample
from terradrift.embed.spectral import Spectral
from tests.embed.images import BANDS10, landscape, tile_image
from tests.embed.test_chips import card


class Constant:
    """Gives the same vector for every chip, or fails at one."""

    def __init__(self, value=1.0, fail_at=None, shape=(3,), **given):
        self.card = card(bands=BANDS10, dimensions=3, **given)
        self.value, self.fail_at, self.shape = value, fail_at, shape
        self.calls = itertools.count()

    def embed(self, chips):
        if next(self.calls) == self.fail_at:
            raise RuntimeError("the model broke")
        return np.full((len(chips), *self.shape), self.value, np.float32)


def images(n, taken=None, **given):
    for seed in range(n):
        if taken is not None:
            taken.append(seed)
        yield tile_image(landscape(seed=seed), day=f"2020-06-{seed + 1:02d}", **given)


def embedded(stream, model, **given):
    return list(run.embed(stream, model, **{"run_id": "r1", "threads": 2, **given}))


def threads():
    return [t for t in threading.enumerate() if t.name.startswith("terradrift")]


def test_rows_follow_the_schema_and_the_order_of_images():
    found = embedded(images(7), Spectral(BANDS10))
    assert [part.batch["datetime"][0].as_py().day for part in found] == list(
        range(1, 8)
    )
    for part in found:
        schema.check(part.batch.schema, schema.embeddings(65))
        part.batch.validate(full=True)
        assert part.batch.num_rows == 64
        assert part.tile == "32631_40m_10_20"
        assert part.scene_ids == ("s1",)
    assert threads() == []


def test_rows_say_what_the_image_says():
    image = tile_image(landscape(), scenes=("s1", "s2"))
    model = Spectral(BANDS10)
    (part,) = embedded(iter([image]), model)
    rows = pa.Table.from_batches([part.batch])
    assert rows["patch_id"].to_pylist() == image.patch_ids.tolist()
    assert rows["scene_id"].to_pylist() == ["s1", "s2"] * 32
    assert set(rows["run_id"].to_pylist()) == {"r1"}
    assert set(rows["clear_percent"].to_pylist()) == {100}
    stored = np.array(rows["embedding"].to_pylist(), np.float32)
    patch = image.pixels[0, 1:5, 1:5]
    assert stored[0, 0] == pytest.approx(patch.mean() / 0.1, rel=1e-3)


def test_indices_are_those_of_mean_clear_reflectance():
    pixels = landscape()
    pixels[:, 1:3] = np.nan
    (part,) = embedded(iter([tile_image(pixels)]), Constant())
    mean = pixels[:, 3:5, 1:5].mean(axis=(1, 2))
    red, nir, swir22, green = (
        mean[BANDS10.index(b)] for b in ("red", "nir", "swir22", "green")
    )
    row = part.batch.slice(0, 1).to_pylist()[0]
    assert row["ndvi"] == pytest.approx((nir - red) / (nir + red), rel=1e-5)
    assert row["nbr"] == pytest.approx((nir - swir22) / (nir + swir22), rel=1e-5)
    assert row["ndwi"] == pytest.approx((green - nir) / (green + nir), rel=1e-5)
    assert row["clear_percent"] == 50


def test_indices_are_null_where_bands_are_missing():
    stream = iter([tile_image(landscape(bands=1), bands=("ndvi",))])
    (part,) = embedded(stream, Spectral(("ndvi",)))
    assert [part.batch[name].null_count for name in INDICES] == [0, 64, 64]
    (part,) = embedded(
        iter([tile_image(landscape(bands=1), bands=("red",))]), Spectral(("red",))
    )
    assert [part.batch[name].null_count for name in INDICES] == [64, 64, 64]


def test_patches_that_are_not_clear_enough_get_no_row():
    pixels = landscape()
    pixels[:, 1:5, 1:5] = np.nan
    pixels[:, 1:5, 5:8] = np.nan
    (part,) = embedded(iter([tile_image(pixels)]), Constant())
    assert part.batch.num_rows == 63
    (part,) = embedded(iter([tile_image(pixels)]), Constant(), min_clear=26)
    assert part.batch.num_rows == 62


def test_an_image_without_clear_patches_closes_its_unit_without_rows():
    stream = iter([tile_image(np.full((10, 34, 34), np.nan, np.float32))])
    (part,) = embedded(stream, Constant())
    assert part.batch.num_rows == 0
    assert part.scene_ids == ("s1",)


def test_nothing_is_read_before_the_first_row_is_asked_for():
    taken = []
    stream = run.embed(images(5, taken), Constant(), run_id="r1", threads=1)
    assert taken == []
    next(stream)
    stream.close()


def test_memory_is_bounded_by_the_queues_while_the_consumer_waits():
    taken = []
    stream = run.embed(images(60, taken), Constant(), run_id="r1", threads=2)
    next(stream)
    threading.Event().wait(0.3)
    assert len(taken) <= 1 + 2 + 4
    stream.close()
    assert threads() == []


def test_an_error_of_the_model_stops_all_threads():
    taken = []
    with pytest.raises(RuntimeError, match="the model broke"):
        embedded(images(60, taken), Constant(fail_at=2))
    assert len(taken) < 20
    assert threads() == []


def test_an_error_of_the_reader_comes_through_and_stops_all_threads():
    def broken():
        yield from images(2)
        raise OSError("the file is gone")

    stream = run.embed(broken(), Constant(), run_id="r1", threads=2)
    assert [next(stream).batch.num_rows for _ in range(2)] == [64, 64]
    with pytest.raises(OSError, match="the file is gone"):
        next(stream)
    assert threads() == []


def test_vectors_beyond_float16_are_refused():
    with pytest.raises(
        ValueError, match=r"up to 100000; vectors are stored as float16"
    ):
        embedded(images(1), Constant(1e5))


def test_vectors_of_another_length_than_promised_are_refused():
    with pytest.raises(ValueError, match="promises 3 numbers per vector, gave"):
        embedded(images(1), Constant(shape=(4,)))


def test_token_models_give_a_row_per_patch():
    model = Constant(shape=(2, 2, 3), chip_size=8, token_stride=4)
    (part,) = embedded(images(1), model)
    assert part.batch.num_rows == 64


class Holed(Constant):
    """Gives tokens of which the first of every chip is NaN."""

    def embed(self, chips):
        found = super().embed(chips)
        found[:, 0, 0] = np.nan
        found[:, 1, 1] = 3
        return found


def test_tokens_that_are_nan_are_left_out_of_what_others_blend():
    geometry = {"chip_size": 8, "token_stride": 4, "overlap_px": 4}
    (part,) = embedded(images(1), Holed(shape=(2, 2, 3), **geometry))
    found = np.array(part.batch["embedding"].to_pylist(), np.float32)
    # Each token of the tile has four chips, so one NaN never takes its row away.
    assert part.batch.num_rows == 64
    # NaN, 1, 1 and 3, in equal shares but for the tile's border.
    inner = found.reshape(8, 8, 3)[1:-1, 1:-1]
    np.testing.assert_allclose(inner, 5 / 3, rtol=1e-3)


def test_a_patch_of_which_every_token_is_nan_gets_no_row():
    (part,) = embedded(images(1), Holed(shape=(2, 2, 3), chip_size=8, token_stride=4))
    # Sixteen chips side by side, of four patches each.
    assert part.batch.num_rows == 48


def test_tokens_without_a_clear_pixel_do_not_count_for_their_patch():
    class Red:
        card = card(bands=BANDS10, dimensions=1, chip_size=8, token_stride=2)

        def embed(self, chips):
            red = np.nan_to_num(chips.pixels[:, 2], nan=9.0)
            blocks = red.reshape(len(chips), 4, 2, 4, 2)
            return blocks.mean(axis=(2, 4))[..., None]

    pixels = landscape()
    pixels[:, 1:5, 3:5] = np.nan
    image = tile_image(pixels)
    (part,) = embedded(iter([image]), Red())
    first = part.batch["embedding"][0].as_py()
    assert first == pytest.approx([pixels[2, 1:5, 1:3].mean()], rel=1e-3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_a_device_is_refused_before_anything_is_read():
    taken = []
    model = Mosaiks.fit(sample(images(1), context_px=1))
    for chosen in (model, Constant()):
        with pytest.raises(ValueError, match="'cuda' was asked for, but 0 CUDA"):
            run.embed(images(1, taken), chosen, run_id="r", threads=1, device="cuda")
    assert taken == []


def test_threads_of_torch_are_as_before_when_all_is_done():
    before = torch.get_num_threads()
    embedded(images(2), Constant())
    assert torch.get_num_threads() == before


def test_metadata_names_the_model():
    model = card(gsd=10.0, level="L1C", bands=("red", "cirrus"), missing="zero")
    found = run.metadata(model, ("red", "nir"))
    assert found == {
        "model": "test",
        "revision": "1",
        "licence": "MIT",
        "weights_sha256": "",
        "bands": "red,cirrus",
        "preprocessing": "none; bands not there, zero: cirrus",
        "quantization": "float16",
        "source": "here",
        "level": "L1C",
        "gsd": "10",
        "sensor": "any",
    }
    with pytest.raises(ValueError, match="lack nir"):
        run.metadata(card(), ("red",))
