"""Which scene each observation of a block is of."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.store import layout
from terradrift.store.tables import Store
from terradrift.store.units import embeddings_table


class ObservedScenes:
    """Looks scenes up tile by tile; the tile asked for last is kept."""

    def __init__(self, store: Store, model: str) -> None:
        self._found = layout.layout(store.dataset(embeddings_table(model)))
        self._tile = ""
        self._scenes: dict[tuple[str, int], str] = {}

    def names(
        self, tile: str, patches: NDArray[np.str_], times: NDArray[np.datetime64]
    ) -> list[str | None]:
        """The scene of each observation: patch and instant, both (q,); None without."""
        if tile != self._tile:
            columns = ["patch_id", "datetime", "scene_id"]
            rows = layout.read_table(
                self._found.dataset, columns, self._found.runs[tile]
            )
            instants = rows["datetime"].cast(pa.int64()).to_pylist()
            keys = zip(rows["patch_id"].to_pylist(), instants, strict=True)
            self._scenes = dict(zip(keys, rows["scene_id"].to_pylist(), strict=True))
            self._tile = tile
        asked = times.astype("datetime64[us]").astype(np.int64).tolist()
        return [
            self._scenes.get(key) for key in zip(patches.tolist(), asked, strict=True)
        ]
