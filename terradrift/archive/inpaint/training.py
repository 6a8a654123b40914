"""`train`: teach a method's network the archive's own clear history, resumable at any step."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from terradrift.archive.inpaint import encoder as inpaint_encoder
from terradrift.archive.inpaint import files as training_files
from terradrift.archive.inpaint import inpainting
from terradrift.archive.pixels.stacks import stacks, windows
from terradrift.archive.pixels.windows import Extent
from terradrift.detect.inpaint.settings import Settings
from terradrift.embed import device as devices
from terradrift.errors import ArchiveError
from terradrift.progress import stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from terradrift.archive.runs import Run
    from terradrift.detect.inpaint.cube import Cube
    from terradrift.detect.inpaint.training import Losses, Training
    from terradrift.stack import Stack
    from terradrift.store.tables import Store

METHODS = ("inpaint",)
STEPS = 1500
"""Steps of a training, unless told otherwise: some minutes on the CPU for 64 x 64 pixels."""
HELD_OUT_NOTE = (
    "the weights that are kept were chosen on the held-out days, so their error there is "
    "somewhat too low"
)
_SIDE_PX = 64
"""Side of what is kept of the history at one place."""
_MOST_BYTES = 1 << 30
"""Of the history that is kept to train on."""
_READ_PX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What training is asked for."""

    minutes: float | None = None
    """Time after which this run stops, whatever the steps; None: no limit."""
    steps: int | None = None
    """Steps of the whole training, over all its runs; None: 1500, or as time allows."""
    encoder: str = ""
    """Name of a foundation model of the SatlasPretrain family; empty: the own encoder."""
    seed: int = 0
    until: np.datetime64 | None = None
    """Only days before this one are read; None: all."""
    resume: bool = True
    """Go on from where the same training stopped."""
    device: str = "auto"
    threads: int = 1
    quiet: bool = False
    keep_steps: int = 100
    """Steps after which held-out days are measured and the state is kept."""
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"minutes must be above 0, got {self.minutes:g}")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What training gave."""

    method: str
    file: str
    steps: int
    resumed: int
    """Steps that an earlier run had made."""
    seconds: float
    """Of this run."""
    days: int
    """Days that were a target."""
    held_out: int
    """Days that never were."""
    until: str
    """Last day of the history."""
    losses: dict[str, float] | None
    """Of held-out days (`detect.inpaint.training.Losses`); None where none was held out."""
    sha256: str

    def __str__(self) -> str:
        words = (
            f"{self.method}: {self.steps:,} steps on {self.days} days up to {self.until} "
            f"in {self.seconds:.0f} s"
        )
        if self.resumed:
            words += f" after {self.resumed:,} steps before"
        if self.losses is not None:
            words += (
                f"; error on {self.held_out} held-out days {self.losses['absolute']:.4f}, "
                f"of the temporal median {self.losses['median']:.4f}"
            )
        return words

    def summary(self) -> dict[str, Any]:
        """As a record."""
        return asdict(self)


def day(text: str | None) -> np.datetime64 | None:
    """A date such as 2018-05-16.

    Raises:
        ValueError: it is none.
    """
    if text is None:
        return None
    try:
        return np.datetime64(date.fromisoformat(text))
    except ValueError as error:
        raise ValueError(
            f"until must be a date such as 2018-05-16, got {text!r}"
        ) from error


def train(store: Store, run: Run, method: str, wish: Wish) -> Trained:
    """Train on the archive's pixels; the network and its loss curve go into `models`.

    A run that was killed goes on from its last kept state, at most 100 steps back, and ends
    with the weights of an undisturbed one: every step draws its samples by its number.

    Raises:
        ValueError: no such method, or a wish out of range.
        ArchiveError: too few clear days.
        WeightsError: the encoder's weights are not on this machine.
    """
    if method not in METHODS:
        raise ValueError(
            f"there is nothing to train for {method!r}; trained are {', '.join(METHODS)}"
        )
    import torch

    from terradrift.detect.inpaint.training import Training

    device = devices.resolve(wish.device)
    bands = store.settings.bands
    encoder = inpaint_encoder.opened(wish.encoder, bands, device)
    history = _history(store, wish)
    before = torch.get_num_threads()
    torch.set_num_threads(wish.threads)
    try:
        training = Training(
            history.cubes,
            history.bands,
            replace(wish.settings, seed=wish.seed),
            device=torch.device(device),
            encoder=encoder,
            encoder_name=wish.encoder,
            gsd=history.gsd,
        )
        return _taught(store, run, training, wish, device)
    finally:
        torch.set_num_threads(before)


class _Until(NamedTuple):
    steps: int
    deadline: float
    """Of the monotonic clock."""


class _History(NamedTuple):
    cubes: list[Cube]
    bands: tuple[str, ...]
    gsd: float


def _history(store: Store, wish: Wish) -> _History:
    """Places of the archive with all their frames, as many as memory is given to.

    Raises:
        ArchiveError: there are no scenes, or nothing is clear before `until`.
    """
    last = None if wish.until is None else wish.until - np.timedelta64(1, "D")
    extent = Extent(window_px=_READ_PX, until=last)
    square = len(store.settings.bands) * _SIDE_PX**2 * np.dtype(np.float32).itemsize
    drawn = _drawn(
        {
            str(each.patch_ids[0]): square * len(each.units)
            for each in windows(store, extent)
        },
        _MOST_BYTES,
        np.random.default_rng([wish.seed, 4]),
    )
    random = np.random.default_rng([wish.seed, 3])
    cubes: list[Cube] = []
    about: Stack | None = None
    left, due = _MOST_BYTES, sum(drawn.values())
    for stack in stacks(
        store,
        window_px=_READ_PX,
        until=last,
        only=lambda window: str(window.patch_ids[0]) in drawn,
        threads=wish.threads,
        quiet=wish.quiet,
    ):
        about = stack
        # One square is put by for every window to come; what is over is shared out.
        over = (left - due) // len(drawn)
        own = drawn.pop(str(stack.patch_ids[0]))
        found = _places(stack, own + over, random, wish.settings)
        left -= sum(cube.pixels.nbytes for cube in found)
        due -= own
        cubes += found
    if about is None:
        when = "" if wish.until is None else f" before {wish.until}"
        raise ArchiveError(
            f"{store.root} has no clear pixels{when} to train on; ingest more scenes"
        )
    return _History(cubes, about.bands, about.gsd)


def _drawn(
    squares: dict[str, int], limit: int, random: np.random.Generator
) -> dict[str, int]:
    """Windows in random order while one square of each fits; bytes of a square by window.

    Raises:
        ArchiveError: not even one square fits.
    """
    names, room = list(squares), limit
    found: dict[str, int] = {}
    for at in random.permutation(len(names)):
        if squares[names[at]] <= room:
            room -= squares[names[at]]
            found[names[at]] = squares[names[at]]
    if names and not found:
        raise ArchiveError(
            f"the history of {_SIDE_PX} x {_SIDE_PX} pixels takes "
            f"{min(squares.values()) >> 20:,} MiB, and {limit >> 20:,} are kept at most; "
            "train on an archive of fewer dates or bands"
        )
    return found


def _places(
    stack: Stack, room: int, random: np.random.Generator, settings: Settings
) -> list[Cube]:
    """Squares of the window that have a target, in random order while there is room."""
    from terradrift.detect.inpaint.cube import Cube
    from terradrift.detect.inpaint.sampling import targets

    _, _, rows, cols = stack.pixels.shape
    corners = [
        (min(top, max(0, rows - _SIDE_PX)), min(left, max(0, cols - _SIDE_PX)))
        for top in range(0, rows, _SIDE_PX)
        for left in range(0, cols, _SIDE_PX)
    ]
    found: list[Cube] = []
    for at in random.permutation(len(corners)):
        top, left = corners[at]
        cut = stack.pixels[:, :, top : top + _SIDE_PX, left : left + _SIDE_PX]
        if cut.nbytes > room:
            break
        cube = Cube.of(stack.days, cut)
        if len(targets(cube, None, settings)):
            room -= cut.nbytes
            found.append(replace(cube, pixels=cut.copy()))
    return found


def _taught(
    store: Store, run: Run, training: Training, wish: Wish, device: str
) -> Trained:
    models = store.root / "models"
    key = _key(training, wish)
    curve = training_files.Curve([], [])
    if wish.resume:
        kept = training_files.restored(models, key)
        if kept is not None:
            training.restore(kept.arrays, kept.told)
            curve = kept.curve
        elif training_files.exists(models) and not wish.quiet:
            print(  # noqa: T201 - words for people
                "starts anew: the training that was kept had other settings or pixels",
                file=sys.stderr,
            )
    resumed = training.steps
    started = time.monotonic()
    most = wish.steps or (STEPS if wish.minutes is None else sys.maxsize)
    deadline = started + 60 * wish.minutes if wish.minutes else float("inf")
    run.device = device

    def keep() -> None:
        training_files.keep(models, key, *training.state(), curve)

    _steps(training, curve, wish, _Until(most, deadline), keep)
    if training.steps > resumed:
        keep()
    # After the state is kept: where a run happens to end does not change later ones.
    training.measure()
    losses = training.losses()
    fitted = training.fitted()
    told = {
        "method": "inpaint",
        "until": str(max(cube.days[-1] for cube in training.cubes)),
        "target_days": [str(day) for day in training.days],
        "held_out_days": [str(day) for day in training.held],
        "held_out_note": HELD_OUT_NOTE,
        "steps": training.steps,
        "losses": losses and losses._asdict(),
        "encoder_sha256": inpaint_encoder.digest(wish.encoder),
        "run_id": run.run_id,
    }
    digest = inpainting.save(models, fitted, told)
    training_files.report(models, {**told, **fitted.told(), "sha256": digest}, curve)
    done = Trained(
        method="inpaint",
        file=str(inpainting.place(models)),
        steps=training.steps,
        resumed=resumed,
        seconds=round(time.monotonic() - started, 1),
        days=len(training.days),
        held_out=len(training.held),
        until=str(told["until"]),
        losses=losses and losses._asdict(),
        sha256=digest,
    )
    run.rows, run.message = training.steps, str(done)
    return done


def _steps(
    training: Training,
    curve: training_files.Curve,
    wish: Wish,
    until: _Until,
    keep: Callable[[], None],
) -> None:
    """Step until as many steps are made, or time is up."""
    most, deadline = until
    costs: list[float] = []
    start = training.steps
    if not start:
        training.measure()
    now = time.monotonic()
    timed = most == sys.maxsize
    total = round(deadline - now) if timed else max(0, most - start)
    shown = 0
    with stage("train", total, "s" if timed else "steps", quiet=wish.quiet) as advance:
        while training.steps < most and time.monotonic() < deadline:
            costs.append(training.step())
            done = int(time.monotonic() - now) if timed else training.steps - start
            advance(done - shown)
            shown = done
            if training.steps % wish.keep_steps == 0:
                curve.trained.append((training.steps, float(np.mean(costs))))
                costs.clear()
                losses = training.measure()
                if losses is not None:
                    curve.held_out.append((training.steps, losses))
                keep()
                _tell(curve, losses, quiet=wish.quiet)


def _tell(curve: training_files.Curve, losses: Losses | None, *, quiet: bool) -> None:
    if quiet:
        return
    step, cost = curve.trained[-1]
    words = f"step {step:,}: loss {cost:.3f}"
    if losses is not None:
        words += (
            f"; held out: error {losses.absolute:.4f}, temporal median "
            f"{losses.median:.4f}"
        )
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - words for people


def _key(training: Training, wish: Wish) -> str:
    """What must be the same for a state to be gone on from: settings and every pixel."""
    made = hashlib.sha256(
        json.dumps(
            [asdict(training.settings), list(training.bands), wish.encoder]
        ).encode()
    )
    for cube in training.cubes:
        made.update(cube.days.astype("<M8[D]").tobytes())
        made.update(np.ascontiguousarray(cube.pixels).tobytes())
    return made.hexdigest()
