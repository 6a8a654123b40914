from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from terradrift.ingest.simulate.recipe import Recipe
from terradrift.ingest.simulate.spectra import BANDS

DEFAULTS: dict[str, Any] = {
    "size_px": 128,
    "gsd": 10.0,
    "bands": tuple(BANDS),
    "seed": 0,
    "start": date(2019, 1, 1),
    "revisit_days": 15,
    "changes_per_year": 6,
    "quiet_days": 90,
    "cloudiness": 0.5,
    "duplicates": 0.0,
    "baseline_jump": date(2019, 10, 1),
    "epsg": 32631,
    "origin": (500_000.0, 5_649_920.0),
    "layout": "multiband",
    "block_px": 256,
    "stac_version": "1.1.0",
}


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    """A small recipe, with what is given in place of the defaults."""
    return lambda **given: Recipe(**{**DEFAULTS, **given})
