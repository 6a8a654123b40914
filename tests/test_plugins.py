import subprocess
import sys

import pytest

from terradrift import plugins
from terradrift.errors import UnknownPluginError


def test_ours_are_found_by_entry_point() -> None:
    assert {"mosaiks", "spectral"} <= set(plugins.names(plugins.EMBEDDERS))
    assert {"drift", "lof"} <= set(plugins.names(plugins.DETECTORS))


def test_an_unknown_name_lists_what_is_installed() -> None:
    with pytest.raises(UnknownPluginError, match=r"named 'clya'; installed: .*mosaiks"):
        plugins.load(plugins.EMBEDDERS, "clya")


def test_help_waits_for_nothing_heavy() -> None:
    code = (
        "import sys, terradrift, terradrift.cli; terradrift.cli.app; "
        "heavy = {'torch', 'duckdb', 'lance', 'sklearn', 'rasterio', 'pyarrow', "
        "'matplotlib', 'faiss', 'hdbscan', 'geopandas'} & set(sys.modules); "
        "print(sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
