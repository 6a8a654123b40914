"""`detect --method segments`: regions of each date against all their past.

Two stages after Li et al. 2026 (arXiv 2409.05679) on any model's dense features; how it
differs is told in docs/segments.md.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, fields

import numpy as np
import pyarrow as pa

from terradrift import __version__, schema
from terradrift.archive import places
from terradrift.archive.methods import anomalies
from terradrift.archive.methods.method import Judged, Request
from terradrift.archive.pixels import stacks
from terradrift.archive.pixels.windows import Extent
from terradrift.archive.runs import Run
from terradrift.archive.segments import dense as segment_dense
from terradrift.archive.segments import regions as segment_regions
from terradrift.archive.segments import window as segment_window
from terradrift.archive.segments.files import Files
from terradrift.archive.segments.window import Frame
from terradrift.detect.segments import settings as rules
from terradrift.embed.ahead import ahead
from terradrift.embed.dense import DenseFeatures
from terradrift.stack import Stack
from terradrift.store.tables import Store
from terradrift.threads import single_blas

METHOD = "segments"
HALO_PX = 32
"""Surroundings of a window, so that regions on its edge are seen whole."""
_MOST_BYTES = 1 << 30
"""Cells of past dates, beyond which windows are made smaller."""
_LEAST_PX = 64
"""A window of fewer pixels a side would be mostly surroundings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(rules.Settings):
    """How regions are made and judged on an archive."""

    segments: segment_regions.Kind = "auto"
    """Where regions come from; auto: masks of SAM 2.1 where its weights are here."""
    cell_px: int | None = None
    """Pixels per cell side; None: the model's tokens, of a pooled model 4, or a patch where
    that is less."""
    chip_size: int | None = None
    """Pixels per chip side of a model with tokens; None: its own."""
    allow_mismatch: bool = False
    """Whether a model takes images of another level or pixel size than it was made for."""
    window_px: int = 512
    """Most pixels a side that are judged together."""
    alert_p: float = 0.01
    """Regions of at most this p-value are drawn as polygons, and those of `alert_z`."""
    alert_z: float = 3.0
    """A part A of a window that changes at once after t dates has p of A / (t + 1) or more,
    as a hazy day would: what is large is drawn by its z."""

    def __post_init__(self) -> None:
        rules.Settings.__post_init__(self)
        if not 0 < self.alert_p <= 1:
            raise ValueError(
                f"alert_p is a share above 0 and up to 1, got {self.alert_p:g}"
            )

    @property
    def rules(self) -> rules.Settings:
        """Those of the regions alone."""
        names = [field.name for field in fields(rules.Settings)]
        return rules.Settings(**{name: getattr(self, name) for name in names})


def detect(store: Store, run: Run, request: Request) -> Judged:
    """Judge every observation by its regions; the table is replaced in one commit.

    Windows are read once; memory is that of one window's pixels and cells.

    Raises:
        ArchiveError: no scenes, or a model that has not been fitted.
        WeightsError: weights that are asked for are not here.
        ValueError: a setting is out of range, or the images do not fit the model.
    """
    settings = Settings(**request.settings)
    model = segment_dense.opened(
        store,
        request.model,
        cell_px=settings.cell_px,
        chip_size=settings.chip_size,
        allow_mismatch=settings.allow_mismatch,
        device=request.device,
    )
    grid = store.settings.grid
    segment, how = segment_regions.segmenter(
        settings.segments,
        settings.rules,
        gsd=grid.patch_size / grid.patch_px,
        bands=store.settings.bands,
        device=request.device,
    )
    extent = _extent(store, model, settings, request)
    rows = _Rows(run, request)
    bad: list[str] = []
    with ExitStack() as held:
        held.enter_context(single_blas())
        files = None
        if request.maps is not None:
            planned = stacks.windows(store, extent)
            files = held.enter_context(
                Files(request.maps, request.model, planned, settings)
            )
        windows = held.enter_context(
            closing(
                stacks.stacks(  # type: ignore[type-var] # a generator, said to be an iterator
                    store,
                    window_px=extent.window_px,
                    halo_px=HALO_PX,
                    threads=request.threads,
                    until=extent.until,
                    on_bad=lambda scene, reason: bad.append(f"{scene}: {reason}"),
                    quiet=request.quiet,
                )
            )
        )

        def judged() -> Iterator[pa.RecordBatch]:
            for stack in windows:
                for frame in segment_window.judged(
                    stack, model, segment, settings.rules, request.since
                ):
                    if files is not None:
                        files.add(stack, frame)
                    yield rows.of(stack, frame)

        about = _about(model, settings, how)
        # In a thread of its own: the stack of Lance's is too small for PROJ.
        batches = held.enter_context(ahead(judged(), 1))
        written = anomalies.replace(
            store, METHOD, batches, model=request.model, about=about
        )
        maps = files.finish() if files is not None else ()
    return Judged(
        method=METHOD,
        table=anomalies.table_name(METHOD, request.model),
        observations=written,
        scored=rows.scored,
        maps=maps,
        notes=(how, *rows.notes(), *(f"left out {scene}" for scene in bad)),
    )


