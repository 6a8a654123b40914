"""Temporal inpainting on an archive: the trained network, kept in its `models` folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terradrift.embed import device as devices
from terradrift.embed import weights
from terradrift.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from terradrift.detect.inpaint.detector import Inpaint
    from terradrift.detect.inpaint.model import Fitted

KIND = "inpaint/1"
_FILE = "inpaint.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inpainting:
    """The last frame as a network trained on the archive expects it, by `terradrift train`.

    These are the settings that a run may choose; the rest is as it was trained.
    """

    smooth_px: int = 3
    """Side of the square over which residuals are averaged; 1: none."""
    level: bool = True
    """Allow for gain, offset and spread of the whole scene."""
    tile_px: int = 256
    """Side of what is predicted at once."""

    @staticmethod
    def trained(
        models: Path,
        *,
        device: str = "auto",
        **given: Any,  # noqa: ANN401 - the fields above, checked there
    ) -> Inpaint:
        """The detector with the network in the folder `models` of an archive.

        Raises:
            ArchiveError: nothing was trained, or the file is damaged.
            ValueError: a setting out of range.
        """
        from terradrift.archive.inpaint import encoder as inpaint_encoder
        from terradrift.detect.inpaint.detector import Inpaint

        fitted, told = load(models)
        chosen = Inpainting(**given)
        here = devices.resolve(device)
        return Inpaint(
            fitted=fitted,
            smooth_px=chosen.smooth_px,
            level=chosen.level,
            tile_px=chosen.tile_px,
            device=here,
            encoder=inpaint_encoder.opened(
                fitted.encoder,
                fitted.bands,
                here,
                expected_sha256=str(told.get("encoder_sha256", "")),
            ),
            trained_on=str(told["sha256"])[:12],
            trained_until=str(told["until"]),
        )


def place(models: Path) -> Path:
    """Where the trained network is."""
    return models / _FILE


def save(models: Path, fitted: Fitted, told: Mapping[str, Any]) -> str:
    """Keep the network, whole or not at all; gives the SHA-256 of all its numbers.

    `told` is what else is to be known of it, as JSON.
    """
    arrays, about = fitted.arrays(), fitted.told()
    digest = weights.digest(arrays, about)
    models.mkdir(exist_ok=True)
    weights.save(place(models), arrays, {**told, **about, "sha256": digest}, KIND)
    return digest


def load(models: Path) -> tuple[Fitted, dict[str, Any]]:
    """The network, and what is told of it.

    Raises:
        ArchiveError: nothing was trained, or the file is damaged or of other numbers than
            its digest says.
    """
    from terradrift.archive.inpaint import files as training_files
    from terradrift.detect.inpaint.model import Fitted

    path = place(models)
    if not path.is_file():
        begun = training_files.exists(models)
        more = (
            "; a training that was stopped goes on where it was" if begun else " first"
        )
        raise ArchiveError(
            f"{models.parent} has no trained network for inpaint; run `terradrift train "
            f"inpaint {models.parent}`{more}"
        )
    arrays, told = weights.load(path, KIND)
    fitted = Fitted.of(arrays, told)
    if weights.digest(arrays, fitted.told()) != told["sha256"]:
        raise ArchiveError(
            f"{path} has changed since it was trained; run `terradrift train inpaint "
            f"{models.parent}` again"
        )
    return fitted, told
