"""Files that are made for one visitor: whole before the first byte goes, and then removed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Literal
from urllib.parse import quote

from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from terradrift.store.out import part

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


_PREFIX = "terradrift-sent-"


class Sent(FileResponse):
    """A file that is sent whole and removed with its folder, however sending ends."""

    def __init__(self, path: Path, remove: Callable[[], None], **said: Any) -> None:  # noqa: ANN401 - those of FileResponse
        super().__init__(path, **said)
        self._remove = remove

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; parts of it are not sent: the next visit makes another file."""
        headers = [pair for pair in scope["headers"] if pair[0] != b"range"]
        try:
            await super().__call__({**scope, "headers": headers}, receive, send)
        finally:
            self._remove()


@contextmanager
def made(name: str) -> Iterator[tuple[Path, Callable[[int, str | None], Sent]]]:
    """A path to write to, and what sends it; without being sent it is removed.

    `name` is what the file is called at the visitor's. What a killed server left is removed
    first.
    """
    part.clean(Path(gettempdir()), _PREFIX)
    folder, lock = part.begin(Path(gettempdir()), _PREFIX)
    path = folder / name
    sent: list[Sent] = []

    def remove() -> None:
        part.end(folder, lock)

    def send(rows: int, note: str | None) -> Sent:
        headers = {"x-rows": str(rows)}
        if note:
            headers["x-note"] = quote(note, safe=_PLAIN)
        kind = TYPES[path.suffix.removeprefix(".")]
        sent.append(Sent(path, remove, headers=headers, media_type=kind, filename=name))
        return sent[0]

    try:
        yield path, send
    finally:
        if not sent:
            remove()
