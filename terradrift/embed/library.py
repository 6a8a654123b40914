"""Weights on this machine: one safetensors file a model, checked when it was added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from terradrift.embed.spec import Spec


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The weights of a model as they lie here."""

    state: dict[str, Tensor]
    """By the keys of the network."""
    sha256: str
    """Digest of all tensors: `weights.digest`, the same on every machine."""


def folder() -> Path:
    """Where weights lie: `$TERRADRIFT_MODELS`, or `terradrift/models` in the user's cache."""
    raise NotImplementedError


def present(spec: Spec) -> bool:
    """Whether the weights of the model are here."""
    raise NotImplementedError


def load(spec: Spec) -> Held:
    """Read the weights.

    Raises:
        WeightsError: they are not here (says how to get them), or damaged.
    """
    raise NotImplementedError


def add(spec: Spec, file: Path) -> Path:
    """Convert an official checkpoint once; every key used or known, none missing.

    Raises:
        WeightsError: another model's file, truncated, or a pickle that is not safe.
    """
    raise NotImplementedError
