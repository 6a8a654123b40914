"""From what size on changes planted into real images are found (P1).

    python benchmarks/sensitivity.py [SHARED] [--layouts 4] [--docs docs/evaluation.md]

For two untouched series, patches of 40 m and the model `spectral`: A50 of every method for
random spectral directions and for materials, and the gain over the references at the same
share of false positives, with 95 % intervals over dates. `--docs` renews the table there.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import terradrift as td
from terradrift.evaluate.injected.result import Sensitivity, told
from terradrift.evaluate.measures import Interval

SETS = ("s2-flanders-2018", "s2-tanzania-2019-2021")
METHODS = ("surprise", "scores-drift", "scores-z")
REFERENCES = (
    "temporal median, pixels",
    "temporal median, patches",
    "Reed-Xiaoli, pixels",
    "Reed-Xiaoli of the difference, pixels",
)
BEGIN, END = "<!-- sensitivity -->", "<!-- sensitivity:end -->"


def study(root: Path, layouts: int) -> list[tuple[str, Sensitivity]]:
    found = []
    for name in SETS:
        with tempfile.TemporaryDirectory() as folder:
            archive = td.create(Path(folder) / "archive.td", td.Grid(40))
            archive.ingest(root / "data" / name / "catalog.json")
            archive.embed("spectral", quiet=True, threads=2)
            found += [
                (
                    name,
                    archive.sensitivity(
                        "spectral",
                        materials=materials,
                        layouts=layouts,
                        threads=2,
                        quiet=True,
                    ),
                )
                for materials in (False, True)
            ]
    return found


def table(found: list[tuple[str, Sensitivity]]) -> str:
    lines = [
        "| series | method | A50 | A90 | "
        + " | ".join(f"gain over {name}" for name in REFERENCES)
        + " |",
        "| --- " * (4 + len(REFERENCES)) + "|",
    ]
    notes = []
    for name, each in found:
        if each.planted == "materials":
            notes.append(materials(name, each))
            continue
        for method in (*METHODS, *REFERENCES):
            limit = each.thresholds[method]
            gains = each.gains.get(method, {})
            interval = f"{told(limit.a50.low)} to {told(limit.a50.high)}"
            cells = [
                name,
                f"`{method}`" if method in METHODS else method,
                f"{told(limit.a50.value)} ({interval})",
                told(limit.a90.value),
                *(gain(gains.get(other)) for other in REFERENCES),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *notes])


def materials(name: str, found: Sensitivity) -> str:
    whole = [each for each in found.trials if each.amplitude >= 0.5]
    shares = ", ".join(
        f"{method} {np.mean([each.found[method] for each in whole]):.0%}"
        for method in (*METHODS, *REFERENCES)
    )
    able = [name for name, limit in found.thresholds.items() if limit.curve.a50 <= 1]
    return (
        f"* {name}, materials: half is found by {', '.join(able) or 'no method'}. Of "
        f"{len(whole)} objects that turned by half or more: {shares}."
    )


def gain(value: Interval | None) -> str:
    if value is None or not value.value < 1e9:
        return ""
    return f"{value.value:.1f} ({value.low:.1f} to {value.high:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", default="../shared", type=Path)
    parser.add_argument("--layouts", type=int, default=4)
    parser.add_argument("--docs", type=Path)
    asked = parser.parse_args()
    made = table(study(asked.shared, asked.layouts))
    print(made)
    if asked.docs:
        text = asked.docs.read_text()
        before, rest = text.split(BEGIN)
        _, after = rest.split(END)
        asked.docs.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}")


if __name__ == "__main__":
    main()
