"""The picture of `docs/seasonal.md`: one changed patch under snow, score by score."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import terradrift as td
from terradrift.detect import calibrate, gram
from terradrift.detect.seasonal import temporal
from terradrift.detect.seasonal.settings import Settings
from terradrift.report import ink
from terradrift.store.series import blocks

_TICKS = (3, 8)


def draw(archive: td.Archive, model: str, frame: pd.DataFrame, path: Path) -> None:
    """The changed patch whose largest CUSUM is in the middle, and a quiet one beside it."""
    settings = Settings()
    changed = frame[frame["lasting"]]
    largest = changed.groupby("patch_id")["cusum"].max().sort_values()
    best = largest.index[len(largest) // 2]
    onset = changed.loc[changed["patch_id"] == best, "onset"].iloc[0]
    quiet = frame[frame["quiet"]].groupby("patch_id")["spatial"].size().idxmax()
    band = _band(archive, model, best, settings)
    mine = frame[frame["patch_id"] == best].sort_values("datetime")
    other = frame[frame["patch_id"] == quiet].sort_values("datetime")
    shown = frame[frame["condition"] == "snow"]["datetime"].dt.floor("D").unique()
    with ink.style():
        figure = Figure(figsize=(7.0, 5.1), layout="constrained")
        score, spatial, cusum = figure.subplots(3, 1, sharex=True)
        score.fill_between(
            band["datetime"],
            band["middle"],
            band["high"],
            color=ink.FAINT,
            alpha=0.35,
            linewidth=0,
            label="left-out scores, up to 3 spreads",
        )
        score.plot(
            mine["datetime"], mine["temporal"], ".-", color=ink.PERSISTENT, lw=0.7
        )
        score.set_ylabel("distance to the\nseason's past")
        score.set_yscale("log")
        for rows, colour, name in (
            (other, ink.FAINT, "a quiet patch"),
            (mine, ink.PERSISTENT, "the changed patch"),
        ):
            spatial.plot(
                rows["datetime"],
                rows["spatial"],
                ".-",
                color=colour,
                lw=0.7,
                label=name,
            )
            cusum.plot(rows["datetime"], rows["cusum"], "-", color=colour, lw=1.2)
        spatial.set_ylabel("z less the\nscene's median")
        spatial.set_yscale("symlog", linthresh=3)
        spatial.set_yticks([-3, 0, 3, 30, 300], ["-3", "0", "3", "30", "300"])
        cusum.set_ylabel("CUSUM of\nits rank")
        cusum.axhline(settings.limit, color=ink.TRANSIENT, lw=0.8, ls="--")
        cusum.text(
            0.3,
            settings.limit * 1.1,
            "persistent above",
            color=ink.TRANSIENT,
            va="bottom",
            transform=cusum.get_yaxis_transform(),
        )
        for number, axes in enumerate((score, spatial, cusum)):
            ink.quiet(axes)
            for at, day in enumerate(shown):
                axes.axvline(
                    day,
                    color=ink.SEASONAL,
                    lw=2.5,
                    alpha=0.35,
                    label="snow that the mask missed" if at + number == 0 else None,
                )
            axes.axvline(
                onset,
                color=ink.INK,
                lw=0.9,
                label="planted change" if number == 0 else None,
            )
        score.legend(
            frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=8
        )
        spatial.legend(
            frameon=False,
            loc="lower left",
            bbox_to_anchor=(0, 0.97),
            ncols=2,
            fontsize=8,
        )
        ink.dates(cusum, *_TICKS)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ink.png(figure))


def _band(
    archive: td.Archive, model: str, patch: str, settings: Settings
) -> pd.DataFrame:
    """Median of the left-out scores of each date, and three spreads above it."""
    rows = []
    for part in blocks(archive.store, model):
        here = np.flatnonzero(part.patch_ids == patch)
        if not len(here):
            continue
        clear = np.nan_to_num(part.clear_percent[here]) >= 80
        cosines = gram.cosines(part.vectors[here], clear)
        for at in np.flatnonzero(clear[0]):
            found = temporal.judge(
                cosines, part.days, clear, np.zeros(1, np.int64), at, settings=settings
            )
            valid = np.isfinite(found.left_out)
            if valid.sum() < settings.min_reference:
                continue
            middle, spread = calibrate.median_and_spread(
                np.where(valid, found.left_out, 0), valid
            )
            high = middle[0] + 3 * (spread[0] + settings.floor * middle[0])
            rows.append((part.times[here[0], at], middle[0], high))
    return pd.DataFrame(rows, columns=["datetime", "middle", "high"])
