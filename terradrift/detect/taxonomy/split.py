"""Parting the patches of one level, where they can be told apart (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.taxonomy.choose import Choice
from terradrift.detect.taxonomy.dense import dense
from terradrift.detect.taxonomy.settings import Settings
from terradrift.detect.taxonomy.ways import ByPoint, Way

NONE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Parted:
    """Clusters of `n` points, the largest first, then by their first point."""

    label: NDArray[np.int64]
    """(n,), from 0; -1 in no cluster."""
    cohesion: NDArray[np.float32]
    """(k,), mean silhouette of each cluster, -1..1; NaN of one alone."""
    reason: str
    """Why there is one cluster; empty where there are more."""


def split(
    way: Way,
    settings: Settings,
    *,
    given: int | None,
    most: int,
    least: int,
    threads: int = 1,
) -> Parted:
    """Part the patches of one level.

    Args:
        way: what they are parted by; by density only points can be.
        settings: of the taxonomy.
        given: how many clusters; None: of 2 to `most` the number of most support whose
            clusters are all large and coherent enough, or one.
        most: the largest number that is tried.
        least: points of a cluster; asked of a number that is not given.
        threads: that share the work.
    """
    n = len(way)
    if settings.method == "hdbscan" and isinstance(way, ByPoint):
        return _told(way, dense(way.points, least, threads=threads))
    if given is not None:
        return _told(way, way.cluster(min(given, n)))
    if n < 2 * least:
        return one(n, f"{n} patches, and two of {least} are needed")
    refused = "nothing parts the patches"
    found = sorted(
        way.choices(min(most, n // least)),
        key=lambda choice: (-choice.support, choice.k),
    )
    for choice in reversed(found):
        if said := _weak(choice, settings):
            refused = said
    for choice in found:
        if _weak(choice, settings):
            continue
        parted = _told(way, way.cluster(choice.k))
        said = _loose(parted, settings, least)
        if not said:
            return parted
        refused = said
    return one(n, refused)


def one(n: int, reason: str) -> Parted:
    """All points in one cluster."""
    return Parted(np.zeros(n, np.int64), np.full(1, np.nan, np.float32), reason)


def by_size(label: NDArray[np.integer]) -> NDArray[np.int64]:
    """Labels from 0 by size, the largest first, then by first row; -1 stays."""
    inside = label[label >= 0]
    known, first, size = np.unique(inside, return_index=True, return_counts=True)
    order = np.lexsort((first, -size))
    number = np.full(int(known.max(initial=0)) + 1, NONE, np.int64)
    number[known[order]] = np.arange(len(known))
    return np.where(label >= 0, number[label], NONE)


def _cohesion(way: Way, label: NDArray[np.integer]) -> NDArray[np.float32]:
    """(k,) mean silhouette of each cluster; NaN where none of its points was measured."""
    found = way.silhouettes(label)
    measured = np.isfinite(found)
    count = np.bincount(label[measured], minlength=int(label.max()) + 1)
    total = np.bincount(label[measured], found[measured], minlength=len(count))
    with np.errstate(invalid="ignore"):
        return np.asarray(total / np.where(count, count, np.nan), np.float32)


def _told(way: Way, label: NDArray[np.int64]) -> Parted:
    if label.max() < 1:
        return one(len(way), "nothing parts the patches")
    label = by_size(label)
    return Parted(label, _cohesion(way, label), "")


def _weak(choice: Choice, settings: Settings) -> str:
    """Why so many clusters are not supported; empty where they are."""
    if not choice.silhouette >= settings.min_silhouette:
        return (
            f"the silhouette of {choice.k} is {choice.silhouette:.2f}, below "
            f"{settings.min_silhouette:g}"
        )
    if not choice.support >= settings.min_support:
        return (
            f"the silhouette of {choice.k} is {choice.support:.2f} above that of patches "
            f"without structure, and {settings.min_support:g} is asked for"
        )
    return ""


def _loose(parted: Parted, settings: Settings, least: int) -> str:
    """Which cluster is too small or too loose; empty where none is."""
    k = len(parted.cohesion)
    if (smallest := int(np.bincount(parted.label).min())) < least:
        return f"the smallest of {k} has {smallest} patches, below {least}"
    if not (loosest := float(parted.cohesion.min())) >= settings.min_cohesion:
        return (
            f"the silhouette of one of {k} is {loosest:.2f}, below "
            f"{settings.min_cohesion:g}"
        )
    return ""
