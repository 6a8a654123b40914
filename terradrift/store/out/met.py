"""Which scenes and runs the rows of a file are of, noted while they pass."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from terradrift.store.out.links import of_scene
from terradrift.store.out.sources import Embedded, Scene, Sources


class Met:
    """Scenes and runs of the rows that passed; tables without them pass unnoted."""

    def __init__(self) -> None:
        self._scenes: set[str] = set()
        self._runs: set[str] = set()

    def passing(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The same tables."""
        for rows in tables:
            for name, seen in (("scene_id", self._scenes), ("run_id", self._runs)):
                if name in rows.column_names:
                    seen |= set(pc.unique(rows[name]).to_pylist())
            yield rows

    def scenes_of(self, known: Sources) -> list[Scene]:
        """The scenes met, by id; those that the archive does not hold are named alone."""
        return [
            known.scenes.get(one, Scene(of_scene(one), None))
            for one in sorted(self._scenes - {None})
        ]

    def runs_of(self, known: Sources) -> list[Embedded]:
        """The runs of `embed` met."""
        return [known.runs[one] for one in sorted(self._runs & known.runs.keys())]
