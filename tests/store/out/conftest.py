from pathlib import Path

import pytest

from terradrift.store.tables import Store
from tests.store import made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three tiles, four days, of two years when moved: 192 observations."""
    return made.filled(tmp_path / "a.td")
