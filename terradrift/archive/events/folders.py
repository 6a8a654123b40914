"""Methods on a folder of event folders: judged, measured, mapped."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terradrift import threads
from terradrift.archive.events import features as event_features
from terradrift.archive.events import maps as event_maps
from terradrift.archive.events import pixels as event_pixels
from terradrift.archive.events import regions as event_regions
from terradrift.archive.events.choices import Choices
from terradrift.archive.events.regions import Way
from terradrift.archive.pixels.cog import usable
from terradrift.errors import SourceError
from terradrift.evaluate import whole
from terradrift.evaluate.event_folders import page, result
from terradrift.evaluate.event_folders.answer import (
    Answer,
    OfControl,
    OfEvent,
    on_control,
    on_event,
)
from terradrift.evaluate.event_folders.result import EventFolders, EventRow
from terradrift.ingest.events.event import UNKNOWN, Event
from terradrift.ingest.events.find import find
from terradrift.ingest.events.read import Checked, checked, read
from terradrift.progress import stage

FEATURES, REGIONS = "features", "regions"
_NAME = "event-folders"


def event_folders(
    folder: Path | str,
    choices: Choices | None = None,
    *,
    maps: Path | str | None = None,
    quiet: bool = False,
) -> EventFolders:
    """Judge every event in `folder` by every method, and measure them on the labelled ones.

    All headers are read before the first image is. Events are judged one by one: memory is
    that of one. `maps` is a folder for `EVENT/anomaly.tif` and `EVENT/marked.tif`.

    Raises:
        ArchiveError: maps cannot be written there, which is told before anything is judged.
        SourceError: no event there, or (unless `skip_bad`) one that cannot be read.
        UnknownPluginError: no such model.
        WeightsError: weights of the model or of the segments are not on this machine.
        TerradriftError: the model cannot read the images.
    """
    how = choices or Choices()
    model = event_features.chosen(how.model)
    way = event_regions.Way.of(how.segments, how.region_px, how.device)
    ready, notes = _ready(Path(folder), how)
    if maps is not None:
        usable(Path(maps))
    tally = _Tally()
    written: list[str] = []
    with stage("event", len(ready), "folders", quiet=quiet) as advance:
        for each in ready:
            event = _read(each, how, notes)
            if event is not None:
                notes += [f"{event.name}: {note}" for note in event.notes]
                said = _answers(event, model, way, how, tally)
                tally.add(event, said)
                if maps is not None:
                    made = event_maps.write(Path(maps), event, _maps(said))
                    written += [str(path) for path in made]
            advance(1)
    return _result(
        Path(folder), how, model, way.words, tally, notes=notes, written=written
    )


def write(found: EventFolders, output: Path | str) -> list[Path]:
    """Write the page (.md), or a folder's `event-folders.md` and `.json`; gives the paths."""
    return whole.write_page(Path(output), _NAME, page.markdown(found), found.to_dict())


def files(output: Path) -> list[Path]:
    """Which files `write` makes.

    Raises:
        ValueError: a file that is no page.
    """
    return whole.page_files(output, _NAME)


