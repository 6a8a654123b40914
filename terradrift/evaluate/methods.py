"""Every detector that is installed, and the whole detection, as methods by name.

A detector scores observations. A patch is as changed as its largest score says (or a stated
quantile of its scores), from the date of the largest on. Such methods rank; they report
nothing, as a detector has no threshold of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift import plugins
from terradrift import threads as cores
from terradrift.detect.protocol import SeriesDetector
from terradrift.detect.run import detect
from terradrift.detect.settings import Settings
from terradrift.errors import UnknownPluginError
from terradrift.evaluate.method import Frames, Judged, Method
from terradrift.evaluate.observed import Observed
from terradrift.series import Series

CHANGES = "changes"
READS = ("embedding", "bands", "indices")
"""What a method may be given as vectors; see `reads`."""
_SCORES = {"scores-drift": "drift", "scores-z": "z"}
_SINGLE_BANDS = ("red", "nir")
"""Single bands that stand in the table unasked; the others by `band-difference-NAME`."""


@dataclass(frozen=True, slots=True)
class _Variant:
    """A detector with parameters that have a name of their own."""

    plugin: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    quantile: float = 1.0


_VARIANTS = {
    "previous-date-euclidean": _Variant("previous-date", {"distance": "euclidean"}),
    "temporal-median-q90": _Variant("temporal-median", quantile=0.9),
    "temporal-median-z": _Variant("temporal-median", {"robust": True}),
    "index-difference-ndvi": _Variant("index-difference", {"index": "ndvi"}),
    "index-difference-nbr": _Variant("index-difference", {"index": "nbr"}),
    "index-difference-ndwi": _Variant("index-difference", {"index": "ndwi"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Largest:
    """A detector of series as a method: a patch's score is its largest, or a quantile."""

    name: str
    detector: SeriesDetector
    bands: int = 0
    """How many leading values of a vector are band means; for detectors of bands."""
    quantile: float = 1.0
    """1: the maximum over dates."""
    min_clear: float = Settings().min_clear
    """Observations less clear than this (percent) are not judged."""

    def __post_init__(self) -> None:
        if not 0 < self.quantile <= 1:
            raise ValueError(
                f"quantile must be above 0 and at most 1, got {self.quantile}"
            )
        if self.reads == "bands" and self.bands < 1:
            raise ValueError(
                f"{self.name} reads bands: how many lead a vector must be at least 1, "
                f"got {self.bands}"
            )

    @property
    def reads(self) -> str:
        """Which series it is to be given: `embedding`, `bands` (of `spectral`), `indices`."""
        return reads(self.detector)

    def judge(self, series: Sequence[Series]) -> Judged:
        """Rank the patches; onset is the date of the largest score."""
        scores: list[NDArray[np.float32]] = []
        onsets: list[NDArray[np.datetime64]] = []
        for part, found in zip(series, self._scores(series), strict=True):
            score, date = _over_dates(found, self.quantile)
            scores.append(score)
            day = part.days[np.maximum(date, 0)] if len(part.days) else part.days[:0]
            onsets.append(np.where(date >= 0, day, np.datetime64("NaT", "D")))
        score = np.concatenate([np.zeros(0, np.float32), *scores])
        onset = np.concatenate([np.zeros(0, "datetime64[D]"), *onsets])
        return Judged(score, onset, np.zeros(len(score), bool))

    def frames(self, series: Sequence[Series]) -> list[Frames]:
        """The detector's scores."""
        return [Frames(score) for score in self._scores(series)]

    def _scores(self, series: Sequence[Series]) -> list[NDArray[np.float32]]:
        parts = [(part.days, self._vectors(part), self._clear(part)) for part in series]
        if not getattr(self.detector, "scene", False):
            return [self.detector.detect(*part) for part in parts]
        return _together(self.detector, parts)

    def _vectors(self, part: Series) -> NDArray[np.floating]:
        if self.reads == "indices":
            return part.indices
        return (
            part.vectors[..., : self.bands] if self.reads == "bands" else part.vectors
        )

    def _clear(self, part: Series) -> NDArray[np.bool_]:
        with np.errstate(invalid="ignore"):
            clear: NDArray[np.bool_] = part.clear_percent >= self.min_clear
        return clear


_Part = tuple[NDArray[np.datetime64], NDArray[np.floating], NDArray[np.bool_]]


def _together(
    detector: SeriesDetector, parts: Sequence[_Part]
) -> list[NDArray[np.float32]]:
    """Scores of blocks, by a detector that sees the patches of all of them at once."""
    if not parts:
        return []
    days = np.unique(np.concatenate([part[0] for part in parts]))
    n = sum(len(part[2]) for part in parts)
    width = parts[0][1].shape[2]
    vectors = np.zeros((n, len(days), width), parts[0][1].dtype)
    clear = np.zeros((n, len(days)), bool)
    start, columns = 0, []
    for own, values, seen in parts:
        columns.append((slice(start, start + len(seen)), np.searchsorted(days, own)))
        vectors[columns[-1]], clear[columns[-1]] = values, seen
        start += len(seen)
    scores = detector.detect(days, vectors, clear)
    return [scores[at] for at in columns]


