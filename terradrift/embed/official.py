"""From what an official checkpoint holds to the state of a model's network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from terradrift.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from terradrift.embed.spec import Spec


def picked(spec: Spec, loaded: Mapping[str, object]) -> dict[str, Tensor]:
    """The tensors of the network of `spec` out of what a checkpoint holds.

    Raises:
        WeightsError: not the weights of this model.
    """
    from torch import Tensor

    inside = spec.layout.unwrapped(loaded)
    state = {key: value for key, value in inside.items() if isinstance(value, Tensor)}
    expected = skeleton(spec)
    shapes = {key: tuple(value.shape) for key, value in expected.items()}
    found = spec.layout.pick(state, shapes, model=spec.name)
    for key, value in found.items():
        if value.is_floating_point() != expected[key].is_floating_point():
            raise WeightsError(
                f"these are not the weights of {spec.name}: {key} is {value.dtype}, "
                f"expected {expected[key].dtype}; is it a quantised file?"
            )
    return {key: _plain(found[key]) for key in sorted(found)}


def skeleton(spec: Spec) -> dict[str, Tensor]:
    """The state of the model's network by key, without numbers where that can be done."""
    import torch

    output = "tokens" if spec.dimensions is None else "pooled"
    try:
        with torch.device("meta"):
            network = spec.build(output=output, token_size=None)
    except (NotImplementedError, RuntimeError):
        # Some constructors ask for a value, which a tensor without memory does not have.
        network = spec.build(output=output, token_size=None)
    return dict(network.state_dict())


def _plain(value: Tensor) -> Tensor:
    """Contiguous, and float32 where it holds floats."""
    wide = value.float() if value.is_floating_point() else value
    return wide.detach().contiguous()
