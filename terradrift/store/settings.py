"""What an archive is, in `archive.json`: grid, region, bands, sensor, current model."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from terradrift.errors import ArchiveError
from terradrift.grid import Grid

NAME = "archive.json"
FORMAT = "terradrift-archive/1"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """What holds for every row of an archive."""

    grid: Grid
    region: BaseGeometry | None = None
    """Area in degrees that patches are kept for; None: whole scenes."""
    bands: tuple[str, ...] = ()
    """Bands that every scene gives, in the order models see; empty before the first ingest."""
    constellation: str = ""
    """The one sensor whose scenes the archive holds; empty before the first ingest."""
    model: str | None = None
    """The model that SQL views without a suffix show."""
    spaces: Mapping[str, str] = field(default_factory=dict)
    """Suffix of a model's tables -> label of the space its vectors are compared in."""
    created: str = field(default_factory=_now)
    version: str = field(default_factory=lambda: version("terradrift"))
    """terradrift's version when the archive was made."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and _to_json(self) == _to_json(other)

    __hash__ = None  # type: ignore[assignment]  # geometries compare, but do not hash alike


def read(root: Path) -> Settings:
    """The settings of the archive at `root`.

    Raises:
        ArchiveError: nothing there, not an archive, or one of another format.
    """
    path = root / NAME
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ArchiveError(_absent(root)) from error
    except NotADirectoryError as error:
        raise ArchiveError(
            f"expected an archive folder, got the file {root}"
        ) from error
    except OSError as error:
        raise ArchiveError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ArchiveError(
            f"{path} is not the JSON of an archive: {error}; restore it from a copy"
        ) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        given = found.get("format") if isinstance(found, dict) else None
        raise ArchiveError(
            f"expected an archive of format {FORMAT}, got {given!r} in {path}; "
            "open it with the terradrift that made it"
        )
    return _from_json(found, path)


def write(root: Path, settings: Settings) -> None:
    """Replace `archive.json` whole: a crash leaves the old one or the new one.

    Raises:
        ArchiveError: the folder cannot be written.
    """
    path = root / NAME
    temporary = root / f"{NAME}.{os.getpid()}.tmp"
    text = json.dumps(_to_json(settings), indent=2, sort_keys=True) + "\n"
    try:
        try:
            with temporary.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(root)
    except OSError as error:
        raise ArchiveError(
            f"cannot write {path}: {error.strerror}; the archive is as it was"
        ) from error


def is_temporary(name: str) -> bool:
    """Whether a file of that name is what `write` leaves when it is killed."""
    return name.startswith(f"{NAME}.") and name.endswith(".tmp")


def _sync_folder(root: Path) -> None:
    folder = os.open(root, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _absent(root: Path) -> str:
    if not root.exists():
        return f"no archive at {root}; make one with terradrift run {root} SOURCE"
    return f"{root} is not an archive: it has no {NAME}; check the path"


def _to_json(settings: Settings) -> dict[str, Any]:
    grid, region = settings.grid, settings.region
    return {
        "format": FORMAT,
        "grid": {"patch_size": grid.patch_size, "gsd": grid.gsd, "crs": grid.crs},
        "region": None if region is None else json.loads(shapely.to_geojson(region)),
        "bands": list(settings.bands),
        "constellation": settings.constellation,
        "model": settings.model,
        "spaces": dict(settings.spaces),
        "created": settings.created,
        "version": settings.version,
    }


def _from_json(found: dict[str, Any], path: Path) -> Settings:
    try:
        region = found["region"]
        return Settings(
            grid=Grid(**found["grid"]),
            region=None if region is None else shapely.from_geojson(json.dumps(region)),
            bands=tuple(found["bands"]),
            constellation=found["constellation"],
            model=found["model"],
            spaces=dict(found.get("spaces", {})),  # archives of 0.1.0 have none
            created=found["created"],
            version=found["version"],
        )
    except (KeyError, TypeError, ValueError, shapely.errors.GEOSException) as error:
        raise ArchiveError(
            f"{path} does not describe an archive ({error}); restore it from a copy"
        ) from error
