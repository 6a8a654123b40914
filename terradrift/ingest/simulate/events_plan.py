"""Which sites a simulated set of event folders has, and on which days they are seen (pure)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from terradrift.ingest.simulate.recipe import Acquisition, Recipe

RGB = ("B04", "B03", "B02")
SHARES = (0.02, 0.06, 0.15)
"""Of the image that an event covers, about, in turn."""
WHOLE = 0.95
"""The same of an event that leaves hardly anything as it was."""
_FIRST_YEAR = 2014
_MOST_SHIFT = 0.5
"""Pixels, of an image that is well registered."""
_BAD_SHIFT = 3.0
"""Pixels, of one that is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One folder to be made."""

    number: int
    kind: int
    """Class of the event, 1 to 6; 0 for a control."""
    share: float
    """Of the image that the event covers, about; 0 for a control."""
    height: int
    width: int
    """Pixels."""
    shifted: bool
    """One image of the history is badly registered."""
    days: tuple[date, ...]
    """Ascending; the last is the monitored image's."""


def plan(
    *,
    events: int,
    controls: int,
    steps: int,
    size_px: int,
    seed: int,
    whole: int,
    shifted: int,
) -> list[Site]:
    """Sites in order of number; the first `whole` events cover nearly all of their image.

    `shifted` sites after these have a badly registered image. Every third image is not
    square. A site does not depend on how many there are.
    """
    out = []
    for number in range(events + controls):
        control = number >= events
        own = number - events if control else number
        rng = np.random.default_rng([seed, int(control), own, 0])
        short = 1.0 if own % 3 else float(rng.uniform(0.65, 0.9))
        is_whole = not control and own < whole
        kind = 0 if control else own % 6 + 1
        # Only fire and water spread over all there is.
        kind = (4, 5)[own % 2] if is_whole else kind
        out.append(
            Site(
                number=own,
                kind=kind,
                share=0.0
                if control
                else WHOLE
                if is_whole
                else SHARES[(own // 6 + own) % 3],
                height=round(size_px * short),
                width=size_px,
                shifted=whole <= own < whole + shifted,
                days=_days(rng, steps),
            )
        )
    return out


def acquisition(site: Site, at: int) -> Acquisition:
    """The scene of one day, in the recipe of the site."""
    day = site.days[at]
    hour = datetime(day.year, day.month, day.day, 10, 50, tzinfo=UTC)
    return Acquisition(index=at, copy=0, instant=hour, baseline="02.13", boa_add=0)


def recipe(
    site: Site, *, size_px: int, gsd: float, bands: tuple[str, ...], seed: int
) -> Recipe:
    """The ground of a site: its own, far from that of the others."""
    return Recipe(
        size_px=size_px,
        gsd=gsd,
        bands=bands,
        seed=int(
            np.random.SeedSequence([seed, site.kind == 0, site.number]).generate_state(
                1
            )[0]
        ),
        start=site.days[0],
        revisit_days=1,
        changes_per_year=0,
        quiet_days=0,
        cloudiness=0.0,
        duplicates=0.0,
        baseline_jump=None,
        epsg=32631,
        origin=(
            500_000.0 + 10_000 * site.number,
            5_649_920.0 - 10_000 * (site.kind == 0),
        ),
        layout="multiband",
        block_px=256,
        stac_version="1.1.0",
    )


def shift(
    site: Site, at: int, rng: np.random.Generator
) -> tuple[tuple[float, float], tuple[int, int]]:
    """How far an image is off (down, right): below a pixel, and whole pixels."""
    fine = tuple(rng.uniform(-_MOST_SHIFT, _MOST_SHIFT, 2))
    bad = site.shifted and at == len(site.days) // 2
    angle = rng.uniform(0, 2 * np.pi)
    whole = (
        (round(_BAD_SHIFT * np.sin(angle)), round(_BAD_SHIFT * np.cos(angle)))
        if bad
        else (0, 0)
    )
    return (float(fine[0]), float(fine[1])), whole


def _days(rng: np.random.Generator, steps: int) -> tuple[date, ...]:
    """`steps` days over some years in any season, and the monitored one soon after them."""
    first = date(_FIRST_YEAR, 1, 1) + timedelta(days=int(rng.integers(365)))
    gaps = rng.integers(70, 330, steps)
    gaps[-1] = rng.integers(25, 200)
    past = np.concatenate([[0], np.cumsum(gaps)])
    return tuple(first + timedelta(days=int(each)) for each in past)
