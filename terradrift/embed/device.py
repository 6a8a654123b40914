"""Which device computes, and how arrays get there and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


def resolve(device: str) -> str:
    """The torch device to use: `auto` is CUDA where there is a GPU, otherwise the CPU.

    Raises:
        ValueError: unknown name, or CUDA asked for where there is none.
    """
    if device == "cpu":
        return device
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = device.partition(":")
    if kind != "cuda" or not (number.isdigit() or device == "cuda"):
        raise ValueError(f"device must be auto, cpu, cuda or cuda:N, got {device!r}")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(number or 0) >= count:
        raise ValueError(
            f"device {device!r} was asked for, but {count} CUDA devices are usable here; "
            "pass --device cpu or auto"
        )
    return device


def send(array: NDArray[np.float32], device: torch.device) -> torch.Tensor:
    """The array on `device`; to CUDA by a pinned buffer, without waiting for the copy."""
    import torch

    tensor = torch.from_numpy(np.require(array, requirements=["C", "W"]))
    if device.type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)
