"""Temporal inpainting against temporal median and Reed-Xiaoli on the same frames.

    python benchmarks/inpaint.py SHARED [--only past|held|simulated|speed] [--steps N]

Planted objects of P1 (`terradrift.evaluate.injected`): from what amplitude on half of them are
found (A50), where the limit lets 1e-3 of untouched pixels pass; intervals are 95 % of draws of
whole frames. Amplitudes are reflectance (random spectral directions), then the share of the
ground that turned to another material. Two ways to keep training away from what is judged:

* past: trained on days before the first frame, judged after it
* held: trained on all days but those of the frames and of the limit

and simulated scenes without changes, past only. Speed: pixels a second of training and of
prediction beside the temporal median, and a tile of 512 pixels.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import terradrift as td
from terradrift.archive.inpaint import inpainting
from terradrift.archive.judge.planting import spread
from terradrift.archive.pixels.stacks import stacks
from terradrift.detect.image.median import TemporalMedian
from terradrift.detect.image.protocol import ImageDetector
from terradrift.detect.image.rx import Rx, RxDifference, RxTemporal
from terradrift.detect.inpaint.cube import Cube
from terradrift.detect.inpaint.detector import Inpaint
from terradrift.detect.inpaint.settings import Settings
from terradrift.detect.inpaint.training import Training
from terradrift.evaluate.injected import objects, study
from terradrift.evaluate.injected.psychometric import fitted
from terradrift.ingest.simulate import simulate
from terradrift.stack import Stack

MIN_CLEAR = 70.0
LIMIT_DAYS = 24
BASELINES: Mapping[str, ImageDetector] = {
    "temporal median": TemporalMedian(),
    "RX": Rx(),
    "RX of the difference": RxDifference(),
    "RX temporal": RxTemporal(),
}


@dataclass(frozen=True)
class Split:
    """What is judged, and what is trained on."""

    able: list[NDArray[np.datetime64]]
    """Per stack, the days that may be judged."""
    learn: list[NDArray[np.bool_]]
    """Per stack, (t,)."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path)
    parser.add_argument("--only", choices=("past", "held", "simulated", "speed"))
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for the network of `past`")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    wanted = [given.only] if given.only else ["past", "held", "simulated", "speed"]
    with tempfile.TemporaryDirectory() as work:
        if wanted != ["simulated"]:
            source = given.shared / "data" / "s2-flanders-2018" / "catalog.json"
            flanders = held(source, Path(work) / "flanders.td")
        if "past" in wanted:
            print("## s2-flanders-2018, trained on days before 2018-07-01")
            judged = past(flanders, "2018-07-01")
            network = taught(flanders, judged, given.steps)
            if given.keep:
                told = {"until": "2018-06-30", "steps": given.steps}
                inpainting.save(given.keep, network.fitted, told)
            studies_of(flanders, judged, network)
        if "held" in wanted:
            print("## s2-flanders-2018, frames and days of the limit held out")
            judged = apart(flanders)
            studies_of(flanders, judged, taught(flanders, judged, given.steps))
        if "simulated" in wanted:
            for seed in (11, 12):
                made = simulate(
                    Path(work) / f"scenes{seed}",
                    size_px=96,
                    dates=90,
                    seed=seed,
                    start="2018-01-01",
                    revisit_days=8,
                    cloudiness=0.4,
                    changes_per_year=0,
                    baseline_jump=None,
                )
                found = held(made, Path(work) / f"simulated{seed}.td")
                print(f"## simulated {seed}, trained on days before 2019-03-01")
                judged = past(found, "2019-03-01")
                studies_of(found, judged, taught(found, judged, given.steps))
        if "speed" in wanted:
            speed(flanders)


def held(source: Path, place: Path) -> list[Stack]:
    """The archive's windows; patches that are less clear than detection asks for are NaN."""
    archive = td.create(place, td.Grid(40))
    archive.ingest(source)
    return [masked(each) for each in stacks(archive.store, threads=2)]


def masked(stack: Stack) -> Stack:
    pixels, side = stack.pixels.copy(), stack.patch_px
    for frame, clear in zip(pixels, stack.clear_percent, strict=True):
        for row, col in zip(
            stack.rows[~(clear >= MIN_CLEAR)],
            stack.cols[~(clear >= MIN_CLEAR)],
            strict=True,
        ):
            y, x = row * side, col * side
            frame[:, y : y + side, x : x + side] = np.nan
    return replace(stack, pixels=pixels)


def able(stack: Stack, first: str = "1970-01-01") -> NDArray[np.datetime64]:
    """Days of which 70 % is clear, with ten such days before."""
    clear = Cube.of(stack.days, stack.pixels).clear >= 0.7
    good = clear & (np.cumsum(clear) > 10) & (stack.days >= np.datetime64(first))
    return stack.days[good]


def past(found: Sequence[Stack], first: str) -> Split:
    return Split(
        [able(each, first) for each in found],
        [each.days < np.datetime64(first) for each in found],
    )


def apart(found: Sequence[Stack]) -> Split:
    days = [able(each) for each in found]
    judged = np.unique(
        np.concatenate(
            [
                [*spread(each, LIMIT_DAYS), *spread(each, study.Plan().frames)]
                for each in days
            ]
        )
    )
    return Split(days, [~np.isin(each.days, judged) for each in found])


