"""Which device computes, and how arrays get there and back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

_GPU_NODES = ("/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/dxg", "/dev/kfd")
"""What a driver of a GPU that torch can use shows on Linux: desktop, Jetson, WSL, ROCm."""

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


def resolve(device: str) -> str:
    """The torch device to use: `auto` is CUDA where there is a GPU, otherwise the CPU.

    Raises:
        ValueError: unknown name, or CUDA asked for where there is none.
    """
    if device == "cpu" or (device == "auto" and not _gpu_possible()):
        return "cpu"
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


def _gpu_possible() -> bool:
    """Whether to ask torch, whose import takes longer than many a run on the CPU."""
    if sys.platform != "linux":
        return True
    return any(Path(node).exists() for node in _GPU_NODES)


def send(array: NDArray[np.float32], device: torch.device) -> torch.Tensor:
    """The array on `device`; to CUDA by a pinned buffer, without waiting for the copy."""
    import torch

    tensor = torch.from_numpy(np.require(array, requirements=["C", "W"]))
    if device.type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def exact_float32() -> None:
    """Multiply float32 as float32 on CUDA; convolutions use TF32 unless told otherwise."""
    import torch

    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def out_of_memory(error: RuntimeError) -> bool:
    """Whether memory of the device ran out; a graph gives that as a plain error."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return True
    return "out of memory" in str(error) or "can't allocate memory" in str(error)
