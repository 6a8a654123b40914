"""The days before: what a model that looks at several dates is given beside an image."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    from terradrift.chip import TileImage


@dataclass(frozen=True, slots=True, eq=False)
class Dated:
    """An image, and the images of its tile on days before, oldest first."""

    image: TileImage
    past: tuple[TileImage, ...] = ()


def with_past(
    images: Iterator[TileImage],
    *,
    dates: int,
    wanted: Callable[[TileImage], bool] | None,
    visits: Mapping[str, int],
) -> Iterator[Dated]:
    """Each image that is wanted, with the `dates` - 1 last images of its tile before its day.

    So many images of each tile are kept, and those of its present day; none of a tile that
    has had all its `visits`.

    Raises:
        ValueError: an image is of an earlier day than one of its tile that came before it.
    """
    kept: dict[str, list[TileImage]] = {}
    seen: Counter[str] = Counter()
    for image in images:
        past: list[TileImage] = []
        if dates > 1:
            tile = image.tile
            past, today = _split(kept.get(tile, []), image)
            past = past[-(dates - 1) :]
            kept[tile] = [*past, *today, image]
            seen[tile] += 1
            if seen[tile] == visits.get(tile):
                del kept[tile]
        if wanted is None or wanted(image):
            yield Dated(image, tuple(past))


def _split(
    kept: list[TileImage], image: TileImage
) -> tuple[list[TileImage], list[TileImage]]:
    """The kept images of days before that of `image`, and those of its day."""
    day = _day(image)
    late = [one for one in kept if _day(one) > day]
    if late:
        raise ValueError(
            "a model of several dates needs the images of a tile in order of time, got "
            f"{day} after {_day(late[0])} for tile {image.tile}"
        )
    before = [one for one in kept if _day(one) < day]
    return before, kept[len(before) :]


def _day(image: TileImage) -> np.datetime64:
    day: np.datetime64 = image.times.max().astype("datetime64[D]")
    return day
