"""What `add` relies on: one set of tensors serves every output of a model."""

import pytest
import torch

from terradrift.embed import catalogue, official
from terradrift.embed.spec import Spec

SPECS = [entry.model for entry in catalogue.listed() if isinstance(entry.model, Spec)]
every = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)


def shapes(state):
    return {key: tuple(value.shape) for key, value in state.items()}


@every
def test_pooled_and_tokens_of_every_size_have_the_same_tensors(spec):
    expected = official.skeleton(spec)
    asked = [("tokens", size) for size in spec.tokens]
    if spec.dimensions is not None:
        asked.append(("pooled", None))
    assert asked
    for output, size in asked:
        with torch.device("meta"):
            network = spec.build(output=output, token_size=size)
        assert shapes(network.state_dict()) == shapes(expected)


@every
def test_the_card_counts_the_parameters_of_the_network(spec):
    with torch.device("meta"):
        network = spec.build(
            output="tokens" if spec.dimensions is None else "pooled", token_size=None
        )
    counted = sum(value.numel() for value in network.parameters())
    assert spec.parameters == counted
