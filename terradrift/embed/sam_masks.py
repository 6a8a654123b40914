"""Masks of everything in an image by SAM 2.1: its official network, prompted on a grid.

As Li et al. 2026 set the automatic mask generator of SAM: one point per cell of a grid of
32 x 32, masks of a predicted IoU of 0.6 and a stability of 0.4 or more, of masks whose boxes
overlap by more than 0.4 the best one. They used SAM ViT-B of 2023, which this is not.
"""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from terradrift.embed import library, unpickle
from terradrift.embed.networks.scaling import WHITE
from terradrift.embed.vision import library as imported
from terradrift.errors import WeightsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

RGB = ("red", "green", "blue")
CHECKPOINTS = {
    "sam2.1_hiera_tiny.pt": "configs/sam2.1/sam2.1_hiera_t.yaml",
    "sam2.1_hiera_small.pt": "configs/sam2.1/sam2.1_hiera_s.yaml",
    "sam2.1_hiera_base_plus.pt": "configs/sam2.1/sam2.1_hiera_b+.yaml",
    "sam2.1_hiera_large.pt": "configs/sam2.1/sam2.1_hiera_l.yaml",
}
"""Published files, as they lie in the folder of weights, and their configuration in `sam2`."""
TILE_PX, OVERLAP_PX = 1024, 128
"""Larger images are given in tiles of what the network takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """Which masks are kept; the published settings."""

    points: int = 32
    """Prompts per side."""
    predicted_iou: float = 0.6
    stability: float = 0.4
    box_iou: float = 0.4
    """Of two masks whose boxes overlap more, the one of the lower predicted IoU goes."""
    batch: int = 16


def checkpoint() -> Path | None:
    """The best published checkpoint in the folder of weights; None where there is none."""
    for name in reversed(CHECKPOINTS):
        path = library.folder() / name
        if path.is_file():
            return path
    return None


def opened(path: Path | None, device: str = "cpu", how: How | None = None) -> SamMasks:
    """The mask generator with the weights of a published checkpoint.

    Raises:
        WeightsError: no checkpoint, or not one of SAM 2.1, or damaged.
        ImportError: sam2 is not installed; says how to.
    """
    if path is None:
        raise WeightsError(
            "segments by SAM need a checkpoint of SAM 2.1 with its decoder; put one of "
            f"{', '.join(CHECKPOINTS)} into {library.folder()}, or choose superpixels"
        )
    if path.name not in CHECKPOINTS:
        raise WeightsError(
            f"expected one of {', '.join(CHECKPOINTS)}, got {path.name}; give the file its "
            "published name"
        )
    unpickle.sniffed(path)  # before the network is built, which takes seconds
    network = _network(CHECKPOINTS[path.name])
    _load(network, path)
    return SamMasks(network.to(device).eval(), how or How())


@dataclass(frozen=True, eq=False)
class SamMasks:
    """Masks of one image at a time."""

    network: Any
    """A `sam2.modeling.sam2_base.SAM2Base`, on its device."""
    how: How

    def masks(self, rgb: NDArray[np.float32]) -> list[NDArray[np.bool_]]:
        """(y, x) masks of (3, y, x) reflectance, the surest first; they may overlap.

        Not clear (NaN) is black. No mask is an answer. The network resizes an image to its
        own 1024 pixels, whatever its size: mind `TILE_PX`.

        Raises:
            ValueError: not three bands.
        """
        if len(rgb) != len(RGB):
            raise ValueError(f"expected bands {', '.join(RGB)}, got {len(rgb)}")
        predictor = _predictor(self.network)
        predictor.set_image(np.moveaxis(eight_bits(rgb), 0, -1))
        prompts = grid(rgb.shape[1:], self.how.points)
        found: list[_Mask] = []
        for start in range(0, len(prompts), self.how.batch):
            found += self._of(predictor, prompts[start : start + self.how.batch])
        kept = best_apart(
            np.array([mask.box for mask in found]).reshape(-1, 4),
            np.array([mask.sure for mask in found]),
            self.how.box_iou,
        )
        return [found[at].whole(rgb.shape[1:]) for at in kept]

    def _of(self, predictor: Any, points: NDArray[np.float32]) -> list[_Mask]:  # noqa: ANN401 - of a library without types
        """Masks of prompts (n, 2), x and y, that are good enough."""
        logits, sure, _ = predictor.predict(
            point_coords=points[:, None],
            point_labels=np.ones((len(points), 1), np.int32),
            multimask_output=True,
            return_logits=True,
        )
        found = []
        for one, iou in zip(
            logits.reshape(-1, *logits.shape[-2:]), sure.ravel(), strict=True
        ):
            if iou > self.how.predicted_iou and stable(one) >= self.how.stability:
                found += _Mask.of(one > 0, float(iou))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Mask:
    """A mask inside its box, so that thousands can be held."""

    box: tuple[int, int, int, int]
    """Top, left, bottom, right, the last two beyond."""
    inside: NDArray[np.bool_]
    sure: float

    @classmethod
    def of(cls, mask: NDArray[np.bool_], sure: float) -> list[_Mask]:
        """The mask, or nothing where it is empty."""
        rows, cols = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        if len(rows) == 0:
            return []
        top, left = int(rows[0]), int(cols[0])
        bottom, right = int(rows[-1]) + 1, int(cols[-1]) + 1
        inside = mask[top:bottom, left:right].copy()
        return [cls((top, left, bottom, right), inside, sure)]

    def whole(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """(y, x)."""
        out = np.zeros(shape, bool)
        top, left, bottom, right = self.box
        out[top:bottom, left:right] = self.inside
        return out


def eight_bits(rgb: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Reflectance 0..0.3 as 0..255, as `networks.scaling` stretches it; NaN is 0."""
    scaled = np.nan_to_num(rgb) / np.float32(WHITE)
    found: NDArray[np.uint8] = np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return found


