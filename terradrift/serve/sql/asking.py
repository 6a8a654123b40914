"""A visitor's question: of one generation, as long as it is waited for, told in their words."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from terradrift.errors import QueryError, TerradriftError
from terradrift.query.sql.apart import Answer, Question
from terradrift.query.sql.limits import Limits
from terradrift.serve.faults import Gone
from terradrift.serve.held import Held
from terradrift.serve.lost import WORDS, is_lost
from terradrift.serve.sql.spares import Spares
from terradrift.serve.waited import waited

_LIMIT = re.compile(r"--limit \(in Python limits=Limits\([^)]*\)\)")
_OTHERS = re.compile(
    r",? or (raise --\w+ \(in Python limits=Limits\([^)]*\)\)"
    r"|allow (it )?more \(limits=Limits\([^)]*\)\))"
)


class Asking:
    """Asks what visitors ask."""

    def __init__(self, held: Held, spares: Spares) -> None:
        self._held = held
        self._spares = spares

    async def answer(
        self,
        request: Request,
        text: str,
        limits: Limits,
        values: Mapping[str, Any],
        *,
        v: str | None = None,
        most_bytes: int | None = None,
        path: Path | None = None,
    ) -> Answer:
        """The answer of generation `v`; None: of the archive as it is now.

        Raises:
            QueryError: not one statement that only reads, or it takes too much.
            Gone: the generation is not kept any more, or its files are not.
            Crowded, Ended: as `Asked.answer`.
        """
        now = await run_in_threadpool(self._held.at, v)
        question = Question(
            root=self._held.root,
            text=text,
            limits=limits,
            values=values,
            versions=now.versions,
            model=now.model,
            most_bytes=most_bytes,
            path=path,
        )
        try:
            found = await self._waited(question, request)
        except TerradriftError as error:
            newer = await run_in_threadpool(self._held.newest)
            if newer is now or not is_lost(error):
                raise QueryError(visitors_words(str(error))) from error
            if v is not None:
                raise Gone(WORDS) from error
            # A table was replaced and its old files removed while the question ran.
            again = replace(question, versions=newer.versions)
            found = await self._waited(again, request)
        return replace(found, note=found.note and visitors_words(found.note))

    async def _waited(self, question: Question, request: Request) -> Answer:
        asked = self._spares.ask(question)
        return await waited(asked.answer, asked.stop, request)


def visitors_words(words: str) -> str:
    """What the shell says, for who has no options of the command line."""
    return _OTHERS.sub("", _LIMIT.sub("limit", words))
