from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from terradrift.detect.monitor import day, learn
from terradrift.detect.monitor.beside import Past
from terradrift.detect.monitor.chart import State
from terradrift.detect.monitor.fixed import histories
from terradrift.detect.monitor.reference import (
    Reference,
    TooLittlePastError,
    fit,
    usable,
)
from terradrift.detect.monitor.replay import Scene, Track, replay, step
from terradrift.detect.monitor.rules import Rules
from terradrift.series import Series
from tests.detect.worlds import series

START = np.datetime64("2018-12-01")
KM2 = 0.0016


def cut(whole: Series, rows: NDArray[np.int64]) -> Series:
    """Some patches, over the days on which one of them was seen."""
    seen = ~np.isnat(whole.times[rows]).all(axis=0)
    return Series(
        whole.patch_ids[rows],
        whole.cells[rows],
        whole.days[seen],
        whole.times[rows][:, seen],
        whole.vectors[rows][:, seen],
        whole.clear_percent[rows][:, seen],
        whole.indices[rows][:, seen],
    )


def world(n: int = 90, t: int = 60, **how: float) -> Series:
    """Simulated patches, sorted by id as the store gives them."""
    whole = series(n=n, t=t, **{"seed": 3, **how})  # type: ignore[arg-type]  # the seed is whole
    return cut(whole, np.argsort(whole.patch_ids))


def planted(
    whole: Series, rows: NDArray[np.int64], first: int, last: int, size: float = 3.0
) -> Series:
    """The series with a step between the days of number `first` and `last`."""
    vectors = whole.vectors.copy()
    shift = size * np.random.default_rng(9).normal(size=vectors.shape[2])
    vectors[rows, first:last] += shift.astype(np.float16)
    return replace(whole, vectors=vectors)


def fitted(whole: Series, rules: Rules | None = None) -> Reference:
    return fit(lambda: iter([whole]), START, rules or Rules(), KM2)


@pytest.fixture(scope="module")
def whole() -> Series:
    return world()


@pytest.fixture(scope="module")
def reference(whole: Series) -> Reference:
    return fitted(whole)


def learning(whole: Series) -> Past:
    """The series before the start, as what is learned from."""
    before = whole.days < START
    return Past(
        whole.vectors[:, before].astype(np.float32), usable(whole, Rules())[:, before]
    )


def one(whole: Series, reference: Reference) -> Track:
    (track,) = replay(lambda: iter([whole]), reference)
    return track


def test_blocks_may_come_in_any_order_and_be_cut_anywhere(
    whole: Series, reference: Reference
) -> None:
    rows = np.random.default_rng(0).permutation(90)
    parts = [cut(whole, np.sort(part)) for part in np.split(rows, [1, 8, 40])]

    def blocks() -> Iterator[Series]:
        return iter(parts)

    again = fit(blocks, START, Rules(), KM2)
    for field in ("patch_ids", "own", "whiten", "last", "threshold"):
        np.testing.assert_array_equal(getattr(again, field), getattr(reference, field))
    for field in ("bias", "scale"):
        np.testing.assert_array_equal(
            getattr(again.learned, field), getattr(reference.learned, field)
        )
    np.testing.assert_array_equal(
        again.learned.chosen.index, reference.learned.chosen.index
    )
    expected = one(whole, reference)
    for part, track in zip(parts, replay(blocks, again), strict=True):
        at = np.searchsorted(whole.patch_ids, part.patch_ids)
        assert np.array_equal(whole.patch_ids[at], part.patch_ids)
        columns = np.searchsorted(expected.days, track.days)
        for field in ("level", "z", "p_value", "average", "since"):
            np.testing.assert_array_equal(
                getattr(track, field), getattr(expected, field)[at][:, columns]
            )


