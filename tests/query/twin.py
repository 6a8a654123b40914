"""The slow twin of a search: plain numpy, everything in memory."""

import numpy as np
import pyarrow as pa


def stack(rows: pa.Table, *names: str) -> np.ndarray:
    parts = [np.stack(rows[name].to_numpy(zero_copy_only=False)) for name in names]
    return np.concatenate(parts, axis=1).astype(np.float64)


def twin(
    rows: pa.Table,
    names: tuple[str, ...],
    example: np.ndarray,
    keep: np.ndarray,
    k: int,
) -> tuple[list[str], np.ndarray]:
    """Ids and distances by plain numpy, ties by id."""
    vectors = stack(rows, *names)
    with np.errstate(invalid="ignore"):
        cosine = (
            vectors
            @ example
            / np.linalg.norm(vectors, axis=1)
            / np.linalg.norm(example)
        )
    distance = np.clip(1 - cosine, 0, 2)
    ids = np.array(rows["change_id"].to_pylist())
    at = np.flatnonzero(keep & ~np.isnan(distance))
    at = at[np.lexsort((ids[at], distance[at]))][:k]
    return ids[at].tolist(), distance[at]


def observed(embeddings: pa.Table, patch: str, day: str) -> np.ndarray:
    at = [
        i
        for i, (p, t) in enumerate(
            zip(
                embeddings["patch_id"].to_pylist(),
                embeddings["datetime"].to_pylist(),
                strict=True,
            )
        )
        if p == patch and f"{t:%Y-%m-%d}" == day
    ]
    return stack(embeddings, "embedding")[at[0]]
