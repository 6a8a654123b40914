from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.detect.block import Block, Changes, Scores
from terradrift.detect.settings import Settings
from terradrift.series import Series
from tests.detect.worlds import part, planted, run, series

SCORES = [field.name for field in fields(Scores)]


def same(left: Block, right: Block, upto: int | None = None) -> None:
    for name in SCORES:
        a, b = (getattr(block.scores, name)[:, :upto] for block in (left, right))
        if a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4, err_msg=name)
        else:
            np.testing.assert_array_equal(a, b, err_msg=name)


@settings(max_examples=8, deadline=None)
@given(first=st.integers(12, 20), seed=st.integers(0, 99))
def test_a_planted_step_ranks_first_is_reported_and_dated(
    first: int, seed: int
) -> None:
    step_is_first_and_dated(first, seed, Settings())


@settings(max_examples=4, deadline=None)
@given(first=st.sampled_from([8, 9, 10, 11, 21, 22]), seed=st.integers(0, 99))
def test_a_step_near_an_end_ranks_first_and_is_dated_where_all_is_reported(
    first: int, seed: int
) -> None:
    # Beside so few dates, among few patches, the first need not be beyond chance.
    step_is_first_and_dated(first, seed, Settings(max_q_value=1))


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="60 patches make a wide null: the first of them has p = 0.016, over max_p_value",
)
def test_a_step_eight_dates_before_the_end_is_reported() -> None:
    (block,) = run(planted(series(seed=85), 7, 22))
    assert 7 in block.changes.row


def step_is_first_and_dated(first: int, seed: int, rules: Settings) -> None:
    world = planted(series(seed=seed), 7, first)
    (block,) = run(world, settings=rules)
    assert int(np.argmax(block.patches.score)) == 7
    changes = block.changes
    best = int(np.argmax(changes.score))
    assert changes.row[best] == 7
    assert changes.persistence[best] == "persistent"
    seen = np.flatnonzero(np.isfinite(world.clear_percent[7]))
    begin = seen[seen >= first][0]
    before = seen[seen < first][-1]
    assert changes.onset[best] == world.times[7, begin]
    assert changes.date_after[best] == world.times[7, begin]
    assert changes.date_before[best] == world.times[7, before]
    assert changes.gap_days[best] == pytest.approx(12 * (begin - before))
    np.testing.assert_allclose(changes.indices[best], -0.4, atol=1e-6)
    np.testing.assert_allclose(
        changes.delta[best], changes.after[best] - changes.before[best]
    )


def test_what_returns_is_transient_and_ranks_below_what_lasts() -> None:
    world = planted(planted(series(t=40), 7, 20), 14, 16, 24)
    (block,) = run(world)
    at = {int(row): k for k, row in enumerate(block.changes.row)}
    assert block.changes.persistence[at[7]] == "persistent"
    assert block.changes.persistence[at[14]] == "transient"
    assert block.changes.score[at[7]] > block.changes.score[at[14]]
    seen = np.flatnonzero(np.isfinite(world.clear_percent[14]))
    assert block.changes.onset[at[14]] == world.times[14, seen[seen >= 16][0]]


@pytest.mark.parametrize("seed", range(6))
def test_a_quiet_archive_has_few_changes(seed: int) -> None:
    (block,) = run(series(n=200, seed=seed))
    assert len(block.changes) <= 4


def strong_season(seed: int, first: int) -> tuple[Series, Changes]:
    """A step at `first` in patch 7, where covers part as much by season as by kind."""
    world = planted(series(seed=seed, season=1.0), 7, first)
    return world, run(world)[0].changes


STEPS = [(seed, first) for seed in range(4) for first in (8, 12, 15, 18, 22)]


@pytest.mark.parametrize(("seed", "first"), STEPS)
def test_a_planted_step_ranks_first_under_strong_seasons(seed: int, first: int) -> None:
    _, changes = strong_season(seed, first)
    assert changes.row[np.argmax(changes.score)] == 7


def test_every_planted_step_is_dated_under_strong_seasons() -> None:
    for seed, first in STEPS:
        world, changes = strong_season(seed, first)
        seen = np.flatnonzero(np.isfinite(world.clear_percent[7]))
        best = np.argmax(changes.score)
        assert changes.onset[best] == world.times[7, seen[seen >= first][0]]


