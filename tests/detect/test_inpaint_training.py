"""Training on histories whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from terradrift.detect.inpaint.cube import Cube, scaling
from terradrift.detect.inpaint.sampling import draw, prior_frames, targets
from terradrift.detect.inpaint.settings import Settings
from terradrift.detect.inpaint.training import Training
from terradrift.errors import ArchiveError

SMALL = Settings(
    widths=(8, 8), heads=2, context=4, history=6, crop_px=16, batch=4, average=0.9
)


def seasons(seed: int, frames: int = 40) -> Cube:
    """Fields that green up and fade in a fixed course, others that never change."""
    random = np.random.default_rng(seed)
    days = np.datetime64("2018-01-01") + 9 * np.arange(frames)
    turn = 2 * np.pi * (9 * np.arange(frames) % 365) / 365
    green = np.kron(random.random((4, 4)) > 0.5, np.ones((8, 8)))
    course = 0.15 * (1 - np.cos(turn))[:, None, None] * green
    pixels = np.stack([0.2 - 0.3 * course, 0.25 + course], axis=1)
    pixels += random.normal(0, 0.01, pixels.shape)
    for frame in range(frames):
        top = int(random.integers(24))
        pixels[frame, :, top : top + 8] = np.nan
    return Cube.of(days, pixels.astype(np.float32))


def training(settings: Settings = SMALL, device: str = "cpu") -> Training:
    return Training(
        [seasons(1), seasons(2)],
        ("red", "nir"),
        settings,
        device=torch.device(device),
        gsd=10.0,
    )


def test_untaught_network_is_no_worse_than_the_temporal_median() -> None:
    losses = training().losses()
    assert losses is not None
    assert losses.absolute == pytest.approx(losses.usual, rel=1e-5)
    assert losses.absolute < losses.median


def test_a_few_steps_beat_the_median_on_days_that_were_held_out() -> None:
    taught = training()
    before = taught.losses()
    for _ in range(80):
        taught.step()
    after = taught.losses()
    assert before is not None
    assert after is not None
    assert after.absolute < 0.85 * before.absolute
    assert after.absolute < 0.6 * before.median
    assert after.laplace < before.laplace
    assert after.laplace < after.laplace_median


def test_what_is_kept_is_the_best_on_held_out_days() -> None:
    taught = training(replace(SMALL, rate=3.0, warm=1, average=0.0))
    untaught = taught.measure()
    for _ in range(5):
        taught.step()
    worse = taught.measure()
    assert untaught is not None
    assert worse is not None
    assert worse.laplace > untaught.laplace
    assert taught.losses() == untaught
    assert taught.fitted().state["head.weight"].any() == np.False_


def test_same_seed_gives_the_same_network_and_another_another() -> None:
    first, again, other = (training(replace(SMALL, seed=seed)) for seed in (1, 1, 2))
    for each in (first, again, other):
        for _ in range(2):
            each.step()
    a, b, c = (each.fitted().state for each in (first, again, other))
    for name, array in a.items():
        np.testing.assert_array_equal(array, b[name])
    assert any(not np.array_equal(array, c[name]) for name, array in a.items())


def test_held_out_days_are_never_targets() -> None:
    taught = training()
    assert len(taught.held)
    drawn = {taught.cubes[at].days[index] for at, index in taught._drawn}
    assert not drawn & set(taught.held)
    assert drawn == set(taught.days)


def test_samples_show_the_past_alone() -> None:
    cube = seasons(3)
    for index in targets(cube, None, SMALL):
        order = prior_frames(cube, cube.days[index], SMALL)
        assert (order < index).all()
        assert len(set(order)) == len(order) <= SMALL.history
        assert (np.diff(order[: SMALL.context]) < 0).all()


def test_samples_are_the_same_for_the_same_step() -> None:
    cube = seasons(4)
    pairs = [(0, int(each)) for each in targets(cube, None, SMALL)]
    a, b, c = (draw([cube], pairs, scaling([cube]), SMALL, step) for step in (7, 7, 8))
    assert torch.equal(a.target, b.target)
    assert torch.equal(a.given.frames, b.given.frames)
    assert not torch.equal(a.target, c.target)
    assert (a.given.gap[a.given.valid.amax(dim=(2, 3)) > 0] > 0).all()


def test_windows_smaller_than_a_crop_are_filled_up_with_what_is_not_clear() -> None:
    cube = seasons(5)
    small = Cube.of(cube.days, cube.pixels[:, :, :10, :12])
    pairs = [(0, int(each)) for each in targets(small, None, SMALL)]
    found = draw([small], pairs, scaling([small]), SMALL, 0)
    assert found.target.shape[-2:] == (16, 16)
    assert int(found.clear.sum(dim=(1, 2)).max()) <= 120


def test_too_few_days_are_refused() -> None:
    short = seasons(6, frames=3)
    with pytest.raises(ArchiveError, match="4 days or more"):
        Training([short], ("red", "nir"), SMALL, device=torch.device("cpu"))


@pytest.mark.gpu
def test_gpu_learns_as_the_cpu_does() -> None:
    costs = {}
    for device in ("cpu", "cuda"):
        taught = training(device=device)
        costs[device] = [taught.step() for _ in range(20)]
        assert np.isfinite(taught.fitted().noise.shape).all()
    # bfloat16 has 8 bits; the course of learning is the same, the numbers nearly so.
    np.testing.assert_allclose(costs["cpu"][:5], costs["cuda"][:5], rtol=0.1)
