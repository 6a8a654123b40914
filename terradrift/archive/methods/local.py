"""`detect --method local`: every observation against its patch's own no-change set."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive import places
from terradrift.archive.methods import anomalies
from terradrift.archive.methods.method import Judged, Request
from terradrift.archive.methods.scene_codes import SceneCodes
from terradrift.archive.runs import Run
from terradrift.detect.local.calibration import Calibration, Fitted
from terradrift.detect.local.detectors import LocalDistance, LocalLof
from terradrift.detect.local.score import How, judge
from terradrift.detect.local.score import Judged as Scored
from terradrift.errors import ArchiveError
from terradrift.progress import stage
from terradrift.series import Series
from terradrift.space import RAW, Space, placed
from terradrift.store import series, spaces
from terradrift.store.tables import Store
from terradrift.store.units import embeddings_table
from terradrift.threads import single_blas

_SAMPLE = 512
"""Patches whose members are scored for p-values and medians of dates."""
_MEMBERS = 8
"""Of each of their sets, evenly spaced in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Of the method `local`; the fields of `LocalDistance` and `LocalLof`."""

    measure: Literal["distance", "lof"] = "distance"
    window: Literal["past", "first", "last"] = "past"
    reference: int = 12
    min_reference: int = 8
    guard_days: int = 10
    components: int = 0
    """Of `distance`."""
    neighbours: int = 0
    """Of `lof`."""
    floor: float = 0.3
    min_clear: float = 70.0
    """Observations less clear (percent) are neither judged nor in a set."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_clear <= 100:
            raise ValueError(f"min_clear must be 0 to 100, got {self.min_clear:g}")
        self.how()

    def how(self, members: int = 0) -> How:
        """The detector's rules.

        Raises:
            ValueError: a setting is out of range, or of the other measure.
        """
        own = asdict(self)
        measure = own.pop("measure")
        del own["min_clear"]
        other = "neighbours" if measure == "distance" else "components"
        if own.pop(other):
            raise ValueError(f"{other} is no setting of measure {measure}")
        if measure == "distance":
            return LocalDistance(**own).how(members)
        return LocalLof(**own).how(members)


