"""The courses that a change may take, by `changes.persistence`: words and looks of each."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from terradrift.report import ink


@dataclass(frozen=True, slots=True)
class Course:
    """How one class of changes is said and drawn; told apart without colour too."""

    name: str
    said: str
    """Ends `16 that ...`."""
    key: str
    """Which bars and dots are meant."""
    colour: str
    marker: str
    hatch: str | None = None
    filled: bool = True

    @property
    def bar(self) -> dict[str, Any]:
        """Keywords of matplotlib's bars."""
        return {
            "facecolor": self.colour if self.filled else ink.PAPER,
            "edgecolor": ink.PAPER if self.filled else self.colour,
            "hatch": self.hatch,
        }

    @property
    def dot(self) -> dict[str, Any]:
        """Keywords of matplotlib's scatter."""
        return {
            "marker": self.marker,
            "facecolor": self.colour if self.filled else "none",
            "edgecolor": self.colour,
        }


COURSES = (
    Course("persistent", "lasted", "filled bars and round dots", ink.PERSISTENT, "o"),
    Course(
        "gradual",
        "came gradually",
        "filled bars with strokes and triangles",
        ink.GRADUAL,
        "^",
        "\\\\\\\\",
    ),
    Course(
        "seasonal",
        "moved the season",
        "dotted bars and squares",
        ink.SEASONAL,
        "s",
        "....",
        filled=False,
    ),
    Course(
        "transient",
        "passed",
        "hatched bars and diamonds",
        ink.TRANSIENT,
        "D",
        "////",
        filled=False,
    ),
)
"""In the order in which they are shown."""
NOT_CLASSED = Course(
    "not classed", "stayed without a class", "grey bars and crosses", ink.FAINT, "X"
)
"""Of rows with no such name."""
_BY_NAME = {course.name: course for course in COURSES}


def course(name: str | None) -> Course:
    """The course of a row's `persistence`."""
    return _BY_NAME.get(name or "", NOT_CLASSED)


def counted(names: Iterable[str | None]) -> Mapping[Course, int]:
    """How many rows take each course, in order, without empty ones."""
    found = Counter(course(name) for name in names)
    return {one: found[one] for one in (*COURSES, NOT_CLASSED) if found[one]}
