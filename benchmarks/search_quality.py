"""Is what the search finds the right thing?

    python benchmarks/search_quality.py [SHARED] [--sets simulator,transplant,fires]
        [--seeds 711,712,...] [--models spectral,mosaiks,...] [--kept FOLDER]
    python benchmarks/search_quality.py --docs docs/search-quality.md

`simulator`: scenes with planted changes of six kinds; every detected change that is part of a
planted one asks for others like it, by mode, model and space. What is of the same kind of
change is right; the query's own patch, planted change and event take no part. `transplant`:
a real series with two inserted hamlets; asking with one must find the other. `fires`: seven
real burns; a burnt patch asks for other fires' burns. Chance is the
share of right ones among all that could have been found. Intervals (95 %) draw whole planted
changes anew, not patches; they hold for these archives. Orders are taken from arrays, and a
sample of them compared with the answers of `Archive.similar`. Archives made in `--kept` are
used again. With `--docs` the tables go between the markers of that page. Weights of Galileo
and Presto must be on this machine (terradrift models add NAME FILE).
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import _search_fires as burns
import _search_real as real
import _search_simulated as simulated
from _search_archives import folder
from _search_tables import Table
from protocols import _between, _lines

MODELS = ("spectral", "mosaiks", "presto-tokens", "galileo-nano-tokens")
SEEDS = (711, 712, 713, 714)


def tables(asked: argparse.Namespace, out: Path) -> Iterator[tuple[str, Table]]:
    """Markers of the page, and their tables."""
    models = asked.models.split(",")
    data = asked.shared / "data"
    sets = {
        "simulator": lambda: simulated.tables(
            out, map(int, asked.seeds.split(",")), models
        ),
        "transplant": lambda: real.hamlets(out, data, models),
        "fires": lambda: burns.fires(out, data, models),
    }
    for name in asked.sets.split(","):
        yield from sets[name]()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", type=Path, default=Path("../shared"))
    parser.add_argument("--sets", default="simulator,transplant,fires")
    parser.add_argument("--seeds", default=",".join(map(str, SEEDS)))
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--docs", type=Path)
    asked = parser.parse_args()
    with folder(asked.kept) as out:
        for marker, table in tables(asked, out):
            text = "\n".join(_lines(table))
            print(f"\n{marker}\n{text}", flush=True)
            if asked.docs is not None:
                _between(asked.docs, marker, text)


if __name__ == "__main__":
    main()
