"""Which rows a file of columns is of."""

import hashlib
from typing import TYPE_CHECKING

from terradrift.query.index.covered import Covered, Fragment

if TYPE_CHECKING:
    import lance


def covered(dataset: "lance.LanceDataset") -> Covered:
    """All fragments of one version of a table; digests are of all of their files."""
    parts = sorted(dataset.get_fragments(), key=lambda part: int(part.fragment_id))
    return Covered(
        tuple(
            Fragment(part.fragment_id, part.physical_rows, _digest(part))
            for part in parts
        )
    )


def fresh(held: Covered, dataset: "lance.LanceDataset") -> tuple[int, ...] | None:
    """Ids of the fragments that `held` lacks; None where one of its own has changed."""
    now = {part.id: part for part in covered(dataset).fragments}
    if any(now.get(part.id) != part for part in held.fragments):
        return None
    return tuple(sorted(now.keys() - {part.id for part in held.fragments}))


def _digest(part: "lance.LanceFragment") -> str:
    files = sorted(file.path for file in part.data_files())
    overlays = map(str, getattr(part.metadata, "overlays", []))
    words = "\n".join([*files, part.deletion_file() or "", *overlays])
    return hashlib.sha256(words.encode()).hexdigest()[:16]
