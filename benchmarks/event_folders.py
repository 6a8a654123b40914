"""Event folders (P3): the published rule against calibrated regions and simple baselines.

    python benchmarks/event_folders.py [SHARED] [--only simulated,history,flanders,fires]
    python benchmarks/event_folders.py --docs docs/evaluation.md
    python benchmarks/event_folders.py --picture docs/images/event-folders.png

Simulated sites (2 m, RGB bytes, 256 pixels) have labelled events of six classes and controls;
`history` judges the same sites by their 3 and their 7 latest images under the same thresholds.
`flanders` are two changes transplanted into a real series (10 m, 10 bands) with the same days
without them as controls; `fires` are pairs, so only scores can be compared. Sizes of regions
and the share of 0.05 were chosen on seed 100; reported are seeds 1 and 2.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from _event_folders import fires, transplants
from _event_folders_picture import draw

from terradrift.archive.events.choices import Choices
from terradrift.archive.events.folders import event_folders
from terradrift.evaluate import tables
from terradrift.evaluate.bench.cells import interval
from terradrift.evaluate.event_folders.result import EventFolders, OnControls, Row
from terradrift.evaluate.measures import Interval
from terradrift.ingest.simulate.events import event_folders as simulate

SEEDS = (1, 2)
EVENTS, CONTROLS, STEPS = 18, 12, 7
HISTORIES = (3, 7)
SMALL_PX = 16.0
"""The smaller of the two changes in Flanders."""
SHOWN = 2
"""Number of the event in the picture."""
Table = list[tuple[str, ...]]

_HEAD = (
    *("method", "recall", "precision", "P_w", "F1 of the paper", "plain F1"),
    "AP",
    "controls: ground marked",
    "controls: alarms per 1,000 km2 and image",
)


def simulated(place: Path) -> Path:
    """Sites of all seeds in one folder, named apart."""
    for seed in SEEDS:
        made = simulate(
            place / f"seed-{seed}",
            events=EVENTS,
            controls=CONTROLS,
            steps=STEPS,
            seed=seed,
            whole=2,
            shifted=2,
        )
        for site in sorted(made.iterdir()):
            site.rename(place / f"{site.name}-seed-{seed}")
        made.rmdir()
    return place


def compared(found: EventFolders) -> Table:
    """One row per method, and one for the first stage of the published rule."""
    head = [
        f"{cell}; chance {found.floor:.2f}" if cell == "AP" else cell for cell in _HEAD
    ]
    out: Table = [tuple(head)]
    for row in found.rows:
        if row.published_change is not None:
            of = row.published_change
            out.append(
                (
                    f"{row.method}, stage 1",
                    interval(of.recall, 2),
                    "-",
                    interval(of.weighted_precision, 2),
                    interval(of.f1, 2),
                    "-",
                    "-",
                    *_controls(row.controls_change),
                )
            )
        out.append(_row(row))
    return out


def _row(row: Row) -> tuple[str, ...]:
    paper = row.published
    return (
        row.method,
        *(
            _cell(each)
            for each in (
                paper and paper.recall,
                row.precision,
                paper and paper.weighted_precision,
                paper and paper.f1,
                row.f1,
                row.average_precision,
            )
        ),
        *_controls(row.controls),
    )


def _controls(of: OnControls | None) -> tuple[str, str]:
    if of is None:
        return "-", "-"
    area, rate = of.area, of.rate
    return (
        f"{area.value:.1%} ({area.low:.1%}..{area.high:.1%})",
        f"{rate.value:,.0f} ({rate.low:,.0f}..{rate.high:,.0f})",
    )


def stages(found: EventFolders) -> Table:
    """Both stages of the methods that have two, at equal recall."""
    return [
        ("method", "recall", "stage 1", "stage 2", "gain"),
        *(
            (
                row.method,
                f"{each.recall:g}",
                interval(each.change, 2),
                interval(each.score, 2),
                interval(each.gain, 2),
            )
            for row in found.rows
            for each in row.stages
        ),
    ]


def history(found: dict[int, EventFolders]) -> Table:
    """What the same thresholds do with short and with long histories."""
    out: Table = [
        (
            "method",
            *(
                f"{what}, {steps} images"
                for what in ("recall", "precision", "AP", "controls: ground marked")
                for steps in found
            ),
        )
    ]
    for at, row in enumerate(next(iter(found.values())).rows):
        rows = [each.rows[at] for each in found.values()]
        out.append(
            (
                row.method,
                *(_cell(each.published and each.published.recall) for each in rows),
                *(_cell(each.precision) for each in rows),
                *(_cell(each.average_precision) for each in rows),
                *(_controls(each.controls)[0] for each in rows),
            )
        )
    return out


def _cell(value: Interval | None) -> str:
    return "-" if value is None else interval(value, 2)


def measured(
    names: list[str], shared: Path, place: Path, model: str
) -> Iterator[tuple[str, Table]]:
    """Tables by name."""
    if {"simulated", "history"} & set(names):
        folder = simulated(place / "simulated")
        by_steps = {
            steps: event_folders(
                folder, Choices(steps=steps, model=model, segments="superpixels")
            )
            for steps in (HISTORIES if "history" in names else (STEPS,))
        }
        whole = by_steps[STEPS]
        yield "simulated", compared(whole)
        yield "stages", stages(whole)
        if "history" in names:
            yield "history", history(by_steps)
        _cost(whole)
    if "flanders" in names:
        folder = transplants(shared, place / "flanders", steps=STEPS, images=6)
        found = event_folders(folder, Choices(model=model))
        yield "flanders", compared(found)
        fine = event_folders(folder, Choices(model=model, region_px=SMALL_PX))
        yield "flanders-small", compared(fine)
    if "fires" in names:
        found = event_folders(fires(shared, place / "fires"), Choices(model=model))
        yield "fires", compared(found)


def _cost(found: EventFolders) -> None:
    sites = found.events + found.controls
    for row in found.rows:
        print(f"{row.method}: {row.cpu_s / sites:.3f} CPU s a site")
    print("\n".join(found.notes))


def _between(page: Path, marker: str, text: str) -> None:
    begin, end = f"<!-- {marker} -->", f"<!-- {marker}:end -->"
    held = page.read_text()
    if held.count(begin) != 1 or held.count(end) != 1:
        raise SystemExit(f"expected one {begin} and one {end} in {page}")
    before, _, rest = held.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shared", nargs="?", default="../shared", type=Path)
    parser.add_argument("--only", default="simulated,history,flanders,fires")
    parser.add_argument("--model", default="mosaiks")
    parser.add_argument("--docs", type=Path)
    parser.add_argument("--picture", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        if chosen.picture is not None:
            made = simulate(Path(place), events=SHOWN + 1, controls=0, seed=SEEDS[0])
            draw(next(made.glob(f"*_{SHOWN:02d}")), chosen.picture)
            return
        for marker, table in measured(
            chosen.only.split(","), chosen.shared, Path(place), chosen.model
        ):
            text = tables.piped(table[0], table[1:])
            print(f"\n{marker}\n\n{text}", flush=True)
            if chosen.docs is not None:
                _between(chosen.docs, f"event-folders:{marker}", text)


if __name__ == "__main__":
    main()
