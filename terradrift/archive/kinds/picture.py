"""The tree of kinds as a picture in a file."""

from pathlib import Path

from terradrift.archive.kinds import rows as kind_rows
from terradrift.evaluate import whole
from terradrift.report import ink, kinds
from terradrift.store.tables import Store


def draw(store: Store, model: str, path: Path) -> Path:
    """Write the tree as a PNG, whole or not at all.

    Raises:
        ArchiveError: there are no kinds of the model yet.
        ValueError: the file does not end in .png.
    """
    if path.suffix.lower() != ".png":
        raise ValueError(f"expected a file that ends in .png, got {path}")
    rows = kind_rows.held(store, model, tree=True).to_pylist()
    whole.write({path: ink.png(kinds.draw(rows))})
    return path
