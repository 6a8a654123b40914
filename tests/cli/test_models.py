"""The verb `models` as a user runs it, with models of a package of somebody else."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.cli.test_cli import json_lines, refused, run
from tests.embed.site import serving
from tests.embed.tiny_network import checkpoint, state

ROOT = Path(__file__).resolve().parents[2]

PLUGIN = """
from dataclasses import replace
from terradrift.embed.spec import Source
from tests.embed.tiny_model import tiny
TINY = tiny(source=Source(url="{url}", bytes=4000))
UNSAFE = replace(TINY, name="tiny-unsafe", source=Source(url="https://a/b", unsafe=True))
class Own:
    '''Not of ours.'''
"""
LIGHT = """
from terradrift.embed.checkpoint import Layout
from terradrift.embed.spec import Source, Spec
def build(**given):
    raise AssertionError("not to be built")
LIGHT = Spec(
    name="light", revision="1", licence="MIT", citation="none", bands=("red", "nir"),
    level="L1C", preprocessing="none", dimensions=None, tokens={8: 16, 16: 16},
    chip_size=64, layout=Layout(), source=Source(url="https://a/b", bytes=4_200_000),
    build=build,
)
"""


def registered(folder, modules, models):
    """An installed package of `modules` that registers `models`."""
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    about = folder / "others-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.4\nName: others\nVersion: 1.0\nLicense-Expression: BSD-2-Clause\n"
    )
    lines = [f"{name} = {place}" for name, place in models.items()]
    (about / "entry_points.txt").write_text(
        "\n".join(["[terradrift.embedders]", *lines])
    )


@pytest.fixture
def env(tmp_path):
    folder = tmp_path / "others"
    folder.mkdir()
    registered(
        folder,
        {
            "plugged": PLUGIN.format(url="https://example.com/tiny.pth"),
            "lightly": LIGHT,
            "broken": "import not_installed_anywhere",
        },
        {
            "tiny": "plugged:TINY",
            "tiny-unsafe": "plugged:UNSAFE",
            "own": "plugged:Own",
            "light": "lightly:LIGHT",
            "broken": "broken:Model",
        },
    )
    return {
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
        "TERRADRIFT_MODELS": str(tmp_path / "models"),
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tiny.pth"
    torch.save(checkpoint(state()), path)
    return path


def listed(env):
    return {row["name"]: row for row in json_lines(run("models", "--json", env=env))}


def test_all_models_are_listed_with_what_tells_them_apart(env):
    rows = listed(env)
    assert rows["light"] == {
        "name": "light",
        "dimensions": None,
        "tokens": {"8": 16, "16": 16},
        "bands": ["red", "nir"],
        "level": "L1C",
        "licence": "MIT",
        "bytes": 4_200_000,
        "parameters": None,
        "weights": "absent",
        "problem": None,
    }
    assert rows["mosaiks"]["weights"] == "fitted"
    assert rows["spectral"]["weights"] == "none needed"
    assert rows["spectral"]["licence"] == "Apache-2.0"
    assert rows["own"]["weights"] == "unknown"
    assert rows["own"]["licence"] == "BSD-2-Clause"


def test_one_that_cannot_be_imported_does_not_hide_the_others(env):
    rows = listed(env)
    assert rows["broken"]["problem"] == (
        "ModuleNotFoundError: No module named 'not_installed_anywhere'"
    )
    done = run("models", env=env)
    assert done.returncode == 0
    assert "broken cannot be used here: ModuleNotFoundError" in done.stderr
    refused(run("models", "fetch", "broken", env=env), 1, "cannot be used here")
    shown = run("models", "show", "broken", env=env)
    assert "not_installed_anywhere" in shown.stdout


def test_the_table_has_one_line_a_model(env):
    lines = run("models", env=env).stdout.splitlines()
    assert lines[0].split() == [
        *("name", "pooled", "tokens", "bands", "level", "licence", "MB", "weights")
    ]
    (light,) = [line for line in lines if line.startswith("light ")]
    assert light.split() == [
        *("light", "16", "per", "8", "px", "(+1)", "2", "L1C", "MIT", "4", "absent")
    ]
    assert len(lines) == 1 + len(listed(env))


def test_listing_waits_for_no_torch(env):
    code = (
        "import sys; sys.argv = ['terradrift', 'models', '--json']\n"
        "from terradrift.cli import app\n"
        "app(standalone_mode=False)\n"
        "print({'torch', 'timm', 'torchvision', 'ray', 'sam2'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **env},
    )
    *rows, last = done.stdout.strip().splitlines()
    assert last == "set()"
    for name in ("clay-v1.5", "mosaiks", "tiny"):
        assert any(f'"{name}"' in row for row in rows)


def test_added_weights_are_shown_verified_and_removed(env, file, tmp_path):
    done = run("models", "add", "tiny", file, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == f"added {tmp_path / 'models' / 'tiny.safetensors'}"
    assert listed(env)["tiny"]["weights"] == "present"
    (facts,) = json_lines(run("models", "show", "tiny", "--json", env=env))
    assert facts["weights"] == "present"
    assert facts["added_from"] == "tiny.pth"
    assert facts["preprocessing"] == "none"
    assert facts["weights_sha256"] in run("models", "verify", "tiny", env=env).stderr
    text = run("models", "show", "tiny", env=env).stdout
    assert str(facts["weights_sha256"]) in text
    assert run("models", "remove", "tiny", env=env).returncode == 0
    assert listed(env)["tiny"]["weights"] == "absent"
    assert "no weights here" in run("models", "remove", "tiny", env=env).stderr
    refused(run("models", "verify", "tiny", env=env), 1, "models fetch tiny")


def test_damaged_weights_are_shown_as_such(env, file, tmp_path):
    run("models", "add", "tiny", file, env=env)
    path = tmp_path / "models" / "tiny.safetensors"
    os.truncate(path, path.stat().st_size - 1)
    refused(run("models", "verify", "tiny", env=env), 1, "truncated or damaged")
    (facts,) = json_lines(run("models", "show", "tiny", "--json", env=env))
    assert str(facts["weights"]).startswith("damaged: ")


def test_a_page_instead_of_a_checkpoint_is_refused(env, tmp_path):
    page = tmp_path / "tiny.pth"
    page.write_text("<!doctype html><html></html>")
    refused(run("models", "add", "tiny", page, env=env), 1, "a web page")
    assert listed(env)["tiny"]["weights"] == "absent"


def test_the_published_file_of_another_model_of_the_same_shape_is_refused(
    env, file, tmp_path
):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    text = PLUGIN.format(url="https://example.com/tiny.pth").replace(
        "unsafe=True", f"sha256_prefix='{digest[:8]}'"
    )
    (tmp_path / "others" / "plugged.py").write_text(text)
    refused(
        run("models", "add", "tiny", file, env=env),
        1,
        "is the published file of tiny-unsafe, expected one of tiny",
    )
    assert listed(env)["tiny"]["weights"] == "absent"
    assert run("models", "add", "tiny-unsafe", file, env=env).returncode == 0


def test_a_model_is_fetched(env, file, tmp_path):
    content = file.read_bytes()
    with serving() as site:
        site.files["/tiny.pth"] = content
        text = PLUGIN.format(url=f"{site.url}/tiny.pth").replace(
            "bytes=4000", f"sha256='{hashlib.sha256(content).hexdigest()}'"
        )
        (tmp_path / "others" / "plugged.py").write_text(text)
        done = run("models", "fetch", "tiny", env=env)
        assert done.returncode == 0, done.stderr
        assert "tiny: MIT; http://127.0.0.1" in done.stderr
        asked = len(site.asked)
        again = run("models", "fetch", "tiny", env=env)
        assert "is here already" in again.stderr
        assert len(site.asked) == asked
        path = tmp_path / "models" / "tiny.safetensors"
        os.truncate(path, path.stat().st_size - 1)
        assert run("models", "fetch", "tiny", "--quiet", env=env).stderr == ""
    assert listed(env)["tiny"]["weights"] == "present"


def test_a_model_that_cannot_be_fetched_says_so_in_one_line(env, tmp_path):
    plugged = tmp_path / "others" / "plugged.py"
    plugged.write_text(
        PLUGIN.format(url="http://127.0.0.1:9/tiny.pth").replace(
            "bytes=4000", f"sha256='{'0' * 64}'"
        )
    )
    refused(run("models", "fetch", "tiny", env=env), 1, "no answer from 127.0.0.1:9")
    refused(run("models", "fetch", "tiny-unsafe", env=env), 1, "--unsafe FILE OUT")
    refused(run("models", "fetch", "mosaiks", env=env), 1, "no weights from elsewhere")


def test_a_name_that_is_not_there_names_those_spelled_alike(env):
    refused(
        run("models", "add", "clay-1.5", "a.pth", env=env),
        1,
        "plugin named 'clay-1.5'; did you mean clay-v1.",
    )
    refused(run("models", "show", "qqq", env=env), 1, "`terradrift models` lists all")
    refused(run("models", "fecth", "tiny", env=env), 2)
