"""One tile's frames with planted objects and with nuisances, scored by every method (pure).

A threshold lets `false_positives` of all untouched observations pass. A planted object is
found where at least half of its area lies in patches (of methods on pixels: pixels) above it. The
methods see the series up to the frame and no further.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from terradrift.chip import TileImage
from terradrift.detect.calibrate import MAD_TO_SIGMA
from terradrift.detect.image.median import deviation, median
from terradrift.detect.image.protocol import ImageDetector
from terradrift.evaluate.injected import objects
from terradrift.evaluate.injected.nuisances import NUISANCES
from terradrift.evaluate.injected.pixels import BASELINES, Judge, spread_out
from terradrift.evaluate.method import Method
from terradrift.series import Series

Scores = NDArray[np.float32]
Replace = Callable[[TileImage], Sequence[Series]]
"""The series of the tile up to the image's day, with the image in place of what was there."""

_HALF = 0.5
_SEASON_DAYS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is planted."""

    frames: int = 8
    """Dates that objects are planted into."""
    layouts: int = 4
    """Times that each of them is planted anew."""
    objects: int = 6
    """Objects per layout at most; few enough not to be a change of the whole scene."""
    materials: bool = True
    """Plant materials; otherwise random spectral directions."""
    amplitudes: tuple[float, float] | None = None
    """From and to; None: shares 0.05 to 1 of the ground, reflectances 0.005 to 0.5."""
    false_positives: float = 1e-3
    """Share of untouched observations that may pass."""
    min_history: int = 10
    """Clear dates before a frame."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("frames", "layouts", "objects", "min_history"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        low, high = self.range
        if not 0 < low < high <= 1:
            raise ValueError(
                "amplitudes must be two numbers above 0 and up to 1, the lower first, got "
                f"{low:g} and {high:g}"
            )
        if not 0 < self.false_positives < 1:
            raise ValueError(
                "false_positives must be a share between 0 and 1, got "
                f"{self.false_positives:g}"
            )

    @property
    def range(self) -> tuple[float, float]:
        """Amplitudes from and to."""
        return self.amplitudes or ((0.05, 1.0) if self.materials else (0.005, 0.5))


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A tile as methods on patches and on pixels see it."""

    days: NDArray[np.datetime64]
    """(t,), datetime64[D], of `stack`."""
    stack: NDArray[np.float32]
    """(t, band, y, x), reflectance without halo, NaN where not clear."""
    images: Mapping[np.datetime64, TileImage]
    """Of the frames, by day."""
    replace: Replace
    side: int
    """Pixels per patch."""
    detectors: Mapping[str, ImageDetector] = field(default_factory=lambda: BASELINES)
    """Methods on pixels, by name."""

    def judge(self, day: np.datetime64, image: TileImage) -> Judge:
        """The methods on pixels, set to judge views of one day by those before it."""
        until = int(np.searchsorted(self.days, day))
        return Judge(self.detectors, self.days[:until], self.stack[:until], image)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One planted object, and who found it."""

    frame: int
    amplitude: float
    area_px: float
    target: str
    shape: str
    contrast: float
    """Amplitude over 1.4826 times the median absolute deviation over time of what is there."""
    found: dict[str, bool]


def trials(
    ground: Ground,
    methods: Sequence[Method],
    limits: Mapping[str, float],
    plan: Plan,
    *,
    first: int,
    done: Callable[[int], None] = lambda _views: None,
) -> Iterator[Trial]:
    """Plant into every frame, `plan.layouts` times; frames are numbered from `first`.

    `done` is called with 1 after each image that was judged.
    """
    for number, (day, image) in enumerate(ground.images.items(), start=first):
        judge = ground.judge(day, image)
        now = _inner(image)
        spread = _spread(ground.stack[ground.days < day])
        for layout in range(plan.layouts):
            random = np.random.default_rng([plan.seed, number, layout])
            planted = objects.place(
                np.asarray(np.isfinite(now).all(axis=0)),
                plan.objects,
                plan.range,
                random,
                gap_px=ground.side,
                materials=plan.materials,
            )
            if not planted:
                continue
            painted = _painted(image, planted)
            maps = {
                **_by_patch(ground, methods, painted),
                **judge.maps(_inner(painted)),
            }
            done(1)
            for each in planted:
                yield Trial(
                    number,
                    each.amplitude,
                    each.area_px,
                    each.target,
                    each.shape,
                    each.amplitude
                    / max(float(np.nanmedian(spread[each.mask > 0])), 1e-6),
                    {
                        name: _found(each, score > limits[name])
                        for name, score in maps.items()
                    },
                )


