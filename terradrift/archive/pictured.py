"""Pixels of changes for notebooks: pictures before and after, read from the archive's scenes."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from terradrift import schema
from terradrift.archive.rows_of_patch import PatchRows
from terradrift.archive.thumbnails_shown import NEEDED, Pictured
from terradrift.errors import QueryError, TerradriftError
from terradrift.query.tables import literal
from terradrift.report import difference
from terradrift.report.data import colour
from terradrift.report.notebook.change import Chip, Difference
from terradrift.report.notebook.displayed import displayed
from terradrift.report.notebook.matches import grid
from terradrift.report.pictures import SIDE, data_uri, pictures

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from PIL.Image import Image

    from terradrift.archive.thumbnails_shown import Shown
    from terradrift.archive.thumbnails_view import Side
    from terradrift.query.result import Result
    from terradrift.store.tables import Store

_QUICK_S = 0.25
"""Time that the pictures beside a printed answer may take together."""
_FEW = 5
_SMALL_PX = 84


class Pictures:
    """Draws changes of one model; see `query.result.Pictures`."""

    def __init__(self, store: Store, model: str) -> None:
        self.store = store
        self.model = model

    def chips(self, found: Result) -> list[str]:
        """Before and after of the first matches as HTML; those alone that lie on this disk.

        None at all where reading takes longer than a moment.
        """
        out: list[str] = []
        end = time.monotonic() + _QUICK_S
        try:
            for row in self._changes(found, _FEW):
                if time.monotonic() > end:
                    break
                shown = self._shown(row)
                images = self._images(shown) if self._near(shown) else []
                out.append("".join(_tag(one, name) for name, one in images))
        except (TerradriftError, OSError):
            return []
        return out if any(out) else []

    def grid(self, found: Result, matches: int) -> Figure:
        """The first matches with dates and distances."""
        if not {"change_id", "patch_id"} <= set(found.table.column_names):
            raise QueryError(
                "expected changes to draw before and after, got "
                f"{', '.join(found.table.column_names[:6])}; search changes, with all columns"
            )
        rows = self._changes(found, matches)
        told = found.table.slice(0, matches).to_pylist()
        drawn = []
        for row, match in zip(rows, told, strict=True):
            shown = self._shown(row)
            distance = match.get("distance")
            lead = f"{match.get('rank', '')}" + (
                "" if distance is None else f"  {distance:.3f}"
            )
            images = self._images(shown, SIDE)
            drawn.append(
                [
                    Chip(
                        f"{lead}\n{name} {_day(side)}"
                        if i == 0
                        else f"\n{name} {_day(side)}",
                        image,
                        "cannot be read",
                    )
                    for i, ((name, image), side) in enumerate(
                        zip(images, (shown.before, shown.after), strict=True)
                    )
                ]
            )
        title = f"{len(drawn)} nearest of {len(found):,} matches"
        return displayed(grid(title, drawn))

    def of(self, change: dict[str, Any]) -> tuple[list[Chip], Difference | None]:
        """Before, after and difference of a change (its columns `NEEDED`)."""
        shown = self._shown(change)
        chips = [
            Chip(f"{name}, {_day(side)}", image, "no scene of that day can be read")
            for (name, image), side in zip(
                self._images(shown, SIDE), (shown.before, shown.after), strict=True
            )
        ]
        before, after = self._pixels(shown)
        if before is None or after is None:
            return chips, None
        bands = self._pictured.windows.bands
        values = difference.difference(before, after, bands)
        return chips, Difference(values, difference.scale(bands))

    def change(self, name: str) -> dict[str, Any]:
        """The row of a change without vectors.

        Raises:
            QueryError: no such change.
        """
        held = self.store.opened(f"changes_{schema.suffix(self.model)}")
        columns = [
            one.name
            for one in held.schema
            if not _is_vector(one) and one.name != "geometry"
        ]
        rows = held.to_table(columns=columns, filter=f"change_id = {literal(name)}")
        if not rows.num_rows:
            raise QueryError(
                f"expected the id of a change, got {name!r}; the view changes "
                "lists them"
            )
        row: dict[str, Any] = rows.slice(0, 1).to_pylist()[0]
        return row

    @cached_property
    def _rows(self) -> PatchRows:
        held = self.store.opened(f"changes_{schema.suffix(self.model)}")
        return PatchRows(held, self.store.settings.grid)

    @cached_property
    def _pictured(self) -> Pictured:
        return Pictured(self.store, self.model)

    def _changes(self, found: Result, most: int) -> list[dict[str, Any]]:
        """Columns `NEEDED` of the first matches, where they are changes."""
        rows = found.table.slice(0, most)
        if not {"change_id", "patch_id"} <= set(rows.column_names):
            return []
        if set(NEEDED) <= set(rows.column_names):
            plain: list[dict[str, Any]] = rows.select(NEEDED).to_pylist()
            return plain
        return [self.change(name) for name in rows["change_id"].to_pylist()]

    def _shown(self, change: dict[str, Any]) -> Shown:
        patch = change["patch_id"]
        beside = self._rows.of([patch], NEEDED)[patch]
        return self._pictured.shown(change, beside.to_pylist())

    def _near(self, shown: Shown) -> bool:
        """Whether all files of both dates are on this machine."""
        windows, place = self._pictured.windows, shown.view.place
        for side in (shown.before, shown.after):
            if side is None:
                continue
            if windows.source(side.at, place) == "cache":
                continue
            for scene in windows.pixels.scenes(side.at, place):
                if any("://" in str(one["href"]) for one in scene["assets"] or ()):
                    return False
        return True

    def _pixels(
        self, shown: Shown
    ) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
        place = shown.view.place
        before, after = (
            None if one is None else self._pictured.windows.read(one.at, place)
            for one in (shown.before, shown.after)
        )
        return before, after

    def _images(
        self, shown: Shown, side: int = 2 * _SMALL_PX
    ) -> list[tuple[str, Image | None]]:
        bands = self._pictured.windows.bands
        picked = [bands.index(name) for name in colour(bands)]
        chips = [
            None if one is None else np.moveaxis(one[picked], 0, -1)
            for one in self._pixels(shown)
        ]
        view = shown.view
        drawn = pictures(chips, shapely.box(*view.patch), view.place.bounds, side)
        return list(zip(("before", "after"), drawn, strict=True))


def _tag(image: Image | None, name: str) -> str:
    if image is None:
        return ""
    return (
        f'<img src="{data_uri(image)}" alt="{name}" title="{name}" width="{_SMALL_PX}" '
        f'height="{_SMALL_PX}" style="display:inline-block;margin:2px">'
    )


def _day(side: Side | None) -> str:
    return "" if side is None else f"{side.at:%Y-%m-%d}"


def _is_vector(field: Any) -> bool:  # noqa: ANN401 - pyarrow has no types
    import pyarrow as pa

    return bool(pa.types.is_fixed_size_list(field.type))
