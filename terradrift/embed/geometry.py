"""How chips and tokens of a foundation model fit the patches of an archive (pure).

What does not fit is refused in one line that says what would.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from terradrift.embed.how import How
    from terradrift.embed.spec import Spec

_OVERLAP = 0.5
"""Part of a chip side that neighbours share at least where nothing else is asked for.

At half a chip every token is blended from two chips per axis over the whole of a step, which
cancels what position in the chip adds to a vector as far as it is linear. A tile of T pixels
then takes (2 T / C + 1)^2 chips of C pixels, where (T / C)^2 side by side would cover it."""


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
    size, chip = token_size(spec, how), chip_of_tokens(spec, how)
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
    chip = chip_of_tokens(spec, how)
    whole = spec.resized or chip
    return {
        size * chip // whole: size for size in spec.tokens if size * chip % whole == 0
    }


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


def chip_of_tokens(spec: Spec, how: How) -> int:
    """Pixels per chip side: as asked for, or the native one, or one of whole tokens.

    Raises:
        ValueError: the model does not take chips of the size asked for.
    """
    if how.chip_size is not None:
        return _checked(spec, how.chip_size)
    if spec.resized is not None or not spec.chip_multiple or not how.token_size:
        return spec.chip_size
    step = math.lcm(spec.chip_multiple, how.token_size)
    if spec.chip_size % how.token_size == 0:
        return spec.chip_size
    return -(-spec.chip_size // step) * step


def check_whole(
    spec: Spec, how: How, patch_px: int, token: int, gsd: float | None = None
) -> None:
    """Refuse a patch or a chip that is no whole number of tokens of `token` pixels.

    `gsd` is the archive's, in which patch sizes are told; None: the model's own.

    Raises:
        ValueError: it is not; says which would be.
    """
    chip = chip_of_tokens(spec, how)
    if chip % token:
        raise ValueError(
            f"model {spec.name}: chips must be a whole number of tokens of {token} "
            f"pixels, got {chip}; pass --chip-size {_near(chip, token)}"
        )
    if patch_px % token == 0:
        return
    others = [size for size in _token_sizes(spec, how) if patch_px % size == 0]
    near = _patch_size(spec, _near(patch_px, token), gsd)
    ways = [f"make the archive with {near}"]
    ways += [f"pass --token-size {max(others)}"] if others else []
    raise ValueError(
        f"model {spec.name} gives a vector per {token} pixels, and a patch must be a "
        f"whole number of tokens, got {patch_px} pixels; {', or '.join(ways)}"
    )


def overlap(spec: Spec, how: How, chip: int, token: int) -> int:
    """Pixels that chips of `chip` pixels share at least, whole tokens of `token` pixels.

    Raises:
        ValueError: chips cannot share as much as asked for.
    """
    if how.overlap is None:
        return int(_OVERLAP * chip / token) * token
    shared = -(-how.overlap // token) * token
    if how.overlap < 0 or shared >= chip:
        raise ValueError(
            f"model {spec.name}: chips of {chip} pixels can share 0 to {chip - token}, "
            f"got --overlap {how.overlap}"
        )
    return shared


def pooled_chip(spec: Spec, how: How, patch_px: int, gsd: float | None = None) -> int:
    """Pixels per side of the chip that gives a patch its vector.

    A patch smaller than the native chip is no chip unasked: vectors of fewer tokens than in
    training are others. Models whose native chip is one token see no more than that.
    `gsd` as in `check_whole`.

    Raises:
        ValueError: the model does not take such a chip, or it cannot be centred on a patch.
    """
    native = _centred(spec, patch_px)
    if how.chip_size is not None:
        chip = _checked(spec, how.chip_size)
        if chip < patch_px or (chip - patch_px) % 2:
            other = _other_patch(spec, gsd)
            way = f"pass --chip-size {native}" if native else other
            raise ValueError(
                f"model {spec.name}: a chip is centred on its patch, so it must be larger "
                f"by an even number of pixels, got --chip-size {chip} for patches of "
                f"{patch_px}; {way}"
            )
        return chip
    if _allowed(spec, patch_px) and (patch_px >= spec.chip_size or _per_token(spec)):
        return patch_px
    ways = []
    if native:
        cost = round((native / patch_px) ** 2)
        much = f", {cost:,} times the pixels" if cost > 1 else ""
        ways.append(
            f"pass --chip-size {native} (each patch with its surroundings{much})"
        )
    if spec.tokens:
        ways.append("pass --tokens (a vector per token)")
    ways.append(_other_patch(spec, gsd))
    raise ValueError(
        f"model {spec.name} is made for chips of {spec.chip_size} pixels and takes "
        f"{_sides(spec)}, a patch here has {patch_px}; {', or '.join(ways)}"
    )


def _per_token(spec: Spec) -> bool:
    """Whether a native chip is a single token, so that no part of a chip sees another."""
    return next(iter(spec.tokens), None) == spec.chip_size


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


def _other_patch(spec: Spec, gsd: float | None) -> str:
    return f"make the archive with {_patch_size(spec, spec.chip_size, gsd)}"


def _patch_size(spec: Spec, pixels: int, gsd: float | None) -> str:
    metres = gsd or spec.gsd
    if metres is None:
        return f"patches of {pixels} pixels (--patch-size)"
    return f"--patch-size {pixels * metres:g} ({pixels} pixels of {metres:g} m)"


def _near(value: int, step: int) -> int:
    """The multiple of `step` nearest to `value`, at least one step."""
    return max(1, round(value / step)) * step


def _listed(sizes: list[int]) -> str:
    return ", ".join(map(str, sizes)) or "no whole number of"
