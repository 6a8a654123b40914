"""Archives for tests of the server."""

import shutil
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from terradrift.serve.app import application
from terradrift.serve.held import Held


@pytest.fixture(scope="session")
def many(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small archive with what is less sure reported too: 157 changes, 45 events, kinds.

    Tests only read it, but for `thumbnails/`, which may be filled; the scenes are there.
    """
    import terradrift as td

    place = tmp_path_factory.mktemp("many") / "many.td"
    shutil.copytree(finished, place)
    archive = td.open(place)
    archive.detect(max_p_value=0.3, quiet=True)
    archive.cluster(quiet=True)
    return place


@pytest.fixture(scope="session")
def held(many: Path) -> Held:
    """That archive as a server holds it; what is read of it once is there for all."""
    return Held(many)


@pytest.fixture(scope="session")
def client(held: Held) -> TestClient:
    """A visitor of that server."""
    return TestClient(application(held))