def taught(found: Sequence[Stack], split: Split, steps: int) -> Inpaint:
    cubes = [
        Cube.of(each.days[keep], each.pixels[keep])
        for each, keep in zip(found, split.learn, strict=True)
    ]
    training = Training(
        cubes, found[0].bands, Settings(), device=torch.device("cpu"), gsd=found[0].gsd
    )
    started = time.process_time()
    training.measure()
    for step in range(steps):
        training.step()
        if step % 100 == 99:
            training.measure()
    losses = training.losses()
    print(
        f"{steps} steps on {len(training.days)} days, {time.process_time() - started:.0f} "
        f"CPU s; held-out days of training: {losses}; days taught: "
        f"{training.losses(held_out=False)}",
        flush=True,
    )
    return Inpaint(fitted=training.fitted())


def studies_of(found: Sequence[Stack], split: Split, network: Inpaint) -> None:
    for materials in (False, True):
        print("materials" if materials else "directions")
        study_of(found, split, network, study.Plan(materials=materials))


def study_of(
    found: Sequence[Stack], split: Split, network: Inpaint, plan: study.Plan
) -> None:
    """Plant, judge, print A50 of every method."""
    methods = {**BASELINES, "inpaint": network}
    amplitude: list[float] = []
    frames: list[int] = []
    hits: dict[str, list[bool]] = {name: [] for name in methods}
    number = 0
    for stack, days in zip(found, split.able, strict=True):
        untouched = [maps(methods, stack, day) for day in spread(days, LIMIT_DAYS)]
        limits = {
            name: study.limit([each[name] for each in untouched], plan.false_positives)
            for name in methods
        }
        for day in spread(days, plan.frames):
            now = stack.pixels[int(np.searchsorted(stack.days, day))]
            for layout in range(plan.layouts):
                random = np.random.default_rng([plan.seed, number, layout])
                planted = objects.place(
                    np.asarray(np.isfinite(now).all(axis=0)),
                    plan.objects,
                    plan.range,
                    random,
                    gap_px=stack.patch_px,
                    materials=plan.materials,
                )
                if not planted:
                    continue
                seen = maps(
                    methods, stack, day, objects.paint(now, stack.wavelengths, planted)
                )
                for each in planted:
                    amplitude.append(each.amplitude)
                    frames.append(number)
                    for name, score in seen.items():
                        inside = float(each.mask[score > limits[name]].sum())
                        hits[name].append(inside >= 0.5 * each.area_px)
            number += 1
    told(np.array(amplitude), np.array(frames), hits)


def maps(
    methods: Mapping[str, ImageDetector],
    stack: Stack,
    day: np.datetime64,
    now: NDArray[np.float32] | None = None,
) -> dict[str, NDArray[np.float32]]:
    cut = stack.upto(int(np.searchsorted(stack.days, day)))
    if now is not None:
        pixels = cut.pixels.copy()
        pixels[-1] = now
        cut = replace(cut, pixels=pixels)
    return {name: each.detect(cut).score for name, each in methods.items()}


def told(
    amplitude: NDArray[np.float64],
    frame: NDArray[np.int64],
    hits: Mapping[str, list[bool]],
) -> None:
    curves = {
        name: fitted(amplitude, np.array(found), frame) for name, found in hits.items()
    }
    print(f"{len(amplitude)} objects in {len(set(frame.tolist()))} frames")
    for name, curve in curves.items():
        limit = curve.threshold()
        gain = curve.gain(curves["temporal median"])
        large = amplitude >= np.quantile(amplitude, 0.75)
        whole = np.array(hits[name])[large].mean()
        print(
            f"{name:22} A50 {limit.a50.value:6.3f} ({limit.a50.low:.3f} .. "
            f"{limit.a50.high:.3f})  A90 {limit.a90.value:6.3f}  gain {gain.value:5.2f} "
            f"({gain.low:.2f} .. {gain.high:.2f})  found of the largest quarter {whole:.2f}",
            flush=True,
        )


def speed(found: Sequence[Stack]) -> None:
    """Pixels a second by CPU time and by the clock, one thread and two."""
    cubes = [Cube.of(each.days, each.pixels) for each in found]
    settings = Settings()
    large = tiled(found[0], 512)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        training = Training(
            cubes, found[0].bands, settings, device=torch.device("cpu"), gsd=10.0
        )
        training.step()
        wall, cpu = timed(lambda run=training: [run.step() for _ in range(10)])
        pixels = 10 * settings.batch * settings.crop_px**2
        print(
            f"{threads} threads: training {pixels / wall:,.0f} target px/s, "
            f"{pixels / cpu:,.0f} per CPU s, {cpu / 10:.2f} CPU s a step"
        )
        network = Inpaint(fitted=training.fitted())
        for name, detector in (("inpaint", network), ("median", TemporalMedian())):
            wall, cpu = timed(lambda each=detector: each.detect(large))
            print(
                f"{threads} threads: {name} of {len(large)} frames of 512 px: "
                f"{wall:.1f} s, {cpu:.1f} CPU s, {512**2 / wall:,.0f} px/s"
            )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of all of this {peak:,.0f} MB, torch {torch.__version__}")


def timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def tiled(stack: Stack, side: int) -> Stack:
    """The last 17 frames that are mostly clear, repeated to `side` pixels."""
    clear = Cube.of(stack.days, stack.pixels).clear >= 0.7
    at = np.flatnonzero(clear)[-17:]
    _, _, rows, cols = stack.pixels.shape
    times = (1, 1, -(-side // rows), -(-side // cols))
    pixels = np.tile(stack.pixels[at], times)[:, :, :side, :side]
    return replace(stack, days=stack.days[at], pixels=pixels)


if __name__ == "__main__":
    sys.exit(main())
