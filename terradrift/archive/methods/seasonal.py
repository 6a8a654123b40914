"""`detect --method seasonal`: embeddings beside their season's past, rows of anomalies."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift import __version__, schema
from terradrift.archive import places
from terradrift.archive.methods import anomalies
from terradrift.archive.methods.method import Judged, Request
from terradrift.archive.methods.scene_codes import SceneCodes
from terradrift.archive.runs import Run
from terradrift.detect.seasonal import judge, pool
from terradrift.detect.seasonal.scenes import Scenes
from terradrift.detect.seasonal.settings import Settings
from terradrift.errors import ArchiveError
from terradrift.progress import stage
from terradrift.series import Series
from terradrift.space import RAW, Space, placed
from terradrift.store import series as histories
from terradrift.store import spaces
from terradrift.store.tables import Store
from terradrift.store.units import embeddings_table
from terradrift.threads import single_blas

METHOD = "seasonal"
IDENTITY = ("model", "revision", "weights_sha256", "preprocessing")
"""What the table says of the model, as its embeddings do."""


def detect(store: Store, run: Run, request: Request) -> Judged:
    """Judge every observation of the model; the table is replaced in one commit.

    Blocks of patches with their whole history are read twice: for the pool, and to judge.
    Memory is that of the pool and of `threads` + 1 blocks.

    Raises:
        ArchiveError: nothing is embedded under the model, or nothing is clear enough.
        ValueError: a setting is out of range, or maps or a device are asked for.
    """
    settings = Settings(**request.settings)
    if request.maps is not None or request.device not in ("auto", "cpu"):
        raise ValueError(
            f"{METHOD} judges patches by their vectors, on the CPU: it draws no maps of "
            "pixels and uses no device; leave maps and device out"
        )
    table = embeddings_table(request.model)
    if not store.exists(table):
        raise ArchiveError(
            f"{store.root} holds no embeddings of {request.model}; run terradrift embed "
            "first"
        )
    space = spaces.current(store, request.model)
    ids = SceneCodes(store, request.model)

    def blocks() -> Iterator[tuple[Series, judge.Patches]]:
        for series in histories.blocks(store, request.model):
            yield series, _patches(series, ids, settings, space)

    with single_blas():
        scenes = _learned(store, request, settings, blocks)
        about = {
            **_about(store, table, settings, space),
            "pool_patches": str(scenes.patches),
        }
        counts = _Counts()

        def work(series: Series, patches: judge.Patches) -> tuple[pa.RecordBatch, int]:
            found = judge.judge(patches, scenes, settings)
            rows = _rows(series, patches, found, (ids, run.run_id, request, settings))
            return rows, int(found.season.sum())

        total = store.count(table)
        with stage(METHOD, total, "observations", quiet=request.quiet) as advance:
            rows = _in_order(blocks(), work, request.threads, counts, advance)
            written = anomalies.replace(
                store, METHOD, rows, model=request.model, about=about
            )
    return Judged(
        method=METHOD,
        table=anomalies.table_name(METHOD, request.model),
        observations=written,
        scored=counts.scored,
        notes=_notes(counts, settings, space),
    )


def _learned(
    store: Store,
    request: Request,
    settings: Settings,
    blocks: Callable[[], Iterator[tuple[Series, judge.Patches]]],
) -> Scenes:
    """What the pool tells; its vectors are free again afterwards."""
    known = pool.gather(((s.patch_ids, p) for s, p in blocks()), settings)
    if known is None:
        raise ArchiveError(
            f"no observation of {request.model} in {store.root} has a cloud fraction of at "
            f"most {settings.max_cloud:g}; pass a larger max_cloud (on the command line "
            f"--set max_cloud={min(1.0, settings.max_cloud + 0.3):g})"
        )
    return judge.learn(known, settings)


def _patches(
    series: Series, ids: SceneCodes, settings: Settings, space: Space | None
) -> judge.Patches:
    with np.errstate(invalid="ignore"):
        clear = series.clear_percent >= 100.0 * (1.0 - settings.max_cloud)
    vectors = placed(series.vectors, clear, space)
    return judge.Patches(series.days, vectors, clear, ids.of(series))


@dataclass
class _Counts:
    """Observations so far."""

    scored: int = 0
    ranked: int = 0
    """With a p-value."""
    season: int = 0
    first: np.datetime64 | None = None
    """Day of the earliest score."""

    def add(self, rows: pa.RecordBatch) -> None:
        """Count the rows of a block."""
        score = rows.column("score")
        self.scored += len(rows) - score.null_count
        self.ranked += len(rows) - rows.column("p_value").null_count
        if score.null_count == len(rows):
            return
        times = rows.column("datetime").filter(score.is_valid()).cast(pa.int64())
        earliest = np.datetime64(pc.min(times).as_py(), "us").astype("datetime64[D]")
        self.first = earliest if self.first is None else min(self.first, earliest)


def _in_order(
    blocks: Iterator[tuple[Series, judge.Patches]],
    work: Callable[[Series, judge.Patches], tuple[pa.RecordBatch, int]],
    threads: int,
    counts: _Counts,
    advance: Callable[[int], None],
) -> Iterator[pa.RecordBatch]:
    """Rows block by block; at most one block more than threads is in memory."""
    waiting: deque[Future[tuple[pa.RecordBatch, int]]] = deque()

    def done() -> pa.RecordBatch:
        rows, season = waiting.popleft().result()
        counts.add(rows)
        counts.season += season
        advance(len(rows))
        return rows

    with ThreadPoolExecutor(threads) as workers:
        for block in blocks:
            waiting.append(workers.submit(work, *block))
            if len(waiting) > threads:
                yield done()
        while waiting:
            yield done()


def _rows(
    series: Series,
    patches: judge.Patches,
    found: judge.Judged,
    context: tuple[SceneCodes, str, Request, Settings],
) -> pa.RecordBatch:
    """Rows of the observations inside the period that was asked for."""
    ids, run_id, request, settings = context
    seen = ~np.isnat(series.times)
    if request.since is not None:
        seen &= series.days >= request.since
    if request.until is not None:
        seen &= series.days <= request.until
    row, at = np.nonzero(seen)
    cell = (row, at)
    code = patches.scene[cell]
    names = np.append(ids.ids, "")[code]
    persistent = pa.array(
        found.persistent(settings)[cell], mask=np.isnan(found.cusum[cell])
    )
    columns = {
        "patch_id": pa.array(series.patch_ids[row], pa.string()),
        "datetime": places.instants(series.times[cell]),
        "tile": pa.repeat(ids.tile(series), len(row)),
        "scene_id": places.words(names),
        "clear_percent": places.nullable(series.clear_percent[cell]),
        "method": pa.repeat(METHOD, len(row)),
        "model": pa.repeat(request.model, len(row)),
        "score": places.nullable(found.score[cell]),
        "score_spatial": places.nullable(found.spatial[cell]),
        "z": places.nullable(found.z[cell]),
        "p_value": places.nullable(found.p_value[cell]),
        "cusum": places.nullable(found.cusum[cell]),
        "persistent": persistent,
        "n_reference": pa.array(found.count[cell], pa.int32()),
        "reference_start": places.instants(_when(series, row, found.first[cell])),
        "reference_end": places.instants(_when(series, row, found.last[cell])),
        "reason": places.words(found.reasons(patches.clear)[cell]),
        "run_id": pa.repeat(run_id, len(row)),
    }
    wanted = schema.anomalies()
    return pa.RecordBatch.from_arrays(
        [columns[name] for name in wanted.names], schema=wanted
    )


def _when(
    series: Series, row: NDArray[np.int64], at: NDArray[np.int64]
) -> NDArray[np.datetime64]:
    """Instants of the dates `at` of patches `row`, NaT for -1."""
    times = series.times[row, np.maximum(at, 0)]
    return np.where(at >= 0, times, np.datetime64("NaT"))


def _about(
    store: Store, table: str, settings: Settings, space: Space | None
) -> dict[str, str]:
    """How the scores were made, as text."""
    held = store.dataset(table).schema.metadata or {}
    told = {name: held.get(name.encode(), b"").decode() for name in IDENTITY}
    return {
        **told,
        "method": METHOD,
        "settings": json.dumps(asdict(settings), sort_keys=True),
        "space": space.label if space else RAW,
        "space_fitted_on": space.fitted_on if space else "nothing",
        "version": __version__,
    }


def _notes(counts: _Counts, settings: Settings, space: Space | None) -> tuple[str, ...]:
    notes = [f"{counts.ranked:,} with a p-value"]
    if space is not None and counts.first is not None:
        notes.append(space.knew(counts.first))
    if not counts.season:
        notes.append(
            f"no patch has {settings.min_season} clear observations of the same season in "
            "earlier years: every reference is the last clear dates, and seasons are seen "
            "as change where not the whole scene has them"
        )
    return tuple(note for note in notes if note)
