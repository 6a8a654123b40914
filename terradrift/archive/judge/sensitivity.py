"""`sensitivity`: changes of known size planted into the archive's own images."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from terradrift import plugins
from terradrift.archive import modelling
from terradrift.archive.choosing import Choice
from terradrift.archive.judge.planting import Grounds, spread
from terradrift.archive.pixels import detectors as image_detectors
from terradrift.detect.settings import Settings
from terradrift.errors import ArchiveError
from terradrift.evaluate import methods as all_methods
from terradrift.evaluate.injected import study
from terradrift.evaluate.injected.nuisances import NUISANCES
from terradrift.evaluate.injected.pixels import BASELINES
from terradrift.evaluate.injected.result import Sensitivity, summed, thresholds
from terradrift.evaluate.injected.study import Ground, Trial
from terradrift.evaluate.method import Method
from terradrift.evaluate.methods import WholeDetection
from terradrift.evaluate.ranked import reads
from terradrift.progress import stage
from terradrift.series import Series
from terradrift.store import units
from terradrift.store.tables import Store
from terradrift.threads import single_blas

_OF_BANDS = "spectral"
_ON_PIXELS = "-pixels"
"""End of a name that means the detector on pixels where there is one on vectors, too."""
_PIXEL_DAYS = 24
"""Untouched dates that set the limits of the methods on pixels, at most."""

DETECTORS = ("surprise", "scores-drift", "scores-z", "temporal-median", "rx-difference")
"""What is asked beside the methods on pixels, unless told otherwise."""


def sensitivity(
    store: Store,
    choice: Choice,
    plan: study.Plan,
    *,
    detectors: Sequence[str] | None,
    most_tiles: int,
    device: str = "auto",
    threads: int,
    quiet: bool,
) -> Sensitivity:
    """Plant into up to `most_tiles` tiles, those with the most patches first.

    `detectors` are names of `evaluate.methods` and of image detectors, which stand beside
    `BASELINES`; where a name is both, it is the one on pixels with `-pixels` behind it, or if
    the other reads band means and the vectors are none. None: those of `DETECTORS` that can
    read the model's vectors. Writes nothing.

    Raises:
        UnknownPluginError: no such detector.
        ArchiveError: the model is not embedded, looks at several dates, or no date has
            clear ground and enough clear dates before it.
        ValueError: the bands are not of reflected light, or there are too few
            observations for the share of false positives.
    """
    if not store.exists(units.embeddings_table(choice.stored)):
        raise ArchiveError(
            f"{store.root} holds no embeddings of {choice.stored}; run terradrift embed "
            "first"
        )
    image_names = on_pixels(choice, detectors or ())
    methods = _methods(
        store,
        choice,
        [name for name in detectors or DETECTORS if name not in image_names],
        threads,
        asked=detectors is not None,
    )
    images = {
        plugin: image_detectors.opened(store, plugin, device, {})
        for plugin in image_names.values()
    }
    embedder = modelling.opened(store, choice)
    if embedder.card.dates > 1:
        raise ArchiveError(
            f"{choice.stored} makes a vector of {embedder.card.dates} dates; planting "
            "works on one date: embed with --dates 1"
        )
    grounds = Grounds(store, choice, embedder, plan, threads, {**BASELINES, **images})
    trials: list[Trial] = []
    counts: list[tuple[str, dict[str, tuple[int, int]]]] = []
    frames: list[str] = []
    untouched = 0
    chosen = grounds.tiles(most_tiles)
    views = (
        plan.layouts + len(NUISANCES) + 2
    )  # the image as it is, and of another season
    planted = sum(min(plan.frames, len(able)) for _, _, able in chosen)
    with (
        single_blas(),
        stage("plant", planted * views, "images", quiet=quiet) as advance,
    ):
        for tile, series, able in chosen:
            ground = grounds.of(tile, series, spread(able, plan.frames))
            known = [_scored(each, series, able) for each in methods]
            limits = {
                each.name: study.limit(parts, plan.false_positives)
                for each, parts in zip(methods, known, strict=True)
            }
            untouched += _untouched(series, able, known)
            limits |= _pixel_limits(ground, able, plan)
            trials += study.trials(
                ground, methods, limits, plan, first=len(frames), done=advance
            )
            counts += study.alarms(ground, methods, limits, plan, advance)
            frames += [str(day) for day in ground.images]
    if not trials:
        raise ArchiveError(
            f"{store.root}: no object could be planted: no clear ground is as large as one"
        )
    with single_blas():  # thousands of tiny fits
        found, gains = thresholds(trials)
    return Sensitivity(
        archive=store.root.name,
        model=choice.stored,
        planted="materials" if plan.materials else "directions",
        patch_size=store.settings.grid.patch_size,
        frames=tuple(frames),
        false_positives=plan.false_positives,
        untouched=untouched,
        trials=tuple(trials),
        thresholds=found,
        gains=gains,
        alarms=summed(counts),
    )


def on_pixels(choice: Choice, names: Sequence[str]) -> dict[str, str]:
    """Which of the names mean image detectors, and which ones."""
    known = plugins.names(plugins.IMAGE_DETECTORS)
    on_vectors = set(plugins.names(plugins.DETECTORS))
    found = {}
    for name in names:
        plain = name.removesuffix(_ON_PIXELS)
        if plain in known and (
            name != plain or name not in on_vectors or not _readable(name, choice)
        ):
            found[name] = plain
    return found


def _readable(name: str, choice: Choice) -> bool:
    """Whether the detector of series can read the model's vectors."""
    plugin = plugins.load(plugins.DETECTORS, name)
    return choice.stored == _OF_BANDS or reads(plugin) != "bands"