def test_day_by_day_equals_the_whole_at_once(
    whole: Series, reference: Reference
) -> None:
    track = one(whole, reference)
    state = State.empty(reference.last, reference.basis.axes.shape[1])
    alerts = 0
    for at in np.flatnonzero(whole.days >= START)[::1]:
        rows = np.flatnonzero(usable(whole, Rules())[:, at])
        vectors = histories(
            reference.basis,
            whole.vectors[rows, at : at + 1],
            np.ones((len(rows), 1), bool),
        )[:, 0]
        pool = np.zeros((len(reference.pool), vectors.shape[1]), np.float32)
        clear = np.zeros(len(pool), bool)
        own = reference.own[rows]
        pool[own[own >= 0]], clear[own[own >= 0]] = vectors[own >= 0], True
        done = step(
            reference,
            state,
            Scene.of(reference, pool, clear),
            rows,
            vectors=vectors,
            clear=np.ones(len(rows), bool),
            instants=whole.times[rows, at],
        )
        alerts += len(done.alerts.row)
        column = np.searchsorted(track.days, whole.days[at])
        told = rows[done.judged.reason == day.JUDGED]
        np.testing.assert_array_equal(state.level[told], track.level[told, column])
        np.testing.assert_array_equal(state.average[told], track.average[told, column])
        np.testing.assert_array_equal(done.judged.z, track.z[rows, column])
    assert alerts == sum(len(done.alerts.row) for done in track.steps)


def test_levels_are_those_of_plain_loops(whole: Series) -> None:
    changed = planted(whole, np.arange(3), 40, 60)
    reference = fitted(changed)
    track = one(changed, reference)
    rows = (0, 1, 50)
    for row, levels in zip(rows, plain(changed, reference, rows), strict=True):
        np.testing.assert_allclose(track.level[row], levels, rtol=2e-3, atol=2e-3)


