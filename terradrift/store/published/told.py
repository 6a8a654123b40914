"""What an import of published tables did, in numbers and in words."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

LEFT = {
    "vector": "had no vector, or one with NaN or of zeros",
    "place": "had no geometry",
    "instant": "had no instant",
    "year": "were of other years",
    "outside": "lay where the grid has no patch",
}
"""Why rows are left out."""
_SHOWN = 3
"""Days that are told one by one."""


def sources(told: Iterable[str]) -> str:
    """What said when, of all files, and of how many where it was not the same of all."""
    met = Counter(told)
    if len(met) == 1:
        return next(iter(met))
    return " and ".join(f"{one} ({count:,} files)" for one, count in met.most_common())


def days(met: Sequence[str]) -> str:
    """Days in few words."""
    if len(met) <= _SHOWN:
        return ", ".join(met)
    return f"{len(met):,} days, {met[0]} to {met[-1]}"


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    form: str
    model: str
    files: int
    rows: int
    """Rows that the archive did not hold."""
    skipped: int
    """Of a scene whose rows of the tile came before, or of a day that a clearer one stands for."""
    collided: int
    """Left out: another centre is nearer to the middle of their patch, or has it already."""
    again: int
    """Left out: the same place and day once more, as where tiles of a product overlap."""
    left: dict[str, int]
    """Left out for want of something, by what."""
    crs_assumed: int
    """Files that state no CRS, whose coordinates were taken for degrees."""
    patches: int
    """Places that are new."""
    days: tuple[str, ...]
    """Of the rows that were taken, in their order."""
    told_by: str
    """What said when."""
    clear_known: bool
    """Whether it is known how clear observations are; what is not is passed by detection."""
    off: float
    """Median metres from a centre to the middle of its patch."""
    off_most: float

    def __str__(self) -> str:
        words = (
            f"{self.form}: {self.rows:,} embeddings of {self.model} at {self.patches:,} new "
            f"places from {self.files:,} files, of {days(self.days)}; instants by "
            f"{self.told_by}, of periods their middle; centres lie {self.off:,.0f} m off the middle of their patch, at most "
            f"{self.off_most:,.0f} m"
        )
        counted = [
            (self.collided, "left out, a nearer one has their patch"),
            (self.again, "left out, the same place and day once more"),
            *(
                (self.left.get(key, 0), f"left out, they {why}")
                for key, why in LEFT.items()
            ),
            (self.skipped, "skipped, held already"),
        ]
        for count, why in counted:
            if count:
                words += f"; {count:,} {why}"
        if self.crs_assumed:
            words += f"; {self.crs_assumed:,} files state no CRS, degrees were assumed"
        if not self.clear_known:
            words += (
                "; how clear they are is not known, so detect passes them by: pass "
                "--clear-percent to say"
            )
        return words

    def summary(self) -> dict[str, Any]:
        """As a record."""
        return asdict(self)
