"""A folder of event folders from files to page and maps."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from terradrift.archive.events import features as event_features
from terradrift.archive.events import pixels as event_pixels
from terradrift.archive.events import regions as event_regions
from terradrift.archive.events.choices import Choices
from terradrift.archive.events.folders import event_folders, files, write
from terradrift.errors import SourceError, UnknownPluginError, WeightsError
from terradrift.evaluate.event_folders.result import EventFolders
from terradrift.ingest.events.find import find
from terradrift.ingest.events.read import checked, read
from terradrift.ingest.simulate.events import event_folders as simulate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(
        tmp_path_factory.mktemp("sites"),
        events=4,
        controls=2,
        steps=4,
        size_px=96,
        seed=2,
    )


@pytest.fixture(scope="module")
def found(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> EventFolders:
    return event_folders(folder, maps=tmp_path_factory.mktemp("maps"), quiet=True)


def test_every_method_is_measured_on_all_events_and_controls(
    found: EventFolders,
) -> None:
    assert (found.events, found.controls) == (4, 2)
    assert [row.method for row in found.rows] == [
        "published rule",
        "calibrated *",
        "calibrated by region *",
        "previous-image difference *",
        "temporal median *",
        "RX of the difference *",
    ]
    assert 0.1 < found.floor < 0.6
    for row in found.rows:
        assert row.controls is not None
        assert row.controls.images == 2
        assert row.average_precision is not None
        assert found.floor < row.average_precision.value <= 1
    assert len(found.by_event) == 4 * 6


def test_calibration_marks_less_where_nothing_happened(found: EventFolders) -> None:
    rule, ours = found.rows[:2]
    assert rule.controls is not None
    assert ours.controls is not None
    assert ours.controls.area.value < 2 * found.alpha
    assert ours.controls.area.value < rule.controls.area.value
    assert ours.precision is not None
    assert rule.precision is not None
    assert ours.precision.value > rule.precision.value


def test_the_second_stage_raises_precision_at_equal_recall(
    found: EventFolders,
) -> None:
    half = found.rows[1].stages[0]
    assert half.recall == 0.5
    assert half.score.value > half.change.value
    assert half.gain.value == pytest.approx(half.score.value - half.change.value)
    assert half.gain.low <= half.gain.value <= half.gain.high


def test_maps_lie_where_the_image_does(found: EventFolders, folder: Path) -> None:
    assert len(found.maps) == 6 * 2
    anomaly = next(path for path in found.maps if "3_landslide" in path)
    with rasterio.open(anomaly) as made:
        names, place, crs = made.descriptions, made.transform, made.crs
        p_value = made.read(3)
        assert made.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    (image,) = folder.glob("3_landslide*/anomaly_????????.tif")
    with rasterio.open(image) as source:
        assert (place, crs) == (source.transform, source.crs)
        assert p_value.shape == source.shape
    assert names == ("change", "novelty", "p_value")
    assert np.nanmin(p_value) > 0
    assert np.nanmax(p_value) <= 1
    with rasterio.open(anomaly.replace("anomaly.tif", "marked.tif")) as made:
        assert made.descriptions[:2] == ("published rule", "calibrated")
        assert set(np.unique(made.read())) <= {0, 1}


def test_maps_of_images_without_a_place(folder: Path, tmp_path: Path) -> None:
    site = tmp_path / "2_bare"
    site.mkdir()
    for path in next(folder.glob("2_*")).iterdir():
        with rasterio.open(path) as file:
            pixels = file.read()
        band, height, width = pixels.shape
        with (
            pytest.warns(rasterio.errors.NotGeoreferencedWarning),
            rasterio.open(
                site / path.name,
                "w",
                driver="GTiff",
                count=band,
                height=height,
                width=width,
                dtype="uint8",
            ) as file,
        ):
            file.write(pixels)
    found = event_folders(tmp_path, maps=tmp_path / "out", quiet=True)
    assert len(found.maps) == 2
    assert found.events == 1


def test_a_page_and_a_record(found: EventFolders, tmp_path: Path) -> None:
    page, record = write(found, tmp_path / "out")
    text = page.read_text()
    assert text.startswith("# ")
    assert "| calibrated * |" in text
    assert "the monitored image is one of the dates" in text
    held = json.loads(record.read_text())
    assert held["events"] == 4
    assert held["rows"][0]["published"]["f1"]["value"] > 0
    assert "NaN" not in record.read_text()
    assert write(found, tmp_path / "one.md") == [tmp_path / "one.md"]
    assert max(map(len, str(found).splitlines())) < 140
    with pytest.raises(ValueError, match=r"expected a page \(\.md\) or a folder"):
        files(Path("page.html"))


def test_the_older_protocol_averages_by_class(folder: Path) -> None:
    found = event_folders(folder, Choices(protocol="published-old"), quiet=True)
    classes = found.rows[0].classes
    assert sorted(classes) == [1, 2, 3, 4, 5, 6]
    assert classes[1].recall == 0  # no such event here
    assert classes[4].recall > 0
    assert "Averages per class" in str(found)


def test_only_controls_still_tell_false_alarms(folder: Path, tmp_path: Path) -> None:
    for site in folder.glob("0_*"):
        shutil.copytree(site, tmp_path / site.name)
    found = event_folders(tmp_path, quiet=True)
    assert found.events == 0
    assert any("recall and precision cannot be told" in note for note in found.notes)
    row = found.rows[1]
    assert row.published is None
    assert row.controls is not None
    assert "False alarms on controls" in str(found)
    json.dumps(found.to_dict(), allow_nan=False)


def test_an_event_without_a_label_is_judged_and_not_measured(
    folder: Path, tmp_path: Path
) -> None:
    site = shutil.copytree(next(folder.glob("2_*")), tmp_path / "2_site")
    next(site.glob("*label*")).unlink()
    found = event_folders(tmp_path, maps=tmp_path / "out", quiet=True)
    assert found.events == found.controls == 0
    assert len(found.maps) == 2
    assert any("no label" in note for note in found.notes)


def test_a_damaged_event_stops_the_run_or_is_named(
    folder: Path, tmp_path: Path
) -> None:
    for name in ("2_*", "3_*"):
        site = next(folder.glob(name))
        shutil.copytree(site, tmp_path / site.name)
    image = next(tmp_path.glob("2_*/normal_*"))
    content = image.read_bytes()
    image.write_bytes(content[: len(content) // 2])
    with pytest.raises(SourceError, match=r"expected a readable raster.*--skip-bad"):
        event_folders(tmp_path, quiet=True)
    found = event_folders(tmp_path, Choices(skip_bad=True), quiet=True)
    assert found.events == 1
    assert any(image.name in note for note in found.notes)


def test_one_image_of_history_has_no_calibration_and_marks_nothing(
    folder: Path,
) -> None:
    found = event_folders(folder, Choices(steps=1), quiet=True)
    by_name = {row.method: row for row in found.rows}
    for name, row in by_name.items():
        assert row.published is not None
        if name.endswith("*"):
            assert row.published.recall.value == 0, name
    # The scores are there all the same: stage 1 is stage 2 then.
    stage = by_name["calibrated *"].stages[0]
    assert stage.score.value == pytest.approx(stage.change.value)


def test_the_future_changes_no_threshold(folder: Path) -> None:
    """Thresholds are those of the history: another monitored image leaves them."""
    (site,) = (each for each in find(folder).events if each.kind == 3)
    event = read(checked(site))
    frames = event.stack.pixels.copy()
    frames[-1] += 0.5
    other = replace(event, stack=replace(event.stack, pixels=frames))
    # Every pixel is off by far more than on any earlier day.
    detector = event_pixels.BASELINES["previous-image difference *"]
    said = event_pixels.baseline(detector, other, alpha=0.05)
    assert said.marked.mean() > 0.9


def test_an_event_all_over_is_not_hidden_by_itself() -> None:
    """However much of the image is anomalous, each region's p-value is the same."""
    random = np.random.default_rng(0)
    past = random.uniform(0, 0.1, (4, 100)).astype(np.float32)
    now = np.full((1, 100), 0.5, np.float32)
    p = event_regions.among_past(np.concatenate([past, now]))
    assert p == pytest.approx(1 / 401)
    now[0, 1:] = 0.01
    assert event_regions.among_past(np.concatenate([past, now]))[0] == p[0]


