"""The models that are installed and how they stand, without loading any."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from terradrift import plugins
from terradrift.embed import library
from terradrift.embed.spec import Spec
from terradrift.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

Weights = Literal["present", "absent", "none needed", "fitted", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A registered model."""

    name: str
    model: object
    """What the entry point names: a `Spec`, a class, or None where it cannot be imported."""
    licence: str = ""
    """SPDX identifier of the package that registered it."""
    problem: str = ""
    """Why it cannot be imported."""

    @property
    def weights(self) -> Weights:
        """Whether the weights are here; `fitted`: made from the archive's own pixels."""
        if isinstance(self.model, Spec):
            return "present" if library.present(self.model) else "absent"
        needs_fit = getattr(self.model, "needs_fit", None)
        if needs_fit is None:
            return "unknown"
        return "fitted" if needs_fit else "none needed"


def listed() -> list[Listed]:
    """All registered embedders by name; one that cannot be imported says why."""
    return [_opened(name) for name in plugins.names(plugins.EMBEDDERS)]


def found(name: str) -> Listed:
    """The registered embedder of that name.

    Raises:
        UnknownPluginError: as `plugins.find`.
    """
    plugins.find(plugins.EMBEDDERS, name)
    return _opened(name)


def spec(name: str) -> Spec:
    """The foundation model of that name.

    Raises:
        UnknownPluginError: as `found`.
        WeightsError: a model that has no weights to bring, or that cannot be imported.
    """
    entry = found(name)
    if isinstance(entry.model, Spec):
        return entry.model
    if entry.problem:
        raise WeightsError(f"the model {name} cannot be used here: {entry.problem}")
    raise WeightsError(
        f"{name} needs no weights from elsewhere; expected a foundation model, which "
        "`terradrift models` shows as present or absent"
    )


def refuse_anothers(spec: Spec, file: Path) -> None:
    """Refuse a file that is known, by its digest, as the published one of another model.

    Models of one shape cannot be told apart by keys and shapes alone.

    Raises:
        WeightsError: it is.
    """
    if not file.is_file():
        return  # `library.add` says so
    sha256 = library.file_sha256(file)
    for entry in listed():
        other = entry.model
        if not isinstance(other, Spec) or other.source.url == spec.source.url:
            continue
        published = library.published_digest(other.source)
        if published and sha256.startswith(published):
            raise WeightsError(
                f"{file} is the published file of {other.name}, expected one of "
                f"{spec.name}; run `terradrift models add {other.name} {file}`, or look for "
                f"the right one at {spec.source.url}"
            )


def _opened(name: str) -> Listed:
    entry = plugins.find(plugins.EMBEDDERS, name)
    stated = entry.dist and entry.dist.metadata.get_all("License-Expression")
    licence = stated[0] if stated else ""
    try:
        return Listed(name=name, model=entry.load(), licence=licence)
    except Exception as error:  # noqa: BLE001 - a plugin of others may raise anything
        words = " ".join(f"{type(error).__name__}: {error}".split())
        return Listed(name=name, model=None, licence=licence, problem=words)


def summary(entry: Listed) -> dict[str, Any]:
    """What tells models apart, as plain values; None where a model has no such thing."""
    record: dict[str, Any] = {
        "name": entry.name,
        "dimensions": None,
        "tokens": {},
        "bands": None,
        "level": None,
        "licence": entry.licence or None,
        "bytes": None,
        "parameters": None,
        "weights": entry.weights,
        "problem": entry.problem or None,
    }
    if isinstance(entry.model, Spec):
        for name in ("dimensions", "level", "licence", "parameters"):
            record[name] = getattr(entry.model, name)
        record["tokens"] = dict(entry.model.tokens)
        record["bands"] = list(entry.model.bands)
        record["bytes"] = entry.model.source.bytes
    return record


_NOT_SHOWN = ("layout", "build", "source")


def card(entry: Listed) -> dict[str, Any]:
    """All that is known of a model, as plain values."""
    if not isinstance(entry.model, Spec):
        words = (getattr(entry.model, "__doc__", None) or "").partition("\n")[0]
        facts = {key: value for key, value in summary(entry).items() if value}
        return facts | {"description": words} if words else facts
    record: dict[str, Any] = {
        item.name: getattr(entry.model, item.name)
        for item in fields(entry.model)
        if item.name not in _NOT_SHOWN
    }
    record["tokens"] = dict(entry.model.tokens)
    source = entry.model.source
    record |= {
        "url": source.url,
        "url_sha256": library.published_digest(source) or None,
        "url_bytes": source.bytes,
        "weights": entry.weights,
    }
    if entry.weights == "absent":
        return record
    try:
        about = library.about(entry.model)
    except WeightsError as error:
        return record | {"weights": f"damaged: {error}"}
    return record | {
        "file": str(library.place(entry.model)),
        "weights_sha256": about["sha256"],
        "added_from": about["origin"] or about["source"],
        "added_from_sha256": about["source_sha256"],
        "published_file": library.is_published(entry.model),
    }