def _untouched(
    series: list[Series],
    able: NDArray[np.datetime64],
    known: Sequence[list[NDArray[np.float32]]],
) -> int:
    """Observations of patches that set the limits; without a method on them, the clear ones."""
    if known:
        return sum(int(np.isfinite(part).sum()) for part in known[0])
    return sum(int(_clear(part)[:, np.isin(part.days, able)].sum()) for part in series)


def _clear(part: Series) -> NDArray[np.bool_]:
    """(n, t), the observations that are clear enough to be judged."""
    return np.asarray(np.nan_to_num(part.clear_percent) >= Settings().min_clear)


def _methods(
    store: Store, choice: Choice, names: Sequence[str], threads: int, *, asked: bool
) -> list[Method]:
    """The detectors, of which those of bands take vectors of `spectral` only.

    Raises:
        ArchiveError: a detector was asked for that cannot read the model's vectors, or
            that judges no single dates.
    """
    bands = store.settings.bands
    found = all_methods.methods(names, bands=bands, threads=threads)
    able = [
        each for each in found if reads(each) != "bands" or choice.stored == _OF_BANDS
    ]
    if asked and len(able) < len(found):
        lost = ", ".join(each.name for each in found if each not in able)
        raise ArchiveError(
            f"{lost} reads band means, got vectors of {choice.stored}; pass "
            f"--model {_OF_BANDS}"
        )
    if blind := [each.name for each in able if isinstance(each, WholeDetection)]:
        raise ArchiveError(
            f"{', '.join(blind)} judges whole histories, not single dates; choose from "
            f"{', '.join(DETECTORS)}"
        )
    return able


def _scored(
    method: Method, series: list[Series], able: NDArray[np.datetime64]
) -> list[NDArray[np.float32]]:
    """Untouched scores of clear observations on the days `able`."""
    frames = method.frames(series)
    if frames is None:
        raise ValueError(f"{method.name} does not score single dates")
    out = []
    for part, frame in zip(series, frames, strict=True):
        out.append(frame.score[_clear(part) & np.isin(part.days, able)])
    return out


def _pixel_limits(
    ground: Ground, able: NDArray[np.datetime64], plan: study.Plan
) -> dict[str, float]:
    days = spread(np.intersect1d(able, ground.days), _PIXEL_DAYS)
    maps = list(study.untouched_pixels(ground, days))
    side = ground.side
    return {
        name: study.limit(
            # Patches are told once, not once per pixel.
            [
                each[name][::side, ::side] if name.endswith("patches") else each[name]
                for each in maps
            ],
            plan.false_positives,
        )
        for name in maps[0]
    }
