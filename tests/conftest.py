"""What all tests share: where the shared materials are."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """Path of a file or folder in the shared materials; skips, saying so, where absent."""

    def path(relative: str) -> Path:
        base = Path(os.environ.get("TERRADRIFT_SHARED", ROOT / ".." / "shared"))
        found = (base / relative).resolve()
        if not found.exists():
            pytest.skip(f"shared materials absent: no {relative} under {base}")
        return found

    return path


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogue of a small simulated series: 192 px, 14 dates, planted changes."""
    from terradrift.ingest.simulate import simulate

    folder = tmp_path_factory.mktemp("scenes")
    return simulate(folder, size_px=192, dates=14, seed=3)


@pytest.fixture(scope="session")
def finished(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of that series after the main job; tests only read it."""
    import terradrift as td

    place = tmp_path_factory.mktemp("finished") / "small.td"
    td.create(place, td.Grid(80)).run(scenes, quiet=True)
    return place
