"""Exports without end, for a test that kills it: ARCHIVE FOLDER."""

import sys
from pathlib import Path

from terradrift.store import geoparquet
from terradrift.store.out import partitioned, zarr_store
from terradrift.store.out.leaving import Leaving
from terradrift.store.tables import Store


def main() -> None:
    store, folder = Store.open(sys.argv[1]), Path(sys.argv[2])
    print("ready", flush=True)  # noqa: T201 - to the test
    while True:
        leaving = Leaving(store, "embeddings", "toy-1")
        geoparquet.export(leaving, folder / "e.parquet")
        partitioned.export(leaving, folder / "stac", stac=True, overwrite=True)
        zarr_store.export(leaving, folder / "e.zarr", overwrite=True)


if __name__ == "__main__":
    main()
