"""The event folders in a folder, by name."""

from dataclasses import dataclass
from pathlib import Path

from terradrift.errors import SourceError
from terradrift.ingest.events import names
from terradrift.ingest.events.layout import EventFiles, event_files


@dataclass(frozen=True, slots=True)
class Found:
    """What a folder holds."""

    events: tuple[EventFiles, ...]
    """By name."""
    problems: tuple[str, ...]
    """One line for each folder that holds images and is no event."""


def find(folder: Path | str, *, skip_bad: bool = False) -> Found:
    """Every event in `folder`, which may also be one event itself. Reads names only.

    Raises:
        SourceError: no such folder, no event in it, or (unless `skip_bad`) one that is not
            laid out as such.
    """
    root = Path(folder)
    if not root.is_dir():
        raise SourceError(f"{root}: expected a folder of event folders, got none there")
    places = [root] if _images(root) else sorted(filter(Path.is_dir, root.iterdir()))
    events: list[EventFiles] = []
    problems: list[str] = []
    for place in places:
        files = _images(place)
        try:
            if files:
                events.append(event_files(place.resolve(), files))
        except SourceError as error:
            if not skip_bad:
                raise
            problems.append(str(error))
    if not events:
        why = f": {problems[0]}" if problems else ""
        raise SourceError(
            f"{root}: expected folders such as 4_Site/anomaly_20200913.tif with "
            f"normal_DATE.tif beside it, got no event{why}"
        )
    return Found(tuple(events), tuple(problems))


def _images(folder: Path) -> list[str]:
    """Names of all files, if one of them is an image with a role; else none."""
    held = [path.name for path in folder.iterdir() if path.is_file()]
    any_image = any(names.is_image(name) and names.named(name) for name in held)
    return held if any_image else []
