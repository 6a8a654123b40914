"""Embedding, its models and its benchmark need few libraries, so that a bare machine does."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROLOGUE = """
import sys

ABSENT = {"lance", "lancedb", "pylance", "faiss", "pyproj", "duckdb", "duckdb_extensions",
          "threadpoolctl", "pydantic", "scipy", "sklearn", "pandas", "geopandas",
          "shapely", "hdbscan", "pystac", "pystac_client", "rich", "typer", "jinja2",
          "matplotlib", "ray", "huggingface_hub", "sam2"}

class Bare:
    def __init__(self, finders):
        self.finders = finders

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            return None
        found = (finder.find_spec(name, path, target) for finder in self.finders)
        return next((spec for spec in found if spec is not None), None)

    def find_distributions(self, *context):
        for finder in self.finders:
            yield from getattr(finder, "find_distributions", lambda *_: ())(*context)

sys.meta_path[:] = [Bare(list(sys.meta_path))]
"""


def on_a_bare_machine(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", PROLOGUE + code, *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_model_is_listed_and_made():
    out = on_a_bare_machine("""
import terradrift.embed.run, terradrift.embed.foundation
from terradrift import plugins
from terradrift.embed.spec import Spec
import torch
for name in plugins.names(plugins.EMBEDDERS):
    plugin = plugins.load(plugins.EMBEDDERS, name)
    if isinstance(plugin, Spec):
        with torch.device("meta"):
            output = "pooled" if plugin.dimensions else "tokens"
            size = None if plugin.dimensions else next(iter(plugin.tokens))
            plugin.build(output=output, token_size=size)
        print(name)
""")
    assert "ssl4eo-vits16-dino" in out
    assert "sam-vitb" in out


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_the_benchmark_runs_there(device):
    out = on_a_bare_machine(
        """
import runpy
sys.path.insert(0, "benchmarks")
import embed_models
embed_models.main(sys.argv[1:])
""",
        "--one",
        "--models=galileo-nano",
        f"--device={device}",
        "--threads=2",
        "--batches=2",
        "--chips=4",
        "--repeats=1",
        "--seconds=0.1",
    )
    assert '"model": "galileo-nano"' in out
    assert '"end_to_end"' in out
