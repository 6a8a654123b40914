"""Every registered embedder, made small: the plugins themselves, and networks of tiny sizes.

A registered foundation model must have sizes in `tests/embed/models/small_*.py`.
"""

import importlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from terradrift import plugins
from terradrift.chip import BANDS, Chips
from terradrift.embed import card as cards
from terradrift.embed.foundation import Foundation
from terradrift.embed.how import How
from terradrift.embed.sample import sample
from terradrift.embed.spec import Spec
from tests.embed.images import BANDS10, landscape, tile_image

REGISTERED = plugins.names(plugins.EMBEDDERS)
SIDE = 32
"""Pixels per chip side of models that take chips of several sizes, about."""
CHIPS = 5


@cache
def small():
    """Keyword arguments that make each registered network small, by name."""
    folder = Path(__file__).parent.parent / "embed" / "models"
    found = {}
    for file in sorted(folder.glob("small_*.py")):
        found |= importlib.import_module(f"tests.embed.models.{file.stem}").SMALL
    return found


@cache
def plugin(name):
    return plugins.load(plugins.EMBEDDERS, name)


def specs():
    return [name for name in REGISTERED if isinstance(plugin(name), Spec)]


def outputs(name):
    """Names under which vectors of the embedder are stored."""
    given = plugin(name)
    if not isinstance(given, Spec):
        return [name]
    pooled = [name] if given.dimensions is not None else []
    return pooled + ([name + cards.TOKENS] if given.tokens else [])


def every_output(names):
    return [output for name in names for output in outputs(name)]


def spec_of(output):
    return plugin(output.removesuffix(cards.TOKENS))


def network(output, token_size=None):
    """The tiny network with random weights."""
    spec = spec_of(output)
    tokens = output.endswith(cards.TOKENS)
    if tokens and token_size is None:
        token_size = cards.token_size(spec, How(tokens=True))
    torch.manual_seed(0)
    return spec.build(
        output="tokens" if tokens else "pooled",
        token_size=token_size,
        **small()[spec.name],
    ).eval()


def card(output, dates=1, least=SIDE):
    """The card for chips of `least` pixels per side or a little more."""
    spec = spec_of(output)
    tokens = output.endswith(cards.TOKENS)
    step = spec.chip_multiple
    side = min(spec.chip_size, -(-least // step) * step) if step else spec.chip_size
    how = How(tokens=tokens, chip_size=side, dates=dates)
    patch_px = cards.token_pixels(spec, how) if tokens else side
    return cards.card(spec, patch_px=patch_px, how=how, weights_sha256="0" * 64)


@cache
def foundation(output, precision="fp32", dates=1):
    """The tiny model, on the CPU."""
    return Foundation(
        network=network(output), card=card(output, dates), precision=precision
    )


@cache
def made(output):
    """The embedder as an archive of ten bands, or of the model's own, would make it."""
    given = plugin(output.removesuffix(cards.TOKENS))
    if isinstance(given, Spec):
        return foundation(output)
    if given.needs_fit:
        halo = given.sample_context_px
        image = tile_image(landscape((32 + 2 * halo,) * 2), halo_px=halo)
        return given.fit(sample(iter([image]), context_px=halo))
    return given.for_bands(BANDS10)


def some_chips(model, seed=1, dates=1):
    """Chips of the model's bands and size; the first has a hole, the last nothing clear."""
    card = model.card
    side = card.chip_size or 4 + 2 * card.context_px
    bands = len(card.bands)
    tall = landscape((CHIPS * side, side), bands=bands, seed=seed)
    pixels = np.ascontiguousarray(
        tall.reshape(bands, CHIPS, side, side).swapaxes(0, 1)
    ).clip(0.001)
    hole = slice(card.context_px, card.context_px + max(1, side // 8))
    pixels[0, :, hole, hole] = np.nan
    pixels[-1] = np.nan
    day = np.datetime64("2020-06-01T10:30", "us")
    before = np.arange(1 - dates, 0) * np.timedelta64(30, "D")
    rng = np.random.default_rng(seed)
    past = rng.uniform(0.05, 0.4, (CHIPS, dates - 1, bands, side, side))
    return Chips(
        pixels=pixels,
        bands=card.bands,
        wavelengths=np.array([BANDS[band] for band in card.bands], np.float32),
        times=day + np.arange(CHIPS) * np.timedelta64(12, "h"),
        centers=np.column_stack([np.linspace(4, 9, CHIPS), np.linspace(40, 50, CHIPS)]),
        gsd=card.gsd or 10.0,
        level="L2A" if card.level == "any" else card.level,
        past=past.astype(np.float32) if dates > 1 else None,
        past_times=np.tile(day + before, (CHIPS, 1)) if dates > 1 else None,
    )


def taken(batch, rows):
    """Some of the chips."""
    return replace(
        batch,
        pixels=batch.pixels[rows],
        times=batch.times[rows],
        centers=batch.centers[rows],
        past=None if batch.past is None else batch.past[rows],
        past_times=None if batch.past_times is None else batch.past_times[rows],
    )


@cache
def embedded(output):
    """The vectors of `some_chips`."""
    model = made(output)
    return model.embed(some_chips(model))


def cosines(a, b):
    """Cosine of each vector to its other; vectors of NaN are left out."""
    a, b = (one.reshape(-1, one.shape[-1]).astype(np.float64) for one in (a, b))
    there = np.isfinite(a).all(axis=1)
    assert (there == np.isfinite(b).all(axis=1)).all()
    a, b = a[there], b[there]
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
