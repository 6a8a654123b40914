"""One row in `runs` for every run of a verb, also for the one that failed."""

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from terradrift import schema
from terradrift.errors import TerradriftError
from terradrift.store.tables import Store

_PACKAGES = ("terradrift", "numpy", "torch", "pylance", "pyarrow", "rasterio", "duckdb")


@dataclass
class Run:
    """A verb under way: its id, and what its row will say."""

    run_id: str
    rows: int = 0
    device: str = "cpu"
    message: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


@contextmanager
def recorded(store: Store, verb: str, parameters: dict[str, Any]) -> Iterator[Run]:
    """Lock the archive for `verb`, and write its row when it ends, however it ends."""
    started = datetime.now(UTC)
    # The lock lets one run at a time begin, so the instant is unique; the verb is to read.
    run = Run(run_id=f"{started:%Y%m%dT%H%M%S.%f}-{verb}", parameters=parameters)
    with store.lock(verb):
        try:
            yield run
        except BaseException as error:
            # The reason matters more than its record: on a full disk neither can be kept.
            with suppress(OSError, TerradriftError):
                _write(
                    store,
                    run,
                    verb,
                    started,
                    status="failed",
                    message=run.message or str(error),
                )
            raise
        _write(store, run, verb, started, status="done", message=run.message)


def _write(
    store: Store, run: Run, verb: str, started: datetime, *, status: str, message: str
) -> None:
    row = {
        "run_id": run.run_id,
        "verb": verb,
        "status": status,
        "parameters": json.dumps(run.parameters, default=str, sort_keys=True),
        "versions": json.dumps(
            {
                "python": platform.python_version(),
                **{name: version(name) for name in _PACKAGES},
            }
        ),
        "device": run.device,
        "started": started,
        "ended": datetime.now(UTC),
        "rows": run.rows,
        "message": message[:2000],
    }
    store.append("runs", pa.Table.from_pylist([row], schema=schema.runs()))
