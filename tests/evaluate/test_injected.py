import numpy as np
import pytest

from terradrift.chip import BANDS
from terradrift.evaluate.injected import objects, psychometric
from terradrift.evaluate.injected.nuisances import NUISANCES
from terradrift.evaluate.injected.study import Plan, limit

WAVELENGTHS = np.array(
    [BANDS[name] for name in ("blue", "green", "red", "nir", "swir16")]
)


def place(
    free: np.ndarray, seed: int = 0, *, materials: bool = True
) -> list[objects.Planted]:
    random = np.random.default_rng(seed)
    return objects.place(free, 5, (0.05, 1.0), random, gap_px=3, materials=materials)


def test_objects_lie_apart_on_clear_ground() -> None:
    free = np.ones((80, 80), bool)
    free[:, :20] = False
    for seed in range(10):
        placed = place(free, seed)
        assert len(placed) == 5
        total = sum(each.mask for each in placed)
        assert total.max() <= 1
        assert total[~free].max() == 0
        assert all(0.05 <= each.amplitude <= 1 for each in placed)
        assert all(0 < each.area_px <= 130 for each in placed)


def test_a_material_replaces_the_share_that_is_asked() -> None:
    image = np.full((5, 30, 30), 0.3, np.float32)
    image[:, 0, 0] = np.nan
    each = place(np.ones((30, 30), bool))[0]
    painted = objects.paint(image, WAVELENGTHS, [each])
    target = objects.material(each.target, WAVELENGTHS)
    share = each.amplitude * each.mask
    expected = image * (1 - share) + target[:, None, None] * share
    np.testing.assert_allclose(painted, expected, rtol=1e-5)
    assert np.isnan(painted[:, 0, 0]).all()


def test_a_direction_has_the_amplitude_in_reflectance() -> None:
    image = np.full((5, 30, 30), 2.0, np.float32)  # so that nothing is cut off at 0
    each = place(np.ones((30, 30), bool), materials=False)[0]
    step = objects.paint(image, WAVELENGTHS, [each]) - image
    inside = each.mask == each.mask.max()
    size = np.sqrt((step[:, inside] ** 2).mean(axis=0)) / each.mask[inside]
    np.testing.assert_allclose(size, each.amplitude, rtol=1e-4)


def test_bands_without_a_wavelength_are_refused() -> None:
    with pytest.raises(ValueError, match=r"between\s+0.4 and 2.4 um, got nan"):
        objects.material("soil", np.array([np.nan]))


@pytest.mark.parametrize("name", NUISANCES)
def test_nuisances_keep_what_is_not_clear(name: str) -> None:
    random = np.random.default_rng(0)
    image = random.uniform(0.05, 0.3, (5, 24, 24)).astype(np.float32)
    image[:, 3, 5:9] = np.nan
    changed = NUISANCES[name](image, WAVELENGTHS, np.random.default_rng(1))
    assert changed.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(changed), np.isnan(image))
    assert not np.allclose(changed, image, atol=1e-3, equal_nan=True)


def test_half_is_found_at_the_planted_amplitude() -> None:
    random = np.random.default_rng(2)
    amplitude = np.exp(random.uniform(np.log(0.01), np.log(1), 1200))
    truth = psychometric.Curve(0.08, 3.0)
    detected = random.random(1200) < truth.chance(amplitude)
    frame = np.arange(1200) % 20
    found = psychometric.fitted(amplitude, detected, frame, repeats=40).threshold()
    assert found.a50.low <= 0.08 <= found.a50.high
    assert found.a90.low <= truth.a90 <= found.a90.high
    assert abs(found.curve.a50 - 0.08) < 0.02


def test_a_gain_is_the_ratio_of_amplitudes() -> None:
    random = np.random.default_rng(3)
    amplitude = np.exp(random.uniform(np.log(0.01), np.log(1), 1200))
    luck = random.random(1200)
    ours = luck < psychometric.Curve(0.05, 4.0).chance(amplitude)
    theirs = luck < psychometric.Curve(0.15, 4.0).chance(amplitude)
    own, other = (
        psychometric.fitted(amplitude, found, np.arange(1200) % 20, repeats=40)
        for found in (ours, theirs)
    )
    found = own.gain(other)
    assert found.low <= 3.0 <= found.high
    assert found.low > 2


def test_what_is_never_found_needs_an_infinite_amplitude() -> None:
    amplitude = np.array([0.1, 0.5, 1.0])
    never = psychometric.fit(amplitude, np.zeros(3, bool))
    assert never.a50 == np.inf
    assert psychometric.fit(amplitude, np.ones(3, bool)).a50 == 0
    own, other = (
        psychometric.fitted(amplitude, np.array(found), np.arange(3), repeats=20)
        for found in ([False, True, True], [False, False, False])
    )
    found = own.gain(other)
    assert found.value == np.inf


def test_a_limit_lets_the_share_pass() -> None:
    random = np.random.default_rng(6)
    scores = [random.random(700), np.append(random.random(800), np.nan)]
    passed = sum(int((part > limit(scores, 0.01)).sum()) for part in scores)
    assert passed <= 15
    assert passed >= 13
    with pytest.raises(
        ValueError, match="at least 10000 scored observations, got 1500"
    ):
        limit(scores, 1e-4)


def test_plans_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="frames must be at least 1"):
        Plan(frames=0)
    with pytest.raises(ValueError, match="the lower first"):
        Plan(amplitudes=(0.5, 0.1))
    with pytest.raises(ValueError, match="false_positives"):
        Plan(false_positives=1)
