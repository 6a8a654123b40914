import subprocess
import sys

import pytest

from terradrift import plugins
from terradrift.errors import UnknownPluginError


def test_ours_are_found_by_entry_point() -> None:
    assert {"mosaiks", "spectral"} <= set(plugins.names(plugins.EMBEDDERS))
    assert {"drift", "lof"} <= set(plugins.names(plugins.DETECTORS))


def test_an_unknown_name_says_which_may_have_been_meant() -> None:
    with pytest.raises(
        UnknownPluginError, match=r"named 'clya'; did you mean clay-v1.0 or clay-v1.5\?"
    ):
        plugins.load(plugins.EMBEDDERS, "clya")
    with pytest.raises(UnknownPluginError, match="did you mean galileo-nano or"):
        plugins.load(plugins.EMBEDDERS, "galileo-nan")


def test_a_name_like_no_other_says_where_all_are_listed() -> None:
    with pytest.raises(UnknownPluginError, match="named 'xyzzy'; `terradrift models`"):
        plugins.load(plugins.EMBEDDERS, "xyzzy")
    with pytest.raises(UnknownPluginError) as refused:
        plugins.load(plugins.DETECTORS, "xyzzy")
    listed = ", ".join(plugins.names(plugins.DETECTORS))
    assert str(refused.value).endswith(f"named 'xyzzy'; installed: {listed}")
    assert "drift, " in listed


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
