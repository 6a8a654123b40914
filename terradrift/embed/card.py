"""The card of a foundation model, as it is used on one archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from terradrift.embed import geometry
from terradrift.embed.geometry import token_pixels, token_size
from terradrift.embed.protocol import ModelCard

if TYPE_CHECKING:
    from terradrift.embed.how import How
    from terradrift.embed.spec import Spec

__all__ = ["TOKENS", "card", "token_pixels", "token_size"]

TOKENS = "-tokens"
"""What follows the name of a model whose tokens are stored."""

_MOST_CHIPS = 1024
"""Chips per call of small chips."""
_BF16_CHIP = 4
"""Chips of less than the native side over this were seen to lose more to bfloat16 than cards
allow: 0.9998 of the cosine for SATLAS at 32 pixels of 512."""


def card(
    spec: Spec,
    *,
    patch_px: int,
    how: How,
    weights_sha256: str,
    gsd: float | None = None,
) -> ModelCard:
    """Geometry and contract of `spec` for patches of `patch_px` pixels.

    Pooled: a chip is the patch, or `how.chip_size` pixels centred on it; a patch below a
    native chip of several tokens is not taken for a chip unasked. Tokens: chips of
    `how.chip_size` or the native size lie over the tile as `lattice` says, and a patch is
    one or several tokens. `gsd` is the archive's, in which refusals tell patch sizes.

    Raises:
        ValueError: the choices do not fit the model; says which would.
    """
    _check_dates(spec, how)
    if how.tokens:
        chip, token = geometry.chip_of_tokens(spec, how), token_pixels(spec, how)
        geometry.check_whole(spec, how, patch_px, token, gsd)
        overlap = geometry.overlap(spec, how, chip, token)
        # However little of a tile is read, chips over the rest of it reach no further.
        context = chip - token
        dimensions = spec.tokens[token_size(spec, how)]
        words = (
            f"tokens of {token} pixels, chips of {chip}, of which neighbours share "
            f"{overlap} or more, blended"
        )
    else:
        _check_pooled(spec, how)
        chip, token, overlap = geometry.pooled_chip(spec, how, patch_px, gsd), None, 0
        context = (chip - patch_px) // 2
        dimensions = spec.dimensions or 0
        words = f"chips of {chip} pixels around patches of {patch_px}"
    if how.dates > 1:
        words += f"; up to {how.dates} dates, the last its own"
    return ModelCard(
        name=spec.name + TOKENS if how.tokens else spec.name,
        revision=spec.revision,
        licence=spec.licence,
        bands=spec.bands,
        dimensions=dimensions,
        preprocessing=f"{spec.preprocessing}; {words}",
        source=spec.citation,
        weights_sha256=weights_sha256,
        weights=spec.source.url,
        level=spec.level,
        gsd=spec.gsd,
        sensor=spec.sensor,
        chip_size=chip,
        token_stride=token,
        context_px=context,
        overlap_px=overlap,
        dates=how.dates,
        missing=spec.missing,
        optional=spec.optional,
        batch=_batch(spec, chip, how.dates),
        bf16=spec.bf16 and _BF16_CHIP * chip >= spec.chip_size,
    )


def _check_dates(spec: Spec, how: How) -> None:
    if 1 <= how.dates <= spec.dates:
        return
    if how.dates > 1 and spec.dates == 1:
        raise ValueError(
            f"model {spec.name} looks at one date, got --dates {how.dates}; leave it out"
        )
    raise ValueError(
        f"model {spec.name} takes 1 to {spec.dates} dates, got --dates {how.dates}"
    )


def _check_pooled(spec: Spec, how: How) -> None:
    for name, value in (("token-size", how.token_size), ("overlap", how.overlap)):
        if value is not None:
            raise ValueError(
                f"--{name} is about tokens, got {value} without --tokens; "
                "pass --tokens too, or leave it out"
            )
    if spec.dimensions is None:
        raise ValueError(
            f"model {spec.name} gives no vector per chip, only tokens; pass --tokens"
        )


def _batch(spec: Spec, chip: int, dates: int) -> int:
    """Chips per call: as many pixels as the native chips of the model's own batch."""
    if spec.resized is not None:
        return max(1, spec.batch // dates)
    pixels = spec.batch * spec.chip_size**2
    return max(1, min(_MOST_CHIPS, pixels // (chip**2 * dates)))
