"""Several changes of one patch."""

from dataclasses import replace

import numpy as np
import pytest

from terradrift.detect.settings import Settings
from terradrift.errors import ArchiveError
from tests.detect.worlds import part, planted, run, series


def three_states(seed: int) -> tuple[object, tuple[int, int]]:
    """Patch 7 goes to a second state at date 20 and to a third at date 40."""
    world = series(n=80, t=60, seed=seed)
    vectors = world.vectors.copy()
    random = np.random.default_rng(seed)
    seen = np.isfinite(world.clear_percent[7])
    for first in (20, 40):
        there = seen & (np.arange(60) >= first)
        vectors[7, there] += (2.0 * random.normal(size=vectors.shape[2])).astype("f2")
    return replace(world, vectors=vectors), (20, 40)


@pytest.mark.parametrize("seed", range(4))
def test_two_steps_are_two_changes_in_order_of_time(seed: int) -> None:
    world, firsts = three_states(seed)
    (block,) = run(world)
    changes = block.changes
    own = np.flatnonzero(changes.row == 7)
    assert changes.number[own].tolist() == [1, 2]
    assert (changes.persistence[own] == "persistent").all()
    seen = np.flatnonzero(np.isfinite(world.clear_percent[7]))
    for at, first in zip(own, firsts, strict=True):
        assert changes.onset[at] == world.times[7, seen[seen >= first][0]]
        assert changes.onset_early[at] <= changes.date_before[at]
        assert changes.date_after[at] <= changes.onset_late[at]
    # The strongest candidate of the patch is one of its changes.
    best = own[np.argmax(changes.score[own])]
    assert changes.score[best] == block.patches.score[7]
    assert changes.onset[best] == block.patches.onset[7]


def test_states_before_and_after_are_those_beside_each_change() -> None:
    world, _ = three_states(0)
    (block,) = run(world)
    first, second = np.flatnonzero(block.changes.row == 7)
    np.testing.assert_allclose(
        block.changes.after[first], block.changes.before[second], atol=0.5
    )
    step = np.linalg.norm(block.changes.delta[first])
    assert np.linalg.norm(block.changes.delta[second]) > 1.0
    assert step > 1.0


def test_controls_are_named_nearest_first_and_are_others() -> None:
    world = planted(series(n=80, t=40), 7, 20)
    (block,) = run(world)
    at = int(np.flatnonzero(block.changes.row == 7)[0])
    names = [name for name in block.changes.controls[at] if name]
    assert len(names) == min(10, block.changes.n_controls[at])
    assert len(set(names)) == len(names)
    assert str(world.patch_ids[7]) not in names
    cover = {str(name): k % 4 for k, name in enumerate(world.patch_ids)}
    assert {cover[name] for name in names} == {7 % 4}


def test_blocks_and_order_do_not_change_what_is_told() -> None:
    world, _ = three_states(1)
    (whole,) = run(world)
    halves = run(*(part(world, rows) for rows in np.array_split(np.arange(80), 2)))
    for name in ("number", "onset", "onset_early", "onset_late", "ended"):
        np.testing.assert_array_equal(
            getattr(whole.changes, name),
            np.concatenate([getattr(block.changes, name) for block in halves]),
        )
    np.testing.assert_allclose(
        whole.patches.p_value,
        np.concatenate([block.patches.p_value for block in halves]),
        rtol=1e-3,
    )


def test_fewer_false_alarms_leave_fewer_changes() -> None:
    world, _ = three_states(2)
    counts = [
        len(run(world, settings=Settings(max_false_alarms=most))[0].changes)
        for most in (1e3, 1e5)
    ]
    assert counts[0] < counts[1]
    few, asked = part(world, np.arange(15)), Settings(max_false_alarms=1e3)
    assert len(run(few)[0].patches.score) == 15
    with pytest.raises(ArchiveError, match="needs at least 20 patches that can be"):
        run(few, settings=asked)
    short = series(n=15, t=2)
    assert len(run(short, settings=asked)[0].changes) == 0
    nameless = replace(world, patch_ids=np.char.add("p", np.arange(80).astype(str)))
    with pytest.raises(ValueError, match="max_false_alarms needs the area of a patch"):
        run(nameless, settings=Settings(max_false_alarms=1e3))
