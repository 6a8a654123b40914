"""Links to what made vectors and to what they were made of (pure)."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

_DOI = re.compile(r"\b10\.\d{4,9}/[^\s;,]+")
_URL = re.compile(r"https?://[^\s;,]+")


def model(described: Mapping[str, str]) -> str:
    """Where the model is to be had: its address, else its paper, else a URN of its name.

    `described` is the schema metadata of a table of embeddings.
    """
    source = described.get("source", "")
    if found := _URL.search(source):
        return found[0]
    if found := _DOI.search(source):
        return f"https://doi.org/{found[0]}"
    name, revision = described.get("model", ""), described.get("revision", "")
    return f"urn:terradrift:model:{_quoted(name)}:{_quoted(revision)}"


def doi(described: Mapping[str, str]) -> str | None:
    """The DOI that the model's source states."""
    found = _DOI.search(described.get("source", ""))
    return found[0] if found else None


def of_scene(name: str) -> str:
    """A URN of a scene."""
    return f"urn:terradrift:scene:{_quoted(name)}"


def source_data(collections: Iterable[str], links: Iterable[str]) -> list[str]:
    """Links to the source collections: those that scenes name, else URNs, one at least."""
    given = list(links) or [
        f"urn:terradrift:collection:{_quoted(one)}" for one in collections
    ]
    return given or ["urn:terradrift:collection:unknown"]


def _quoted(name: str) -> str:
    """A name as a part of a URN, which holds neither spaces nor other than ASCII."""
    return quote(name, safe="@,")


def address(text: str) -> str:
    """An address as a URI has it: what may not stand there percent-encoded."""
    return quote(text, safe="%/:?#[]@!$&'()*+,;=~")
