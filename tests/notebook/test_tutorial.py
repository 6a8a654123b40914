"""The tutorial runs from its first cell to its last, offline, by this interpreter."""

import json
import sys
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.ipynb"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a kernel that is this very interpreter, whatever else is installed."""
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    folder = tmp_path / "kernels" / "this-python"
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "this Python", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    return "this-python"


@pytest.mark.filterwarnings("default")  # zmq and tornado warn of one another
def test_the_tutorial_runs(kernel: str, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    book = nbformat.read(TUTORIAL, as_version=4)
    client = nbclient.NotebookClient(
        book,
        kernel_name=kernel,
        timeout=120,
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()

    def shown(text: str) -> dict[str, str]:
        """What the cell with that text gave."""
        (cell,) = (one for one in book.cells if one.source.startswith(text))
        (output,) = (one for one in cell.outputs if one.output_type == "execute_result")
        return dict(output.data)

    assert "<svg" in shown("archive = td.create")["text/html"]
    assert "image/png" in shown('archive.plot("map")')
    assert "image/png" in shown("first = events")
    assert "data:image/" in shown("best = strong")["text/html"]
    assert "image/png" in shown("matches.plot")
    assert "matches" in shown("rows = matches.rows()")["text/html"]
    assert shown("path = folder")["text/plain"] == "[]"
    assert "POLYGON" in shown("import geopandas")["text/plain"]
    assert float(shown("changes.explode()")["text/plain"].split("(")[-1].strip(")")) > 0
    assert "application/vnd.jupyter.widget-view+json" in shown("archive.explore")


def test_the_tutorial_is_stored_without_outputs() -> None:
    book = json.loads(TUTORIAL.read_text())
    code = [one for one in book["cells"] if one["cell_type"] == "code"]
    assert len(code) >= 10
    assert all(one["outputs"] == [] for one in code)
    assert all(one["execution_count"] is None for one in code)
