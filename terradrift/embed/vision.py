"""torchvision and timm, also beside a torch without CUDA."""

from __future__ import annotations

import importlib
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


def library(name: str) -> ModuleType:
    """Import a module of timm or torchvision.

    torchvision's wheel is built for CUDA and does not load its operators beside a CPU-only
    torch; its Python part needs only the names of two of them, which no embedding calls.

    Raises:
        ImportError: not installed; says how to.
    """
    from torch import library as operators

    with suppress(RuntimeError, ImportError):
        return importlib.import_module(name)
    for operator in ("nms", "qnms"):
        with suppress(RuntimeError):  # a complete torchvision has it
            operators.define(
                f"torchvision::{operator}",
                "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            )
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"this model needs {name.partition('.')[0]}, which is not installed; "
            "install terradrift[models]"
        ) from error
