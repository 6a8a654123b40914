"""The card of a foundation model, as it is used on one archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from terradrift.embed.protocol import ModelCard

if TYPE_CHECKING:
    from terradrift.embed.how import How
    from terradrift.embed.spec import Spec

TOKENS = "-tokens"
"""What follows the name of a model whose tokens are stored."""


def card(spec: Spec, *, patch_px: int, how: How, weights_sha256: str) -> ModelCard:
    """Geometry and contract of `spec` for patches of `patch_px` pixels.

    Raises:
        ValueError: the choices do not fit the model; says which would.
    """
    raise NotImplementedError


def token_size(spec: Spec, how: How) -> int:
    """Pixels per token side of the network that `how` asks for.

    Raises:
        ValueError: the model has no tokens, or none of that size.
    """
    raise NotImplementedError