def grid(shape: tuple[int, ...], points: int) -> NDArray[np.float32]:
    """(points ** 2, 2) x and y of the middles of a grid over an image of `shape`."""
    part = (np.arange(points) + 0.5) / points
    y, x = np.meshgrid(part * shape[0], part * shape[1], indexing="ij")
    return np.column_stack([x.ravel(), y.ravel()]).astype(np.float32)


def stable(logits: NDArray[np.float32]) -> float:
    """How alike the mask stays when its threshold goes from -1 to 1: IoU, 0..1."""
    outer = np.count_nonzero(logits > -1)
    return np.count_nonzero(logits > 1) / outer if outer else 0.0


def best_apart(
    boxes: NDArray[np.integer], sure: NDArray[np.floating], most: float
) -> list[int]:
    """Boxes (k, 4: top, left, bottom, right), the surest first, without close rivals.

    A box whose IoU with a surer one that stays is above `most` goes (non-maximum
    suppression, as the generator of SAM does).
    """
    left = np.argsort(-sure, kind="stable")
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept = []
    while len(left):
        one, rest = left[0], left[1:]
        kept.append(int(one))
        height = np.minimum(boxes[one, 2], boxes[rest, 2]) - np.maximum(
            boxes[one, 0], boxes[rest, 0]
        )
        width = np.minimum(boxes[one, 3], boxes[rest, 3]) - np.maximum(
            boxes[one, 1], boxes[rest, 1]
        )
        common = np.maximum(height, 0) * np.maximum(width, 0)
        left = rest[common <= most * (area[one] + area[rest] - common)]
    return kept


def _predictor(network: Any) -> Any:  # noqa: ANN401 - of a library without types
    with warnings.catch_warnings():
        # It scripts its transforms, which newer versions of torch advise against.
        warnings.simplefilter("ignore", DeprecationWarning)
        return imported("sam2.sam2_image_predictor").SAM2ImagePredictor(network)


def _network(config: str) -> Any:  # noqa: ANN401 - of a library without types
    """The official network with random weights."""
    # torchvision first: it may need to be told of operators.
    imported("torchvision")
    return imported("sam2.build_sam").build_sam2(config, device="cpu")


def _load(network: Any, path: Path) -> None:  # noqa: ANN401 - of a library without types
    """Put the weights of a checkpoint into the network, each key used.

    Raises:
        WeightsError: another model's file, or damaged, or more than tensors.
    """
    with tempfile.TemporaryDirectory(prefix="terradrift-") as work:
        held = unpickle.tensors(path, Path(work))
        try:
            network.load_state_dict(held.get("model", held), strict=True)
        except (RuntimeError, TypeError) as error:
            raise WeightsError(
                f"expected the checkpoint of SAM 2.1 that {path.name} is by its name, got "
                f"another network's; fetch {path.name} again"
            ) from error
