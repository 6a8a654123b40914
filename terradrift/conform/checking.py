"""What a path holds, and the checks of that: the one way in."""

from pathlib import Path

from terradrift.conform.finding import Finding, Findings, line, named
from terradrift.conform.plain import below, document, regular

_PARQUET = (".parquet", ".geoparquet", ".gpq", ".pq")
_TIFF = (".tif", ".tiff")
_ASSET_ROWS = 20_000
"""Geometries that are read of each file behind a STAC item."""
_KNOWN = (
    "GeoParquet, a COG, STAC as JSON, a Zarr store, a folder of these, or an archive"
)


def check(path: str | Path) -> list[Finding]:
    """Findings of a file, or of all a folder holds; errors first, empty where all is well.

    Never raises for what a file holds. Reads the footer of every GeoParquet file and all
    geometries of small ones; of large ones row groups spread over the file, and says so.
    """
    at = Path(path)
    found = Findings()
    where = named(str(path))
    try:
        folder = at.is_dir()
    except (OSError, ValueError):
        folder = False
    try:
        if folder:
            _folder(at, found, where)
        else:
            _file(at, found, where)
    except Exception as error:  # noqa: BLE001 - of a damaged file libraries raise anything
        found.error(
            "unreadable",
            where,
            "a file whose check comes to its end",
            f"{type(error).__name__}: {line(error)}",
            "write the file again; what is told here is not all",
        )
    return found.done()


def _file(path: Path, found: Findings, where: str) -> None:
    """One file, by its first bytes."""
    if not regular(path, found, where):
        return
    with path.open("rb") as file:
        head = file.read(512)
    if path.name == "zarr.json":
        from terradrift.conform import geoemb

        geoemb.check(path.parent, found, where)
    elif head[:4] in (b"PAR1", b"PARE") or path.suffix.lower() in _PARQUET:
        from terradrift.conform.geoparquet import checking

        checking.check(path, found, where)
    elif head[:2] in (b"II", b"MM") or path.suffix.lower() in _TIFF:
        from terradrift.conform.cog import checking as cog

        cog.check(path, found, where)
    elif head.lstrip()[:1] in (b"{", b"[") or path.suffix.lower() == ".json":
        _stac(path, found)
    else:
        found.error(
            "unknown", where, _KNOWN, f"a file that begins {head[:8]!r}", "see the path"
        )


def _folder(root: Path, found: Findings, where: str) -> None:
    """A store, a catalogue, or all that lies below."""
    from terradrift.conform import zarr_nodes

    if zarr_nodes.is_store(root):
        _asset(root, found, where)
        return
    seen: set[Path] = set()
    held, stores = below(root, found)
    for start in _documents(held):
        if start.resolve() not in seen:
            seen |= _stac(start, found)
    tables = [one for one in held if one.suffix.lower() in _PARQUET]
    rasters = [one for one in held if one.suffix.lower() in _TIFF]
    if tables:
        from terradrift.conform.geoparquet import folder

        folder.check(root, tables, found, where, seen)
    for one in [*stores, *rasters]:
        if one.resolve() not in seen:
            _asset(one, found, f"{where}/{named(str(one.relative_to(root)))}")
    if not (tables or rasters or stores or seen):
        found.error("unknown", where, _KNOWN, "a folder without any", "see the path")


def _documents(held: list[Path]) -> list[Path]:
    """STAC documents, those first that lead to others."""
    first = ("catalog.json", "collection.json")
    found = [
        one
        for one in held
        if one.suffix.lower() in (".json", ".geojson") and _is_stac(one)
    ]
    return sorted(
        found, key=lambda one: (one.name not in first, len(one.parts), str(one))
    )


def _is_stac(path: Path) -> bool:
    """Whether JSON says that it is STAC; also where it says nothing that can be read."""
    value = document(path, Findings(), "")
    return value is None or (
        isinstance(value, dict)
        and "stac_version" in value
        and bool(value.keys() & {"type", "links", "assets"})
    )


def _stac(path: Path, found: Findings) -> set[Path]:
    """Check from a document on; the documents and files that were met."""
    from terradrift.conform.stac import agree, walk

    done = walk.check(path, found, _asset)
    agree.check(done)
    return set(done.seen) | done.files


def _asset(path: Path, found: Findings, where: str) -> None:
    """A file or store that a document points to, where its form is one of ours."""
    suffix = path.suffix.lower()
    if path.is_dir():
        from terradrift.conform import geoemb, zarr_nodes

        if zarr_nodes.is_store(path):
            geoemb.check(path, found, where)
    elif suffix in _PARQUET:
        from terradrift.conform.geoparquet import checking

        checking.check(path, found, where, _ASSET_ROWS)
    elif suffix in _TIFF:
        from terradrift.conform.cog import checking as cog

        cog.check(path, found, where)