def alarms(
    ground: Ground,
    methods: Sequence[Method],
    limits: Mapping[str, float],
    plan: Plan,
    done: Callable[[int], None] = lambda _views: None,
) -> Iterator[tuple[str, dict[str, tuple[int, int]]]]:
    """Of each nuisance and frame: per method, patches (pixels) above the limit, and all.

    `done` as of `trials`.
    """
    days = list(ground.images)
    for number, (day, image) in enumerate(ground.images.items()):
        judge = ground.judge(day, image)
        far = [d for d in days if abs(d - day) >= np.timedelta64(_SEASON_DAYS, "D")]
        views = {"none": image}
        if far:
            other = ground.images[min(far, key=lambda d: abs(d - day))]
            views["season"] = replace(
                image, pixels=np.where(np.isfinite(image.pixels), other.pixels, np.nan)
            )
        for name, apply in NUISANCES.items():
            random = np.random.default_rng([plan.seed, number, 1])
            views[name] = replace(
                image, pixels=apply(image.pixels, image.wavelengths, random)
            )
        for name, view in views.items():
            maps = {
                **_by_patch(ground, methods, view),
                **judge.maps(_inner(view)),
            }
            done(1)
            yield (
                name,
                {
                    method: (
                        int(np.count_nonzero(score > limits[method])),
                        int(np.count_nonzero(np.isfinite(score))),
                    )
                    for method, score in maps.items()
                },
            )


def limit(scores: Sequence[Scores], share: float) -> float:
    """The score that at most `share` of the known ones exceed.

    Raises:
        ValueError: there are fewer than 1 / `share` of them.
    """
    known = np.concatenate([part[np.isfinite(part)].ravel() for part in scores])
    if len(known) * share < 1:
        raise ValueError(
            f"a share of {share:g} false positives takes at least {1 / share:.0f} scored "
            f"observations, got {len(known)}; ask for a larger share, or ingest more"
        )
    return float(np.quantile(known, 1 - share, method="higher"))


def untouched_pixels(
    ground: Ground, days: Sequence[np.datetime64]
) -> Iterator[dict[str, Scores]]:
    """Scores of the methods on pixels on the tile as it is, per day."""
    image = next(iter(ground.images.values()))
    for day in days:
        at = int(np.searchsorted(ground.days, day))
        here = replace(image, times=np.full(1, day, "datetime64[us]"))
        yield ground.judge(day, here).maps(ground.stack[at])


def _by_patch(
    ground: Ground, methods: Sequence[Method], image: TileImage
) -> dict[str, Scores]:
    """(y, x) score of each pixel's patch by each method; NaN where it abstains."""
    if not methods:
        return {}
    series = ground.replace(image)
    return {each.name: _map(series, image, each) for each in methods}


def _map(series: Sequence[Series], image: TileImage, method: Method) -> Scores:
    frames = method.frames(series)
    if frames is None:
        raise ValueError(f"{method.name} does not score single dates")
    ids = np.concatenate([part.patch_ids for part in series])
    last = np.concatenate([part.score[:, -1] for part in frames])
    of = dict(zip(ids.tolist(), last.tolist(), strict=True))
    _, y, x = _inner(image).shape
    whole = np.full((y // image.patch_px, x // image.patch_px), np.nan, np.float32)
    found = [of.get(id_, np.nan) for id_ in image.patch_ids.tolist()]
    whole[image.rows, image.cols] = found
    return spread_out(whole, image.patch_px)


def _found(each: objects.Planted, above: NDArray[np.bool_]) -> bool:
    return float(each.mask[above].sum()) >= _HALF * each.area_px


def _painted(image: TileImage, planted: list[objects.Planted]) -> TileImage:
    halo = image.halo_px
    padded = [replace(each, mask=np.pad(each.mask, halo)) for each in planted]
    painted = objects.paint(image.pixels, image.wavelengths, padded)
    return replace(image, pixels=painted)


def _inner(image: TileImage) -> Scores:
    """(band, y, x) pixels without halo."""
    halo = image.halo_px
    _, y, x = image.pixels.shape
    inner: Scores = image.pixels[:, halo : y - halo, halo : x - halo]
    return inner


def _spread(history: Scores) -> Scores:
    """(y, x) robust standard deviation over time, root mean square over bands."""
    away = deviation(history, median(history))
    spread: Scores = MAD_TO_SIGMA * np.sqrt((away**2).mean(axis=0))
    return spread
