"""Raster files kept open, one set per thread, and what is said when one cannot be read."""

import math
import re
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyproj
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from terradrift.errors import SourceError
from terradrift.ingest.frame import Frame, Span, same_crs

_CACHE_BYTES = 320 << 20
_REMOTE = {"http": "/vsicurl/{0}", "https": "/vsicurl/{0}"}
_BUCKETS = {"s3": "/vsis3/", "gs": "/vsigs/", "az": "/vsiaz/", "abfs": "/vsiadls/"}
_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.IGNORECASE | re.DOTALL)


@contextmanager
def gdal(**others: str) -> Iterator[None]:
    """GDAL set for many small readers: one thread each, decoded blocks kept, retries.

    `others` are options of GDAL that stand in the place of these, or beside them.
    """
    with (
        rasterio.Env(
            # Parallel over files; GDAL's own threads would wait for each other.
            GDAL_NUM_THREADS="1",
            GDAL_CACHEMAX=_CACHE_BYTES,
            GDAL_HTTP_MULTIRANGE="YES",
            GDAL_HTTP_MERGE_CONSECUTIVE_RANGES="YES",
            GDAL_HTTP_MAX_RETRY="4",
            GDAL_HTTP_RETRY_DELAY="0.5",
            GDAL_HTTP_CONNECTTIMEOUT="20",
            GDAL_HTTP_LOW_SPEED_TIME="30",
            GDAL_HTTP_LOW_SPEED_LIMIT="1",
        ),
        rasterio.Env(**others),
    ):
        yield


def gdal_path(href: str) -> str:
    """The name by which GDAL reads `href`: a path, file://, http(s), s3, gs, az or abfs."""
    match = _URL.match(href)
    if match is None or href.startswith("/vsi"):
        return href
    scheme, rest = match[1].lower(), match[2]
    if scheme == "file":
        return rest if rest.startswith("/") else "/" + rest.partition("/")[2]
    if scheme in _REMOTE:
        return _REMOTE[scheme].format(href)
    if scheme in _BUCKETS:
        return _BUCKETS[scheme] + rest
    raise SourceError(
        f"expected a path or a file, http(s), s3, gs, az or abfs address, got {href}"
    )


class Files:
    """Open files of one thread; the least recently used are closed beyond `most`."""

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._open: OrderedDict[str, tuple[Any, Frame]] = OrderedDict()
        self._memory = np.empty(0, np.uint8)

    def __len__(self) -> int:
        return len(self._open)

    def frame(self, href: str, crs: str) -> Frame:
        """Where the pixels of a file lie.

        `crs` is what its scene says; empty where it says nothing.

        Raises:
            SourceError: not there, not a raster, not placed on the ground, or its CRS is
                not the scene's.
        """
        return self._get(href, crs)[1]

    def nodata(self, href: str, crs: str, index: int) -> float | None:
        """The value that the file itself says means no data."""
        value = self._band(href, crs, index).nodatavals[index - 1]
        return None if value is None else float(value)

    def read(
        self, href: str, crs: str, indexes: list[int], span: Span
    ) -> NDArray[np.generic]:
        """(band, y, x) values of some bands in a span that lies within the file.

        They hold until the next read: memory is used again, for fresh pages are dear.

        Raises:
            SourceError: as `frame`; no such band; complex numbers; or what is stored there
                cannot be decoded.
        """
        for index in indexes:
            self._band(href, crs, index)
        dataset = self._get(href, crs)[0]
        kind = np.result_type(*(dataset.dtypes[index - 1] for index in indexes))
        values = self._room(kind, (len(indexes), span.height, span.width))
        window = Window(span.left, span.top, span.width, span.height)
        try:
            dataset.read(indexes, window=window, out=values)
        except RasterioError as error:
            raise SourceError(
                f"{href}: expected readable pixels in rows {span.top} to "
                f"{span.top + span.height}, got: {_cause(error)}; the file is damaged or "
                "incomplete, fetch it again"
            ) from error
        return values

    def _room(
        self, kind: np.dtype[np.generic], shape: tuple[int, int, int]
    ) -> NDArray[np.generic]:
        size = math.prod(shape) * kind.itemsize
        if size > self._memory.size:
            self._memory = np.empty(size, np.uint8)
        return self._memory[:size].view(kind).reshape(shape)

    def close(self) -> None:
        """Close all files."""
        while self._open:
            self._open.popitem()[1][0].close()

    def _band(self, href: str, crs: str, index: int) -> Any:  # noqa: ANN401 - rasterio has no types
        dataset = self._get(href, crs)[0]
        if not 1 <= index <= dataset.count:
            raise SourceError(
                f"{href}: expected band {index}, got a file of {dataset.count} band(s)"
            )
        kind = dataset.dtypes[index - 1]
        if kind.startswith("complex") or kind not in np.sctypeDict:
            raise SourceError(
                f"{href}: expected real numbers, got {kind} in band {index}"
            )
        return dataset

    def _get(self, href: str, crs: str) -> tuple[Any, Frame]:
        if href not in self._open:
            dataset = _opened(href)
            try:
                self._open[href] = dataset, _frame(dataset, href, crs)
            except SourceError:
                dataset.close()
                raise
            if len(self._open) > self._most:
                self._open.popitem(last=False)[1][0].close()
        self._open.move_to_end(href)
        return self._open[href]


def _opened(href: str) -> Any:  # noqa: ANN401 - rasterio has no types
    path = gdal_path(href)
    # Beside a remote file nothing is looked for; beside a local one may lie its geotransform.
    listing = "EMPTY_DIR" if path.startswith("/vsi") else "FALSE"
    try:
        with rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN=listing):
            return rasterio.open(path, sharing=False)
    except NotGeoreferencedWarning as error:
        raise _nowhere(href) from error
    except (RasterioError, OSError) as error:
        remote = ", on a server that answers range requests"
        raise SourceError(
            f"{href}: expected a raster file, got: {_cause(error)}; "
            f"check that it is there and whole{remote if path.startswith('/vsi') else ''}"
        ) from error


def _frame(dataset: Any, href: str, crs: str) -> Frame:  # noqa: ANN401 - rasterio has no types
    if dataset.transform.is_identity:
        raise _nowhere(href)
    code = dataset.crs.to_epsg() if dataset.crs else None
    own = f"EPSG:{code}" if code else dataset.crs.to_wkt() if dataset.crs else ""
    if not own:
        raise SourceError(
            f"{href}: expected a CRS in the file, got none; "
            f"write it there: gdal_edit.py -a_srs {crs or 'EPSG:CODE'} FILE"
        )
    if crs and not same_crs(own, crs):
        raise SourceError(
            f"{href}: expected the scene's CRS {crs}, got {_short(own)}; "
            "correct the item (proj:code or proj:epsg) or the file"
        )
    return Frame(own, tuple(dataset.transform)[:6], dataset.width, dataset.height)


def _nowhere(href: str) -> SourceError:
    return SourceError(
        f"{href}: expected a geotransform in the file, got none, so its place on the "
        "ground is not known; georeference it (gdal_translate -a_ullr ... -a_srs ...)"
    )


def _short(crs: str) -> str:
    return crs if len(crs) < 40 else pyproj.CRS.from_user_input(crs).name


def _cause(error: BaseException) -> str:
    """What GDAL said, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split())
