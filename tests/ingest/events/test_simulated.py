"""Simulated event folders: what is planted, and what must be the same."""

from pathlib import Path

import numpy as np
import pytest

from terradrift.ingest.events.event import Event
from terradrift.ingest.events.find import find
from terradrift.ingest.events.read import checked, read
from terradrift.ingest.simulate.events import event_folders


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return event_folders(
        tmp_path_factory.mktemp("made"),
        events=6,
        controls=2,
        steps=3,
        size_px=96,
        seed=5,
    )


@pytest.fixture(scope="module")
def events(made: Path) -> dict[str, Event]:
    return {each.name: read(checked(each)) for each in find(made).events}


def test_classes_in_turn_controls_and_an_event_all_over(
    events: dict[str, Event],
) -> None:
    assert sorted(events) == [
        "0_normal_00",
        "0_normal_01",
        "2_collapse_01",
        "3_landslide_02",
        "4_fire_00",
        "4_fire_03",
        "5_dam-break_04",
        "6_other_05",
    ]
    shares = {
        name: (each.label > 1).mean()
        for name, each in events.items()
        if each.label is not None
    }
    assert shares["4_fire_00"] > 0.9
    assert all(
        0.005 < share < 0.3 for name, share in shares.items() if name != "4_fire_00"
    )
    assert events["0_normal_00"].label is None
    assert len({each.stack.pixels.shape[2:] for each in events.values()}) > 1


def test_what_is_labelled_differs_most_from_the_image_before(
    events: dict[str, Event],
) -> None:
    for event in events.values():
        if event.label is None or (event.label > 1).mean() > 0.5:
            continue  # where all has burnt, what is left may have been sown
        off = np.abs(event.stack.pixels[-1] - event.stack.pixels[-2]).mean(axis=0)
        inside = event.label > 1
        assert np.median(off[inside]) > np.median(off[~inside]), event.name


def test_one_image_is_badly_registered(events: dict[str, Event]) -> None:
    """Phase correlation of the second image with the first finds the shift."""
    shifted = {
        name: _shift(each.stack.pixels[1, 1], each.stack.pixels[2, 1])
        for name, each in events.items()
    }
    assert max(map(abs, shifted["2_collapse_01"])) >= 2
    assert max(map(abs, shifted["0_normal_00"])) <= 1


def _shift(one: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    # Edges are the same in any season, brightness is not.
    edges = [np.hypot(*np.gradient(each)) for each in (one, other)]
    spectra = [np.fft.fft2(each - each.mean()) for each in edges]
    cross = spectra[0] * spectra[1].conj()
    found = np.fft.ifft2(cross / np.maximum(np.abs(cross), 1e-9)).real
    at = np.unravel_index(found.argmax(), found.shape)
    return tuple(
        int(place - size if place > size / 2 else place)
        for place, size in zip(at, found.shape, strict=True)
    )


def test_the_same_arguments_give_the_same_bytes(made: Path, tmp_path: Path) -> None:
    again = event_folders(tmp_path, events=3, controls=1, steps=3, size_px=96, seed=5)
    for path in again.rglob("*.tif"):
        assert path.read_bytes() == (made / path.relative_to(again)).read_bytes()
    assert len(list(again.rglob("*.tif"))) == 3 * 5 + 4


def test_a_site_that_is_there_stays_and_a_half_one_is_made_anew(
    tmp_path: Path,
) -> None:
    half = tmp_path / ".4_fire_00.partial"
    half.mkdir()
    (half / "normal_20100101.tif").write_bytes(b"half")
    event_folders(tmp_path, events=1, controls=0, steps=1, size_px=64)
    (site,) = tmp_path.iterdir()
    marker = site / "marker.txt"
    marker.write_text("mine")
    event_folders(tmp_path, events=1, controls=0, steps=1, size_px=64)
    assert marker.exists()
    assert not half.exists()


def test_more_bands_are_reflectance(tmp_path: Path) -> None:
    folder = event_folders(
        tmp_path, events=1, controls=0, steps=1, size_px=64, bands=("B02", "B04", "B08")
    )
    (found,) = find(folder).events
    event = read(checked(found))
    assert event.stack.bands == ("blue", "red", "nir")
    assert 0.01 < event.stack.pixels.mean() < 0.6


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"steps": 0}, "1 step or more"),
        ({"events": 0, "controls": 0}, "and a site"),
        ({"bands": ("B99",)}, "bands must be some of"),
        ({"size_px": 8}, "size_px must be at least 32"),
    ],
)
def test_arguments_out_of_range_are_refused(
    wrong: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said):
        event_folders(tmp_path, **wrong)
