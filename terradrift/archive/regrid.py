"""Another patch size for an archive that has scenes, as long as it has no vectors."""

from terradrift.grid import Grid
from terradrift.store.tables import Store


def free(store: Store) -> bool:
    """Whether nothing in the archive depends on its patches yet."""
    vectors = any(table.startswith("embeddings_") for table in store.tables())
    return not vectors and not any(store.root.glob("models/*"))


def held_as(store: Store, grid: Grid) -> bool:
    """Whether the patches held are those of `grid`; false where there are none."""
    if not store.exists("patches"):
        return False
    first = next(iter(store.scan("patches", ["patch_id"], batch_size=1)), None)
    if first is None or not first.num_rows:
        return False
    return f"_{grid.patch_size}m_" in first["patch_id"][0].as_py()