def _extent(
    store: Store, model: DenseFeatures, settings: Settings, request: Request
) -> Extent:
    """Windows small enough that the cells of all their dates are held."""
    extent = Extent(window_px=settings.window_px, until=request.until)
    dates = max((len(one.units) for one in stacks.windows(store, extent)), default=1)
    per_px = 4 * dates * (model.card.dimensions + 1) / model.stride**2
    side = int(np.sqrt(_MOST_BYTES / per_px)) - 2 * HALO_PX
    if side < min(_LEAST_PX, settings.window_px):
        raise ValueError(
            f"{dates} dates of {model.card.dimensions} numbers per cell of {model.stride} "
            f"pixels take more than {_MOST_BYTES >> 30} GB in a window of {_LEAST_PX} "
            "pixels; set a larger cell_px, or choose a model of fewer dimensions"
        )
    return Extent(window_px=min(settings.window_px, side), until=request.until)


def _about(model: DenseFeatures, settings: Settings, how: str) -> dict[str, str]:
    """How the scores were made, as text."""
    card = model.card
    return {
        "method": METHOD,
        "model": card.name,
        "revision": card.revision,
        "weights_sha256": card.weights_sha256,
        "preprocessing": f"{card.preprocessing}; cells of {model.stride} pixels",
        "segments": how,
        "settings": json.dumps(asdict(settings), sort_keys=True),
        "version": __version__,
    }


class _Rows:
    """Rows of the table, and what they add up to."""

    def __init__(self, run: Run, request: Request) -> None:
        self._run, self._request = run, request
        self.scored = self._rows = self._one = self._calibrated = 0

    def of(self, stack: Stack, frame: Frame) -> pa.RecordBatch:
        """One row for each patch that was observed."""
        times = stack.times[frame.at]
        at = np.flatnonzero(~np.isnat(times))
        told = frame.patches
        scored = np.isfinite(told.score[at])
        self._rows += len(at)
        self.scored += int(scored.sum())
        self._one += int((scored & (told.n_reference[at] == 1)).sum())
        self._calibrated += int(np.isfinite(told.p_value[at]).sum())
        n = len(at)
        unknown = pa.nulls(n)
        columns = {
            "patch_id": pa.array(stack.patch_ids[at], pa.string()),
            "datetime": places.instants(times[at]),
            "tile": pa.repeat(stack.tile, n),
            "scene_id": places.words(stack.scenes[frame.at][at]),
            "clear_percent": places.nullable(stack.clear_percent[frame.at][at]),
            "method": pa.repeat(METHOD, n),
            "model": pa.repeat(self._request.model, n),
            "score": places.nullable(told.score[at]),
            "score_spatial": places.nullable(told.spatial[at]),
            "z": places.nullable(told.z[at]),
            "p_value": places.nullable(told.p_value[at]),
            "n_reference": pa.array(told.n_reference[at], pa.int32()),
            "reference_start": places.instants(_when(stack, told.first, at)),
            "reference_end": places.instants(_when(stack, told.last, at)),
            "reason": places.words(told.reason[at]),
            "run_id": pa.repeat(self._run.run_id, n),
        }
        wanted = schema.anomalies()
        return pa.RecordBatch.from_arrays(
            [columns.get(field.name, unknown).cast(field.type) for field in wanted],
            schema=wanted,
        )

    def notes(self) -> tuple[str, ...]:
        """What a user should know of how much could be said."""
        found = []
        if not self._rows:
            found.append("nothing to judge: no image of these days has a clear pixel")
        if self._one:
            found.append(
                f"{self._one:,} scores are stage 1 alone: one earlier clear date"
            )
        if self.scored and not self._calibrated:
            found.append("no p-values: they take two earlier clear dates or more")
        return tuple(found)


def _when(stack: Stack, frame: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Instants of frames of the patches `at`, NaT for -1."""
    chosen = frame[at]
    times = stack.times[np.maximum(chosen, 0), at]
    return np.where(chosen >= 0, times, np.datetime64("NaT"))
