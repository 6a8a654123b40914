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
