"""Files that are made for one visitor: whole before the first byte goes, and then removed."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal
from urllib.parse import quote

from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

Format = Literal["parquet", "gpkg", "fgb", "geojson", "csv", "json", "jsonl"]

TYPES = {
    "parquet": "application/vnd.apache.parquet",
    "gpkg": "application/geopackage+sqlite3",
    "fgb": "application/vnd.flatgeobuf",
    "geojson": "application/geo+json",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
}
"""Media type of each format."""

_PLAIN = " !#$&'()*+,/:;=?@[]<>"
"""What a header may hold as it is; the rest of a note is percent-encoded."""


class Sent(FileResponse):
    """A file that is sent whole and removed with its folder, however sending ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; parts of it are not sent: the next visit makes another file."""
        headers = [pair for pair in scope["headers"] if pair[0] != b"range"]
        try:
            await super().__call__({**scope, "headers": headers}, receive, send)
        finally:
            shutil.rmtree(Path(self.path).parent, ignore_errors=True)


@contextmanager
def made(name: str) -> Iterator[tuple[Path, Callable[[int, str | None], Sent]]]:
    """A path to write to, and what sends it; without being sent it is removed.

    `name` is what the file is called at the visitor's.
    """
    folder = Path(mkdtemp(prefix="terradrift-"))
    path = folder / name
    sent: list[Sent] = []

    def send(rows: int, note: str | None) -> Sent:
        headers = {"x-rows": str(rows)}
        if note:
            headers["x-note"] = quote(note, safe=_PLAIN)
        kind = TYPES[path.suffix.removeprefix(".")]
        sent.append(Sent(path, headers=headers, media_type=kind, filename=name))
        return sent[0]

    try:
        yield path, send
    finally:
        if not sent:
            shutil.rmtree(folder, ignore_errors=True)
