"""Which files make an event (pure): the monitored image, its label, its history by date."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from terradrift.errors import SourceError
from terradrift.ingest.events import names

_LAYOUT = "anomaly_DATE.tif, anomaly_DATE_label.tif and normal_DATE.tif"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFiles:
    """The files of one event, oldest image first."""

    name: str
    """Of the folder."""
    kind: int
    """Index into `names.CLASSES`."""
    history: tuple[tuple[date, Path], ...]
    """Images of normal days before the monitored one, each day once, ascending."""
    monitored: tuple[date, Path]
    """The anomaly, or the last normal image of a control."""
    label: Path | None
    """None: a control, or nobody labelled it."""
    notes: tuple[str, ...] = ()
    """What was left out, and why."""

    @property
    def control(self) -> bool:
        """Whether nothing but normal change happened here."""
        return self.kind == 0


def event_files(folder: Path, files: Sequence[str]) -> EventFiles:
    """Sort the files of a folder into an event, by their dates.

    Images after the monitored one are left out, for the past must not know the future.

    Raises:
        SourceError: no class in the folder's name, no monitored image or several, no date,
            no image before it, or a control with an anomaly.
    """
    kind = names.kind(folder.name)
    if kind is None:
        raise SourceError(
            f"{folder.name}: expected a folder name that begins with a class, 0 (control) "
            f"to {len(names.CLASSES) - 1}, such as 4_Site; rename it"
        )
    notes: list[str] = []
    found = _by_role(folder, files, notes)
    anomalies, labels = found[names.ANOMALY], found[names.LABEL]
    normals = _each_day_once(found[names.NORMAL], notes)
    if kind == 0:
        if anomalies or labels:
            raise SourceError(
                f"{folder.name}: expected only normal_DATE.tif in a control (0_...), got "
                f"{(anomalies + labels)[0][1].name}; rename the folder by its class"
            )
        if len(normals) < 2:
            raise SourceError(
                f"{folder.name}: expected at least 2 images normal_DATE.tif in a control, "
                f"got {len(normals)}"
            )
        *history, monitored = normals
        return EventFiles(
            name=folder.name,
            kind=kind,
            history=tuple(history),
            monitored=monitored,
            label=None,
            notes=tuple(notes),
        )
    if len(anomalies) != 1:
        held = ", ".join(path.name for _, path in anomalies) or "none"
        raise SourceError(
            f"{folder.name}: expected one anomaly_DATE.tif, got {held}; the layout is "
            f"{_LAYOUT}, and controls are named 0_..."
        )
    monitored = anomalies[0]
    history = [each for each in normals if each[0] < monitored[0]]
    if late := [path.name for when, path in normals if when >= monitored[0]]:
        notes.append(f"not before the monitored image, left out: {', '.join(late)}")
    if not history:
        raise SourceError(
            f"{folder.name}: expected a normal_DATE.tif dated before {monitored[1].name}, "
            f"got {', '.join(path.name for _, path in normals) or 'none'}"
        )
    return EventFiles(
        name=folder.name,
        kind=kind,
        history=tuple(history),
        monitored=monitored,
        label=_label(folder, labels, notes),
        notes=tuple(notes),
    )


_Dated = list[tuple[date, Path]]


def _by_role(folder: Path, files: Sequence[str], notes: list[str]) -> dict[str, _Dated]:
    found: dict[str, _Dated] = {
        role: [] for role in (names.ANOMALY, names.LABEL, names.NORMAL)
    }
    for name in sorted(filter(names.is_image, files)):
        said = names.named(name)
        if said is None:
            notes.append(f"neither anomaly_* nor normal_*, left out: {name}")
            continue
        if said.day is None and said.role != names.LABEL:
            raise SourceError(
                f"{folder.name}/{name}: expected a date in the name, year first or the "
                "month as a word (20200913, 2020-09-13, 13Sep2020), got none"
            )
        found[said.role].append((said.day or date.min, folder / name))
    return found


def _each_day_once(normals: _Dated, notes: list[str]) -> _Dated:
    out: dict[date, Path] = {}
    for when, path in sorted(normals):
        if when in out:
            notes.append(
                f"same day as {out[when].name}, left out: {path.name}",
            )
        out.setdefault(when, path)
    return sorted(out.items())


def _label(folder: Path, labels: _Dated, notes: list[str]) -> Path | None:
    if len(labels) > 1:
        raise SourceError(
            f"{folder.name}: expected one anomaly_DATE_label.tif, got "
            f"{', '.join(path.name for _, path in labels)}"
        )
    if not labels:
        notes.append(
            "no label: expected anomaly_DATE_label.tif; judged and not measured"
        )
        return None
    return labels[0][1]
