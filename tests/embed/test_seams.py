"""The lattice of chips leaves no trace: the same ground under another lattice.

Models whose tokens tell much of their position in the chip are the hard case: a transformer
with codes of position and random weights, and Galileo with its real ones, of whose tokens
position explains more than half of the variance.
"""

import numpy as np
import pytest
import rasterio
import torch
from torch import nn

from terradrift.embed import card as cards
from terradrift.embed import lattice
from terradrift.embed.how import How
from terradrift.embed.models.galileo import NANO
from terradrift.embed.network import Input
from tests.embed.images import landscape, tile_image, vectors
from tests.embed.specs import spec

PATCH = 4
CHIP = 32


class Attending(nn.Module):
    """A small transformer over tokens of four pixels, with codes of their position."""

    def __init__(self, bands, side, width=32):
        super().__init__()
        torch.manual_seed(0)
        self.tokens = nn.Conv2d(bands, width, PATCH, PATCH)
        # Waves of six tokens and more, as of the usual codes.
        waves = torch.cos(
            torch.arange(side) / torch.logspace(0, 2, width // 2)[:, None]
        )
        y = waves[:, :, None].expand(-1, -1, side)
        self.register_buffer("place", torch.cat([y, y.mT]))
        self.blocks = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(
                width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True
            ),
            2,
            enable_nested_tensor=False,
        )

    def forward(self, pixels):
        tokens = self.tokens(pixels) * 4 + self.place
        return self.blocks(tokens.flatten(2).mT).unflatten(1, tokens.shape[-2:])


