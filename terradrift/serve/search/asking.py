"""Runs a visitor's search, or finds the same one that was run before."""

from collections.abc import Sequence
from typing import Any

from terradrift.errors import QueryError
from terradrift.query.search.verdicts import Agreed
from terradrift.query.sql.limits import Limits
from terradrift.serve.change.rows import Rows
from terradrift.serve.faults import Fault, NotThere
from terradrift.serve.held import Generation, Held
from terradrift.serve.search import matched, question
from terradrift.serve.search.matched import Found
from terradrift.serve.search.question import Asked, Similar, Uncertain
from terradrift.serve.search.said import Said

SECONDS = 30.0
"""A search is ended after so long; on a million changes it takes a fraction of one."""


class Searches:
    """The searches of one server; their matches are kept in `Held.searches`."""

    def __init__(self, held: Held, said: Said) -> None:
        self._held = held
        self._said = said

    def similar(self, generation: Generation, asked: Similar) -> dict[str, Any]:
        """As `POST /api/similar`.

        Raises:
            NotThere: the example is not there now.
            Fault: no example, or several kinds of it.
            QueryError: a condition that cannot be read, or the time is over.
        """
        example = self._example(generation, asked)
        if asked.exclude is not None:
            example["exclude"] = asked.exclude
        return self._answer(generation, asked, example, "similar")

    def uncertain(self, generation: Generation, asked: Uncertain) -> dict[str, Any]:
        """As `POST /api/uncertain`: what to judge next under a name.

        Raises: as `similar`.
        """
        judged = self._judged(generation, self._said.agreed(asked.name), (), ())
        return self._answer(generation, asked, judged, "uncertain")

    def page(
        self, generation: Generation, name: str, offset: int, limit: int
    ) -> dict[str, Any]:
        """As `/api/search/{search}`.

        Raises:
            Gone: it is not kept any more.
        """
        found = self._held.searches.get(name)
        if not isinstance(found, Found):
            raise NotThere(f"{name:.40} is no search; search again")
        return {
            "search": name,
            "total": len(found),
            "rows": matched.page(Rows.of(generation), found, offset, limit),
            **found.told,
        }

    def _answer(
        self,
        generation: Generation,
        asked: Asked,
        example: dict[str, Any],
        verb: str,
    ) -> dict[str, Any]:
        filters = asked.filters.filters()
        region = (
            None if filters.region is None else self._held.regions.get(filters.region)
        )
        told = question.name(
            *(generation.version, generation.model, verb, asked.mode, asked.k),
            *(example, asked.filters.model_dump(mode="json")),
        )
        kept = self._kept(told)
        if kept is None:
            how: dict[str, Any] = {
                **example,
                **question.conditions(filters, region),
                "mode": asked.mode,
                "model": generation.model,
                "limits": Limits(seconds=SECONDS),
            }
            archive = generation.archive
            if verb == "similar":
                answer = archive.similar(k=asked.k, columns=("change_id",), **how)
                kept = matched.of_similar(answer)
            else:
                kept = matched.of_uncertain(archive.uncertain(n=asked.k, **how))
            self._held.searches.keep(told, kept)
        return self.page(generation, told, 0, matched.FIRST)

    def _kept(self, name: str) -> Found | None:
        try:
            found = self._held.searches.get(name)
        except Fault:
            return None
        return found if isinstance(found, Found) else None

    def _example(self, generation: Generation, asked: Similar) -> dict[str, Any]:
        """What is searched for, in the words of `Archive.similar`."""
        one = {"change": asked.change, "event": asked.event}
        given = {name: value for name, value in one.items() if value is not None}
        judged = bool(asked.like or asked.unlike or asked.labels)
        if len(given) + judged != 1:
            ways = [*given, *(["like, unlike or labels"] if judged else [])]
            raise Fault(
                "expected one of change, event, or like, unlike and labels; got "
                f"{' and '.join(ways) or 'none'}"
            )
        if given:
            self._must_be_there(generation, list(given.values()))
            return dict(given)
        agreed = Agreed((), (), ())
        if asked.labels is not None:
            agreed = self._said.agreed(asked.labels)
        self._must_be_there(generation, [*asked.like, *asked.unlike])
        return self._judged(generation, agreed, asked.like, asked.unlike)

    def _judged(
        self,
        generation: Generation,
        agreed: Agreed,
        like: Sequence[str],
        unlike: Sequence[str],
    ) -> dict[str, Any]:
        """Verdicts as examples: what waits to be written counts, what is gone does not."""
        there = Rows.of(generation).there([*agreed.yes, *agreed.no])
        liked = [one for one in agreed.yes if one in there]
        unliked = [one for one in agreed.no if one in there]
        if agreed.yes and not liked:
            raise QueryError(
                "all that was liked is gone since detect was run again; judge some anew"
            )
        return {
            "like": list(dict.fromkeys([*like, *liked])),
            "unlike": list(dict.fromkeys([*unlike, *unliked])),
        }

    @staticmethod
    def _must_be_there(generation: Generation, ids: Sequence[str]) -> None:
        there = Rows.of(generation).there(ids)
        for one in ids:
            if one not in there:
                raise NotThere(
                    f"no change or event {one:.200} in this archive; if it was there before, "
                    "detect was run again since: load the page anew"
                )
