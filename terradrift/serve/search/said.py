"""Verdicts of analysts on their way into the archive, and those that stand there.

A verdict is written at once. Where another process holds the archive's lock it waits here
and is written when the lock is free, at the latest when the server ends; searches use it
meanwhile. What cannot be written even then is told as commands that would do it.
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
from terradrift.serve.faults import Refused
from terradrift.serve.held import Held

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


class Said:
    """The verdicts of one server; safe in many threads."""

    def __init__(self, held: Held, tell: Callable[[str], None] | None = None) -> None:
        """`tell` hears of what could not be written; None: the standard error output."""
        self._held = held
        self._tell = tell or _to_stderr
        self._waiting: dict[tuple[str, str], _Waiting] = {}
        self._changing = threading.Lock()
        self._writing = threading.Lock()
        self._ended = threading.Event()
        self._looking: threading.Thread | None = None

    @classmethod
    def of(cls, held: Held) -> "Said":
        """The verdicts of the server that serves `held`; all its routes share them."""
        said: Said = held.shared.setdefault("said", cls(held))
        return said

    def say(self, ids: Sequence[str], verdict: Verdict, name: str) -> int:
        """Write a verdict, or let it wait; returns how many wait now.

        Raises:
            Refused: the server only reads.
        """
        if self._held.read_only:
            raise Refused(
                "this server only reads; start it without --read-only to label"
            )
        now = datetime.now(UTC)
        with self._changing:
            for one in dict.fromkeys(ids):
                # What is said later of the same stands in its place.
                self._waiting[one, name] = _Waiting(one, name, verdict, now)
        self.write()
        waiting = self.waiting
        if waiting:
            self._look()
        return waiting

    @property
    def waiting(self) -> int:
        """Verdicts that are not in the archive yet."""
        with self._changing:
            return len(self._waiting)

    def write(self) -> bool:
        """Write what waits; whether nothing waits any more.

        Raises:
            TerradriftError: it cannot be written, whoever holds the lock; it does not wait
                any more then.
        """
        with self._writing:
            while group := self._next():
                try:
                    self._write(group)
                except ArchiveLockedError:
                    return False
                except TerradriftError:
                    self._written(group)
                    raise
                self._written(group)
        return True

    def close(self) -> None:
        """Write what waits while the server ends, and tell what could not be written."""
        self._ended.set()
        end = time.monotonic() + _PATIENCE
        try:
            while not self.write() and time.monotonic() < end:
                time.sleep(_LOOK_EVERY)
        except TerradriftError as error:
            self._tell(f"labels: {error}")
        with self._changing:
            left = list(self._waiting.values())
        if left:
            self._tell(self._commands(left))

    def standing(self) -> list[dict[str, Any]]:
        """Rows of verdicts that stand, those that wait among them (`waiting`), oldest first."""
        store = self._held.store
        with self._changing:
            waiting = list(self._waiting.values())
        rows = (
            store.scan("labels").read_all().to_pylist()
            if store.exists("labels")
            else []
        )
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
                if self._waiting.get((one.target_id, one.name)) is one:
                    del self._waiting[one.target_id, one.name]

    def _write(self, group: Sequence[_Waiting]) -> None:
        archive = self._held.newest().archive
        name, verdict, who = group[0].name, group[0].verdict, self._held.who
        ids = [one.target_id for one in group]
        if verdict != "none":
            archive.label(ids, verdict, name, who)
            return
        if stored := [one for one in ids if self._stored(one, name)]:
            archive.unlabel(stored, name, who)

    def _stored(self, target: str, name: str) -> bool:
        """Whether the archive itself has a verdict of this person, whatever waits."""
        store = self._held.store
        rows = (
            store.scan("labels").read_all().to_pylist()
            if store.exists("labels")
            else []
        )
        return any(
            (row["target_id"], row["name"], row["who"])
            == (target, name, self._held.who)
            for row in verdicts.standing(rows)
        )

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
            try:
                if self.write():
                    with self._changing:
                        if not self._waiting:
                            self._looking = None
                            return
            except TerradriftError as error:
                self._tell(f"labels: {error}")

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
            f"{words.count(len(left), 'label')} could not be written: another process writes "
            "to the archive. When it is done, run"
        )
        return "\n".join([said, *lines])


def _to_stderr(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - words for people go to stderr
