"""Weights from their official place: pinned, resumable, checked before they are used."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from terradrift.embed import library, transfer
from terradrift.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    from terradrift.embed.spec import Source, Spec

_HUB = re.compile(r"https://huggingface\.co/([^/]+/[^/]+)/resolve/([^/]+)/([^?]+)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is brought from, and what is known of it beforehand."""

    url: str
    sha256: str
    """Whole, its beginning, or empty."""
    bytes: int | None


def fetch(spec: Spec, *, quiet: bool = False) -> Path:
    """Download the official checkpoint of the model and add it; the weights' file.

    The download lies in `downloads` beside the weights until it has been added; one that
    was broken off goes on from there.

    Raises:
        WeightsError: no connection, another file than the published one, or one that is
            not safe to open.
    """
    source = spec.source
    if source.unsafe or not source.url:
        raise WeightsError(_by_hand(spec))
    place = _place(source)
    if urlsplit(place.url).scheme != "https" and not place.sha256:
        raise WeightsError(
            f"expected an https address where no digest is known, got {place.url}"
        )
    name = PurePosixPath(unquote(urlsplit(place.url).path)).name
    downloads = library.folder() / "downloads" / quote(spec.name, safe="+")
    downloads.mkdir(parents=True, exist_ok=True)
    file = downloads / name
    transfer.download(place.url, file, size=place.bytes, quiet=quiet)
    _check(file, place)
    try:
        added = library.add(spec, file, origin=place.url)
    except WeightsError:
        if not place.sha256:
            transfer.forget(file)  # nothing says that it is what was asked for
        raise
    transfer.forget(file)
    with suppress(OSError):  # something else lies there
        downloads.rmdir()
    return added


def _check(file: Path, place: Place) -> None:
    found = library.file_sha256(file)
    if found.startswith(place.sha256):
        return
    transfer.forget(file)
    raise WeightsError(
        f"expected a file with the SHA-256 {place.sha256} at {place.url}, got {found}; "
        "nothing was kept. Try again; if it comes again, it is not the published file"
    )


def _by_hand(spec: Spec) -> str:
    source = spec.source
    add = f"`terradrift models add {spec.name}"
    if not source.url:
        return f"weights of {spec.name} have no public address; get the file and run {add} FILE`"
    return (
        f"the published file of {spec.name} is a pickle of more than tensors, and opening "
        f"it may run any code that is in it: it is not opened here. Download {source.url}, "
        "convert it where that does no harm, by `python -m terradrift.embed.convert "
        f"--unsafe FILE OUT.safetensors`, and run {add} OUT.safetensors` "
        "(see docs/weights.md)"
    )


def _place(source: Source) -> Place:
    """The source itself, or what the Hugging Face Hub says of it."""
    found = _HUB.fullmatch(source.url)
    if not found:
        return Place(source.url, library.published_digest(source), source.bytes)
    return _on_hub(source, *map(unquote, found.groups()))


def _on_hub(source: Source, repository: str, revision: str, file: str) -> Place:
    """Address and digest of a file of the Hub, at `$HF_ENDPOINT` where that is set.

    The library knows addresses, redirections and digests of the Hub; the bytes are brought
    by `transfer`, for the library begins anew when it is run again. No token is sent.
    """
    try:
        import huggingface_hub as hub
        from huggingface_hub import errors
    except ModuleNotFoundError as error:
        raise WeightsError(
            f"{source.url} needs huggingface_hub, which is not installed; install "
            "terradrift[models], or download it and run `terradrift models add NAME FILE`"
        ) from error
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    url = hub.hf_hub_url(repository, file, revision=revision, endpoint=endpoint)
    try:
        about = hub.get_hf_file_metadata(url, token=False)
    except (errors.EntryNotFoundError, errors.RepositoryNotFoundError) as error:
        raise WeightsError(transfer.not_there(url, 404)) from error
    except errors.HfHubHTTPError as error:
        reason = f"{error.response.status_code} {error.response.reason_phrase}"
        raise WeightsError(f"{url} was refused ({reason}); try later") from error
    except Exception as error:  # three HTTP libraries over its versions, no common base
        raise WeightsError(transfer.no_answer(url, error)) from error
    theirs = about.etag if about.etag and _SHA256.fullmatch(about.etag) else ""
    ours = library.published_digest(source)
    if theirs and not theirs.startswith(ours):
        raise WeightsError(
            f"expected a file with the SHA-256 {ours} at {url}, the Hub has {theirs}; "
            "it is not the published file any more"
        )
    # A branch may move between the runs that bring a file; its commit stays.
    pinned = about.commit_hash or revision
    url = hub.hf_hub_url(repository, file, revision=pinned, endpoint=endpoint)
    return Place(url, theirs or ours, source.bytes or about.size)
