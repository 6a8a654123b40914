"""`taxonomy --output FOLDER`: pictures of regimes, and what lies between them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from terradrift import grid as grids
from terradrift import schema
from terradrift.archive import places
from terradrift.archive.taxonomy import model as taxonomy_model
from terradrift.archive.taxonomy.model import Fitted
from terradrift.archive.taxonomy.paths import Histories, stream
from terradrift.chip import INDICES
from terradrift.detect.taxonomy import colours
from terradrift.detect.taxonomy.graph import Graph, path_distances, spanning
from terradrift.detect.taxonomy.interpolate import WEIGHTS, interpolate
from terradrift.detect.taxonomy.representatives import distances_to
from terradrift.errors import ArchiveError
from terradrift.evaluate import whole
from terradrift.evaluate.taxonomy.agreement import coherence
from terradrift.query.sql import ask
from terradrift.report import ink
from terradrift.report import taxonomy as pictures
from terradrift.report.taxonomy_data import Course, Drawn, Regime
from terradrift.store.tables import Store

_NONE = -1
_TYPICAL = 3
"""Representatives whose observations a card shows."""
_COURSES = """
    SELECT r.regime AS regime, CAST(o.datetime AS DATE) AS day,
           count(*) AS n, quantile_cont(o.{index}, [0.1, 0.5, 0.9]) AS spread
    FROM {observations} o JOIN {regimes} r USING (patch_id)
    WHERE r.regime IS NOT NULL AND o.clear_percent >= $clear AND o.{index} IS NOT NULL
      AND o.{index} = o.{index}
    GROUP BY ALL ORDER BY ALL
"""
_OWN = """
    SELECT patch_id, CAST(datetime AS DATE) AS day, {index} AS value
    FROM {observations}
    WHERE list_contains($patches, patch_id) AND clear_percent >= $clear
      AND {index} IS NOT NULL AND {index} = {index}
    ORDER BY ALL
"""
_FIGURES: Mapping[str, Callable[[Drawn], Figure]] = {
    "regimes": pictures.regime_map,
    "colours": pictures.colour_map,
    "tree": pictures.tree,
    "cards": pictures.cards,
}
_SHARE = 0.2
"""Of a leaf's members that a day must show for it to be in the course."""


def draw(store: Store, model: str, folder: Path, *, threads: int) -> list[Path]:
    """Write the pictures and `taxonomy.json`; gives the paths.

    Raises:
        ArchiveError: the model has no taxonomy.
    """
    drawn, told = _gathered(store, model, _fitted(store, model), threads)
    parts = {
        folder / f"{name}.png": ink.png(make(drawn)) for name, make in _FIGURES.items()
    }
    text = json.dumps(told, indent=1, sort_keys=True, allow_nan=False)
    parts[folder / "taxonomy.json"] = f"{text}\n".encode()
    return whole.write(parts)


def figure(store: Store, model: str, name: Literal["regimes", "tree"]) -> Figure:
    """One of the pictures that need no histories, in a moment.

    Raises:
        ArchiveError: the model has no taxonomy.
    """
    drawn, _, _ = _base(store, schema.suffix(model), _fitted(store, model))
    return _FIGURES[name](drawn)


def _fitted(store: Store, model: str) -> Fitted:
    stamp = taxonomy_model.stamp(store, model)
    if not stamp:
        raise ArchiveError(
            f"{store.root} holds no taxonomy of {model}; run terradrift taxonomy first"
        )
    return taxonomy_model.read(store, model, stamp["number"])


def _base(
    store: Store, name: str, fitted: Fitted
) -> tuple[Drawn, NDArray[np.str_], NDArray[np.int64]]:
    """What needs no histories: places, leaves and how alike they are; ids, cells."""
    rows = store.scan(f"regimes_{name}", ["patch_id", "regime"]).read_all()
    ids = np.array(rows["patch_id"].to_pylist(), np.str_)
    leaf = rows["regime"].fill_null(_NONE).to_numpy().astype(np.int64)
    cells = np.array([grids.parse_id(str(one)) for one in ids], np.int64)
    tree = store.scan(f"taxonomy_{name}").read_all().to_pylist()
    regimes = tuple(
        Regime(
            number=row["regime"],
            parent=row["parent"],
            label=row["label"] or f"regime {row['regime']}",
            size=row["size"],
            share=row["share"],
            representatives=tuple(row["representatives"] or ()),
        )
        for row in sorted(tree, key=lambda row: row["regime"])
    )
    drawn = Drawn(
        title=store.root.stem,
        regimes=regimes,
        index="",
        courses={},
        corners=places.corners(store.settings.grid, cells),
        leaf=leaf,
        distances=np.zeros((0, 0)),
        colours=np.full((len(ids), 3), np.nan),
        explained=0.0,
    )
    paths = _paths(drawn, fitted)
    distances = path_distances(paths, paths)
    return replace(drawn, distances=(distances + distances.T) / 2), ids, cells


def _paths(drawn: Drawn, fitted: Fitted) -> NDArray[Any]:
    """Paths of the leaves in their order."""
    return np.stack([fitted.taxonomy.regimes[one.number].path for one in drawn.leaves])