@dataclass(slots=True)
class _Tally:
    """What was found so far, by method."""

    kinds: list[int] = field(default_factory=list)
    controls: int = 0
    unlabelled: int = 0
    names: list[str] = field(default_factory=list)
    events: dict[str, list[OfEvent]] = field(default_factory=lambda: defaultdict(list))
    quiet: dict[str, list[OfControl]] = field(default_factory=lambda: defaultdict(list))
    cpu_s: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Add the processor time of the block."""
        began = time.process_time()
        yield
        self.cpu_s[name] += time.process_time() - began

    def add(self, event: Event, said: Mapping[str, Answer]) -> None:
        """Measure all answers on one event."""
        if event.control:
            self.controls += 1
            for name, answer in said.items():
                self.quiet[name].append(on_control(answer, event.seen, event.metres))
        elif event.label is None:
            self.unlabelled += 1
        else:
            self.kinds.append(event.kind)
            self.names.append(event.name)
            for name, answer in said.items():
                self.events[name].append(
                    on_event(answer, event.label, event.seen, unknown=UNKNOWN)
                )


def _ready(folder: Path, how: Choices) -> tuple[list[Checked], list[str]]:
    """Events whose headers fit together, and what was left out."""
    found = find(folder, skip_bad=how.skip_bad)
    notes = [f"left out: {problem}" for problem in found.problems]
    ready = []
    for files_of in found.events:
        try:
            ready.append(checked(files_of, scale=how.scale))
        except SourceError as error:
            _bad(error, how, notes)
    if not ready:
        raise SourceError(
            f"{folder}: expected an event that can be read, got none: {notes[0]}"
        )
    return ready, notes


def _read(each: Checked, how: Choices, notes: list[str]) -> Event | None:
    try:
        event = read(each, gsd=how.gsd)
    except SourceError as error:
        _bad(error, how, notes)
        return None
    return event if how.steps is None else event.recent(how.steps)


def _bad(error: SourceError, how: Choices, notes: list[str]) -> None:
    if not how.skip_bad:
        raise SourceError(f"{error}; or pass --skip-bad") from error
    notes.append(f"left out: {error}")


def _answers(
    event: Event, model: str, way: Way, how: Choices, tally: _Tally
) -> dict[str, Answer]:
    """What every method says of one event."""
    out: dict[str, Answer] = {}
    with tally.timing(FEATURES):
        given = event_features.features(
            event, model, region_px=how.region_px, device=how.device
        )
    with threads.single_blas():
        with tally.timing(REGIONS):
            regions = event_regions.regions(event, way)
        with tally.timing(event_regions.PUBLISHED):
            old = how.protocol == "published-old"
            out[event_regions.PUBLISHED] = event_regions.published_rule(
                regions, given, old=old
            )
        with tally.timing(event_regions.CALIBRATED):
            out |= event_regions.calibrated(regions, given, event, alpha=how.alpha)
        for name, detector in event_pixels.BASELINES.items():
            with tally.timing(name):
                out[name] = event_pixels.baseline(detector, event, alpha=how.alpha)
    return out


def _maps(said: Mapping[str, Answer]) -> dict[str, dict[str, NDArray[np.generic]]]:
    """Bands of the maps of one event: our scores, and what each method marks."""
    ours = said[event_regions.CALIBRATED]
    bands = {"change": ours.change, "novelty": ours.score, "p_value": ours.p_value}
    return {
        "anomaly": {name: each for name, each in bands.items() if each is not None},
        "marked": {
            name.removesuffix(" *"): answer.marked for name, answer in said.items()
        },
    }


def _result(
    folder: Path,
    how: Choices,
    model: str,
    segments: str,
    tally: _Tally,
    *,
    notes: list[str],
    written: list[str],
) -> EventFolders:
    methods = list(tally.events or tally.quiet)
    shared = ", ".join(
        f"{name} {tally.cpu_s[name]:.1f} s" for name in (FEATURES, REGIONS)
    )
    notes.append(f"CPU that methods on regions share: {shared}")
    if tally.unlabelled:
        notes.append(f"{tally.unlabelled} events without a label are not measured")
    if not tally.kinds:
        notes.append(
            "no labelled event: recall and precision cannot be told, only false alarms"
        )
    if not tally.controls:
        notes.append(
            "no control (0_...): false alarms where nothing happened are unknown"
        )
    floors = [each.plain.floor for each in next(iter(tally.events.values()), [])]
    return EventFolders(
        folder=folder.resolve().name,
        model=model,
        segments=segments,
        protocol=how.protocol,
        alpha=how.alpha,
        events=len(tally.kinds),
        controls=tally.controls,
        floor=float(np.mean(floors)) if floors else np.nan,
        notes=tuple(notes),
        maps=tuple(written),
        rows=tuple(
            result.row(
                name,
                event_regions.RULES.get(name) or repr(event_pixels.BASELINES[name]),
                kinds=tally.kinds,
                events=tally.events[name],
                controls=tally.quiet[name],
                old=how.protocol == "published-old",
                cpu_s=tally.cpu_s[name],
            )
            for name in methods
        ),
        by_event=tuple(
            _by_event(event, name, tally.events[name][at])
            for at, event in enumerate(tally.names)
            for name in methods
        ),
    )


def _by_event(event: str, method: str, of: OfEvent) -> EventRow:
    plain = of.plain
    return EventRow(
        event=event,
        method=method,
        published=of.published,
        precision=plain.precision,
        f1=plain.f1,
        iou=plain.iou,
        objects=plain.objects,
        objects_found=plain.objects_found,
        average_precision=plain.average_precision,
        floor=plain.floor,
    )
