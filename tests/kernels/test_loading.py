import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from terradrift import kernels

ROOT = Path(__file__).resolve().parents[2]
TINY = """
#include "kernel.h"
KERNEL_MODULE(tiny)
KERNEL CLONES int64_t doubled(int64_t value) { return 2 * value; }
"""


def has_compiler() -> bool:
    import sysconfig

    named = os.environ.get("CC") or sysconfig.get_config_var("CC") or ""
    return bool(named.split()) and shutil.which(named.split()[0]) is not None


def setup(folder: Path, *arguments: str, **environment: str) -> str:
    """Run setup.py over a package of one small kernel; what it said."""
    inside = folder / "terradrift" / "kernels"
    inside.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "setup.py", folder)
    shutil.copy(ROOT / "terradrift" / "kernels" / "kernel.h", inside)
    (inside / "tiny.c").write_text(TINY)
    ran = subprocess.run(
        [sys.executable, "setup.py", *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr


def test_off_gives_none_though_kernels_were_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = kernels.missing()
    monkeypatch.setenv(kernels.SWITCH, "off")
    assert kernels.opened("drift") is None
    assert kernels.missing() == before


def test_on_gives_one_library_or_none_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(kernels.SWITCH, "on")
    first = kernels.opened("drift")
    assert (first is None) == ("drift" in kernels.missing())
    monkeypatch.delenv(kernels.SWITCH)
    assert kernels.opened("drift") is first


@pytest.mark.parametrize("said", ["", "yes", "OFF"])
def test_another_word_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kernels.SWITCH, said)
    with pytest.raises(ValueError, match=f"must be on or off, got '{said}'"):
        kernels.opened("drift")


def test_a_name_that_no_kernels_have_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"no kernels named 'drfit'; there are .*drift"
    ):
        kernels.opened("drfit")


@pytest.mark.skipif(not has_compiler(), reason="no compiler here")
def test_where_there_is_a_compiler_no_kernels_are_missing() -> None:
    assert kernels.missing() == ()


@pytest.mark.skipif(not has_compiler(), reason="no compiler here")
def test_the_wheel_serves_every_later_python(tmp_path: Path) -> None:
    setup(tmp_path, "bdist_wheel")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert "-cp311-abi3-" in wheel.name
    (built,) = (name for name in zipfile.ZipFile(wheel).namelist() if "_tiny." in name)
    assert ".abi3." in built or built.endswith(".pyd")


def test_without_a_compiler_the_build_goes_on_and_says_so(tmp_path: Path) -> None:
    said = setup(tmp_path, "build_ext", "--inplace", CC=str(tmp_path / "no-compiler"))
    assert 'building extension "terradrift.kernels._tiny" failed' in said
    assert not list(tmp_path.rglob("_tiny*.so"))
