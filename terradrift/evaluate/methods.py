"""Every detector that is installed, and the whole detection, as methods by name.

A detector scores observations. A patch is as changed as its largest score says (or a stated
quantile of its scores), from the date of the largest on. Such methods rank; they report
nothing, as a detector has no threshold of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from terradrift import plugins
from terradrift import threads as cores
from terradrift.detect.block import Block
from terradrift.detect.run import detect
from terradrift.detect.settings import Settings
from terradrift.errors import UnknownPluginError
from terradrift.evaluate.method import Frames, Judged, Method
from terradrift.evaluate.monitor_method import Monitor
from terradrift.evaluate.ranked import Largest, by_dates, reads
from terradrift.series import Series
from terradrift.space import Space

CHANGES = "changes"
MONITOR = "monitor"
_SCORES = {f"scores-{name}": name for name in ("drift", "z", "lof", "cusum", "ewma")}
_UNASKED = ("scores-lof", "scores-cusum", "scores-ewma")
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
    "seasonal-cusum": _Variant("seasonal", {"of": "cusum"}),
    "temporal-median-q90": _Variant("temporal-median", quantile=0.9),
    "temporal-median-z": _Variant("temporal-median", {"robust": True, "min_past": 3}),
    "index-difference-q90": _Variant("index-difference", quantile=0.9),
    "index-difference-ndvi": _Variant("index-difference", {"index": "ndvi"}),
    "index-difference-nbr": _Variant("index-difference", {"index": "nbr"}),
    "index-difference-ndwi": _Variant("index-difference", {"index": "ndwi"}),
    # As published: one no-change set, the first 12 clear dates, and changes that stay.
    "local-distance-lasting": _Variant("local-distance", {"window": "first"}, 0.5),
    "local-lof-lasting": _Variant("local-lof", {"window": "first"}, 0.5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeDetection:
    """What `terradrift detect` does: the score of each patch's strongest candidate.

    Ranked whether or not the change is reported; abstains where the history cannot be judged.
    """

    settings: Settings = field(default_factory=Settings)
    space: Space | None = None
    """In which cosines are taken; None: vectors as they are."""
    threads: int | None = None
    """None: all that are allowed."""
    reports: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """As the table."""
        return CHANGES

    def blocks(self, series: Sequence[Series]) -> list[Block]:
        """All that detection says of the blocks."""
        return list(self._detected(series))

    def _detected(self, series: Sequence[Series]) -> Iterator[Block]:
        return detect(
            lambda: iter(series),
            self.settings,
            threads=cores.resolve(self.threads),
            advance=lambda _done: None,
            space=self.space,
        )

    def judge(self, series: Sequence[Series]) -> Judged:
        """Judge all patches of the blocks."""
        return self.judged(self._detected(series))

    @staticmethod
    def judged(blocks: Iterable[Block]) -> Judged:
        """The same from what detection said."""
        scores, onsets, told = [], [], []
        for block in blocks:
            scores.append(block.patches.score)
            onsets.append(block.patches.onset.astype("datetime64[D]"))
            told.append(np.isin(np.arange(len(block.patch_ids)), block.changes.row))
        return Judged(
            np.concatenate(scores), np.concatenate(onsets), np.concatenate(told)
        )

    def frames(self, series: Sequence[Series]) -> None:  # noqa: ARG002 - the protocol's
        """None: a change is judged from a whole history."""
        return


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The detector whose scores are a column of `scores`, as detection gives them."""

    column: str = "drift"
    """`drift`, `z`, `lof`, `cusum` or `ewma`."""
    detection: WholeDetection = field(default_factory=WholeDetection)

    @property
    def name(self) -> str:
        """Table and column."""
        return f"scores-{self.column}"

    def judge(self, series: Sequence[Series]) -> Judged:
        """Rank the patches; onset is the date of the largest score."""
        return self.judged(series, self.detection.blocks(series))

    def judged(self, series: Sequence[Series], blocks: Sequence[Block]) -> Judged:
        """The same from what detection said of the series."""
        return by_dates(series, [getattr(b.scores, self.column) for b in blocks], 1)

    def frames(self, series: Sequence[Series]) -> list[Frames]:
        """The column; NaN where it is null."""
        blocks = self.detection.blocks(series)
        return [Frames(getattr(block.scores, self.column)) for block in blocks]


def names(bands: Sequence[str] = ()) -> list[str]:
    """All methods there are; those of single bands where `bands` are given."""
    plain = plugins.names(plugins.DETECTORS)
    single = [f"band-difference-{band}" for band in bands]
    return [CHANGES, MONITOR, *_SCORES, *sorted([*plain, *_VARIANTS, *single])]


def methods(
    wanted: Sequence[str] | None = None,
    *,
    bands: Sequence[str] = (),
    threads: int | None = None,
    space: Space | None = None,
) -> list[Method]:
    """Methods by name, or those of the usual table.

    Args:
        wanted: from `names`; None: of columns of scores only drift and z, of single bands
            only red and near infrared, and all others.
        bands: names of the bands whose means lead the vectors of `spectral`; without them
            there are no detectors of bands.
        threads: of the whole detection; None: all that are allowed.
        space: in which the whole detection takes cosines; None: vectors as they are.

    Raises:
        UnknownPluginError: no such method.
    """
    known = names(bands)
    whole = WholeDetection(threads=threads, space=space)
    if wanted is None:
        few = [f"band-difference-{band}" for band in bands if band in _SINGLE_BANDS]
        left = {f"band-difference-{band}" for band in bands} - set(few)
        usual = [name for name in known if name not in left | set(_UNASKED)]
        return [
            _make(name, bands, whole)
            for name in usual
            if bands or not _of_bands(name, bands)
        ]
    for name in wanted:
        if name not in known:
            raise UnknownPluginError(
                f"no detector named {name!r}; {plugins.meant(name, known)}"
                "docs/evaluation.md lists all"
            )
    return [_make(name, bands, whole) for name in wanted]


def _make(name: str, bands: Sequence[str], whole: WholeDetection) -> Method:
    if name == CHANGES:
        return whole
    if name == MONITOR:
        return Monitor()
    if name in _SCORES:
        return Scored(column=_SCORES[name], detection=whole)
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
    if name in (CHANGES, MONITOR, *_SCORES):
        return False
    plugin = _variant(name, bands).plugin
    return reads(plugins.load(plugins.DETECTORS, plugin)) == "bands"
