"""What the documentation says of digests is what the cards pin."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

from terradrift.embed import catalogue
from terradrift.embed.spec import Spec

DOCS = Path(__file__).resolve().parents[3] / "docs" / "weights.md"
SOURCES = {
    entry.name: entry.model.source
    for entry in catalogue.listed()
    if isinstance(entry.model, Spec)
}


def pinned(source):
    """The row of the table to which a source belongs."""
    commit = re.search(r"/[0-9a-f]{40}/", source.url) is not None
    if source.sha256:
        assert commit
        assert source.bytes
        assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
        return "commit, size and whole SHA-256"
    if source.sha256_prefix:
        assert commit
        assert re.fullmatch(r"[0-9a-f]{8}", source.sha256_prefix)
        return "commit and the first 8 of 64 digits of the SHA-256"
    if commit:
        return "commit, no digest"
    if source.url.startswith("https://huggingface.co/"):
        assert "/resolve/main/" in source.url
        return "nothing: a file on a branch of the Hub"
    return "nothing: a file on the publisher's own server"


def stated():
    """What the table says, by the names or patterns in it."""
    table = DOCS.read_text().partition("| pinned in the card |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    return {name: row for row, names in rows for name in re.findall("`(.+?)`", names)}


def test_documentation_says_of_every_model_what_its_card_pins():
    patterns = stated()
    found = {
        name: [row for p, row in patterns.items() if fnmatchcase(name, p)]
        for name in SOURCES
    }
    assert found == {name: [pinned(source)] for name, source in SOURCES.items()}


def test_documentation_speaks_of_no_model_that_is_not_there():
    for pattern in stated():
        assert any(fnmatchcase(name, pattern) for name in SOURCES), pattern
