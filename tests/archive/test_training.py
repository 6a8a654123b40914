"""Training on an archive: what it keeps, how it goes on, what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import terradrift as td
from terradrift.archive.inpaint import encoder as inpaint_encoder
from terradrift.archive.inpaint import inpainting, training
from terradrift.archive.inpaint.training import Trained, Wish
from terradrift.archive.pixels.stacks import stacks
from terradrift.archive.runs import Run
from terradrift.detect.inpaint.settings import Settings
from terradrift.embed import weights
from terradrift.embed.networks.satlas import Satlas
from terradrift.errors import ArchiveError
from terradrift.ingest.simulate import simulate

SMALL = Settings(
    widths=(4, 4), heads=2, context=3, history=4, crop_px=16, batch=2, target_clear=0.2
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    source = simulate(
        folder / "scenes",
        size_px=64,
        dates=14,
        seed=1,
        bands=("B04", "B08", "B11"),
        cloudiness=0.2,
        changes_per_year=0,
    )
    place = folder / "small.td"
    td.create(place, td.Grid(80)).ingest(source)
    return place


def trained(archive: Path, steps: int, **wish: object) -> Trained:
    wanted = {"keep_steps": 2, "settings": SMALL, "quiet": True, **wish}
    return training.train(
        td.open(archive).store, Run("run"), "inpaint", Wish(steps=steps, **wanted)
    )


def numbers(archive: Path) -> dict[str, np.ndarray]:
    return weights.load(inpainting.place(archive / "models"), inpainting.KIND)[0]


def test_training_that_was_killed_goes_on_to_the_same_network(archive: Path) -> None:
    undisturbed = trained(archive, 6, resume=False)
    expected = numbers(archive)
    state = archive / "models" / "inpaint.training.safetensors"
    state.unlink()
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]);"
        "from pathlib import Path; from tests.archive.test_training import trained;"
        "trained(Path(sys.argv[1]), 10_000)"
    )
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen([sys.executable, "-c", code, str(archive), str(root)])
    try:
        until = time.monotonic() + 120
        while not state.is_file():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    kept = weights.load(state, "inpaint-training/1")[1]["state"]["steps"]
    # However far it came before it was killed, going on is as if nothing had been.
    again = trained(archive, max(6, kept))
    assert again.resumed == kept
    if again.steps != undisturbed.steps:
        trained(archive, again.steps, resume=False)
        expected = numbers(archive)
        trained(archive, again.steps)
    found = numbers(archive)
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_network_is_kept_with_all_that_is_to_be_known(archive: Path) -> None:
    done = td.open(archive).train("inpaint", steps=1, threads=1, quiet=True)
    record = json.loads((archive / "models" / "inpaint.json").read_text())
    assert record["sha256"] == done.sha256
    assert record["bands"] == ["red", "nir", "swir16"]
    assert not set(record["held_out_days"]) & set(record["target_days"])
    fitted, about = inpainting.load(archive / "models")
    assert fitted.gsd == 10
    assert about["steps"] == done.steps
    told = "select status, rows from runs where verb = 'train'"
    runs = td.open(archive).sql(told).df()
    assert runs.values.tolist() == [["done", done.steps]]


def test_only_days_before_until_are_read(archive: Path) -> None:
    days = json.loads((archive / "models" / "inpaint.json").read_text())["target_days"]
    middle = sorted(days)[len(days) * 3 // 4]
    done = trained(archive, 1, until=np.datetime64(middle), resume=False)
    assert done.until < middle


def test_damaged_network_is_refused(archive: Path) -> None:
    trained(archive, 1, resume=False)
    file = inpainting.place(archive / "models")
    arrays, told = weights.load(file, inpainting.KIND)
    arrays["centre"] = arrays["centre"] + 1
    weights.save(file, arrays, told, inpainting.KIND)
    with pytest.raises(ArchiveError, match="has changed since it was trained"):
        inpainting.load(archive / "models")
    file.unlink()
    with pytest.raises(ArchiveError, match="terradrift train inpaint"):
        inpainting.Inpainting.trained(archive / "models")


def test_too_little_history_is_refused(archive: Path) -> None:
    with pytest.raises(ArchiveError, match="days or more"):
        trained(archive, 1, until=np.datetime64("2019-02-20"))
    with pytest.raises(ArchiveError, match="no clear pixels before 2018"):
        trained(archive, 1, until=np.datetime64("2018-01-01"))


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"minutes": -1.0}, "minutes must be above 0"),
        ({"until": "May"}, "until must be a date"),
        ({"encoder": "mosaiks"}, "satlas-swinb-si-ms"),
        ({"encoder": "satlas-swint-si-ms"}, "needs bands"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(
    archive: Path, wish: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        td.open(archive).train("inpaint", quiet=True, **wish)


def test_foundation_model_takes_over_from_stride_4(archive: Path) -> None:
    torch.manual_seed(0)
    swin = Satlas(
        3,
        output="pooled",
        stride=8,
        series=False,
        width=8,
        depths=(1, 1, 1, 1),
        heads=(1, 1, 2, 2),
        pyramid=None,
    )
    before = {k: v.clone() for k, v in swin.state_dict().items()}
    encoder = inpaint_encoder.Pyramid(swin, [0, 1, 2], 8)
    from terradrift.detect.inpaint.training import Training

    history = training._history(td.open(archive).store, Wish(quiet=True))
    taught = Training(
        history.cubes,
        history.bands,
        SMALL,
        device=torch.device("cpu"),
        encoder=encoder,
        encoder_name="swin",
    )
    assert taught.network.strides == (1, 2, 4, 8, 16, 32)
    costs = [taught.step() for _ in range(3)]
    assert np.isfinite(costs).all()
    for name, value in swin.state_dict().items():
        assert torch.equal(value, before[name])
    fitted = taught.fitted()
    assert not any("backbone" in name for name in fitted.state)
    assert fitted.network(encoder, torch.device("cpu")).strides[-1] == 32


def test_trained_network_judges_an_archive(archive: Path, tmp_path: Path) -> None:
    trained(archive, 2, resume=False)
    opened = td.open(archive)
    done = opened.detect(
        method="inpaint",
        maps=tmp_path / "maps",
        min_history=3,
        smooth_px=1,
        threads=1,
        quiet=True,
    )
    assert done.table == "anomalies_inpaint"
    assert done.scored > 100
    rows = opened.sql("select score, method from anomalies_inpaint").df()
    assert len(rows) == done.observations
    assert (rows["score"].dropna() > 0).all()
    assert any(Path(each).suffix == ".tif" for each in done.maps)
    about = opened.store.dataset("anomalies_inpaint").schema.metadata
    assert b"trained_until='2019-" in about[b"detector"]
    assert any("up to which the network was taught" in note for note in done.notes)


def test_stopped_training_without_a_network_says_that_it_goes_on(archive: Path) -> None:
    trained(archive, 2, resume=False)
    inpainting.place(archive / "models").unlink()
    with pytest.raises(ArchiveError, match="goes on where it was"):
        td.open(archive).detect(method="inpaint", quiet=True)


def test_history_keeps_to_its_bytes(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, wish = td.open(archive).store, Wish(quiet=True, settings=SMALL)
    monkeypatch.setattr(training, "_SIDE_PX", 16)
    monkeypatch.setattr(training, "_READ_PX", 32)
    whole = training._history(store, wish).cubes
    square = max(cube.pixels.nbytes for cube in whole)
    monkeypatch.setattr(training, "_MOST_BYTES", 2 * square)
    kept = training._history(store, wish).cubes
    assert len(kept) < len(whole)
    assert 0 < sum(cube.pixels.nbytes for cube in kept) <= 2 * square
    monkeypatch.setattr(training, "_MOST_BYTES", square // 4)
    with pytest.raises(ArchiveError, match="fewer dates or bands"):
        training._history(store, wish)


def test_squares_without_a_target_are_passed_over(
    archive: Path,
) -> None:
    (stack,) = stacks(td.open(archive).store, threads=1)
    empty = replace(stack, pixels=np.full_like(stack.pixels, np.nan))
    random = np.random.default_rng(0)
    assert training._places(stack, 1 << 30, random, SMALL)
    assert not training._places(empty, 1 << 30, random, SMALL)


def test_archive_without_a_network_says_how_to_train_one(
    archive: Path, tmp_path: Path
) -> None:
    place = tmp_path / "fresh.td"
    td.create(place, td.Grid(80)).ingest(archive.parent / "scenes" / "catalog.json")
    with pytest.raises(ArchiveError, match="run `terradrift train inpaint"):
        td.open(place).detect(method="inpaint", quiet=True)
