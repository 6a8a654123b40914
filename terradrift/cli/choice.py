"""What `embed` and `run` are told of the model, checked before anything is written."""

from typing import TYPE_CHECKING, Any

from terradrift.cli.output import usage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from terradrift.archive import Archive
    from terradrift.archive.choosing import Choice


def how(
    *,
    tokens: bool,
    chip_size: int | None,
    token_size: int | None,
    overlap: int | None,
    dates: int | None,
    allow_mismatch: bool,
) -> dict[str, Any]:
    """The choices that were made, as keyword arguments."""
    asked = {
        "tokens": tokens or None,
        "chip_size": chip_size,
        "token_size": token_size,
        "overlap": overlap,
        "dates": dates,
        "allow_mismatch": allow_mismatch or None,
    }
    return {name: value for name, value in asked.items() if value is not None}


def known(
    archive: "Archive",
    model: str | None,
    how: "Mapping[str, Any]",
    device: str | None,
    precision: str,
) -> "Choice":
    """The model that is meant; refused where it cannot be used on `archive`.

    `device` None: not one of this machine.
    """
    from terradrift.archive import choosing

    with usage():
        choice = archive.choice(model, **how)
        held = archive.store.settings
        choosing.check(choice, held.grid, device, precision, held.bands)
    return choice


def suited(
    path: "Path",
    patch_size: int | None,
    gsd: float | None,
    model: str | None,
    how: "Mapping[str, Any]",
) -> tuple[int | None, bool]:
    """The patch size that is settled, and whether the model settles it with the scenes.

    The model does for an archive without scenes that was made without a size; it can at
    once where the pixel size is given.
    """
    import terradrift as td
    from terradrift.archive import choosing
    from terradrift.archive.front import DEFAULT_MODEL

    if patch_size is not None:
        return patch_size, False
    if (path / "archive.json").exists():
        store = td.open(path).store
        if store.exists("scenes") or store.settings.grid != td.Grid():
            return None, False
    if gsd is None:
        return None, True
    with usage():
        choice = choosing.choose(None, model or DEFAULT_MODEL, how)
        return choosing.patch_size(choice, gsd), False
