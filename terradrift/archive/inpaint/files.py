"""Files of a training: the state to go on from, and the loss curve for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from matplotlib.figure import Figure

from terradrift.detect.inpaint.training import Losses
from terradrift.embed import weights
from terradrift.errors import ArchiveError
from terradrift.report import ink

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

KIND = "inpaint-training/1"
_STATE = "inpaint.training.safetensors"


class Curve(NamedTuple):
    """How a training went."""

    trained: list[tuple[int, float]]
    """Step, and the mean loss since the last."""
    held_out: list[tuple[int, Losses]]


class Kept(NamedTuple):
    """A training as it was at one step."""

    arrays: dict[str, NDArray[np.float32]]
    told: dict[str, Any]
    """What `Training.state` tells beside them."""
    curve: Curve


def keep(
    models: Path,
    key: str,
    arrays: Mapping[str, NDArray[np.float32]],
    state: Mapping[str, Any],
    curve: Curve,
) -> None:
    """Write the state in place of the last one, whole or not at all; `key` says of what."""
    models.mkdir(exist_ok=True)
    told = {
        "key": key,
        "state": dict(state),
        "trained": curve.trained,
        "held_out": [(step, losses._asdict()) for step, losses in curve.held_out],
    }
    weights.save(models / _STATE, arrays, told, KIND)


def exists(models: Path) -> bool:
    """Whether a state is kept."""
    return (models / _STATE).is_file()


def restored(models: Path, key: str) -> Kept | None:
    """The state kept for the same `key`; None where there is none, or of other things."""
    path = models / _STATE
    if not path.is_file():
        return None
    try:
        arrays, told = weights.load(path, KIND)
    except ArchiveError as error:
        raise ArchiveError(f"{error}; remove it, or pass --no-resume") from error
    if told["key"] != key:
        return None
    about: dict[str, Any] = dict(told)
    curve = Curve(
        [(step, cost) for step, cost in about["trained"]],
        [(step, Losses(**losses)) for step, losses in about["held_out"]],
    )
    return Kept(arrays, about["state"], curve)


def report(models: Path, told: Mapping[str, Any], curve: Curve) -> None:
    """Write inpaint.json and, where there is a curve, inpaint.png."""
    record = {
        **told,
        "curve": [{"step": step, "loss": cost} for step, cost in curve.trained],
        "held_out": [
            {"step": step, **losses._asdict()} for step, losses in curve.held_out
        ],
    }
    text = json.dumps(record, indent=1) + "\n"
    _written(models / "inpaint.json", text.encode())
    if curve.trained:
        _written(models / "inpaint.png", ink.png(figure(curve)))


def figure(curve: Curve) -> Figure:
    """Loss of training; error of held-out days beside that of the temporal median."""
    with ink.style():
        drawn = Figure(figsize=(8.6, 3.4), layout="constrained")
        left, right = drawn.subplots(1, 2)
        for axes, title in ((left, "loss of training"), (right, "held-out days")):
            ink.quiet(axes)
            axes.set_title(title, loc="left")
            axes.set_xlabel("step")
        left.plot(*zip(*curve.trained, strict=True))
        if curve.held_out:
            steps = [step for step, _ in curve.held_out]
            for name, words in (
                ("median", "temporal median"),
                ("usual", "weighted median"),
                ("absolute", "network"),
            ):
                values = [getattr(losses, name) for _, losses in curve.held_out]
                right.plot(steps, values, marker=".", label=words)
            right.set_ylabel("mean absolute error, reflectance")
            right.set_ylim(bottom=0)
            right.legend(frameon=False)
    return drawn


def _written(path: Path, content: bytes) -> None:
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(content)
    unfinished.replace(path)
