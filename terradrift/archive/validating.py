"""What is wrong with an archive, or with files that other tools are to read."""

from pathlib import Path

from terradrift.conform.finding import Finding
from terradrift.errors import TerradriftError
from terradrift.store import settings


def is_archive(path: str | Path) -> bool:
    """Whether an archive lies there."""
    try:
        return (Path(path) / settings.NAME).is_file()
    except (OSError, ValueError):
        return False


def validate(path: str | Path) -> list[Finding]:
    """Findings of the archive, file or folder at `path`, errors first; empty: all is well.

    An archive is read whole (`Archive.validate`), each problem an error. Else the file, or
    all that the folder holds, is held against GeoParquet 1.1 with the footer `emb`, STAC
    with the Embedding extension, the Zarr convention geoemb, or the layout of COGs, in a
    process of its own whose memory is bounded. Nothing is fetched and nothing is written;
    what a file holds never raises.
    """
    if is_archive(path):
        from terradrift.archive.opening import open_archive

        try:
            said = open_archive(path).validate()
        except TerradriftError as error:
            said = [str(error)]
        return [
            Finding("error", "archive", str(path), "an archive that is whole", one, "")
            for one in said
        ]
    from terradrift.conform import apart

    return apart.check(path)
