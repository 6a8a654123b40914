"""Every parity file is opened by some parity test, so that none is left out silently."""

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.shared

TESTS = Path(__file__).resolve().parent
HELD = {".npz", ".pt", ".safetensors"}
"""Weights, inputs and outputs; the rest of a folder describes them."""
FOLDER = re.compile(r"(?:parity|weights)/[^/]+")


def constants(source):
    """Strings of a test file that are code, so neither comments nor docstrings."""
    tree = ast.parse(source)
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in said
    }


def readers():
    """Strings of every parity test of a model, a set a file."""
    files = sorted(TESTS.glob("test_parity_*.py"))
    return [constants(file.read_text()) for file in files if file != Path(__file__)]


def unclaimed(base, strings):
    """Folders and files under `base` that none of these sets of strings names.

    A file is named by its whole name or by its stem, in a test that names its folder.
    """
    left = []
    for folder in sorted(path for path in base.glob("*/*") if path.is_dir()):
        if folder.parent.name not in {"parity", "weights"}:
            continue
        place = folder.relative_to(base).as_posix()
        theirs = set()
        for found in strings:
            if any((m := FOLDER.match(s)) and m[0] == place for s in found):
                theirs |= {Path(s).name for s in found}
        if not theirs:
            left.append(place)
            continue
        left += [
            f"{place}/{file.name}"
            for file in sorted(folder.iterdir())
            if file.suffix in HELD and not {file.name, file.stem} & theirs
        ]
    return left


def test_parity_files_are_all_read(shared):
    base = shared("parity").parent
    assert list(base.glob("parity/*/*.npz")), "there is something to read"
    assert unclaimed(base, readers()) == []


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("parity/prithvi/small.npz", "parity/prithvi"),
        ("weights/tessera/encoder.pt", "weights/tessera"),
        ("parity/sam_vit/other.npz", "parity/sam_vit/other.npz"),
        ("parity/sam_vit_h/small.npz", "parity/sam_vit_h"),
    ],
)
def test_parity_file_that_nothing_reads_is_told(tmp_path, file, found):
    for name in (
        "parity/sam_vit/README.md",
        "parity/sam_vit/small.npz",
        "data/x/y.npz",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert unclaimed(tmp_path, readers()) == []
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).touch()
    assert unclaimed(tmp_path, readers()) == [found]


def test_parity_file_that_is_only_spoken_of_is_not_read():
    source = '"""Of parity/a/b.npz."""\n# parity/c\nread("parity/d/e.npz")\n'
    assert constants(source) == {"parity/d/e.npz"}