def test_scores_never_look_into_the_future() -> None:
    # With the pool and the components fixed by the first block, only later dates differ.
    plain = series(n=40, t=24, clear=1.0)
    other = replace(plain, patch_ids=np.char.add(plain.patch_ids, "0"))
    changed = replace(other, vectors=other.vectors.copy())
    random = np.random.default_rng(5)
    changed.vectors[:, 15:] = random.normal(size=changed.vectors[:, 15:].shape)
    pooled = Settings(pool=9, min_controls=8, seed=1)
    chosen = part(plain, np.arange(20))
    world_of = _World(chosen, pooled)
    same(world_of(other), world_of(changed), upto=15)


class _World:
    """Judges blocks by one fixed world."""

    def __init__(self, pool, settings) -> None:
        from terradrift.detect.world import World

        world = World.of(lambda: iter([pool]), settings)
        assert world is not None
        self.judge = world.judge

    def __call__(self, block):
        return self.judge(block)


def test_a_patch_in_the_pool_is_not_its_own_control() -> None:
    plain = series(n=40, t=12, clear=1.0)
    wild = replace(plain, vectors=plain.vectors.copy())
    wild.vectors[3, 10] = -8.0
    (block,) = run(wild)
    assert block.scores.z[3, 10] > 5
    # The largest of 40 patches on this date and the three before it in its season.
    assert block.scores.p_value[3, 10] == pytest.approx(1 / 160)


def test_order_cut_and_threads_do_not_matter() -> None:
    world = planted(series(n=60), 7, 15)
    (whole,) = run(world)
    pieces = [part(world, rows) for rows in np.array_split(np.arange(60), 4)]
    for threads, order in ((1, [0, 1, 2, 3]), (3, [3, 1, 0, 2])):
        blocks = run(*(pieces[k] for k in order), threads=threads)
        by_id = {
            str(patch): (block, row)
            for block in blocks
            for row, patch in enumerate(block.patch_ids)
        }
        for row, patch in enumerate(whole.patch_ids):
            block, at = by_id[str(patch)]
            np.testing.assert_allclose(
                whole.scores.z[row], block.scores.z[at], rtol=2e-3, atol=1e-3
            )
            np.testing.assert_array_equal(
                whole.scores.reason[row], block.scores.reason[at]
            )
        scores = {
            str(block.patch_ids[row]): float(score)
            for block in blocks
            for row, score in zip(block.changes.row, block.changes.score, strict=True)
        }
        expected = {
            str(whole.patch_ids[row]): pytest.approx(float(score), rel=1e-3)
            for row, score in zip(whole.changes.row, whole.changes.score, strict=True)
        }
        assert scores == expected


def test_running_twice_gives_the_same() -> None:
    world = planted(series(), 7, 15)
    (first,), (second,) = run(world), run(world, threads=4)
    for name in SCORES:
        np.testing.assert_array_equal(
            getattr(first.scores, name), getattr(second.scores, name)
        )
    np.testing.assert_array_equal(first.changes.score, second.changes.score)


def test_a_shift_of_the_whole_scene_is_no_change() -> None:
    plain = series(seed=2)
    hazy = replace(plain, vectors=plain.vectors.copy())
    haze = np.random.default_rng(8).normal(size=plain.vectors.shape[2])
    seen = np.isfinite(plain.clear_percent)[:, 18:]
    hazy.vectors[:, 18:][seen] += haze.astype(np.float16)
    assert len(run(hazy)[0].changes) <= 2


def test_two_dates_give_drift_but_nothing_that_needs_calibration() -> None:
    (block,) = run(series(n=5, t=2, clear=1.0))
    scores = block.scores
    assert np.isfinite(scores.drift[:, 1]).all()
    assert np.isnan(scores.drift[:, 0]).all()
    assert np.isnan(scores.z).all()
    assert (scores.n_reference[:, 1] == 1).all()
    assert (scores.reference[:, 1] == "recent").all()
    assert (scores.reason[:, 0] == "no earlier observation").all()
    assert (scores.reason[:, 1] == "history too short").all()
    assert len(block.changes) == 0


def test_one_date_abstains() -> None:
    (block,) = run(series(n=20, t=1, clear=1.0))
    assert np.isnan(block.scores.drift).all()
    assert (block.scores.reason == "no earlier observation").all()
    assert len(block.changes) == 0


