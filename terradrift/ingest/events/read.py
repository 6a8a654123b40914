"""An event from its files: headers first, so that what is wrong is said before work begins."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.chip import BANDS
from terradrift.errors import SourceError
from terradrift.ingest.events.align import check, classes_on, metres, pixels_on
from terradrift.ingest.events.event import BACKGROUND, UNKNOWN, Event
from terradrift.ingest.events.images import Header, header
from terradrift.ingest.events.layout import EventFiles
from terradrift.ingest.frame import Frame
from terradrift.stack import Stack


@dataclass(frozen=True, slots=True)
class Checked:
    """An event whose files fit together, by what their headers say."""

    files: EventFiles
    history: tuple[Header, ...]
    monitored: Header
    label: Header | None


def checked(files: EventFiles, *, scale: float | None = None) -> Checked:
    """Read the headers of an event's files.

    Raises:
        SourceError: a file that is no raster, other bands than the monitored image has, or
            sizes that differ where places are not known.
    """
    monitored = header(files.monitored[1], scale=scale)
    history = tuple(header(path, scale=scale) for _, path in files.history)
    label = header(files.label, scale=1) if files.label else None
    for each in history:
        if len(each.bands) != len(monitored.bands):
            raise SourceError(
                f"{each.path}: expected {len(monitored.bands)} bands as "
                f"{monitored.path.name}, got {len(each.bands)}"
            )
        check(each, monitored)
    if label is not None:
        check(label, monitored)
    return Checked(files, history, monitored, label)


def read(found: Checked, *, gsd: float | None = None) -> Event:
    """Read the pixels and lay them onto those of the monitored image.

    `gsd` is the pixel size in metres, for images that do not say where they lie.

    Raises:
        SourceError: a file is damaged, or no image before the monitored one covers any of it.
    """
    target, files = found.monitored, found.files
    heads = (*found.history, target)
    frames = np.stack([pixels_on(head, target) for head in heads])
    seen = np.isfinite(frames).all(axis=1).mean(axis=(1, 2))
    notes = list(files.notes)
    if seen[-1] == 0:
        raise SourceError(f"{target.path}: expected an image, got nodata everywhere")
    kept = seen > 0
    if not kept[:-1].any():
        raise SourceError(
            f"{files.name}: expected an earlier image that covers {target.path.name}, got "
            "none; check that they show the same ground"
        )
    if not kept.all():
        lost = [heads[number].path.name for number in np.flatnonzero(~kept)]
        notes.append(f"elsewhere or empty, left out: {', '.join(lost)}")
        frames = frames[kept]
    days = [when for when, _ in (*files.history, files.monitored)]
    side = gsd if target.frame is None else metres(target.frame)
    label = None
    if found.label is not None:
        label = classes_on(found.label, target, unknown=UNKNOWN)
        if (label == UNKNOWN).all():
            raise SourceError(
                f"{found.label.path}: expected a label of the ground of "
                f"{target.path.name}, got one of other ground; check its geotransform"
            )
        if label.max() <= BACKGROUND:
            notes.append("nothing is labelled: no value above 1, which is background")
    if lost := _placeless(found):
        notes.append(f"taken pixel by pixel, for they say no place: {', '.join(lost)}")
    return Event(
        name=files.name,
        kind=files.kind,
        stack=_stack(
            target,
            days=np.array(days, "datetime64[D]")[kept],
            frames=frames,
            names=np.array([head.path.stem for head in heads])[kept],
            side=side or 1.0,
        ),
        label=label,
        frame=target.frame,
        metres=side,
        notes=tuple(notes),
    )


def _placeless(found: Checked) -> list[str]:
    """Names of rasters that do not say where they lie, if others of the event do."""
    label = () if found.label is None else (found.label,)
    heads = (*found.history, found.monitored, *label)
    bare = [head.path.name for head in heads if head.frame is None]
    return bare if len(bare) < len(heads) else []


def _stack(
    target: Header,
    *,
    days: NDArray[np.datetime64],
    frames: NDArray[np.float32],
    names: NDArray[np.str_],
    side: float,
) -> Stack:
    """One patch as large as the image: an event has no grid."""
    crs, at = ("", (0.0, 0.0)) if target.frame is None else _place(target.frame)
    code = crs.removeprefix("EPSG:")
    seen = np.isfinite(frames).all(axis=1).mean(axis=(1, 2), dtype=np.float64)
    return Stack(
        tile="",
        epsg=int(code) if code.isdigit() else 0,
        corner=at,
        gsd=side,
        bands=target.bands,
        wavelengths=np.array(
            [BANDS.get(band, np.nan) for band in target.bands], np.float32
        ),
        level="",
        days=days,
        pixels=frames,
        halo_px=0,
        patch_px=max(target.height, target.width),
        patch_ids=np.array([target.path.parent.name]),
        rows=np.zeros(1, np.int32),
        cols=np.zeros(1, np.int32),
        times=days.astype("datetime64[us]")[:, None],
        scenes=names[:, None],
        clear_percent=(100 * seen).astype(np.float32)[:, None],
    )


def _place(frame: Frame) -> tuple[str, tuple[float, float]]:
    return frame.crs, (frame.transform[2], frame.transform[5])
