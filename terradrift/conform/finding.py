"""What is said of a file: findings, each with what was expected, what came and what to do."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Level = Literal["error", "warning", "note"]

_SHOWN = 5
"""Findings of one code in one file that are told one by one."""
_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Finding:
    """One way in which a file is not, or is only just, what a specification asks for."""

    level: Level
    """`error`: against a MUST, or readers go wrong; `warning`: against a SHOULD, or slow to
    read; `note`: what was not checked, or is worth knowing."""
    code: str
    """Short name of the rule, as `geoparquet.bbox`; stable."""
    where: str
    """File, and after `#` the place within it."""
    expected: str
    found: str
    fix: str
    """What to do; empty where there is nothing to do."""
    clause: str = ""
    """Specification and section."""

    def __str__(self) -> str:
        words = f"expected {self.expected}, got {self.found}"
        if self.level == "note" and not self.expected:
            words = self.found
        fix = f"; {self.fix}" if self.fix else ""
        clause = f" [{self.clause}]" if self.clause else ""
        return f"{self.level} {self.code} at {self.where}: {words}{fix}{clause}"

    def record(self) -> dict[str, str]:
        """The same as plain values, for JSON."""
        return asdict(self)


@dataclass(slots=True)
class Findings:
    """Findings as they are made; of one code in one file (notes: in all) the first few, then their number."""

    found: list[Finding] = field(default_factory=list)
    _told: "Counter[tuple[str, str, Level]]" = field(default_factory=Counter)

    def error(  # noqa: PLR0917 - the parts of a finding in their order
        self,
        code: str,
        where: str,
        expected: str,
        found: str,
        fix: str,
        clause: str = "",
    ) -> None:
        """What is against a MUST."""
        self._add(Finding("error", code, where, expected, found, fix, clause))

    def warning(  # noqa: PLR0917 - the parts of a finding in their order
        self,
        code: str,
        where: str,
        expected: str,
        found: str,
        fix: str,
        clause: str = "",
    ) -> None:
        """What is against a SHOULD, doubtful or slow."""
        self._add(Finding("warning", code, where, expected, found, fix, clause))

    def note(self, code: str, where: str, words: str, fix: str = "") -> None:
        """What is worth knowing."""
        self._add(Finding("note", code, where, "", words, fix))

    def done(self) -> list[Finding]:
        """All, errors first; files and rules as they were met."""
        more = [
            Finding(
                level,
                code,
                file or "other files",
                "" if level == "note" else "no more of these",
                f"{n - _SHOWN:,} more",
                "" if level == "note" else "mend those that are named and check again",
            )
            for (file, code, level), n in self._told.items()
            if n > _SHOWN
        ]
        order = {"error": 0, "warning": 1, "note": 2}
        return sorted(self.found + more, key=lambda one: order[one.level])

    def _add(self, one: Finding) -> None:
        file = "" if one.level == "note" else one.where.partition("#")[0]
        key = (file, one.code, one.level)
        self._told[key] += 1
        if self._told[key] <= _SHOWN:
            self.found.append(one)


def short(value: Any) -> str:  # noqa: ANN401 - whatever a file holds
    """A value of a file in few characters, none of which a terminal takes for a command."""
    if isinstance(value, dict | list) and len(value) > 20:
        return (
            f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,}"
        )
    if isinstance(value, str):
        value = value[: 2 * _WIDTH]
    text = json.dumps(value, default=repr)
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}..."


def named(name: str) -> str:
    """A name of a file or column, printable."""
    clean = name if name.isprintable() else ascii(name)
    return clean if len(clean) <= _WIDTH else f"{clean[:_WIDTH]}..."


def line(error: BaseException) -> str:
    """An error of a library in one printable line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(one if one.isprintable() else "?" for one in text)[:200]
