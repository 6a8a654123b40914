"""Units that wait for their patches: those are committed first, many in one commit."""

import pyarrow as pa

from terradrift.store.majortom.units import Unit
from terradrift.store.tables import Store
from terradrift.store.units import Writer

_BYTES = 16 << 20
_UNITS = 256


class Pending:
    """Takes units with the patches that they are the first of; flush it before it is left."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._store, self._writer = store, writer
        self._units: list[Unit] = []
        self._patches: list[pa.Table] = []
        self._bytes = 0

    def add(self, units: list[Unit], patches: pa.Table) -> None:
        """Whole units, and the rows of the table of patches that the archive lacks."""
        if patches.num_rows:
            self._patches.append(patches)
        self._units += units
        self._bytes += sum(batch.nbytes for _, _, batch in units)
        if self._bytes >= _BYTES or len(self._units) >= _UNITS:
            self.flush()

    def flush(self) -> None:
        """Commit the patches, and hand the units over."""
        if self._patches:
            self._store.append("patches", pa.concat_tables(self._patches))
        for tile, scenes, batch in self._units:
            self._writer.add(tile, scenes, batch)
        self._units, self._patches, self._bytes = [], [], 0
