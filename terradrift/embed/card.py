"""The card of a foundation model, as it is used on one archive."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from terradrift.embed import lattice
from terradrift.embed.protocol import ModelCard
from terradrift.grid import TILE_PATCHES

if TYPE_CHECKING:
    from terradrift.embed.how import How
    from terradrift.embed.spec import Spec

TOKENS = "-tokens"
"""What follows the name of a model whose tokens are stored."""

_OVERLAP = 0.5
"""Part of a chip side that neighbours share at least where nothing else is asked for.

At half a chip every token is blended from two chips per axis over the whole of a step, which
cancels what position in the chip adds to a vector as far as it is linear. It costs four
times the pixels of chips side by side, and half a chip more around each tile."""
_SMALL = 64
"""Pixels per side of native chips up to which models were made for chips of many sizes."""
_MOST_CHIPS = 1024
"""Chips per call of small chips."""


def card(spec: Spec, *, patch_px: int, how: How, weights_sha256: str) -> ModelCard:
    """Geometry and contract of `spec` for patches of `patch_px` pixels.

    Pooled: a chip is the patch, or `how.chip_size` pixels centred on it; a patch below half
    a native chip of more than 64 pixels is not taken for a chip unasked. Tokens: chips of
    `how.chip_size` or the native size lie over the tile as `lattice` says, and a patch is
    one or several tokens.

    Raises:
        ValueError: the choices do not fit the model; says which would.
    """
    _check_dates(spec, how)
    if how.tokens:
        chip, token = _chip_of_tokens(spec, how), token_pixels(spec, how)
        _check_whole(spec, how, patch_px, token)
        overlap = _overlap(spec, how, chip, token)
        side = patch_px * TILE_PATCHES // token
        first = lattice.starts(side, chip // token, overlap // token)
        context = lattice.reach(first, side, chip // token) * token
        dimensions = spec.tokens[token_size(spec, how)]
        words = (
            f"tokens of {token} pixels, chips of {chip}, of which neighbours share "
            f"{overlap} or more, blended"
        )
    else:
        _check_pooled(spec, how)
        chip, token, overlap = _pooled_chip(spec, how, patch_px), None, 0
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
        chip_size=chip,
        token_stride=token,
        context_px=context,
        overlap_px=overlap,
        dates=how.dates,
        missing=spec.missing,
        optional=spec.optional,
        batch=_batch(spec, chip, how.dates),
        bf16=spec.bf16,
    )


def token_size(spec: Spec, how: How) -> int:
    """Pixels per token side of the network that `how` asks for: a key of `spec.tokens`.

    Raises:
        ValueError: the model has no tokens, or none of that size.
    """
    if not spec.tokens:
        raise ValueError(
            f"model {spec.name} gives no tokens, only a vector per chip; leave --tokens out"
        )
    if how.token_size is None:
        return next(iter(spec.tokens))
    sizes = _token_sizes(spec, how)
    if how.token_size not in sizes:
        raise ValueError(
            f"model {spec.name} gives tokens of {_listed(list(sizes))} pixels, "
            f"got --token-size {how.token_size}"
        )
    return sizes[how.token_size]


def token_pixels(spec: Spec, how: How) -> int:
    """Pixels of the archive per token side that `how` asks for.

    Raises:
        ValueError: the model has no such tokens, or they are no whole number of pixels.
    """
    size, chip = token_size(spec, how), _chip_of_tokens(spec, how)
    whole = spec.resized or chip
    if size * chip % whole:
        fits = whole // size
        raise ValueError(
            f"model {spec.name} sees a chip as {whole} pixels with tokens of {size}, so "
            f"chips must be a multiple of {fits} pixels, got {chip}; "
            f"pass --chip-size {_near(chip, fits)}"
        )
    return size * chip // whole


def _token_sizes(spec: Spec, how: How) -> dict[int, int]:
    """Pixels of the network per token side, by pixels of the archive."""
    chip = _chip_of_tokens(spec, how)
    whole = spec.resized or chip
    return {
        size * chip // whole: size for size in spec.tokens if size * chip % whole == 0
    }


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


def _allowed(spec: Spec, chip: int) -> bool:
    if chip == spec.chip_size:
        return True
    return spec.chip_multiple > 0 and chip > 0 and chip % spec.chip_multiple == 0


def _sides(spec: Spec) -> str:
    if spec.chip_multiple == 0:
        return f"{spec.chip_size} pixels per side and no others"
    return f"a multiple of {spec.chip_multiple} pixels per side"


def _checked(spec: Spec, chip: int) -> int:
    if not _allowed(spec, chip):
        near = _near(chip, spec.chip_multiple) if spec.chip_multiple else spec.chip_size
        raise ValueError(
            f"model {spec.name} takes square chips of {_sides(spec)}, "
            f"got --chip-size {chip}; pass --chip-size {near}"
        )
    return chip


def _chip_of_tokens(spec: Spec, how: How) -> int:
    """The chip asked for, or the native one, or one that holds whole tokens."""
    if how.chip_size is not None:
        return _checked(spec, how.chip_size)
    if spec.resized is not None or not spec.chip_multiple or not how.token_size:
        return spec.chip_size
    step = math.lcm(spec.chip_multiple, how.token_size)
    if spec.chip_size % how.token_size == 0:
        return spec.chip_size
    return -(-spec.chip_size // step) * step


def _check_whole(spec: Spec, how: How, patch_px: int, token: int) -> None:
    """Refuse a patch that is no whole number of tokens."""
    chip = _chip_of_tokens(spec, how)
    if chip % token:
        raise ValueError(
            f"model {spec.name}: chips must be a whole number of tokens of {token} "
            f"pixels, got {chip}; pass --chip-size {_near(chip, token)}"
        )
    if patch_px % token == 0:
        return
    others = [size for size in _token_sizes(spec, how) if patch_px % size == 0]
    ways = [f"make the archive with {_patch_size(spec, _near(patch_px, token))}"]
    ways += [f"pass --token-size {others[0]}"] if others else []
    raise ValueError(
        f"model {spec.name} gives a vector per {token} pixels, and a patch must be a "
        f"whole number of tokens, got {patch_px} pixels; {', or '.join(ways)}"
    )


def _overlap(spec: Spec, how: How, chip: int, token: int) -> int:
    if how.overlap is None:
        return int(_OVERLAP * chip / token) * token
    overlap = -(-how.overlap // token) * token
    if how.overlap < 0 or overlap >= chip:
        raise ValueError(
            f"model {spec.name}: chips of {chip} pixels can share 0 to {chip - token}, "
            f"got --overlap {how.overlap}"
        )
    return overlap


def _pooled_chip(spec: Spec, how: How, patch_px: int) -> int:
    """Chip side that gives a patch its vector."""
    native = _centred(spec, patch_px)
    if how.chip_size is not None:
        chip = _checked(spec, how.chip_size)
        if chip < patch_px or (chip - patch_px) % 2:
            way = f"pass --chip-size {native}" if native else _other_patch(spec)
            raise ValueError(
                f"model {spec.name}: a chip is centred on its patch, so it must be larger "
                f"by an even number of pixels, got --chip-size {chip} for patches of "
                f"{patch_px}; {way}"
            )
        return chip
    enough = spec.chip_size <= _SMALL or 2 * patch_px >= spec.chip_size
    if _allowed(spec, patch_px) and enough:
        return patch_px
    ways = []
    if native:
        cost = (native / patch_px) ** 2
        ways.append(
            f"pass --chip-size {native} (each patch with its surroundings, {cost:.3g} "
            "times the pixels)"
        )
    if spec.tokens:
        ways.append("pass --tokens (a vector per token)")
    ways.append(_other_patch(spec))
    raise ValueError(
        f"model {spec.name} is made for chips of {spec.chip_size} pixels and takes "
        f"{_sides(spec)}, a patch here has {patch_px}; {', or '.join(ways)}"
    )


def _centred(spec: Spec, patch_px: int) -> int | None:
    """The smallest chip side, native or larger, that can be centred on a patch."""
    step = spec.chip_multiple
    sides = [spec.chip_size]
    if step:
        above = -(-max(patch_px, spec.chip_size) // step) * step
        sides += [above, above + step]
    return next(
        (side for side in sides if side >= patch_px and (side - patch_px) % 2 == 0),
        None,
    )


def _other_patch(spec: Spec) -> str:
    return f"make the archive with {_patch_size(spec, spec.chip_size)}"


def _patch_size(spec: Spec, pixels: int) -> str:
    if spec.gsd is None:
        return f"patches of {pixels} pixels (--patch-size)"
    return f"--patch-size {pixels * spec.gsd:g} ({pixels} pixels of {spec.gsd:g} m)"


def _near(value: int, step: int) -> int:
    """The multiple of `step` nearest to `value`, at least one step."""
    return max(1, round(value / step)) * step


def _batch(spec: Spec, chip: int, dates: int) -> int:
    """Chips per call: as many pixels as the native chips of the model's own batch."""
    if spec.resized is not None:
        return max(1, spec.batch // dates)
    pixels = spec.batch * spec.chip_size**2
    return max(1, min(_MOST_CHIPS, pixels // (chip**2 * dates)))


def _listed(sizes: list[int]) -> str:
    return ", ".join(map(str, sizes)) or "no whole number of"
