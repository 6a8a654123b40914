from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from terradrift.errors import SourceError
from terradrift.grid import Grid
from tests.ingest.rasters import (
    DAY,
    UTM,
    asset,
    images,
    noise,
    place,
    planned,
    same,
    scene,
    series,
    stream,
    write,
    written,
)


class _Ranges(SimpleHTTPRequestHandler):
    """Files with byte ranges, as object stores serve them."""

    def send_head(self):
        wanted = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if wanted is None or not path.is_file():
            return super().send_head()
        first, last = wanted.removeprefix("bytes=").split("-")
        data = path.read_bytes()
        part = data[int(first) : int(last) + 1 if last else None]
        self.send_response(206)
        self.send_header(
            "Content-Range", f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}"
        )
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        return BytesIO(part)

    def log_message(self, *_: object) -> None: ...


def test_scenes_are_read_over_http(tmp_path: Path) -> None:
    grid = Grid(40, 10.0)
    local = written(tmp_path, "s", noise(150, 150), UTM, place())
    handler = partial(_Ranges, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}"
        remote = local | {"assets": [asset("b0", Path("s.tif"), href=f"{root}/s.tif")]}
        got = images(planned([remote], grid), grid)
        gone = local | {"assets": [asset("b0", Path("no.tif"), href=f"{root}/no.tif")]}
        _, told = stream(planned([gone], grid), grid)
        server.shutdown()
    for one, other in zip(images(planned([local], grid), grid), got, strict=True):
        same(one, other)
    assert "no.tif: expected a raster file, got: " in told[0][1]
    assert "404" in told[0][1]


class _Whole(_Ranges):
    """Files without byte ranges, as `python -m http.server` serves them."""

    send_head = SimpleHTTPRequestHandler.send_head


def test_a_server_without_byte_ranges_is_told(tmp_path: Path) -> None:
    grid = Grid(40, 10.0)
    local = written(tmp_path, "s", noise(600, 600), UTM, place())
    handler = partial(_Whole, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        href = f"http://127.0.0.1:{server.server_port}/s.tif"
        remote = local | {"assets": [asset("b0", Path("s.tif"), href=href)]}
        _, told = stream(planned([remote], grid), grid)
        server.shutdown()
    assert "on a server that answers range requests" in told[0][1]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_bad_scene_is_told_once_and_left_out(tmp_path: Path, threads: int) -> None:
    rows, grid = series(tmp_path), Grid(40, 10.0)
    good, _ = stream(planned([rows[0], rows[2], rows[3]], grid), grid)
    (tmp_path / "s1.tif").unlink()
    got, told = stream(planned(rows, grid), grid, threads)
    assert [scene_id for scene_id, _ in told] == ["s1"]
    assert "expected a raster file, got" in told[0][1]
    key = {(image.tile, image.scene_ids): image for image in got}
    assert len(key) == len(good)
    for image in good:
        same(image, key[image.tile, image.scene_ids])


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_damage_further_down_leaves_out_the_rest_of_the_scene(
    tmp_path: Path, threads: int
) -> None:
    """What came before is kept, whatever the threads had read already."""
    row = written(tmp_path, "s0", noise(500, 500), UTM, place())
    path = tmp_path / "s0.tif"
    grid = Grid(40, 10.0)
    path.write_bytes(path.read_bytes()[:300_000])
    got, told = stream(planned([row], grid), grid, threads)
    assert [scene_id for scene_id, _ in told] == ["s0"]
    assert 0 < len({image.tile for image in got}) == len(got) < 25
    reference, _ = stream(planned([row], grid), grid, 1)
    assert [image.tile for image in got] == [image.tile for image in reference]


def test_a_bad_scene_ends_the_stream_unless_asked(tmp_path: Path) -> None:
    rows, grid = series(tmp_path), Grid(40, 10.0)
    (tmp_path / "s1.tif").write_text("no raster")
    with pytest.raises(
        SourceError,
        match=r"scene s1: .*s1\.tif: expected a raster file.*--skip-bad leaves",
    ):
        images(planned(rows, grid), grid)


def test_a_bad_scene_beside_a_good_one_leaves_the_good_one(tmp_path: Path) -> None:
    grid = Grid(40, 10.0)
    rows = [written(tmp_path, n, noise(8, 8), UTM, place()) for n in ("a", "b")]
    (tmp_path / "a.tif").unlink()
    (image,), told = stream(planned(rows, grid), grid)
    assert image.scene_ids == ("b",)
    assert [scene_id for scene_id, _ in told] == ["a"]


def test_a_scene_without_a_wanted_band_is_bad(tmp_path: Path) -> None:
    grid = Grid(40, 10.0)
    rows = [
        written(tmp_path, "a", noise(8, 8, bands=2), UTM, place()),
        written(tmp_path, "b", noise(8, 8), UTM, place(), DAY + timedelta(days=1)),
    ]
    (image,), told = stream(planned(rows, grid, ("b0", "b1")), grid)
    assert image.scene_ids == ("a",)
    assert told == [
        (
            "b",
            (
                "expected band(s) b1, got b0; pass --bands with those that all scenes "
                "have, or leave the scene out"
            ),
        )
    ]


def test_an_offset_that_was_removed_already_is_noticed(tmp_path: Path) -> None:
    grid = Grid(160, 10.0)
    dark = np.random.default_rng(0).integers(200, 700, (1, 160, 160)).astype(np.uint16)
    path = write(tmp_path / "a.tif", dark, UTM, place())
    assets = [asset("red", path, scale=1e-4, offset=-0.1)]
    said = {"boa_offset": -1000.0, "boa_offset_source": "baseline"}
    row = scene("a", assets, UTM, place(), (160, 160), **said)
    got, told = stream(planned([row], grid, ("red",)), grid)
    assert not got
    assert "pass --boa-offset 0, or --boa-offset -1000 if that is right" in told[0][1]
    row["boa_offset_source"] = "user"
    got, told = stream(planned([row], grid, ("red",)), grid)
    assert got
    assert not told
