"""An embedding refined by clusters: a linear map that draws series of one cluster together.

After Echegoyen et al. 2024 (doi:10.1007/s11222-024-10383-y): mean max(0, |z_a - z_n| -
|z_a - z_d| + margin) + l2 (|z_a| + |z_n| + |z_d|) over triplets of one date (`triplets`). There a
network is trained on; here the embedding stays frozen and only a linear map of it is learned, so
that it takes seconds on a CPU and holds for vectors that come later.

What keeps it honest: lengths are in units of the mean distance at the start, so that margin and
weights mean the same for every model; a share of the series is held out, and the map is that of
the epoch with the least loss on them, at worst the one it began with; and the map is scaled to
leave the mean distance as it was. Gain counts only beside that of random labels (`docs/taxonomy.md`).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from terradrift.detect.taxonomy.triplets import Triplets, draw
from terradrift.space import Space
from terradrift.threads import single_blas

_SAMPLE = 1 << 16
"""Vectors from which mean and components are taken."""
_LEAST_SCALE = 0.1
"""Least standard deviation of a feature, as a share of the median one."""
_COLLAPSED = 1e-2
"""A map that leaves less than this share of all distances has lost what it was given."""
_BETAS = (0.5, 0.999)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """How a map is learned; batch, rate, betas and weight of lengths are as published."""

    epochs: int = 30
    per_date: int = 200
    """Triplets of each date and epoch, drawn anew."""
    batch: int = 50
    margin: float = 1.0
    """In mean distances between two series on one date."""
    l2: float = 0.01
    """Weight of the lengths of the vectors, per vector."""
    learning_rate: float = 1e-3
    components: int = 64
    """Leading principal components that are kept before."""
    held_out: float = 0.2
    """Share of the series that the map is chosen by, and not trained on."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "per_date", "batch", "components"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        for name in ("margin", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not self.l2 >= 0:
            raise ValueError(f"l2 must be at least 0, got {self.l2}")
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out must be between 0 and 1, got {self.held_out}")


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """A learned map, and what speaks for it."""

    space: Space
    """Takes vectors (..., d) to (..., r); linear."""
    loss: tuple[float, ...]
    """On held-out series: before, and after each epoch."""
    epoch: int
    """The epoch that was kept, 0: none was better than the start."""
    error_before: float
    """0..1, share of held-out triplets whose distant series is not the farther one."""
    error_after: float
    rank_before: float
    """Effective number of directions, 1..r: exp of the entropy of the variances' shares."""
    rank_after: float


def refine(
    paths: NDArray[np.floating],
    known: NDArray[np.bool_],
    labels: NDArray[np.integer],
    settings: Refinement | None = None,
    *,
    version: int = 1,
    device: str = "cpu",
) -> Refined:
    """Learn a map from the clusters of some series; equal inputs give equal maps on a CPU.

    Args:
        paths: (n, t, d), finite where seen.
        known: (n, t), where a series was seen.
        labels: (n,), cluster of each series; below 0: takes no part.
        settings: how.
        version: of the space that it becomes.
        device: of torch: `cpu`, `cuda`.

    Raises:
        ValueError: shapes that do not fit, vectors that are all the same, too few series to
            hold some out, or a map that lost what it was given.
    """
    # Threads that share such small products only wait for one another.
    with single_blas():
        return _refine(
            paths, known, labels, settings or Refinement(), version, device=device
        )


def _refine(
    paths: NDArray[np.floating],
    known: NDArray[np.bool_],
    labels: NDArray[np.integer],
    rules: Refinement,
    version: int,
    *,
    device: str,
) -> Refined:
    if paths.ndim != 3 or paths.shape[:2] != known.shape:
        raise ValueError(
            f"expected paths (n, t, d) and known (n, t), got {paths.shape} and {known.shape}"
        )
    random = np.random.default_rng([rules.seed, 11])
    held = _held_out(labels, rules.held_out, random)
    mean, basis, count = _components(
        paths, known & (labels >= 0)[:, None], rules, random
    )
    judged = _drawn(labels, known & held[:, None], rules, random, "held out")
    start = _rows(paths, judged, mean, basis)
    unit = float(np.mean(np.linalg.norm(start[0] - start[2], axis=1)))
    if not unit > 0:
        raise ValueError("a map is learned from vectors that differ; all are the same")
    learned = _Learned.start(basis.shape[1], rules, device)
    judge = [torch.as_tensor(one / unit, device=device) for one in start]
    losses, best, weight = [learned.loss(judge)], 0, learned.now()
    for epoch in range(1, rules.epochs + 1):
        drawn = _drawn(labels, known & ~held[:, None], rules, random, "not held out")
        learned.train(
            [
                torch.as_tensor(one / unit, device=device)
                for one in _rows(paths, drawn, mean, basis)
            ],
            random,
        )
        losses.append(learned.loss(judge))
        if losses[-1] < losses[best]:
            best, weight = epoch, learned.now()
    placed = [one @ weight for one in start]
    kept = float(np.mean(np.linalg.norm(placed[0] - placed[2], axis=1))) / unit
    if not kept > _COLLAPSED:
        raise ValueError(
            f"the learned map leaves {kept:.2g} of all distances, which is nothing; "
            "lower l2 or learning_rate"
        )
    return Refined(
        Space(
            "triplet",
            version,
            mean,
            np.ascontiguousarray(basis @ (weight / kept), np.float32),
            count,
        ),
        tuple(losses),
        best,
        _error(start),
        _error(placed),
        effective_rank(np.concatenate(start)),
        effective_rank(np.concatenate(placed)),
    )


