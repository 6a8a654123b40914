"""What is said of the calibration of an archive: plain values, a table and a record."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from terradrift.evaluate.operational.reliability import Share

_WIDTH = 100
_SHOWN = (0.001, 0.01, 0.05, 0.1, 0.2)
"""Levels that the table shows; the record has all."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Shares of p-values up to each level, of frames and of whole histories."""

    archive: str
    model: str
    ground: str
    """What ground was counted."""
    patches: int
    """Patches on that ground."""
    blocks: int
    """Blocks of ground that intervals rest on."""
    side_m: int
    """Their side."""
    frames: Share
    """Single observations."""
    seasons: Mapping[str, Share]
    months: Mapping[str, Share]
    """By calendar month, of all years."""
    strata: Mapping[str, Share]
    """By what an observation was compared with, as column `reference` says."""
    histories: Share
    """Strongest candidates of whole histories, one a patch."""
    abstained: Mapping[str, int]
    """Reason to the number of observations without a p-value."""
    histories_abstained: Mapping[str, int]

    @property
    def groups(self) -> dict[str, Share]:
        """All of them, by name."""
        return {
            "all observations": self.frames,
            **self.seasons,
            **self.months,
            **self.strata,
            "whole histories": self.histories,
        }

    def to_dict(self) -> dict[str, Any]:
        """As a record for JSON; what is not known is null."""
        return {
            "archive": self.archive,
            "model": self.model,
            "ground": self.ground,
            "patches": self.patches,
            "blocks": {"count": self.blocks, "side_m": self.side_m},
            "observations": _record(self.frames),
            "seasons": {name: _record(one) for name, one in self.seasons.items()},
            "months": {name: _record(one) for name, one in self.months.items()},
            "strata": {name: _record(one) for name, one in self.strata.items()},
            "histories": _record(self.histories),
            "abstained": {
                "observations": dict(self.abstained),
                "histories": dict(self.histories_abstained),
            },
        }

    def __str__(self) -> str:
        head = (
            f"{self.archive}, {self.model}: share of p-values up to each level, in percent. "
            f"{self.ground}: {self.patches:,} patches in {self.blocks:,} blocks of "
            f"{self.side_m:,} m. Where nothing changed the share is the level; with an "
            "asterisk its 95 % interval does not hold the level. Real changes raise it."
        )
        lines = [*textwrap.wrap(head, _WIDTH), "", *_table(self.groups)]
        lines += ["", *_reasons("observations", self.frames, self.abstained)]
        lines += _reasons("histories", self.histories, self.histories_abstained)
        return "\n".join(lines)


def _table(groups: Mapping[str, Share]) -> list[str]:
    alphas = next(iter(groups.values())).levels.alphas
    wide = max(map(len, groups))
    shown = [at for at, alpha in enumerate(alphas) if alpha in _SHOWN]
    title = "".join(f"{f'{100 * alphas[at]:g} %':>8}" for at in shown)
    lines = [f"{'':<{wide}}{'n':>11}{'abstained':>10}{title}{'smallest p':>11}"]
    for name, one in groups.items():
        silent = one.silent / max(one.levels.count + one.silent, 1)
        cells = "".join(
            f"{'' if one.levels.count == 0 else f'{100 * one.levels.share[at]:.2f}':>7}"
            f"{' ' if one.levels.count == 0 or one.holds[at] else '*'}"
            for at in shown
        )
        least = "" if np.isnan(one.smallest) else f"{one.smallest:.2g}"
        lines.append(
            f"{name:<{wide}}{one.levels.count:>11,}{silent:>10.1%}{cells}{least:>11}"
        )
    return lines


def _reasons(what: str, share: Share, reasons: Mapping[str, int]) -> list[str]:
    every = share.levels.count + share.silent
    why = "; ".join(f"{name}: {count:,}" for name, count in reasons.items())
    said = f"Abstained: {share.silent:,} of {every:,} {what}"
    return textwrap.wrap(said + (f" ({why})" if why else ""), _WIDTH)


def _record(share: Share) -> dict[str, Any]:
    found = share.levels
    return {
        "n": found.count,
        "abstained": share.silent,
        "smallest_p": _number(share.smallest),
        "levels": [
            {
                "alpha": float(alpha),
                "share": _number(value),
                "low": _number(low),
                "high": _number(high),
            }
            for alpha, value, low, high in zip(
                found.alphas, found.share, found.low, found.high, strict=True
            )
        ],
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
