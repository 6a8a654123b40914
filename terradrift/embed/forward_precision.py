"""Whether a network runs in bfloat16."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

import torch

Precision = Literal["auto", "fp32", "bf16"]
"""`auto` is bf16 where the card calls it safe, which it does of chips of a quarter of the
native side and larger only, and the device multiplies it by itself."""

_CPUINFO = Path("/proc/cpuinfo")
_NATIVE = {"avx512_bf16", "amx_bf16", "bf16"}
"""Flags of x86-64 and ARM processors that multiply bfloat16."""


def use_bf16(precision: Precision, *, safe: bool, device: torch.device) -> bool:
    """Whether to run in bfloat16; `safe` is what the model's card says of it.

    Raises:
        ValueError: no such precision.
    """
    if precision not in ("auto", "fp32", "bf16"):
        raise ValueError(f"precision must be auto, fp32 or bf16, got {precision!r}")
    if precision == "auto":
        return safe and native_bf16(device)
    return precision == "bf16"


def native_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for products of bfloat16.

    False for CUDA where there is none here. torch's own question to oneDNN is answered
    with yes where they are only imitated.
    """
    if device.type == "cuda":
        if not torch.cuda.is_available():  # it is a device of another machine
            return False
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    onednn = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call] # torch has no types for it
    return onednn and bool(_NATIVE & _flags(_CPUINFO))


@functools.cache
def _flags(cpuinfo: Path) -> frozenset[str]:
    """Flags of the processor as Linux lists them; none on other systems."""
    if not cpuinfo.exists():
        return frozenset()
    lines = cpuinfo.read_text().splitlines()
    listed = (line.partition(":") for line in lines)
    return frozenset(
        flag
        for name, _, flags in listed
        if name.strip() in ("flags", "Features")
        for flag in flags.split()
    )