def effective_rank(vectors: NDArray[np.floating]) -> float:
    """Directions that vectors (n, d) fill: exp of the entropy of the shares of variance.

    Roy and Vetterli 2007, "The effective rank: a measure of effective dimensionality". 1 where
    all lie on a line, d where all directions are equally loud, 0 where all are the same.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    values = np.linalg.eigvalsh(centred.T @ centred).clip(0)
    if not values.sum() > 0:
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


class _Learned:
    """A square matrix that is trained, from the identity on."""

    def __init__(
        self, matrix: torch.Tensor, optimiser: torch.optim.Adam, rules: Refinement
    ) -> None:
        self.matrix, self.optimiser, self.rules = matrix, optimiser, rules

    @classmethod
    def start(cls, width: int, rules: Refinement, device: str) -> "_Learned":
        matrix = torch.eye(width, device=device, requires_grad=True)
        optimiser = torch.optim.Adam([matrix], lr=rules.learning_rate, betas=_BETAS)
        return cls(matrix, optimiser, rules)

    def now(self) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self.matrix.detach().cpu().numpy().copy()
        return found

    def loss(self, rows: list[torch.Tensor]) -> float:
        with torch.no_grad():
            return float(self._loss(rows))

    def train(self, rows: list[torch.Tensor], random: np.random.Generator) -> None:
        order = torch.as_tensor(random.permutation(len(rows[0])), device=rows[0].device)
        for part in torch.split(order, self.rules.batch):
            self.optimiser.zero_grad()
            self._loss([one[part] for one in rows]).backward()  # type: ignore[no-untyped-call]  # torch has no types here
            self.optimiser.step()

    def _loss(self, rows: list[torch.Tensor]) -> torch.Tensor:
        anchor, neighbour, distant = (one @ self.matrix for one in rows)
        near, far = _length(anchor - neighbour), _length(anchor - distant)
        hinge = torch.relu(near - far + self.rules.margin).mean()
        lengths = sum(_length(one).mean() for one in (anchor, neighbour, distant))
        return hinge + self.rules.l2 * lengths


def _length(vectors: torch.Tensor) -> torch.Tensor:
    """Euclidean norms with a slope at 0 too."""
    return (vectors.square().sum(dim=1) + 1e-12).sqrt()


def _held_out(
    labels: NDArray[np.integer], share: float, random: np.random.Generator
) -> NDArray[np.bool_]:
    """(n,) the share of every cluster that is held out: two at least, and two are left."""
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels[labels >= 0]):
        rows = random.permutation(np.flatnonzero(labels == label))
        if len(rows) >= 4:
            held[rows[: min(max(2, round(share * len(rows))), len(rows) - 2)]] = True
    return held


def _drawn(
    labels: NDArray[np.integer],
    known: NDArray[np.bool_],
    rules: Refinement,
    random: np.random.Generator,
    which: str,
) -> Triplets:
    try:
        return draw(labels, known, rules.per_date, random)
    except ValueError as error:
        raise ValueError(f"of the series {which}: {error}") from error


def _components(
    paths: NDArray[np.floating],
    known: NDArray[np.bool_],
    rules: Refinement,
    random: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Mean (d,), leading components (d, r) of standardised vectors, and their number.

    As those of `pool.components`, but not squashed, so that the whole map is linear.
    """
    row, date = np.nonzero(known)
    if len(row) > _SAMPLE:
        chosen = np.sort(random.choice(len(row), _SAMPLE, replace=False))
        row, date = row[chosen], date[chosen]
    vectors = paths[row, date].astype(np.float64)
    if not np.isfinite(vectors).all():
        raise ValueError(
            "expected finite vectors where a series was seen, some are not"
        )
    mean, scale = vectors.mean(axis=0), vectors.std(axis=0)
    # A feature that hardly varies must not become as loud as the others.
    scale = np.maximum(scale, _LEAST_SCALE * np.median(scale))
    scale = np.where(scale > 0, scale, 1.0)
    centred = (vectors - mean) / scale
    values, directions = np.linalg.eigh(centred.T @ centred)
    real = int((values > 1e-9 * max(float(values[-1]), 1e-300)).sum())
    kept = directions[:, ::-1][:, : min(max(real, 1), rules.components)]
    largest = np.abs(kept).argmax(axis=0)
    sign = np.where(kept[largest, np.arange(kept.shape[1])] < 0, -1.0, 1.0)
    basis = kept * sign / scale[:, None]
    return mean.astype(np.float32), basis.astype(np.float32), len(row)


def _rows(
    paths: NDArray[np.floating],
    drawn: Triplets,
    mean: NDArray[np.float32],
    basis: NDArray[np.float32],
) -> list[NDArray[np.float32]]:
    """Anchors, neighbours and distant ones, each (m, r), in components."""
    return [
        np.asarray((paths[rows, drawn.date].astype(np.float32) - mean) @ basis)
        for rows in (drawn.anchor, drawn.neighbour, drawn.distant)
    ]


def _error(rows: list[NDArray[np.float32]]) -> float:
    anchor, neighbour, distant = rows
    near = np.linalg.norm(anchor - neighbour, axis=1)
    return float(np.mean(np.linalg.norm(anchor - distant, axis=1) <= near))
