"""The job of `drift.py` by its peers: rows (p, t, d) float16 to drift, z and CUSUM."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SLACK, FLOOR = 1.0, 0.3
CHUNK = 250

Found = tuple[np.ndarray, np.ndarray, np.ndarray]
"""drift, z and cusum of the later half, each (p, t - t // 2)."""

pandas_seconds = [0.0, 0.0]
"""Wall and processor seconds of the last `by_pandas`, its table not counted."""


def in_numpy(rows: np.ndarray, precision: type = np.float32) -> Found:
    """Plain vectorised numpy over a chunk."""
    half = rows.shape[1] // 2
    wide = rows.astype(precision)
    wide /= np.linalg.norm(wide, axis=2, keepdims=True)
    total = wide[:, :half].sum(axis=1, keepdims=True)
    others = total - wide[:, :half]
    left_out = (wide[:, :half] * others).sum(axis=2) / np.linalg.norm(others, axis=2)
    to = (wide[:, half:] * total).sum(axis=2) / np.linalg.norm(total, axis=2)
    return calibrated(1 - to, 1 - left_out)


def calibrated(drift: np.ndarray, left_out: np.ndarray) -> Found:
    middle = np.median(left_out, axis=1, keepdims=True)
    spread = 1.4826 * np.median(np.abs(left_out - middle), axis=1, keepdims=True)
    z = (drift - middle) / (spread + FLOOR * middle + 1e-6)
    level, cusum = np.zeros(len(z)), np.empty(z.shape)
    for at in range(z.shape[1]):
        level = np.maximum(0, level + z[:, at] - SLACK)
        cusum[:, at] = level
    return drift, z, cusum


def by_numpy(rows: np.ndarray, threads: int) -> Found:
    with ThreadPoolExecutor(threads) as pool:
        parts = pool.map(
            in_numpy, (rows[at : at + CHUNK] for at in range(0, len(rows), CHUNK))
        )
        return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def by_pandas(rows: np.ndarray, threads: int) -> Found:  # noqa: ARG001 - one thread
    import pandas as pd

    p, t, d = rows.shape
    table = pd.DataFrame(
        {
            "patch": np.repeat(np.arange(p), t),
            "date": np.tile(np.arange(t), p),
            "embedding": list(rows.astype(np.float32).reshape(-1, d)),
        }
    )

    def one(patch: pd.DataFrame) -> pd.DataFrame:
        vectors = np.stack(patch.sort_values("date")["embedding"].to_numpy())
        return pd.DataFrame([value[0] for value in in_numpy(vectors[None])])

    start = time.perf_counter(), time.process_time()
    found = table.groupby("patch")[["date", "embedding"]].apply(one)
    end = time.perf_counter(), time.process_time()
    pandas_seconds[:] = [end[0] - start[0], end[1] - start[1]]
    parts = found.to_numpy().reshape(p, 3, -1)
    return parts[:, 0], parts[:, 1], parts[:, 2]


def by_torch(rows: np.ndarray, threads: int) -> Found:
    import torch

    torch.set_num_threads(threads)
    half = rows.shape[1] // 2
    parts = []
    for at in range(0, len(rows), 50):
        wide = torch.from_numpy(rows[at : at + 50]).float()
        wide /= wide.norm(dim=2, keepdim=True)
        total = wide[:, :half].sum(dim=1, keepdim=True)
        others = total - wide[:, :half]
        left_out = (wide[:, :half] * others).sum(dim=2) / others.norm(dim=2)
        to = torch.bmm(wide[:, half:], total.transpose(1, 2))[..., 0]
        drift = 1 - to / total.norm(dim=2)
        parts.append(calibrated(drift.numpy(), (1 - left_out).numpy()))
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))
