"""What one run of `watch` did."""

from dataclasses import asdict, dataclass
from typing import Any

from terradrift.detect.monitor.reference import Reference

_YEAR = 365
_FEW = 100
"""Excursions below which a threshold is told to be rough."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What one `watch` did."""

    model: str
    start: str
    """First day that may be judged."""
    patches: int
    """Patches with a reference."""
    days: list[str]
    """Days judged by this run."""
    observations: int
    """Observations of those days."""
    judged: int
    not_judged: dict[str, int]
    """The others, by reason."""
    new: list[str]
    """Ids of the alerts raised by this run."""
    ended: int
    """Alerts that this run ended."""
    open: int
    withdrawn: int
    """Alerts that this run took back, because a scene came late."""
    max_false_alarms: float
    threshold: float
    note: str = ""

    def __str__(self) -> str:
        if not self.days:
            words = f"nothing new since {self.start}"
        else:
            span = (
                self.days[0]
                if len(self.days) == 1
                else f"{self.days[0]} to {self.days[-1]}"
            )
            words = (
                f"{len(self.days)} days ({span}): {self.judged:,} of "
                f"{self.observations:,} observations judged, {len(self.new):,} new alerts, "
                f"{self.ended:,} ended"
            )
        words += (
            f"; {self.open:,} open among {self.patches:,} patches watched since "
            f"{self.start}"
        )
        return f"{words}; {self.note}" if self.note else words

    def summary(self) -> dict[str, Any]:
        """As a record."""
        return asdict(self)


def doubts(held: Reference) -> list[str]:
    """Warnings where the reference period does not teach how rare false alarms are."""
    asked = f"{held.rules.max_false_alarms:g} per 1,000 km2 and year"
    words = []
    if held.span < _YEAR:
        unseen = "seasons that it has not seen raise more false alarms"
        words.append(
            f"the reference period spans {held.span} days: {unseen} than the {asked} asked"
        )
    if (count := len(held.tail.peaks)) < _FEW:
        words.append(
            f"the threshold rests on {count} excursions of placebo charts: false alarms may "
            f"be several times the {asked} asked"
        )
    return words