def test_p_values_are_as_often_small_as_they_say() -> None:
    random = np.random.default_rng(1)
    scores = random.gamma(2, 0.1, (5, 20_000)).astype(np.float32)
    p = event_regions.among_past(scores)
    for alpha in (0.01, 0.05, 0.2):
        assert (p <= alpha).mean() == pytest.approx(alpha, rel=0.15)
    scores[:, 0] = np.nan
    assert np.isnan(event_regions.among_past(scores)[0])
    assert np.isnan(event_regions.among_past(scores[-2:])).all()


def test_a_fitted_model_never_sees_the_monitored_image(folder: Path) -> None:
    (site,) = (each for each in find(folder).events if each.kind == 3)
    event = read(checked(site))
    frames = event.stack.pixels.copy()
    frames[-1] = frames[-1][:, ::-1]
    other = replace(event, stack=replace(event.stack, pixels=frames))
    one, two = (
        event_features.features(each, "mosaiks", region_px=200)
        for each in (event, other)
    )
    assert np.array_equal(one.maps[:-1], two.maps[:-1])
    assert not np.array_equal(one.maps[-1], two.maps[-1])


def test_nothing_is_left_of_what_cannot_be_done(folder: Path) -> None:
    with pytest.raises(UnknownPluginError, match="did you mean mosaiks"):
        event_folders(folder, Choices(model="mosaik"), quiet=True)
    with pytest.raises(ValueError, match="protocol must be one of"):
        Choices(protocol="old")
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1"):
        Choices(alpha=0)
    with pytest.raises(SourceError, match="got none there"):
        event_folders(folder / "nowhere", quiet=True)
    with pytest.raises(WeightsError):
        event_folders(folder, Choices(segments="sam"), quiet=True)


@pytest.mark.slow
def test_masks_of_the_official_network_make_regions(folder: Path) -> None:
    pytest.importorskip("sam2")
    import torch

    from terradrift.embed.sam_masks import How, SamMasks
    from terradrift.embed.vision import library
    from tests.embed.test_dense_sam_masks import CONFIG, SMALL

    library("torchvision")
    torch.manual_seed(0)
    network = library("sam2.build_sam").build_sam2(
        CONFIG, device="cpu", hydra_overrides_extra=SMALL
    )
    how = How(points=2, predicted_iou=-1, stability=0, box_iou=0.9)
    way = event_regions.Way(SamMasks(network.eval(), how), 200.0, "")
    (site,) = (each for each in find(folder).events if each.kind == 3)
    event = read(checked(site))
    found = event_regions.regions(event, way)
    plain = event_regions.regions(event, event_regions.Way.of("superpixels", 200.0))
    for labels in (found.before, found.after, found.both):
        assert labels.shape == event.label.shape
        assert labels.min() == 1
    assert not np.array_equal(found.both, plain.both)
    bare = replace(event, stack=replace(event.stack, bands=("a", "b", "c")))
    with pytest.raises(WeightsError, match="red, green and blue"):
        event_regions.regions(bare, way)
