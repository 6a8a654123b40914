"""What the archive holds, and whether there is something newer."""

from typing import Any

from fastapi import APIRouter

from terradrift import __version__
from terradrift.errors import TerradriftError
from terradrift.serve import writing
from terradrift.serve.facts import Facts, facts_of
from terradrift.serve.faults import Gone
from terradrift.serve.held import Held

_SAID = {"observations": "observation", "changes": "change", "scenes": "scene"}
"""What is told of what came since, and one of it."""


def router(held: Held) -> APIRouter:
    """`/api/archive` and `/api/fresh`."""
    routes = APIRouter()
    facts = facts_of(held)

    @routes.get("/api/archive")
    def archive(v: str | None = None) -> dict[str, Any]:
        """What the archive holds, in counts and in lists that are short."""
        told = {"read_only": held.read_only, "software": __version__}
        return told | facts.of(held.at(v))

    @routes.get("/api/fresh")
    def fresh(v: str | None = None) -> dict[str, Any]:
        """Whether anything came since generation `v`, and who writes now; opens little."""
        writes = writing.now(held.root)
        version = held.version_now()
        newer = v is not None and v != version
        return {
            "version": version,
            "newer": newer,
            "writing": writes and {"verb": writes.verb, "since": writes.since},
            "added": _added(held, facts, v) if newer else None,
        }

    return routes


def _added(held: Held, facts: Facts, v: str | None) -> str | None:
    """What came since, in words; None where the generation is not kept any more."""
    try:
        before, after = facts.counts(held.at(v)), facts.counts(held.newest())
    except (Gone, TerradriftError):
        return None
    more = {name: after[name] - before[name] for name in _SAID}
    said = [
        f"{n:,} {one if n == 1 else name}"
        for (name, one) in _SAID.items()
        if (n := more[name]) > 0
    ]
    return ", ".join(said) or "judged anew"
