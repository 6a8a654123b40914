"""What a generation holds, in the words of `/api/archive`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from terradrift.archive.kinds import rows as kind_rows
from terradrift.archive.thumbnails import FOLDER as THUMBNAILS
from terradrift.query.flat import records
from terradrift.serve import figures
from terradrift.serve.held import Generation, Held
from terradrift.serve.kept import Kept
from terradrift.store import names
from terradrift.store.size import sizes

_Made = TypeVar("_Made")

RUNS = 5
"""Last runs that are told."""

_KINDS = ("kind", "name", "label", "size", "rarity", "d_ndvi", "d_nbr", "d_ndwi")
_REGIMES = ("regime", "parent", "label", "size", "share")
_RUNS = ("verb", "status", "started", "ended", "rows", "message")


class Facts:
    """Facts of generations; what is made of a table is made anew when that table changes."""

    def __init__(self) -> None:
        self._kept = Kept()

    def of(self, generation: Generation) -> dict[str, Any]:
        """All but `read_only`: see `docs/serve.md`."""
        store = generation.archive.store
        box, span = self._box(generation), self._span(generation)
        changes = self._changes(generation)
        kinds, regimes = self._kinds(generation), self._regimes(generation)
        counts = self.counts(generation)
        return {
            "name": store.root.name,
            "model": generation.model,
            "models": models(generation),
            "version": generation.version,
            "patch_size": store.settings.grid.patch_size,
            "bbox": box,
            "dates": span,
            "counts": {
                **{name: counts[name] for name in ("scenes", "patches")},
                **{name: counts[name] for name in ("observations", "changes")},
                "events": counts["events"],
                "kinds": len(kinds),
                "regimes": len(regimes),
            },
            "has": {
                "chips": self._chips(generation),
                "kinds": bool(kinds),
                "taxonomy": bool(regimes),
                "events": counts["events"] > 0,
                "scores": counts["scores"] > 0,
            },
            "kinds": kinds,
            "regimes": regimes,
            **changes,
            "runs": _runs(generation),
            "bytes": self._kept.get(
                ("bytes", generation.version), lambda: sum(sizes(store.root))
            ),
        }

    def counts(self, generation: Generation) -> dict[str, int]:
        """Rows of the model's tables, 0 where there are none."""
        return {
            "scenes": self._count(generation, "scenes"),
            "patches": self._count(generation, "patches"),
            "observations": self._count(generation, generation.table("embeddings")),
            "changes": self._count(generation, generation.table("changes")),
            "events": self._count(generation, generation.table("events")),
            "scores": self._count(generation, generation.table("scores")),
        }

    def _count(self, generation: Generation, table: str) -> int:
        def rows() -> int:
            store = generation.archive.store
            return store.count(table) if store.exists(table) else 0

        return self._of(generation, "count", table, rows)

    def _span(self, generation: Generation) -> dict[str, str | None]:
        def make() -> dict[str, str | None]:
            rows = _table(generation, "scenes", ("datetime",))
            ends = rows and pc.min_max(rows["datetime"])
            named = {"first": "min", "last": "max"}
            if not ends:
                return dict.fromkeys(named)
            (span,) = _records(
                pa.table({name: pa.array([ends[end]]) for name, end in named.items()})
            )
            return span

        return self._of(generation, "span", "scenes", make)

    def _box(self, generation: Generation) -> list[float] | None:
        def make() -> list[float] | None:
            store = generation.archive.store
            there = store.exists("patches")
            return figures.box(store.scan("patches", ["bbox"])) if there else None

        return self._of(generation, "box", "patches", make)

    def _changes(self, generation: Generation) -> dict[str, Any]:
        table = generation.table("changes")

        def make() -> dict[str, Any]:
            rows = _table(generation, table, ("persistence", "onset", "score"))
            if rows is None:
                return {"persistence": [], "onsets": [], "scores": None}
            lasting = figures.words(rows["persistence"])
            return {
                "persistence": [{"persistence": word, "n": n} for word, n in lasting],
                "onsets": figures.months(figures.days(rows["onset"])),
                "scores": figures.scores(rows["score"]),
            }

        return self._of(generation, "changes", table, make)

    def _kinds(self, generation: Generation) -> list[dict[str, Any]]:
        table = generation.table("kinds")

        def make() -> list[dict[str, Any]]:
            store = generation.archive.store
            if not store.exists(table):
                return []
            held = kind_rows.held(store, generation.model, tree=False).select(_KINDS)
            return [
                {**row, "name": row["name"] or row["label"]} for row in _records(held)
            ]

        return self._of(generation, "kinds", table, make)

    def _regimes(self, generation: Generation) -> list[dict[str, Any]]:
        table = generation.table("taxonomy")

        def make() -> list[dict[str, Any]]:
            rows = _table(generation, table, _REGIMES)
            return _records(rows.sort_by("regime")) if rows else []

        return self._of(generation, "regimes", table, make)

    def _chips(self, generation: Generation) -> bool:
        def make() -> bool:
            rows = _table(generation, "scenes", ("datetime", "assets"))
            if not rows:
                return False
            last = rows.sort_by([("datetime", "descending")]).slice(0, 1)
            return any(
                "://" in asset["href"] or Path(asset["href"]).exists()
                for asset in last["assets"][0].as_py() or []
            )

        folder = generation.archive.store.root / THUMBNAILS
        return self._of(generation, "chips", "scenes", make) or folder.is_dir()

    def _of(
        self, generation: Generation, part: str, table: str, make: Callable[[], _Made]
    ) -> _Made:
        return self._kept.get(
            (part, table, generation.model, generation.stamps.get(table)), make
        )


def facts_of(held: Held) -> Facts:
    """The one that a server keeps."""
    found: Facts = held.shared.setdefault("facts", Facts())
    return found


def models(generation: Generation) -> list[str]:
    """Models that the archive holds changes or vectors of, by their own names."""
    store = generation.archive.store
    found = {generation.model}
    for table in store.tables():
        if names.kind(table) == "embeddings":
            said = (store.dataset(table).schema.metadata or {}).get(b"model")
            found.add(said.decode() if said else table.partition("_")[2])
    return sorted(found)


def _table(
    generation: Generation, table: str, columns: tuple[str, ...]
) -> pa.Table | None:
    """Columns of a table; None where it is not there."""
    store = generation.archive.store
    if not store.exists(table):
        return None
    return store.scan(table, list(columns)).read_all()


def _records(rows: pa.Table) -> list[dict[str, Any]]:
    return [row for batch in rows.to_batches() for row in records(batch)]


def _runs(generation: Generation) -> list[dict[str, Any]]:
    rows = _table(generation, "runs", _RUNS)
    if not rows:
        return []
    return _records(rows.sort_by([("started", "descending")]).slice(0, RUNS))