def test_an_archive_under_cloud_abstains_and_says_so() -> None:
    plain = series(n=20)
    cloudy = replace(plain, clear_percent=np.minimum(plain.clear_percent, 40))
    (block,) = run(cloudy)
    seen = np.isfinite(plain.clear_percent)
    assert np.isnan(block.scores.z).all()
    assert (block.scores.reason[seen] == "not clear enough").all()
    assert (block.scores.reason[~seen] == "").all()
    assert len(block.changes) == 0
    assert block.changes.before.shape == (0, plain.vectors.shape[2])


def test_one_cloudy_date_is_named_and_not_used() -> None:
    plain = series(n=40, clear=1.0)
    percent = plain.clear_percent.copy()
    percent[5, 20] = 30
    wild = replace(plain, clear_percent=percent, vectors=plain.vectors.copy())
    wild.vectors[5, 20] = -50
    (block,) = run(wild)
    assert block.scores.reason[5, 20] == "not clear enough"
    assert np.isnan(block.scores.drift[5, 20])
    assert 5 not in block.changes.row


def test_every_null_score_has_a_reason_and_no_other_row_has_one() -> None:
    world = series(n=30, t=20, clear=0.6)
    (block,) = run(world)
    seen = np.isfinite(world.clear_percent)
    scores = block.scores
    given_ = np.isfinite([scores.drift, scores.z, scores.p_value]).all(axis=0)
    assert given_.any()
    assert (scores.reason[given_] == "").all()
    assert (scores.reason[seen & ~given_] != "").all()


def test_a_z_that_too_few_patches_can_rank_has_no_p_value_and_says_so() -> None:
    (block,) = run(series(n=16, t=24, clear=0.6))
    scores = block.scores
    unranked = np.isfinite(scores.z) & np.isnan(scores.p_value)
    assert unranked.any()
    assert set(scores.reason[unranked]) == {"too few patches to rank among"}
    assert (scores.n_controls[unranked] > 0).all()
    # Beside the own past, there is a rank among it.
    alone = np.isfinite(scores.z) & (scores.n_controls == 0)
    assert np.isfinite(scores.p_value[alone]).all()
    assert alone.any()


def test_progress_counts_every_patch() -> None:
    from terradrift.detect.run import detect

    done: list[int] = []
    whole = series(n=42)
    blocks = [part(whole, np.arange(12)), part(whole, np.arange(12, 42))]
    list(detect(lambda: iter(blocks), Settings(), threads=2, advance=done.append))
    assert done == [12, 30]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"variant": "mean"}, "variant must be one of centroid, medoid, nearest"),
        ({"controls": 0}, "controls must be at least 1, got 0"),
        ({"guard_days": -1}, "guard_days must not be negative, got -1"),
        ({"min_clear": 101.0}, "min_clear must be a percentage 0..100, got 101"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**wrong)


def test_two_dates_tell_the_changed_from_a_season_that_moves_covers_apart() -> None:
    plain = series(n=200, t=2, clear=1.0, every=60)
    burnt = np.arange(0, 200, 5)
    random = np.random.default_rng(4)
    changed = replace(plain, vectors=plain.vectors.copy())
    season = random.normal(size=(4, plain.vectors.shape[2]))
    changed.vectors[:, 1] += season[np.arange(200) % 4].astype(np.float16)
    changed.vectors[burnt, 1] += random.normal(size=plain.vectors.shape[2]).astype(
        np.float16
    )
    drift = run(changed)[0].scores.drift[:, 1]
    others = np.setdiff1d(np.arange(200), burnt)
    assert drift[burnt].min() > drift[others].max()


def test_a_block_in_which_nothing_is_clear_is_scored_with_reasons_beside_others() -> (
    None
):
    world = series()
    dark = replace(
        part(world, np.arange(5)),
        clear_percent=np.where(
            np.isfinite(part(world, np.arange(5)).clear_percent), np.float32(3), np.nan
        ),
    )
    rest = part(world, np.arange(5, len(world)))
    cloudy, clear = run(dark, rest)
    seen = np.isfinite(dark.clear_percent)
    assert np.isnan(cloudy.scores.drift).all()
    assert set(cloudy.scores.reason[seen]) == {"not clear enough"}
    assert len(cloudy.changes) == 0
    (alone,) = run(rest)
    same(clear, alone)
