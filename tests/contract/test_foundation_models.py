"""What every registered foundation model keeps beside what all embedders keep."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from terradrift.embed.foundation import Foundation, gathered
from tests.contract.embedders import (
    card,
    cosines,
    embedded,
    every_output,
    foundation,
    made,
    network,
    outputs,
    plugin,
    small,
    some_chips,
    spec_of,
    specs,
    taken,
)

COSINE = 0.9999
"""To float32, where a card calls bfloat16 safe, at a quarter of the native chip or more:
fewer tokens average less, and chips of 32 pixels of `satlas` keep 0.9998."""

every_spec = pytest.mark.parametrize("name", specs())
every = pytest.mark.parametrize("name", every_output(specs()))


@every_spec
def test_every_registered_model_has_a_small_network(name):
    assert name in small()


@every_spec
def test_the_specification_is_complete(name):
    spec = plugin(name)
    for field in ("revision", "licence", "citation", "preprocessing"):
        assert getattr(spec, field).strip(), field
    assert len(set(spec.bands)) == len(spec.bands)
    assert spec.level in ("any", "L1C", "L2A")
    assert spec.dimensions or spec.tokens
    assert spec.source.url.startswith("https://")
    digest = spec.source.sha256
    assert not digest or (len(digest) == 64 and int(digest, 16) >= 0)
    assert spec.parameters


@every_spec
def test_the_full_network_has_the_parameters_and_dimensions_of_the_specification(name):
    spec = plugin(name)
    found = {}
    for output in outputs(name):
        tokens = output != name
        sizes = spec.tokens if tokens else [None]
        for size in sizes:
            with torch.device("meta"):
                full = spec.build(
                    output="tokens" if tokens else "pooled", token_size=size
                )
            found[output, size] = {k: v.shape for k, v in full.state_dict().items()}
            assert sum(p.numel() for p in full.parameters()) == spec.parameters
    first = next(iter(found.values()))
    assert all(keys == first for keys in found.values()), (
        "one file of weights serves all"
    )


@every
def test_other_bands_than_the_cards_are_refused(name):
    model = made(name)
    batch = some_chips(model)
    with pytest.raises(ValueError, match=r"takes bands .*, got "):
        model.embed(replace(batch, bands=batch.bands[::-1]))


@every
def test_holes_hold_the_mean_so_their_own_numbers_do_not_matter(name):
    model = made(name)
    batch = some_chips(model)
    given = gathered(batch, torch.device("cpu"))
    other = replace(batch, pixels=given.pixels[:, -1].numpy().copy())
    again = gathered(other, torch.device("cpu"))
    torch.testing.assert_close(again.pixels, given.pixels, rtol=0, atol=0)
    with torch.inference_mode():
        clear = model.network.prepare(replace(again, clear=given.clear))
        hidden = model.network.prepare(given)
    for one, two in zip(clear, hidden, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0, equal_nan=True)


@every
def test_preparation_is_float32_with_the_chips_first(name):
    model = made(name)
    with torch.inference_mode():
        prepared = model.network.prepare(
            gathered(some_chips(model), torch.device("cpu"))
        )
    assert prepared
    for tensor in prepared:
        assert len(tensor) == 5
        if tensor.is_floating_point():
            assert tensor.dtype == torch.float32
            assert torch.isfinite(tensor).all()


@every
def test_a_frozen_graph_gives_what_the_network_gives(name):
    model = made(name)
    fresh = network(name)
    batch = some_chips(model)
    with torch.inference_mode():
        given = gathered(batch, torch.device("cpu"))
        true = fresh(*fresh.prepare(given)).float().numpy()
    scale = np.abs(true[np.isfinite(true)]).max()
    np.testing.assert_allclose(
        embedded(name)[:-1], true[:-1], rtol=1e-4, atol=1e-4 * scale
    )
    assert "frozen graph" in model.how_run or "as it is: " in model.how_run


@every
def test_bfloat16_keeps_the_cosine_that_the_card_promises(name):
    if not spec_of(name).bf16:
        pytest.skip(f"the card of {name} does not call bfloat16 safe")
    chip = card(name, least=spec_of(name).chip_size // 4)
    exact, quick = (
        Foundation(network=network(name), card=chip, precision=precision)
        for precision in ("fp32", "bf16")
    )
    batch = taken(some_chips(exact), slice(1, 3))
    assert cosines(exact.embed(batch), quick.embed(batch)).min() >= COSINE


@every
def test_dates_that_are_not_there_change_nothing_and_others_do(name):
    spec = spec_of(name)
    if spec.dates == 1:
        pytest.skip(f"{name} looks at one date")
    model = foundation(name, dates=2)
    batch = taken(some_chips(model, dates=2), slice(0, 2))
    alone = replace(batch, past=None, past_times=None)
    absent = replace(
        batch,
        past=np.full_like(batch.past, np.nan),
        past_times=np.full_like(batch.past_times, np.datetime64("NaT")),
    )
    one, none, two = (model.embed(b) for b in (alone, absent, batch))
    scale = np.nanmax(np.abs(one))
    np.testing.assert_allclose(none, one, rtol=1e-4, atol=1e-4 * scale)
    assert np.nanmax(np.abs(two - one)) > 1e-3 * scale


@every
@pytest.mark.gpu
def test_cuda_gives_what_the_cpu_gives(name):
    model = Foundation(network=network(name), card=card(name), precision="fp32")
    found = model.to("cuda").embed(some_chips(model))
    assert cosines(found, embedded(name)).min() >= 1 - 1e-5
    scale = np.nanmax(np.abs(found))
    np.testing.assert_allclose(found, embedded(name), rtol=1e-3, atol=1e-3 * scale)
