"""Verdicts of analysts on their way into the archive, and those that stand there.

A verdict is written at once. Where another process holds the archive's lock, or the archive
cannot be written for another reason, it waits here and is written when it can be, at the
latest when the server ends; searches use it meanwhile. What cannot be written even then is
told as commands that would do it. A verdict whose target is gone when its turn comes (detect
was run again) is lost, which is told too.
"""

import shlex
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from terradrift.errors import ArchiveLockedError, TerradriftError
from terradrift.query.search import verdicts
from terradrift.query.search.verdicts import Agreed
from terradrift.report import words
from terradrift.serve.change.rows import Rows
from terradrift.serve.faults import Refused
from terradrift.serve.held import Generation, Held

Verdict = Literal["yes", "no", "none"]
"""none: what was said is taken back."""

_LOOK_EVERY = 0.25
"""Seconds between looks whether the lock is free."""
_PATIENCE = 5.0
"""Seconds that the end of the server waits for the lock."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    target_id: str
    name: str
    verdict: Verdict
    at: datetime

    @property
    def key(self) -> tuple[str, str]:
        """What is said later of the same stands in its place."""
        return self.target_id, self.name


@dataclass(frozen=True, slots=True)
class Lost:
    """A verdict that cannot be written any more."""

    target_id: str
    name: str
    verdict: Verdict
    at: datetime
    """When it was said."""
    why: str


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a visitor's verdicts."""

    waiting: int
    """Verdicts of all visitors that are not in the archive yet."""
    why: str | None
    """They wait."""
    lost: tuple[Lost, ...]
    """Of the visitor's own."""


