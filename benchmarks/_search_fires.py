"""Search on seven real fires: a burn finds other burns."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from _search_archives import SPACES, chosen, embedded
from _search_archives import real as archive_of
from _search_planted import FALSE, Changes, sampled
from _search_rank import Asked, ask
from _search_real import SHOWN
from _search_simulated import PAIRS, gains
from _search_tables import WHOLE, Table, whole

import terradrift as td
from terradrift import schema
from terradrift.space import RAW

PATCH = 100
"""Metres."""
_BURNT = 60
"""Patches of a burn that ask, at most."""


def fires(out: Path, data: Path, models: Iterable[str]) -> Iterator[tuple[str, Table]]:
    """Seven burns of two dates each: a burnt patch's step asks for burnt patches elsewhere."""
    source = data / "s2-wildfires-california"
    archive = archive_of(out, source, PATCH)
    table: Table = [("model", "mode", "space", *WHOLE[:-1])]
    better: Table = [("model", *(f"{mode}: {name}" for mode, name in PAIRS))]
    for model in models:
        found: dict[tuple[str, str], list[Asked]] = {}
        embedded(archive, model)
        steps = _burns(archive, model, source / "truth")
        for name in SPACES:
            space = chosen(archive, model, name)
            for mode in SHOWN:
                if (mode, name) != ("delta", "centre"):
                    found[mode, name] = [ask(steps, mode, space, most=_BURNT)]
                    told = whole(found[mode, name])[:-1]
                    table.append((f"`{model}`", mode, name, *told))
        chosen(archive, model, RAW)
        better.append((f"`{model}`", *gains(found)))
    yield "search-fires", table
    yield "search-fires-differences", better


def _burns(archive: td.Archive, model: str, truth: Path) -> Changes:
    """The step of every patch that was seen twice, burnt or beside the burn.

    The fire is the group and the event, so that only other fires are looked through.
    """
    table = f"embeddings_{schema.suffix(model)}"
    frame = (
        archive.store.scan(
            table, ["patch_id", "datetime", "embedding", "clear_percent"]
        )
        .read_all()
        .to_pandas()
    )
    frame = frame[frame["clear_percent"] >= 70].sort_values(["patch_id", "datetime"])
    ends = frame.groupby("patch_id")["embedding"].agg(["first", "last", "size"])
    ends = ends[ends["size"] == 2]
    patches = ends.index.to_numpy(object)
    before, after = (
        np.stack(ends[end].to_numpy()).astype(np.float32) for end in ("first", "last")
    )
    fire = np.full(len(ends), -1, np.int64)
    burnt = np.zeros(len(ends), bool)
    for number, path in enumerate(sorted(truth.glob("*_burned.tif"))):
        values = sampled(patches, path, PATCH)
        known = np.isfinite(values)
        inside = known.mean(axis=1) >= 0.8
        share = (values == 1).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        fire[inside] = number
        burnt |= inside & (share >= 0.5)
    kept = fire >= 0
    named = pd.Series(fire[kept]).map(lambda number: f"fire {number}")
    return Changes(
        patches[kept],
        patches[kept],
        named.to_numpy(object),
        before[kept],
        after[kept],
        (after - before)[kept],
        np.where(burnt, fire, -1)[kept],
        np.where(burnt, "burn", FALSE).astype(object)[kept],
    )
