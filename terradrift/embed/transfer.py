"""A file over HTTP: in pieces, going on where it stopped, whoever stopped it."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from terradrift import progress
from terradrift.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK = 1 << 20
_TIMEOUT_S = 30.0
_KB = 1000


def download(
    url: str, file: Path, *, size: int | None = None, quiet: bool = False
) -> None:
    """Bring what is at `url` to `file`, going on after the bytes that lie there.

    The server's validator (ETag or Last-Modified) is kept beside `file`: bytes of what has
    changed since are dropped. While a connection that breaks has brought something, it is
    opened again.

    Raises:
        WeightsError: no answer, a refusal, another size than `size`, or a connection that
            brings nothing more; what came stays for the next time.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise WeightsError(f"expected an http or https address, got {url}")
    if _have(file) == size and _validator(file, url):
        return
    most = 0
    while not _attempt(url, file, size, quiet=quiet):
        if _have(file) <= most:
            raise WeightsError(
                f"the connection to {urlsplit(url).netloc} broke after {most:,} bytes; "
                "run the same command again to go on from there"
            )
        most = _have(file)


def forget(file: Path) -> None:
    """Drop what was brought."""
    file.unlink(missing_ok=True)
    _note(file).unlink(missing_ok=True)


def _attempt(url: str, file: Path, size: int | None, *, quiet: bool) -> bool:
    """One connection; whether the file is whole now."""
    validator = _validator(file, url)
    if validator is None:
        forget(file)
    have = _have(file)
    try:
        answer = _answer(url, have, validator)
    except urllib.error.HTTPError as error:
        with error:
            if error.code != 416 or not have:
                raise WeightsError(_refusal(url, error)) from error
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return True
        forget(file)
        return _attempt(url, file, size, quiet=quiet)
    with answer:
        if not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = 0
        length = answer.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        _check_size(url, total, size)
        _keep_validator(file, url, answer.headers)
        done = have
        with (
            file.open("ab" if have else "wb") as opened,
            progress.stage(
                "fetch", (total or size or 0) // _KB, "kB", quiet=quiet
            ) as advance,
        ):
            advance(done // _KB)
            for block in _blocks(answer):
                opened.write(block)
                advance((done + len(block)) // _KB - done // _KB)
                done += len(block)
    return total is None or done == total


def _answer(url: str, have: int, validator: str | None) -> http.client.HTTPResponse:
    """The server's answer, from byte `have` on where it can."""
    headers = {"User-Agent": "terradrift", "Accept-Encoding": "identity"}
    if have and validator:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - scheme checked
    try:
        found: http.client.HTTPResponse = urllib.request.urlopen(  # noqa: S310 - likewise
            request, timeout=_TIMEOUT_S
        )
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise WeightsError(no_answer(url, reason)) from error
    return found


def no_answer(url: str, reason: object) -> str:
    """The message for a server that cannot be reached."""
    return (
        f"no answer from {urlsplit(url).netloc} ({reason}); is this machine online? A file "
        "brought from elsewhere is taken by `terradrift models add NAME FILE`"
    )


def _blocks(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body as far as it comes."""
    while True:
        try:
            block = answer.read(_BLOCK)
        except http.client.IncompleteRead as error:
            yield error.partial
            return
        except (OSError, http.client.HTTPException):
            return
        if not block:
            return
        yield block


def _check_size(url: str, total: int | None, size: int | None) -> None:
    if total is not None and size is not None and total != size:
        raise WeightsError(
            f"expected {size:,} bytes at {url}, got {total:,}; it is not the published "
            "file any more"
        )


def not_there(url: str, status: int) -> str:
    """The message for an address without a file."""
    return f"{url} is not there any more ({status}); look for it at its publisher"


def _refusal(url: str, error: urllib.error.HTTPError) -> str:
    if error.code in {404, 410}:
        return not_there(url, error.code)
    return f"{url} was refused ({error.code} {error.reason}); try later"


def _have(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _note(file: Path) -> Path:
    return file.with_name(file.name + ".json")


def _validator(file: Path, url: str) -> str | None:
    """What the server said the bytes here are of; None: unknown, or of another address."""
    try:
        note = json.loads(_note(file).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    found = note.get("validator") if note.get("url") == url else None
    return found if isinstance(found, str) else None


def _keep_validator(file: Path, url: str, headers: http.client.HTTPMessage) -> None:
    tag = headers.get("ETag", "")
    # A weak tag does not promise the same bytes, and may not be used with a range.
    strong = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")
    _note(file).write_text(json.dumps({"url": url, "validator": strong}))