class Tiny:
    """The transformer behind the protocol of embedders."""

    bands = ("red", "nir")

    def __init__(self, overlap):
        model = spec(chip_size=CHIP, chip_multiple=4, tokens={4: 32}, gsd=None)
        how = How(tokens=True, overlap=overlap)
        self.card = cards.card(model, patch_px=PATCH, how=how, weights_sha256="abc")
        self.network = Attending(2, CHIP // PATCH).eval()

    def embed(self, chips):
        with torch.inference_mode():
            return self.network(torch.from_numpy(chips.pixels.copy())).numpy()


class Nano:
    """Galileo with its real weights."""

    bands = NANO.bands

    def __init__(self, weights, chip_size=None, overlap=None):
        how = How(tokens=True, chip_size=chip_size, overlap=overlap)
        self.card = cards.card(NANO, patch_px=PATCH, how=how, weights_sha256="abc")
        self.network = NANO.build(output="tokens").eval()
        loaded = torch.load(weights, weights_only=True, map_location="cpu")
        shapes = {k: tuple(v.shape) for k, v in self.network.state_dict().items()}
        state = NANO.layout.pick(
            NANO.layout.unwrapped(loaded), shapes, model="galileo-nano"
        )
        self.network.load_state_dict(state)

    def embed(self, chips):
        pixels = torch.from_numpy(np.ascontiguousarray(chips.pixels))[:, None]
        given = Input(
            pixels=pixels,
            clear=torch.ones_like(pixels[:, :, 0], dtype=torch.bool),
            times=chips.times[:, None],
            centers=chips.centers,
            gsd=chips.gsd,
            wavelengths=chips.wavelengths,
        )
        with torch.inference_mode():
            return self.network(*self.network.prepare(given)).numpy()


def likeness(model, scene, shift):
    """Mean cosine, centred, of the same ground under lattices `shift` patches apart."""
    # No chip reaches beyond what was read, so that nothing but the lattice differs.
    halo, side = CHIP, 16
    found = []
    for patches in (0, shift):
        # A quarter of a tile; what is read lies `patches` further south-east.
        at = patches * PATCH
        size = side * PATCH + 2 * halo
        image = tile_image(
            scene[:, at : at + size, at : at + size],
            bands=model.bands,
            patch_px=PATCH,
            halo_px=halo,
            first_row=8,
            first_col=8,
        )
        found.append(vectors(model, image).reshape(side, side, -1))
    here, there = found[0][shift:, shift:], found[1][: side - shift, : side - shift]
    middle = found[0].mean(axis=(0, 1))
    here, there = here - middle, there - middle
    norms = np.linalg.norm(here, axis=2) * np.linalg.norm(there, axis=2)
    return float((np.sum(here * there, axis=2) / norms).mean())


def trace(model, scene):
    """Steps between neighbours across a tile's border, relative to those elsewhere."""
    halo, size = CHIP, 8 * PATCH + 2 * CHIP
    found = []
    for first, left in ((24, 0), (0, 8 * PATCH)):
        image = tile_image(
            scene[:, :size, left : left + size],
            bands=model.bands,
            patch_px=PATCH,
            halo_px=halo,
            first_row=12,
            first_col=first,
        )
        found.append(vectors(model, image).reshape(8, 8, -1))
    west, east = found
    across = np.linalg.norm(west[:, -1] - east[:, 0], axis=-1).mean()
    within = [np.linalg.norm(np.diff(v, axis=1), axis=-1).mean() for v in found]
    return float(across / np.mean(within))


@pytest.fixture(scope="module")
def spain(shared):
    path = shared("data/scenes-robustness/images/S2_spain_7370579.tif")
    bands = (2, 3, 4, 5, 6, 7, 8, 9, 12, 13)
    with rasterio.open(path) as file:
        pixels = file.read(bands, window=((0, 160), (0, 160)))
    return (pixels / 10_000).astype(np.float32)


@pytest.fixture(scope="module")
def galileo(shared):
    return shared("weights/galileo_nano/encoder.pt")


def half_a_step(model):
    """Patches by which the lattice is furthest from itself."""
    tokens = model.card.chip_size // PATCH
    first = lattice.starts(32, tokens, model.card.overlap_px // PATCH)
    return (first[1] - first[0]) // 2


def test_more_overlap_leaves_less_of_the_lattice_in_a_transformer():
    scene = landscape((160, 160), bands=2, seed=4)
    models = [Tiny(overlap) for overlap in (0, 16, 24)]
    apart, half, most = (likeness(m, scene, half_a_step(m)) for m in models)
    assert apart < 0
    assert half > apart + 0.4
    assert most > 0.95


def test_tiles_leave_a_trace_side_by_side_and_none_where_they_blend():
    scene = landscape((160, 160), bands=2, seed=4)
    assert trace(Tiny(0), scene) > 1.5
    assert trace(Tiny(8), scene) < 1.1
    assert trace(Tiny(None), scene) < 1.1


def test_the_lattice_hardly_shows_in_galileo_where_its_small_chips_share_half(
    galileo, spain
):
    apart, half = (Nano(galileo, 16, overlap) for overlap in (0, 8))
    assert Nano(galileo, 16).card.overlap_px == half.card.overlap_px
    assert likeness(apart, spain, half_a_step(apart)) < 0.2
    assert likeness(half, spain, half_a_step(half)) > 0.8
    assert trace(apart, spain) > 1.2
    assert trace(half, spain) < 1.05


def test_the_lattice_hardly_shows_in_galileo_as_it_comes(galileo, spain):
    model = Nano(galileo)
    assert likeness(model, spain, half_a_step(model)) > 0.8


def test_with_a_chip_per_token_the_lattice_is_gone(galileo, spain):
    model = Nano(galileo, 16, 12)
    assert likeness(model, spain, 1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("overlap", [None, 0, 24])
@pytest.mark.parametrize("part", [(0, 0, 32, 5), (11, 3, 1, 1), (25, 30, 7, 2)])
def test_a_place_has_the_same_vector_whichever_part_of_its_tile_is_read(overlap, part):
    model = Tiny(overlap)
    halo = model.card.context_px
    size = 32 * PATCH + 2 * halo
    scene = landscape((size, size), bands=2, seed=4)

    def read(top, left, rows, cols):
        y, x = top * PATCH, left * PATCH
        pixels = scene[
            :, y : y + rows * PATCH + 2 * halo, x : x + cols * PATCH + 2 * halo
        ]
        image = tile_image(
            pixels,
            bands=model.bands,
            patch_px=PATCH,
            halo_px=halo,
            first_row=top,
            first_col=left,
        )
        return vectors(model, image).reshape(rows, cols, -1)

    top, left, rows, cols = part
    whole = read(0, 0, 32, 32)[top : top + rows, left : left + cols]
    np.testing.assert_allclose(read(*part), whole, rtol=1e-4, atol=1e-5)