def _gathered(
    store: Store, model: str, fitted: Fitted, threads: int
) -> tuple[Drawn, dict[str, Any]]:
    name = schema.suffix(model)
    base, ids, cells = _base(store, name, fitted)
    index, courses = _courses(store, name, fitted, base.regimes)
    order = [one.number for one in base.leaves]
    paths = _paths(base, fitted)
    graph = spanning(path_distances(paths, paths))
    shade, explained, between = _read(
        Histories.of(store, model, fitted),
        fitted,
        ids,
        paths,
        graph=graph,
        threads=threads,
    )
    drawn = replace(
        base,
        index=index.upper(),
        courses=courses,
        colours=shade,
        explained=explained,
    )
    return drawn, _told(drawn, order, graph, between, coherence_of(cells, base.leaf))


def coherence_of(cells: NDArray[np.int64], leaf: NDArray[np.int64]) -> dict[str, Any]:
    """Geographic coherence as a record, null where it is not defined."""
    found = coherence(cells, leaf)
    values = {
        "silhouette": found.silhouette,
        "calinski_harabasz": found.calinski_harabasz,
        "beside": found.beside,
        "beside_by_chance": found.beside_by_chance,
    }
    return {key: value if np.isfinite(value) else None for key, value in values.items()}


def _read(
    histories: Histories,
    fitted: Fitted,
    ids: NDArray[np.str_],
    paths: NDArray[np.float32],
    *,
    graph: Graph,
    threads: int,
) -> tuple[NDArray[np.float64], float, list[dict[str, Any]]]:
    """Colours of patches, the variance they hold, and the real series between regimes."""
    reading = partial(
        stream, histories, fitted.projection, fitted.taxonomy.calendar, threads=threads
    )
    sample = [read.paths.of(read.paths.whole) for read in reading(only=fitted.members)]
    shades = colours.fit(np.concatenate([one.values for one in sample]))
    place = {patch_id: row for row, patch_id in enumerate(ids.tolist())}
    shade = np.full((len(ids), 3), np.nan)
    ways = [
        (int(one), int(other), weight, interpolate(paths[one], paths[other], weight))
        for one, other in graph.edges
        for weight in WEIGHTS
    ]
    best: list[tuple[float, str]] = [(np.inf, "")] * len(ways)
    for read in reading():
        known = read.paths.of(read.paths.whole)
        if not len(known):
            continue
        rows = [place[one] for one in known.patch_ids.tolist()]
        shade[rows] = shades.of(known.values)
        for at, (_, _, _, way) in enumerate(ways):
            apart = distances_to(known.values, known.known, way)
            row = int(apart.argmin())
            best[at] = min(best[at], (float(apart[row]), str(known.patch_ids[row])))
    between = [
        {
            "first": one,
            "second": other,
            "weight": weight,
            "patch_id": patch_id,
            "distance": distance,
        }
        for (one, other, weight, _), (distance, patch_id) in zip(
            ways, best, strict=True
        )
    ]
    return shade, shades.explained, between


def _told(
    drawn: Drawn,
    order: list[int],
    graph: Graph,
    between: list[dict[str, Any]],
    together: dict[str, Any],
) -> dict[str, Any]:
    """The same in numbers."""
    return {
        "regimes": [
            {
                "regime": one.number,
                "parent": one.parent,
                "label": one.label,
                "size": one.size,
                "share": one.share,
                "representatives": list(one.representatives),
            }
            for one in drawn.regimes
        ],
        "graph": [
            {"first": order[one], "second": order[other], "distance": float(length)}
            for (one, other), length in zip(graph.edges, graph.lengths, strict=True)
        ],
        "between": [
            {**one, "first": order[one["first"]], "second": order[one["second"]]}
            for one in between
        ],
        "coherence": together,
        "explained_by_colours": drawn.explained,
    }


def _courses(
    store: Store, name: str, fitted: Fitted, regimes: tuple[Regime, ...]
) -> tuple[str, dict[int, Course]]:
    """The first index that is known, and its course in each leaf."""
    tables = {"observations": f"embeddings_{name}", "regimes": f"regimes_{name}"}
    sizes = {one.number: one.size for one in regimes}
    typical = {one.number: one.representatives[:_TYPICAL] for one in regimes}
    for index in INDICES:
        ask = partial(_ask, store, fitted.min_clear)
        found = ask(_COURSES.format(index=index, **tables))
        if not found:
            continue
        wanted = sorted({patch for ids in typical.values() for patch in ids})
        own = ask(_OWN.format(index=index, **tables), patches=wanted)
        courses = {}
        for number in {row["regime"] for row in found}:
            rows = [
                row
                for row in found
                if row["regime"] == number and row["n"] >= _SHARE * sizes[number]
            ]
            spread = np.array([row["spread"] for row in rows], float).reshape(-1, 3)
            courses[number] = Course(
                days=_days(rows),
                low=spread[:, 0],
                middle=spread[:, 1],
                high=spread[:, 2],
                typical=tuple(
                    _series([row for row in own if row["patch_id"] == patch])
                    for patch in typical[number]
                ),
            )
        return index, courses
    return INDICES[0], {}


def _days(rows: list[dict[str, Any]]) -> NDArray[np.datetime64]:
    return np.array([row["day"] for row in rows], "datetime64[D]")


def _series(
    rows: list[dict[str, Any]],
) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    return _days(rows), np.array([row["value"] for row in rows], float)


def _ask(
    store: Store, min_clear: float, text: str, **values: object
) -> list[dict[str, Any]]:
    found = ask.sql(store, text, None, clear=min_clear, **values).to_arrow_table()
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows
