"""`thumbnails`: keep the pictures of the best events, so that they outlive the scenes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from terradrift import progress
from terradrift.archive.front import Archive
from terradrift.archive.thumbnails import MOST_BYTES, Thumbnails
from terradrift.archive.thumbnails_shown import NEEDED, Pictured
from terradrift.errors import ArchiveError

_COLUMNS = ", ".join(NEEDED)
_BEST = f"""
    SELECT {_COLUMNS}, event_id, score FROM changes
    WHERE event_id IN (SELECT event_id FROM events ORDER BY rank LIMIT $n)
"""  # noqa: S608 - names of our own schema
_BESIDE = f"""
    SELECT {_COLUMNS} FROM changes WHERE list_contains($patches, patch_id)
"""  # noqa: S608 - likewise


@dataclass(frozen=True, slots=True)
class Filled:
    """What is kept now."""

    events: int
    windows: int
    """That were asked for: two of each event."""
    lacking: int
    """Of which no scene can be read."""
    bytes: int
    """Of all kept windows."""

    def __str__(self) -> str:
        lacking = f", {self.lacking:,} of which cannot be read" if self.lacking else ""
        return (
            f"{self.windows:,} pictures of {self.events:,} events{lacking}; "
            f"{self.bytes / 1e6:,.1f} MB are kept"
        )


def fill(
    archive: Archive,
    events: int,
    *,
    most_bytes: int = MOST_BYTES,
    quiet: bool = False,
) -> Filled:
    """Keep before and after of the strongest change of each of the best `events`.

    What is kept already is not read again. Needs no lock: nothing that is stored changes.

    Raises:
        ArchiveError: nothing is detected, or the archive's folder cannot be written.
    """
    model = archive.model
    found = list(_strongest(archive, events))
    pictured = Pictured(
        archive.store, model, kept := Thumbnails(archive.store.root, most_bytes)
    )
    beside = _beside(archive, [one["patch_id"] for one in found])
    asked = lacking = 0
    with progress.stage("pictures", len(found), "events", quiet=quiet) as advance:
        for change in found:
            others = [
                one
                for one in beside.get(change["patch_id"], [])
                if one["change_id"] != change["change_id"]
            ]
            shown = pictured.shown(change, others)
            for side in filter(None, (shown.before, shown.after)):
                asked += 1
                lacking += pictured.windows.read(side.at, shown.view.place) is None
                if kept.trouble:
                    raise ArchiveError(
                        f"cannot write to {kept.folder}: {kept.trouble}; "
                        "what was kept before is as it was"
                    )
            advance(1)
    return Filled(len(found), asked, lacking, kept.bytes())


def _strongest(archive: Archive, events: int) -> Iterator[dict[str, Any]]:
    """The strongest change of each event, the strongest event first."""
    rows = archive.sql(_BEST, n=events).to_arrow_table().to_pylist()
    best: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (-(row["score"] or 0.0), row["change_id"])):
        best.setdefault(row["event_id"], row)
    return iter(best.values())


def _beside(archive: Archive, patches: list[str]) -> dict[str, list[dict[str, Any]]]:
    """All changes of the patches, by patch."""
    found: dict[str, list[dict[str, Any]]] = {}
    rows = archive.sql(_BESIDE, patches=patches).to_arrow_table().to_pylist()
    for row in rows:
        found.setdefault(row["patch_id"], []).append(row)
    return found