def _over_dates(
    scores: NDArray[np.float32], quantile: float
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(n,) score of each patch of (n, t), and the number of its date; NaN and -1 without."""
    n, t = scores.shape
    if t == 0:
        return np.full(n, np.nan, np.float32), np.full(n, -1)
    known = np.isfinite(scores)
    some = known.any(axis=1)
    date = np.where(known, scores, -np.inf).argmax(axis=1)
    value = np.full(n, np.nan, np.float32)
    if quantile == 1:
        value[some] = scores[some, date[some]]
    elif some.any():
        value[some] = np.nanquantile(scores[some], quantile, axis=1)
    return value, np.where(some, date, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeDetection:
    """What `terradrift detect` does: the score of each patch's strongest candidate.

    Ranked whether or not the change is reported; abstains where the history cannot be judged.
    """

    settings: Settings = field(default_factory=Settings)
    threads: int | None = None

    @property
    def name(self) -> str:
        """As the table."""
        return CHANGES

    def judge(self, series: Sequence[Series]) -> Judged:
        """Judge all patches of the blocks."""
        scores: list[NDArray[np.float32]] = []
        onsets: list[NDArray[np.datetime64]] = []
        told: list[NDArray[np.bool_]] = []
        for block in detect(
            lambda: iter(series),
            self.settings,
            threads=cores.resolve(self.threads),
            advance=lambda _done: None,
        ):
            reported = np.zeros(len(block.patch_ids), bool)
            reported[block.changes.row] = True
            scores.append(block.patches.score)
            onsets.append(block.patches.onset.astype("datetime64[D]"))
            told.append(reported)
        return Judged(
            np.concatenate([np.zeros(0, np.float32), *scores]),
            np.concatenate([np.zeros(0, "datetime64[D]"), *onsets]),
            np.concatenate([np.zeros(0, bool), *told]),
        )

    def frames(self, series: Sequence[Series]) -> None:  # noqa: ARG002 - the protocol's
        """None: a change is judged from a whole history."""
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A method under another name."""

    name: str
    method: Method

    def judge(self, series: Sequence[Series]) -> Judged:
        """As the method."""
        return self.method.judge(series)

    def frames(self, series: Sequence[Series]) -> list[Frames] | None:
        """As the method."""
        return self.method.frames(series)


def reads(detector: object) -> str:
    """What a detector, or a method, wants as vectors: one of `READS`.

    Raises:
        ValueError: it declares something else.
    """
    wanted = getattr(detector, "reads", "embedding")
    if wanted not in READS:
        raise ValueError(
            f"{detector!r}: reads must be one of {', '.join(READS)}, got {wanted!r}"
        )
    return str(wanted)


def names(bands: Sequence[str] = ()) -> list[str]:
    """All methods there are; those of single bands where `bands` are given."""
    plain = plugins.names(plugins.DETECTORS)
    single = [f"band-difference-{band}" for band in bands]
    return [CHANGES, *_SCORES, *sorted([*plain, *_VARIANTS, *single])]


def methods(
    wanted: Sequence[str] | None = None,
    *,
    bands: Sequence[str] = (),
    threads: int | None = None,
) -> list[Method]:
    """Methods by name, or those of the usual table.

    Args:
        wanted: from `names`; None: all but single bands other than red and near infrared.
        bands: names of the bands whose means lead the vectors of `spectral`; without them
            there are no detectors of bands.
        threads: of the whole detection; None: all that are allowed.

    Raises:
        UnknownPluginError: no such method.
    """
    known = names(bands)
    if wanted is None:
        few = [f"band-difference-{band}" for band in bands if band in _SINGLE_BANDS]
        single = {f"band-difference-{band}" for band in bands} - set(few)
        usual = [name for name in known if name not in single]
        return [
            _make(name, bands, threads)
            for name in usual
            if bands or not _of_bands(name, bands)
        ]
    for name in wanted:
        if name not in known:
            raise UnknownPluginError(
                f"no detector named {name!r}; there are {', '.join(known)}"
            )
    return [_make(name, bands, threads) for name in wanted]


def _make(name: str, bands: Sequence[str], threads: int | None) -> Method:
    if name == CHANGES:
        return WholeDetection(threads=threads)
    if name in _SCORES:
        return Named(name=name, method=Observed(column=_SCORES[name], threads=threads))
    variant = _variant(name, bands)
    detector = plugins.load(plugins.DETECTORS, variant.plugin)(**variant.parameters)
    return Largest(
        name=name, detector=detector, bands=len(bands), quantile=variant.quantile
    )


def _variant(name: str, bands: Sequence[str]) -> _Variant:
    for number, band in enumerate(bands):
        if name == f"band-difference-{band}":
            return _Variant("band-difference", {"band": number})
    return _VARIANTS.get(name) or _Variant(name)


def _of_bands(name: str, bands: Sequence[str]) -> bool:
    """Whether it is a detector of bands."""
    if name == CHANGES or name in _SCORES:
        return False
    plugin = _variant(name, bands).plugin
    return reads(plugins.load(plugins.DETECTORS, plugin)) == "bands"
