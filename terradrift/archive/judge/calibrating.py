"""`calibration`: whether the p-values that an archive holds are what they say."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive import judged
from terradrift.detect.reliability import SEASONS
from terradrift.errors import ArchiveError, SourceError
from terradrift.evaluate.cover import Patches, cover
from terradrift.evaluate.intervals import default_side
from terradrift.evaluate.labels import read_area
from terradrift.evaluate.measures import squares
from terradrift.evaluate.operational.reliability import Share, Tally
from terradrift.evaluate.operational.result import Calibration
from terradrift.evaluate.truth import SLIVER
from terradrift.store.tables import Store

_MONTHS = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_MOST_BLOCKS = 2000
"""More do not make an interval better, and cost memory."""
_STRATA = 32
_ROWS = 1 << 16
_UNNAMED = "nothing"


@dataclass(frozen=True, slots=True, eq=False)
class _Frames:
    """Observations of one batch."""

    p: NDArray[np.float32]
    day: NDArray[np.datetime64]
    block: NDArray[np.int64]
    reference: pa.DictionaryArray
    reasons: Mapping[str, int]
    """Why observations have no p-value, and how many."""


def calibration(
    store: Store, model: str, *, controls: str | Path | None = None
) -> Calibration:
    """Compare the p-values of observations and of whole histories with what they say.

    Tables are streamed: memory is that of the patches' ids and of one batch.

    Args:
        store: of the archive.
        model: whose scores.
        controls: vector file of ground that did not change; only patches that lie inside
            are counted. None: the whole archive.

    Raises:
        ArchiveError: nothing is detected under the model.
        SourceError: controls that cannot be read, or hold no patch.
    """
    name = schema.suffix(model)
    for table in ("scores", "patch_changes"):
        if not store.exists(f"{table}_{name}"):
            raise ArchiveError(
                f"{store.root} has no {table} of {model}; run terradrift detect first"
            )
    patches, _ = judged.patches(store)
    side = default_side(patches.cells, patches.size)
    block = squares(patches.cells, side)
    while block.max() >= _MOST_BLOCKS:
        side *= 2
        block = squares(patches.cells, side)
    ground = "All ground of the archive, changed or not"
    if controls is not None:
        block[~_inside(patches, Path(controls))] = -1
        if (block < 0).all():
            raise SourceError(
                f"{controls}: no patch of the archive lies wholly inside; "
                "give larger areas, or leave --controls out"
            )
        ground = "Ground that is said not to have changed"
    blocks = int(block.max()) + 1
    overall, season = Tally(1, blocks), Tally(len(SEASONS), blocks)
    month, stratum = Tally(len(_MONTHS), blocks), Tally(_STRATA, blocks)
    abstained: Counter[str] = Counter()
    strata: dict[str, int] = {}
    for batch in _frames(store, name, patches, block):
        of_month = batch.day.astype("datetime64[M]").astype(np.int64) % 12
        of_stratum = _numbered(strata, batch.reference)
        for tally, group in (
            (overall, np.zeros(len(of_month), np.int64)),
            (season, (of_month + 1) % 12 // 3),
            (month, of_month),
            (stratum, of_stratum),
        ):
            tally.add(batch.p, group, batch.block, batch.day)
        abstained.update(batch.reasons)
    histories, silent = _histories(store, name, patches, block, blocks)
    return Calibration(
        archive=store.root.name,
        model=model,
        ground=ground,
        patches=int((block >= 0).sum()),
        blocks=len(np.unique(block[block >= 0])),
        side_m=side * patches.size,
        frames=overall.share(0),
        seasons={
            one: season.share(at)
            for at, one in enumerate(SEASONS)
            if season.share(at).levels.count
        },
        months={
            one: month.share(at)
            for at, one in enumerate(_MONTHS)
            if month.share(at).levels.count
        },
        strata={
            one: stratum.share(at)
            for one, at in sorted(strata.items())
            if stratum.share(at).levels.count
        },
        histories=histories,
        abstained=dict(abstained.most_common()),
        histories_abstained=silent,
    )


def _frames(
    store: Store, name: str, patches: Patches, block: NDArray[np.int64]
) -> Iterator[_Frames]:
    """All observations on ground that counts."""
    ids = pa.array(patches.ids)
    columns = ["patch_id", "datetime", "p_value", "reference", "reason"]
    for batch in store.scan(f"scores_{name}", columns, batch_size=_ROWS):
        where = block[pc.index_in(batch["patch_id"], value_set=ids).to_numpy()]
        kept = where >= 0
        if not kept.all():
            batch = batch.filter(pa.array(kept))  # noqa: PLW2901 - only what counts
        p = _floats(batch["p_value"])
        day = batch["datetime"].cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)
        yield _Frames(
            p,
            day.astype("datetime64[D]"),
            where[kept],
            pc.fill_null(batch["reference"], "").dictionary_encode(),
            _counted(batch["reason"], np.isnan(p)),
        )


def _histories(
    store: Store, name: str, patches: Patches, block: NDArray[np.int64], blocks: int
) -> tuple[Share, dict[str, int]]:
    """p-values of whole histories, and why there are none."""
    ids = pa.array(patches.ids)
    tally = Tally(1, blocks, dated=False)
    silent: Counter[str] = Counter()
    columns = ["patch_id", "p_value", "reason"]
    for batch in store.scan(f"patch_changes_{name}", columns, batch_size=_ROWS):
        where = block[pc.index_in(batch["patch_id"], value_set=ids).to_numpy()]
        kept = where >= 0
        p = _floats(batch["p_value"])
        tally.add(p[kept], np.zeros(int(kept.sum()), np.int64), where[kept])
        silent.update(_counted(batch["reason"], kept & np.isnan(p)))
    # Too small a pool gives scores without p-values, and no reason why.
    told = {one or "too few patches to judge by": n for one, n in silent.most_common()}
    return tally.share(0), told


def _inside(patches: Patches, controls: Path) -> NDArray[np.bool_]:
    """(n,), patches that lie wholly on the ground of the file."""
    inside: NDArray[np.bool_] = cover(patches, read_area(controls)).unknown <= SLIVER
    return inside


def _numbered(
    strata: dict[str, int], reference: pa.DictionaryArray
) -> NDArray[np.int64]:
    """(n,) number of each name; new names join while there is room, then share the last."""
    numbers = [
        strata.setdefault(one or _UNNAMED, min(len(strata), _STRATA - 1))
        for one in reference.dictionary.to_pylist()
    ]
    found: NDArray[np.int64] = np.array(numbers, np.int64)[reference.indices.to_numpy()]
    return found


def _counted(column: pa.Array, wanted: NDArray[np.bool_]) -> dict[str, int]:
    """How often each word occurs where it is `wanted` (n,)."""
    counts = pc.value_counts(pc.fill_null(column.filter(pa.array(wanted)), ""))
    return {one["values"]: one["counts"] for one in counts.to_pylist()}


def _floats(column: pa.Array) -> NDArray[np.float32]:
    values: NDArray[np.float32] = column.to_numpy(zero_copy_only=False)
    return values.astype(np.float32)