def plain(
    whole: Series, reference: Reference, rows: tuple[int, ...]
) -> list[list[float]]:
    """The levels of patches, one number at a time, from the method's description."""
    rules = reference.rules
    out: list[list[float]] = [[] for _ in rows]
    totals = [np.zeros(reference.whiten.shape[0]) for _ in rows]
    clear = usable(whole, rules)
    pool = reference.pool

    def residual(patch: int, at: int) -> NDArray[np.float64] | None:
        def reduced(other: int) -> NDArray[np.float64]:
            basis = reference.basis
            wide = whole.vectors[other, at].astype(np.float64)
            return (
                np.tanh((wide - basis.center) / basis.scale) - basis.mean
            ) @ basis.axes

        chosen = reference.learned.chosen
        near = [
            (place, float(apart))
            for place, apart in zip(
                chosen.index[patch], chosen.distance[patch], strict=True
            )
            if place >= 0 and clear[pool[place], at]
        ][: max(8, len(pool) // 6)]
        if len(near) < 8:
            return None
        seen = np.array([reduced(pool[place]) for place, _ in near])
        apart = np.array([one for _, one in near])
        weight = np.exp(-4 * apart / np.median(apart))
        middle = np.average(seen, axis=0, weights=weight)
        for _ in range(5):
            away = np.linalg.norm(seen - middle, axis=1)
            middle = np.average(
                seen, axis=0, weights=weight / np.maximum(away, 0.01 * np.median(away))
            )
        learned = reference.learned
        gap = (reduced(patch) - middle - learned.bias[patch]) / learned.scale[patch]
        return gap @ reference.whiten

    for at in np.flatnonzero(whole.days >= reference.start):
        every = [residual(one, at) for one in pool if clear[one, at]]
        middle = np.median([np.linalg.norm(one) for one in every if one is not None])
        for place, row in enumerate(rows):
            found = residual(row, at) if clear[row, at] else None
            if found is None:
                out[place].append(np.nan)
                continue
            found = found / middle
            found *= min(1.0, rules.temper / np.linalg.norm(found))
            total = totals[place] + found
            length = np.linalg.norm(total)
            level = min(max(length - rules.slack, 0.0), 2 * reference.threshold)
            totals[place] = total * level / length
            out[place].append(level)
    return out


def test_what_comes_later_changes_nothing_before(
    whole: Series, reference: Reference
) -> None:
    later = planted(whole, np.arange(45), 45, 60)
    other = fitted(later)
    np.testing.assert_array_equal(other.learned.bias, reference.learned.bias)
    assert other.threshold == reference.threshold
    before = int(np.searchsorted(one(whole, reference).days, whole.days[45]))
    for field in ("level", "z", "p_value"):
        np.testing.assert_array_equal(
            getattr(one(later, other), field)[:, :before],
            getattr(one(whole, reference), field)[:, :before],
        )


def test_a_vector_that_is_not_finite_is_not_judged(whole: Series) -> None:
    vectors, unclear = whole.vectors.copy(), whole.clear_percent.copy()
    vectors[5, 20], vectors[5, 40], vectors[7, 41, 2] = np.nan, np.inf, np.nan
    unclear[5, [20, 40]] = unclear[7, 41] = 0.0
    broken, clouded = (
        replace(whole, vectors=vectors),
        replace(whole, clear_percent=unclear),
    )
    tracks = [one(some, fitted(some)) for some in (broken, clouded)]
    np.testing.assert_array_equal(tracks[0].level, tracks[1].level)
    assert np.isfinite(tracks[0].level[5]).any()


def test_a_step_is_raised_once_and_ends_when_it_goes_back(whole: Series) -> None:
    rows = np.arange(4)
    changed = planted(whole, rows, 36, 48)
    reference = fitted(changed)
    began, back = whole.days[36], whole.days[48]
    raised: dict[int, np.datetime64] = {}
    ended: dict[int, np.datetime64] = {}
    track = one(changed, reference)
    for done in track.steps:
        alerts = done.alerts
        for at, row in enumerate(alerts.row.tolist()):
            assert row not in raised
            raised[row] = alerts.detected[at]
            if row < 4:
                assert alerts.onset_early[at] < began.astype("datetime64[us]")
                assert alerts.onset[at] <= alerts.detected[at]
                assert alerts.dates[at] >= 2
                assert alerts.false_alarms[at] <= 1000.0 * (1 + 1e-6)
                assert row not in alerts.controls[at]
        ended |= dict.fromkeys(done.ended.tolist(), done.alerts.detected)
    assert set(raised) >= set(rows.tolist())
    assert all(raised[row] >= began and raised[row] < back for row in rows)
    assert set(ended) >= set(rows.tolist())


def test_unchanged_ground_raises_as_few_alerts_as_asked() -> None:
    asked = 0.2 / KM2 * 1000  # a fifth of an alert per patch and year
    raised, years = 0, 0.0
    for seed in range(4):
        whole = world(150, 70, seed=seed, clear=0.9, season=0.0)
        reference = fit(
            lambda whole=whole: iter([whole]), START, Rules(max_false_alarms=asked), KM2
        )
        track = one(whole, reference)
        raised += sum(len(done.alerts.row) for done in track.steps)
        years += 150 * float(np.ptp(track.days) / np.timedelta64(1, "D")) / 365.25
    assert 0.05 <= raised / years <= 0.4


def test_p_values_of_unchanged_ground_are_even(
    whole: Series, reference: Reference
) -> None:
    p_value = one(whole, reference).p_value
    known = p_value[np.isfinite(p_value)]
    for alpha in (0.05, 0.1, 0.5):
        assert abs((known <= alpha).mean() - alpha) < 0.03


def test_reasons_say_why_nothing_is_judged(whole: Series) -> None:
    unclear = whole.clear_percent.copy()
    unclear[0, :45] = np.where(np.isnan(unclear[0, :45]), np.nan, 10.0)
    some = replace(whole, clear_percent=unclear)
    reference = fitted(some)
    last = int(np.flatnonzero(usable(whole, Rules())[0])[-1])
    rows = np.arange(90)
    vectors = np.zeros((90, reference.basis.axes.shape[1]), np.float32)

    def reasons(clear: NDArray[np.bool_], pool: NDArray[np.bool_]) -> list[str]:
        done = step(
            reference,
            State.empty(reference.last, vectors.shape[1]),
            Scene.of(reference, vectors[reference.pool], pool),
            rows,
            vectors=vectors,
            clear=clear,
            instants=whole.times[:, last],
        )
        return [day.REASONS[code] for code in done.judged.reason]

    everyone = np.ones(len(reference.pool), bool)
    assert (
        reasons(np.ones(90, bool), everyone)[0]
        == "too few clear dates before the start"
    )
    assert set(reasons(np.zeros(90, bool), everyone)) == {"not clear enough"}
    assert "too few analogues are clear" in reasons(np.ones(90, bool), ~everyone)


def test_too_little_past_is_refused(whole: Series) -> None:
    with pytest.raises(ValueError, match="clear dates before"):
        fit(lambda: iter([whole]), whole.days[6], Rules(min_dates=4), KM2)
    with pytest.raises(ValueError, match="got none; start later"):
        fit(lambda: iter([whole]), whole.days[0], Rules(), KM2)


@pytest.mark.parametrize("patches", [9, 14, 23])
def test_too_little_ground_is_refused(whole: Series, patches: int) -> None:
    few = cut(whole, np.arange(patches))
    words = rf"at least 24 patches .* got {patches}; watch more ground"
    with pytest.raises(TooLittlePastError, match=words):
        fitted(few)


def test_a_threshold_takes_twenty_excursions() -> None:
    few = world(24, 60)
    words = r"at least 20 excursions .*, got \d+ among 24 patches on 8 days before 2018"
    with pytest.raises(TooLittlePastError, match=words):
        fit(lambda: iter([few]), few.days[8], Rules(), KM2)
    assert len(fit(lambda: iter([few]), few.days[14], Rules(), KM2).tail.peaks) >= 20


def test_dates_are_counted_in_each_half(whole: Series) -> None:
    unclear = whole.clear_percent.copy()
    unclear[6:, :3] = np.where(np.isnan(unclear[6:, :3]), np.nan, 10.0)
    with pytest.raises(
        TooLittlePastError, match=r"4 clear dates .* each half .* got 3;"
    ):
        fit(
            lambda: iter([replace(whole, clear_percent=unclear)]),
            whole.days[9],
            Rules(),
            KM2,
        )


def test_no_date_of_the_placebo_charts_taught_what_judges_it(whole: Series) -> None:
    past = learning(whole)
    every = np.arange(past.clear.shape[1])
    crosswise = learn.crossed(past, Rules())
    judged = np.concatenate([dates for dates, _ in crosswise])
    np.testing.assert_array_equal(np.sort(judged), every)
    for half, (dates, learned) in enumerate(crosswise):
        noise = np.random.default_rng(half).normal(size=past.vectors.shape)
        noise[:, np.setdiff1d(every, dates)] = 0.0
        other = Past(past.vectors + noise.astype(np.float32), past.clear)
        again = learn.crossed(other, Rules())[half][1]
        np.testing.assert_array_equal(again.bias, learned.bias)
        np.testing.assert_array_equal(again.scale, learned.scale)
        np.testing.assert_array_equal(again.chosen.index, learned.chosen.index)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_false_alarms": 0.0}, "max_false_alarms must be above 0"),
        ({"controls": 0}, "controls must be at least 1"),
        ({"min_clear": 120.0}, "percentage"),
        ({"smoothing": 0.0}, "smoothing"),
        ({"shrinkage": -1.0}, "shrinkage"),
    ],
)
def test_rules_out_of_range_are_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rules(**wrong)  # type: ignore[arg-type]  # one of them is a count


def test_state_has_one_row_per_patch(reference: Reference) -> None:
    state = State.empty(reference.last, 5)
    assert {name: len(array) for name, array in state.arrays().items()} == {
        field.name: 90 for field in fields(State)
    }
