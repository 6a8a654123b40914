"""Season-matched novelty: references, calibration, what is the scene's, what lasts."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from terradrift.detect import charts, gram, reference
from terradrift.detect.drift import unit
from terradrift.detect.seasonal import judge, pool, temporal
from terradrift.detect.seasonal.judge import Judged, Patches
from terradrift.detect.seasonal.past import Past
from terradrift.detect.seasonal.settings import Settings
from terradrift.threads import single_blas

N, T, D = 48, 84, 12
QUICK = Settings(min_past=50)


def world(seed: int = 0, *, clear: float = 0.8, noise: float = 0.1) -> Patches:
    """Four covers with seasons over three years, one scene per date."""
    random = np.random.default_rng(seed)
    days = np.datetime64("2018-01-03", "D") + np.arange(T) * 12
    phase = 2 * np.pi * np.arange(T) * 12 / 365.25
    base, swing = random.normal(size=(2, 4, D))
    cover = np.arange(N) % 4
    vectors = (
        base[cover][:, None] + 0.3 * np.sin(phase)[:, None] * swing[cover][:, None]
    )
    vectors = vectors + noise * random.normal(size=(N, T, D))
    seen = random.random((N, T)) < clear
    scene = np.broadcast_to(np.arange(T), (N, T))
    return Patches(days, vectors.astype(np.float32), seen, scene)


def judged(patches: Patches, settings: Settings = QUICK) -> Judged:
    return judge.judge(patches, judge.learn(patches, settings), settings)


def with_vectors(patches: Patches, vectors: NDArray[np.floating]) -> Patches:
    return replace(patches, vectors=vectors.astype(np.float32))


def test_the_reference_is_this_season_of_earlier_years() -> None:
    days = np.datetime64("2020-01-01", "D") + np.arange(0, 900, 10)
    clear = np.ones((1, len(days)), bool)
    at = 75  # 750 days on
    chosen, kind = reference.members(
        days,
        clear,
        at,
        window_days=30,
        guard_days=15,
        least=3,
        most=12,
        earlier_years=True,
    )
    chosen = chosen[:, chosen[0] >= 0]
    apart = (days[at] - days[chosen[0]]).astype(int)
    assert len(apart) == 11
    assert kind[0] == reference.SEASON
    assert (apart > 300).all()
    assert (reference.season_distance(days[chosen[0]], days[at]) <= 30).all()
    # The season's own weeks count where they are not kept out.
    near, _ = reference.members(
        days, clear, at, window_days=30, guard_days=15, least=3, most=12
    )
    assert (days[at] - days[near[0, 0]]).astype(int) == 20


def test_without_earlier_years_the_last_clear_dates_are_the_reference() -> None:
    patches = world()
    found = judged(patches)
    early = patches.clear & (np.arange(T) < 20)
    assert not found.season[early].any()
    assert found.count[early].max() == QUICK.max_reference
    late = patches.clear & (np.arange(T) > 60)
    assert found.season[late].mean() > 0.95


@pytest.mark.parametrize("measure", ["nearest", "centroid"])
def test_scores_equal_the_plain_formula(measure: str) -> None:
    """One patch at a time, by loops, as METHODS 4.4 writes it."""
    patches = world(1)
    settings = replace(QUICK, measure=measure)
    rows = np.flatnonzero(patches.clear[:, 70])[:6]
    cosines = gram.cosines(patches.vectors, patches.clear)
    found = temporal.judge(
        cosines, patches.days, patches.clear, rows, 70, settings=settings
    )
    turned = unit(patches.vectors).astype(np.float64)
    for place, row in enumerate(rows):
        gap = (patches.days[70] - patches.days).astype(int)
        apart = reference.season_distance(patches.days, patches.days[70])
        season = np.flatnonzero(patches.clear[row] & (gap > 183) & (apart <= 45))[-12:]

        def score(one: int, past: list[int], row: int = row) -> float:
            if measure == "nearest":
                return 1 - max(turned[row, one] @ turned[row, each] for each in past)
            middle = turned[row, past].sum(axis=0)
            return 1 - turned[row, one] @ middle / np.linalg.norm(middle)

        assert found.count[place] == len(season)
        assert (found.first[place], found.last[place]) == (season[0], season[-1])
        assert np.isclose(found.score[place], score(70, list(season)), atol=2e-6)
        for number, member in enumerate(season[::-1]):
            others = [each for each in season if abs(gap[each] - gap[member]) >= 15]
            expected = score(member, others)
            assert np.isclose(found.left_out[place, number], expected, atol=2e-6)


def test_what_the_whole_scene_went_through_is_taken_off_and_what_one_patch_did_is_not() -> (
    None
):
    patches = world(2)
    patches = replace(patches, clear=patches.clear | (np.arange(T) == 80))
    plain = judged(patches)
    haze = np.random.default_rng(5).normal(size=D)
    whole, local = patches.vectors.copy(), patches.vectors.copy()
    whole[:, 80] += haze
    local[7, 80] += 2 * haze
    hazy, changed = (
        judged(with_vectors(patches, vectors)) for vectors in (whole, local)
    )
    # Every patch is far from its past in the haze, none from its scene.
    assert np.median(hazy.z[:, 80]) > np.median(plain.z[:, 80]) + 5
    assert abs(np.median(hazy.spatial[:, 80])) < 1e-5
    assert (hazy.p_value[:, 80] <= 0.05).mean() < 0.2
    assert changed.spatial[7, 80] > 10
    assert changed.p_value[7, 80] == np.nanmin(changed.p_value)
    others = np.arange(N) != 7
    assert np.allclose(changed.spatial[others, 80], plain.spatial[others, 80], atol=0.3)


def test_patchy_snow_is_scaled_down_to_how_far_scenes_scatter() -> None:
    patches = world(3)
    vectors = patches.vectors.copy()
    depth = np.random.default_rng(1).random(N)[:, None]
    vectors[:, 80] += depth * np.random.default_rng(5).normal(size=D)
    snowy = with_vectors(patches, vectors)
    share = {}
    for scale in (True, False):
        settings = replace(QUICK, scale=scale, measure="nearest")
        share[scale] = (judged(snowy, settings).p_value[:, 80] <= 0.05).mean()
    assert share[False] > 0.3
    assert share[True] < 0.15


def test_one_bad_scene_is_not_persistent_and_a_lasting_change_is() -> None:
    patches = world(4)
    cloudy, changed = patches.vectors.copy(), patches.vectors.copy()
    white = 5 * np.ones(D)
    patches.clear[:8, 50] = patches.clear[:8, 70] = True
    cloudy[:8, 50] = cloudy[:8, 70] = white  # two clouds that the mask missed
    changed[:8, 60:] = -changed[:8, 60:]
    by_cloud = judged(with_vectors(patches, cloudy))
    by_change = judged(with_vectors(patches, changed))
    assert (by_cloud.spatial[:8, 50] > 10).all()
    assert not by_cloud.persistent(QUICK)[:8].any()
    told = charts.first_alarm(by_change.cusum[:8], QUICK.limit)
    assert (told >= 60).all()
    assert (patches.clear[:8].cumsum(axis=1)[np.arange(8), told] > 0).all()
    seen = [patches.clear[row, 60 : told[row] + 1].sum() for row in range(8)]
    assert max(seen) <= 4


def test_unseen_dates_carry_persistence_on() -> None:
    patches = world(4)
    vectors = patches.vectors.copy()
    vectors[:8, 60:] = -vectors[:8, 60:]
    patches.clear[:8, 60:66] = True
    patches.clear[:8, 66:70] = False
    found = judged(with_vectors(patches, vectors))
    assert np.isnan(found.cusum[:8, 66:70]).all()
    before = found.cusum[:8, 65]
    after = found.cusum[:8, 70]
    seen = np.isfinite(after)
    assert (after[seen] > before[seen]).all()


def test_p_values_are_uniform_where_nothing_changed() -> None:
    parts = [judged(world(seed, noise=0.3)) for seed in range(3)]
    late = np.concatenate([part.p_value[:, 40:].ravel() for part in parts])
    late = late[np.isfinite(late)]
    for level in (0.05, 0.2, 0.5):
        assert abs((late <= level).mean() - level) < 0.25 * level


def test_ranks_are_among_earlier_scores_of_the_cluster() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=(30, 12)).astype(np.float32)
    scores[random.random(scores.shape) < 0.2] = np.nan
    labels = np.arange(30) % 3
    past = Past(3, least=20)
    for until in (0, 3, 4, 12):
        past.go(scores, labels, until)
    asked = np.array([0.1, 2.5, np.nan, -9], np.float32)
    mine = np.array([0, 1, 2, 2])
    for value, label, p in zip(asked, mine, past.p_value(asked, mine), strict=True):
        among = scores[labels == label]
        among = among[np.isfinite(among)]
        expected = (1 + (among >= value).sum()) / (1 + len(among))
        assert np.isnan(p) if np.isnan(value) else np.isclose(p, expected)
    # Too few of the own cluster: all are asked; too few of all: no answer.
    few = Past(3, least=150)
    few.go(scores, labels, 12)
    everyone = scores[np.isfinite(scores)]
    assert np.isclose(
        few.p_value(asked[:1], mine[:1])[0],
        (1 + (everyone >= asked[0]).sum()) / (1 + len(everyone)),
    )
    none = Past(3, least=10_000)
    none.go(scores, labels, 12)
    assert np.isnan(none.p_value(asked, mine)).all()


def test_few_references_are_calibrated_by_the_cluster() -> None:
    patches = world(6)
    patches.clear[0] = False
    patches.clear[0, [40, 44, 48, 52]] = True  # few dates of one patch
    found = judged(patches)
    assert np.isfinite(found.z[0, [44, 48, 52]]).all()
    assert found.count[0, 52] < QUICK.min_reference
    alone = replace(
        patches,
        **{name: getattr(patches, name)[:1] for name in ("vectors", "clear", "scene")},
    )
    single = judged(alone)
    assert np.isnan(single.z).all()
    reasons = single.reasons(alone.clear)
    assert reasons[0, 40] == "no earlier observation"
    assert reasons[0, 44] == "too few left-out scores"
    assert reasons[0, 0] == "not clear enough"


def test_scenes_of_one_day_have_medians_of_their_own() -> None:
    patches = world(7)
    scene = np.where(np.arange(N)[:, None] < N // 2, np.arange(T), T + np.arange(T))
    vectors = patches.vectors.copy()
    vectors[: N // 2, 80] += np.random.default_rng(5).normal(size=D)
    split = replace(with_vectors(patches, vectors), scene=scene)
    found = judged(split)
    for half in (slice(0, N // 2), slice(N // 2, N)):
        assert abs(np.nanmedian(found.spatial[half, 80])) < 1e-5
    unknown = judged(replace(patches, scene=np.full((N, T), -1)))
    assert np.isnan(unknown.spatial).all()
    assert "too few patches in the scene" in unknown.reasons(patches.clear)


def test_a_scene_that_no_patch_of_the_pool_saw_says_so() -> None:
    patches = world(7)
    scenes = judge.learn(patches, QUICK)
    other = patches.scene.copy()
    other[:, 80] = 500
    found = judge.judge(replace(patches, scene=other), scenes, QUICK)
    seen = patches.clear[:, 80]
    assert np.isfinite(found.z[seen, 80]).all()
    assert np.isnan(found.spatial[:, 80]).all()
    assert np.isfinite(found.spatial[patches.clear[:, 79], 79]).all()


def test_the_pool_does_not_depend_on_how_blocks_are_cut() -> None:
    patches = world(8)
    ids = np.array([f"32631_40m_{k % 8}_{k // 8}" for k in range(N)])

    def part(rows: NDArray[np.int64]) -> tuple[NDArray[np.str_], Patches]:
        names = ("vectors", "clear", "scene")
        some = {name: getattr(patches, name)[rows] for name in names}
        return ids[rows], replace(patches, **some)

    settings = replace(QUICK, pool=20)
    one = pool.gather([part(np.arange(N))], settings)
    order = np.random.default_rng(0).permutation(N)
    several = pool.gather([part(rows) for rows in np.array_split(order, 5)], settings)
    assert one is not None
    assert several is not None
    assert len(one.clear) == 20
    for name in ("days", "vectors", "clear", "scene"):
        np.testing.assert_array_equal(getattr(one, name), getattr(several, name))
    small = pool.gather([part(np.arange(N))], replace(settings, pool_bytes=1))
    assert small is not None
    assert len(small.clear) == settings.min_scene
    dark = replace(patches, clear=np.zeros_like(patches.clear))
    assert pool.gather([(ids, dark)], settings) is None


def test_blocks_are_judged_as_all_together_bit_for_bit() -> None:
    patches = world(9)
    with single_blas():
        scenes = judge.learn(patches, QUICK)
        whole = judge.judge(patches, scenes, QUICK)
        names = ("vectors", "clear", "scene")
        for rows in (slice(0, 5), slice(5, N)):
            some = {name: getattr(patches, name)[rows] for name in names}
            part = judge.judge(replace(patches, **some), scenes, QUICK)
            for name in ("score", "z", "spatial", "p_value", "cusum"):
                np.testing.assert_array_equal(
                    getattr(part, name), getattr(whole, name)[rows]
                )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"measure": "mean"}, "measure must be centroid or nearest"),
        ({"evidence": "z"}, "evidence must be rank or score"),
        ({"max_cloud": 20}, "max_cloud must be 0 to 1"),
        ({"min_season": 1}, "min_season must be at least 2"),
        ({"pool": 0}, "pool must be at least 1"),
        ({"guard_days": -1}, "guard_days must be at least 0"),
        ({"loudest": 6.0}, "no single date"),
    ],
)
def test_settings_out_of_range_are_named(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(**given)