def detect(store: Store, run: Run, request: Request) -> Judged:
    """Judge all observations of a model; a `archive.methods.Method`.

    Raises:
        ArchiveError: nothing is embedded under the model.
        ValueError: a setting out of range.
    """
    settings = Settings(**request.settings)
    if not store.exists(embeddings_table(request.model)):
        raise ArchiveError(
            f"{store.root} holds no embeddings of {request.model}; run terradrift embed "
            "first"
        )
    space = spaces.current(store, request.model)
    patches = store.count("patches")
    rows = _Rows(store, run, request, settings, space)
    with (
        single_blas(),
        stage("local", 2 * patches, "patches", quiet=request.quiet) as advance,
    ):
        calibration = Calibration()
        every = max(1, -(-patches // _SAMPLE))
        start = 0
        for block in series.blocks(store, request.model):
            kept = np.flatnonzero((start + np.arange(len(block))) % every == 0)
            calibration.add(block.days, rows.judged(block, kept, _MEMBERS))
            start += len(block)
            advance(len(block))
        fitted = calibration.fitted()
        del calibration  # its pieces are in `fitted`

        def batches() -> Iterator[pa.RecordBatch]:
            for block in series.blocks(store, request.model):
                yield rows.of(block, fitted)
                advance(len(block))

        about = {
            "settings": repr(settings),
            "space": space.label if space else RAW,
            "space_fitted_on": space.fitted_on if space else "nothing",
            "calibration": f"{len(fitted.z)} members of sets, of every {every} patches",
        }
        anomalies.replace(
            store, request.method, batches(), model=request.model, about=about
        )
    return Judged(
        method=request.method,
        table=anomalies.table_name(request.method, request.model),
        observations=rows.written,
        scored=rows.scored,
        notes=_notes(rows, settings, request, space),
    )


def _notes(
    rows: "_Rows", settings: Settings, request: Request, space: Space | None
) -> tuple[str, ...]:
    notes = [f"{rows.ranked:,} with a p-value"]
    if (
        space is not None
        and rows.first is not None
        and (known := space.knew(rows.first))
    ):
        notes.append(known)
    if request.maps is not None:
        notes.append("it scores patches, so no maps were written")
    if not rows.scored:
        least = (
            settings.min_reference if settings.window != "first" else settings.reference
        )
        notes.append(
            f"no patch has {least} observations that are {settings.min_clear:g} % clear "
            "before another one: too little history"
        )
    return tuple(notes)


class _Rows:
    """Blocks of series to rows of the table."""

    def __init__(
        self,
        store: Store,
        run: Run,
        request: Request,
        settings: Settings,
        space: Space | None,
    ) -> None:
        self._run, self._request, self._settings = run, request, settings
        self._space = space
        self._scenes = SceneCodes(store, request.model)
        self.written = self.scored = self.ranked = 0
        self.first: np.datetime64 | None = None
        """Day of the earliest score."""

    def judged(
        self, block: Series, kept: NDArray[np.int64], members: int = 0
    ) -> Iterator[Scored]:
        """What is said of the patches `kept` (k,) of a block."""
        clear = self._clear(block)[kept]
        vectors = placed(block.vectors[kept], clear, self._space)
        return judge(block.days, vectors, clear, self._settings.how(members))

    def _clear(self, block: Series) -> NDArray[np.bool_]:
        with np.errstate(invalid="ignore"):
            return np.asarray(block.clear_percent >= self._settings.min_clear)

    def of(self, block: Series, fitted: Fitted) -> pa.RecordBatch:
        """The rows of a block, in order of patch and day."""
        row, day = np.nonzero(self._wanted(block))
        at = (row, day)
        shape = block.clear_percent.shape
        values = {
            name: np.full(shape, np.nan)
            for name in ("score", "spatial", "z", "p", "width")
        }
        start, end = (np.full(shape, _NEVER) for _ in range(2))
        for part in self.judged(block, np.arange(len(block))):
            here, days = (part.row, part.at), block.days[part.at]
            values["score"][here], values["z"][here] = part.score, part.z
            values["spatial"][here] = part.score - fitted.median(days)
            values["p"][here] = fitted.p_values(part.z, part.width, days)
            values["width"][here] = part.width
            start[here] = block.times[part.row, part.first]
            end[here] = block.times[part.row, part.last]
        found = {name: each[at] for name, each in values.items()}
        self.written += len(row)
        scored = np.isfinite(found["score"])
        self.scored += int(scored.sum())
        self.ranked += int(np.isfinite(found["p"]).sum())
        if scored.any():
            earliest = block.days[day[scored].min()]
            self.first = earliest if self.first is None else min(self.first, earliest)
        patches, times = block.patch_ids[row], block.times[at]
        alone = len(row)
        width = pa.array(found["width"], pa.float64(), from_pandas=True)
        return pa.RecordBatch.from_arrays(
            [
                pa.array(patches, pa.string()),
                places.instants(times),
                pa.repeat(pa.scalar(self._scenes.tile(block)), alone),
                places.words(self._scenes.names(block)[at]),
                places.nullable(block.clear_percent[at]),
                pa.repeat(pa.scalar(self._request.method), alone),
                pa.repeat(pa.scalar(self._request.model), alone),
                places.nullable(found["score"]),
                places.nullable(found["spatial"]),
                places.nullable(found["z"]),
                places.nullable(found["p"]),
                pa.nulls(alone, pa.float32()),
                pa.nulls(alone, pa.bool_()),
                width.cast(pa.int32()),
                places.instants(start[at]),
                places.instants(end[at]),
                places.words(self._reasons(block.clear_percent[at], found)),
                pa.repeat(pa.scalar(self._run.run_id), alone),
            ],
            schema=schema.anomalies(),
        )

    def _wanted(self, block: Series) -> NDArray[np.bool_]:
        """(n, t), observations of the days asked for."""
        wanted = ~np.isnat(block.times)
        if self._request.since is not None:
            wanted &= block.days >= self._request.since
        if self._request.until is not None:
            wanted &= block.days <= self._request.until
        return wanted

    def _reasons(
        self, clear_percent: NDArray[np.float32], found: dict[str, NDArray[np.float64]]
    ) -> NDArray[np.str_]:
        """(q,) why there is no score, or no p-value."""
        with np.errstate(invalid="ignore"):
            clear = clear_percent >= self._settings.min_clear
        known = np.isfinite(found["width"])
        return np.select(
            [
                ~clear,
                ~known,
                ~np.isfinite(found["score"]),
                ~np.isfinite(found["p"]),
            ],
            [
                "not clear",
                "too little history",
                "the no-change set holds one value only",
                "too few no-change sets before it for a p-value",
            ],
            "",
        )


_NEVER = np.datetime64("NaT", "us")
