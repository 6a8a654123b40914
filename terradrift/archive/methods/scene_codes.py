"""Which scene each observation of a block is of, as numbers in the order of scene ids."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.series import Series
from terradrift.store import layout
from terradrift.store.tables import Store
from terradrift.store.units import embeddings_table

_COLUMNS = ["patch_id", "datetime", "scene_id"]


class SceneCodes:
    """Reads ids tile by tile, from one version of the table."""

    def __init__(self, store: Store, model: str) -> None:
        self._layout = layout.layout(store.dataset(embeddings_table(model)))
        self._grid = store.settings.grid
        found: set[str] = set()
        for batch in self._layout.dataset.to_batches(columns=["scene_id"]):
            found.update(batch.column("scene_id").drop_null().unique().to_pylist())
        self.ids: NDArray[np.str_] = np.array(sorted(found), np.str_)
        """(s,), sorted; a scene's number is its place."""
        self._known = pa.array(self.ids.tolist(), pa.string())

    def tile(self, series: Series) -> str:
        """The tile that a block lies in."""
        epsg, row, col = series.cells[0]
        return str(self._grid.tile_of(int(epsg), np.array([row]), np.array([col]))[0])

    def of(self, series: Series) -> NDArray[np.int64]:
        """(n, t) number of each observation's scene; -1 where there is none."""
        out = np.full(series.times.shape, -1, np.int64)
        ranges = self._layout.runs[self.tile(series)]
        light = layout.read_table(self._layout.dataset, _COLUMNS, ranges)
        ids = pa.array(series.patch_ids.tolist(), pa.string())
        row = pc.index_in(light["patch_id"], value_set=ids)
        code = pc.fill_null(pc.index_in(light["scene_id"], value_set=self._known), -1)
        here = pc.is_valid(row).to_numpy()
        rows = pc.fill_null(row, 0).to_numpy()[here]
        times = light["datetime"].cast(pa.timestamp("us")).to_numpy()[here]
        at = np.searchsorted(series.days, times.astype("datetime64[D]"))
        at = np.minimum(at, len(series.days) - 1)
        # Of two observations of a day one was given; the other's scene is not its own.
        same = series.times[rows, at] == times
        out[rows[same], at[same]] = code.to_numpy()[here][same]
        return out

    def names(self, series: Series) -> NDArray[np.str_]:
        """(n, t) scene of each observation; empty where there is none."""
        found: NDArray[np.str_] = np.append(self.ids, "")[self.of(series)]
        return found