class Said:
    """The verdicts of one server; safe in many threads."""

    def __init__(self, held: Held, tell: Callable[[str], None] | None = None) -> None:
        """`tell` hears of what could not be written; None: the standard error output."""
        self._held = held
        self._tell = tell or _to_stderr
        self._waiting: dict[tuple[str, str], _Waiting] = {}
        self._lost: dict[tuple[str, str], Lost] = {}
        self._why: str | None = None
        self._changing = threading.Lock()
        self._writing = threading.Lock()
        self._ended = threading.Event()
        self._looking: threading.Thread | None = None

    @classmethod
    def of(cls, held: Held) -> "Said":
        """The verdicts of the server that serves `held`; all its routes share them."""
        said: Said = held.shared.setdefault("said", cls(held))
        return said

    def say(self, ids: Sequence[str], verdict: Verdict, name: str) -> Told:
        """Write a verdict, or let it wait.

        Raises:
            Refused: the server only reads.
        """
        if self._held.read_only:
            raise Refused(
                "this server only reads; start it without --read-only to label"
            )
        now = datetime.now(UTC)
        own = [_Waiting(one, name, verdict, now) for one in dict.fromkeys(ids)]
        with self._changing:
            for one in own:
                self._waiting[one.key] = one
                self._lost.pop(one.key, None)
        self.write()
        with self._changing:
            waiting, why = len(self._waiting), self._why
            # The visitor is told now, and need not be told again.
            keys = [one.key for one in own if one.key in self._lost]
            lost = tuple(self._lost.pop(key) for key in keys)
        if waiting:
            self._look()
        return Told(waiting, why if waiting else None, lost)

    @property
    def waiting(self) -> int:
        """Verdicts that are not in the archive yet."""
        with self._changing:
            return len(self._waiting)

    @property
    def why(self) -> str | None:
        """Why some wait; None where none do."""
        with self._changing:
            return self._why if self._waiting else None

    @property
    def lost(self) -> list[Lost]:
        """Verdicts that could not be written and do not wait any more, the oldest first."""
        with self._changing:
            return list(self._lost.values())

    def write(self) -> bool:
        """Write what can be written of what waits; whether nothing waits any more."""
        with self._writing:
            while group := self._next():
                try:
                    self._write(self._held.newest(), group)
                except ArchiveLockedError:
                    self._why = "another process writes to the archive"
                    return False
                except (TerradriftError, OSError) as error:
                    why = f"the archive cannot be written ({error})"
                    if why != self._why:
                        self._tell(f"labels wait: {why}")
                    self._why = why
                    return False
        self._why = None
        return True

    def close(self) -> None:
        """Write what waits while the server ends, and tell what could not be written."""
        self._ended.set()
        end = time.monotonic() + _PATIENCE
        while not self.write() and time.monotonic() < end:
            time.sleep(_LOOK_EVERY)
        with self._changing:
            left = list(self._waiting.values())
        if left:
            self._tell(self._commands(left))

    def standing(self) -> list[dict[str, Any]]:
        """Rows of verdicts that stand, those that wait among them (`waiting`), oldest first."""
        with self._changing:
            waiting = list(self._waiting.values())
        rows = self._rows()
        rows += [
            {
                "label_id": None,
                "target_id": one.target_id,
                "verdict": verdicts.WITHDRAWN if one.verdict == "none" else one.verdict,
                "name": one.name,
                "who": self._held.who,
                "at": one.at,
            }
            for one in waiting
        ]
        return [
            {**row, "waiting": row["label_id"] is None}
            for row in verdicts.standing(rows)
        ]

    def agreed(self, name: str) -> Agreed:
        """What all say under a name, what waits included.

        Raises:
            QueryError: nothing is labelled so; names that look like it are given.
        """
        return verdicts.agreed(self.standing(), name)

    def _next(self) -> list[_Waiting]:
        """What waits and is written in one go: one name and one verdict, the oldest first."""
        with self._changing:
            waiting = sorted(self._waiting.values(), key=lambda one: one.at)
        return [
            one
            for one in waiting
            if (one.name, one.verdict) == (waiting[0].name, waiting[0].verdict)
        ]

    def _written(self, group: Sequence[_Waiting]) -> None:
        with self._changing:
            for one in group:
                if self._waiting.get(one.key) is one:
                    del self._waiting[one.key]

    def _write(self, now: Generation, group: Sequence[_Waiting]) -> None:
        """Write a group, or where targets are gone the others; what is refused is lost.

        Raises:
            ArchiveLockedError: another process writes.
        """
        archive, name, verdict = now.archive, group[0].name, group[0].verdict
        who = self._held.who
        ids = [one.target_id for one in group]
        try:
            if verdict != "none":
                archive.label(ids, verdict, name, who)
            elif stored := self._stored(ids, name):
                archive.unlabel(stored, name, who)
        except ArchiveLockedError:
            raise
        except TerradriftError as error:
            there = Rows.of(now).there(ids)
            left = [one for one in group if one.target_id in there]
            gone = [one for one in group if one.target_id not in there]
            self._lose(
                gone, "detect was run again, and what it is of is not there any more"
            )
            if gone and left:
                self._write(now, left)
            else:
                self._lose(left, str(error))
        else:
            self._written(group)

    def _lose(self, group: Sequence[_Waiting], why: str) -> None:
        with self._changing:
            for one in group:
                self._lost[one.key] = Lost(
                    one.target_id, one.name, one.verdict, one.at, why
                )
        self._written(group)
        for one in group:
            self._tell(
                f"the label {one.name!r} ({one.verdict}) of {one.target_id} could not be "
                f"written: {why}"
            )

    def _stored(self, targets: Sequence[str], name: str) -> list[str]:
        """Those of the targets of which the archive itself has a verdict of this person."""
        held = {
            row["target_id"]
            for row in verdicts.standing(self._rows())
            if (row["name"], row["who"]) == (name, self._held.who)
        }
        return [one for one in targets if one in held]

    def _rows(self) -> list[dict[str, Any]]:
        store = self._held.store
        if not store.exists("labels"):
            return []
        rows: list[dict[str, Any]] = store.scan("labels").read_all().to_pylist()
        return rows

    def _look(self) -> None:
        """Look now and then whether the lock is free, until nothing waits."""
        with self._changing:
            if self._looking is not None and self._looking.is_alive():
                return
            self._looking = threading.Thread(
                target=self._keep_looking, name="labels", daemon=True
            )
            self._looking.start()

    def _keep_looking(self) -> None:
        while not self._ended.wait(_LOOK_EVERY):
            if self.write():
                with self._changing:
                    if not self._waiting:
                        self._looking = None
                        return

    def _commands(self, left: Sequence[_Waiting]) -> str:
        """What could not be written, as commands that write it."""
        flags = {"yes": "--yes", "no": "--no", "none": "--withdraw"}
        who = ["--who", self._held.who] if self._held.who else []
        begin = ["terradrift", "label", str(self._held.root), "--name"]
        lines = [
            shlex.join([*begin, one.name, flags[one.verdict], one.target_id, *who])
            for one in left
        ]
        said = (
            f"{words.count(len(left), 'label')} could not be written: {self._why}. When "
            "it can be, run"
        )
        return "\n".join([said, *lines])


def _to_stderr(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - words for people go to stderr
