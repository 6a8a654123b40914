"""What terradrift exports has no finding but notes."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from terradrift.cli import app
from terradrift.conform import checking

FORMS = {
    "parquet": "embeddings.parquet",
    "partitioned": "parts",
    "stac": "stac",
    "zarr": "chips.zarr",
    "cog": "score.tif",
}


@pytest.mark.parametrize("form", FORMS)
def test_an_export_conforms(form: str, finished: Path, tmp_path: Path) -> None:
    target = tmp_path / FORMS[form]
    words = ["export", str(finished), str(target), "--to", form, "--quiet"]
    if form == "parquet":
        words += ["--what", "embeddings"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = checking.check(target)
    assert [str(one) for one in found if one.level != "note"] == []


def test_the_simulated_scenes_are_stac(scenes: Path) -> None:
    found = checking.check(scenes)
    assert [str(one) for one in found if one.level != "note"] == []
