"""Zarr stores against the convention geoemb."""

import json
from pathlib import Path
from typing import Any

import pytest

from terradrift.conform import checking
from terradrift.conform.finding import Finding
from tests.conform import made


def codes(found: list[Finding], level: str = "error") -> set[str]:
    return {one.code for one in found if one.level == level}


def held(name: str, to: Any = None) -> dict[str, Any]:
    attributes = made.attributes()
    at = attributes
    *above, last = name.split("/")
    for key in above:
        at = at[key]
    if to is None:
        del at[last]
    else:
        at[last] = to
    return attributes


_SCALE = "geoemb:quantization/scale"
BROKEN = {
    "no convention": (held("zarr_conventions"), "geoemb.zarr_conventions"),
    "another convention": (
        held("zarr_conventions", [{"name": "proj:", "uuid": "x"}]),
        "geoemb.zarr_conventions",
    ),
    "another UUID": (
        held("zarr_conventions", [{"name": "geoemb:", "uuid": "x"}]),
        "geoemb.uuid",
    ),
    "name without colon": (
        held("zarr_conventions", [{"name": "geoemb", "uuid": made.UUID}]),
        "geoemb.name",
    ),
    "no type": (held("geoemb:type"), "geoemb.type"),
    "type patch": (held("geoemb:type", "patch"), "geoemb.type"),
    "no dimensions": (held("geoemb:dimensions"), "geoemb.dimensions"),
    "dimensions of none": (held("geoemb:dimensions", 5), "geoemb.dimensions"),
    "dimensions below 1": (held("geoemb:dimensions", 0), "geoemb.dimensions"),
    "no model": (held("geoemb:model"), "geoemb.model"),
    "model no URL": (held("geoemb:model", "Clay"), "geoemb.model"),
    "no source": (held("geoemb:source_data"), "geoemb.source_data"),
    "source as text": (
        held("geoemb:source_data", "https://a"),
        "geoemb.source_data",
    ),
    "sources empty": (held("geoemb:source_data", []), "geoemb.source_data"),
    "no data type": (held("geoemb:data_type"), "geoemb.data_type"),
    "another data type": (held("geoemb:data_type", "float32"), "geoemb.data_type"),
    "no layout of chips": (held("geoemb:chip_layout"), "geoemb.chip_layout"),
    "layout without size": (held("geoemb:chip_layout/chip_size"), "geoemb.chip_size"),
    "layout of STAC's words": (
        held("geoemb:chip_layout/layout_type", "named_grid"),
        "geoemb.layout_type",
    ),
    "scale as a list": (held(_SCALE, [1.0]), "geoemb.scale"),
    "scale of no kind": (held(f"{_SCALE}/type"), "geoemb.type"),
    "scalar without scale": (held(_SCALE, {"type": "scalar"}), "geoemb.scale"),
    "array without name": (held(f"{_SCALE}/array_name"), "geoemb.array_name"),
    "array that is not there": (
        held(f"{_SCALE}/array_name", "factors"),
        "geoemb.array_name",
    ),
    "scale of both kinds": (held(f"{_SCALE}/scale", 1.0), "geoemb.scale"),
    "quantization without method": (
        held("geoemb:quantization/method"),
        "geoemb.method",
    ),
    "quantized to another type": (
        held("geoemb:quantization/quantized_dtype", "uint8"),
        "geoemb.quantized_dtype",
    ),
    "gsd of nothing": (held("geoemb:gsd", 0), "geoemb.gsd"),
    "layout unknown": (
        held("geoemb:spatial_layout", "tiles"),
        "geoemb.spatial_layout",
    ),
    "zones without groups": (
        held("geoemb:spatial_layout", "utm_zones"),
        "geoemb.spatial_layout",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_breakage_is_named(name: str, tmp_path: Path) -> None:
    attributes, code = BROKEN[name]
    found = checking.check(made.zarr_store(tmp_path / "a.zarr", attributes))
    assert code in codes(found)
    assert "unreadable" not in codes(found)


def test_good_stores_have_no_finding(tmp_path: Path) -> None:
    assert checking.check(made.zarr_store(tmp_path / "a.zarr")) == []
    pixel = held("geoemb:type", "pixel")
    del pixel["geoemb:chip_layout"]
    pixel["geoemb:quantization"]["scale"] = {"type": "scalar", "scale": 0.5}
    assert checking.check(made.zarr_store(tmp_path / "b.zarr", pixel)) == []
    zones = held("geoemb:spatial_layout", "utm_zones")
    store = made.zarr_store(tmp_path / "c.zarr", zones, "utm31")
    assert checking.check(store) == []
    assert checking.check(store / "zarr.json") == []


def test_a_store_of_format_2_is_read(tmp_path: Path) -> None:
    import zarr

    path = tmp_path / "a.zarr"
    group = zarr.create_group(store=path, zarr_format=2, attributes=made.attributes())
    for name, shape, kind in (("embeddings", (2, 4), "i1"), ("scales", (2,), "f4")):
        array = group.create_array(name, shape=shape, dtype=kind)
        array[:] = 1
    assert checking.check(path) == []


def test_damaged_stores_are_named(tmp_path: Path) -> None:
    bare = made.zarr_store(tmp_path / "bare.zarr", {"title": "no convention"})
    assert codes(checking.check(bare)) == {"geoemb.none"}
    cut = made.zarr_store(tmp_path / "cut.zarr")
    (cut / "zarr.json").write_text('{"zarr_format": 3, "node_type"')
    assert codes(checking.check(cut)) == {"json"}
    chunk = made.zarr_store(tmp_path / "chunk.zarr")
    (chunk / "embeddings" / "c" / "0" / "0" / "0").write_bytes(b"no codec wrote this")
    assert codes(checking.check(chunk)) == {"zarr"}
    wide = made.zarr_store(tmp_path / "wide.zarr")
    told = json.loads((wide / "embeddings" / "zarr.json").read_text())
    told["chunk_grid"]["configuration"]["chunk_shape"] = [1 << 20, 1 << 20, 4]
    (wide / "embeddings" / "zarr.json").write_text(json.dumps(told))
    assert codes(checking.check(wide), "warning") == {"zarr.chunks"}
    for field, value in (("shape", "2"), ("attributes", [1]), ("node_type", "tree")):
        odd = made.zarr_store(tmp_path / f"{field}.zarr")
        told = json.loads((odd / "scales" / "zarr.json").read_text())
        (odd / "scales" / "zarr.json").write_text(json.dumps(told | {field: value}))
        assert "zarr" in codes(checking.check(odd)), field
    old = tmp_path / "old.zarr"
    old.mkdir()
    (old / ".zgroup").write_text("[2]")
    assert codes(checking.check(old)) == {"zarr"}
    array = made.zarr_store(tmp_path / "array.zarr")
    assert codes(checking.check(array / "embeddings")) == {"geoemb.scope"}
