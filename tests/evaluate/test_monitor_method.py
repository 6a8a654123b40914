from dataclasses import replace

import numpy as np
import pytest

from terradrift.evaluate.monitor_method import Monitor, patch_km2
from terradrift.series import Series
from tests.detect.worlds import series


@pytest.fixture(scope="module")
def stepped() -> Series:
    """Ninety patches, of which three change on the fortieth of sixty days."""
    whole = series(n=90, t=60, seed=5)
    vectors = whole.vectors.copy()
    shift = 3.0 * np.random.default_rng(1).normal(size=vectors.shape[2])
    vectors[:3, 40:] += shift.astype(np.float16)
    return replace(whole, vectors=vectors)


def halves(whole: Series) -> list[Series]:
    return [
        Series(
            whole.patch_ids[part],
            whole.cells[part],
            whole.days,
            whole.times[part],
            whole.vectors[part],
            whole.clear_percent[part],
            whole.indices[part],
        )
        for part in (slice(0, 40), slice(40, 90))
    ]


def test_what_changed_ranks_first_and_is_reported(stepped: Series) -> None:
    judged = Monitor().judge(halves(stepped))
    assert set(np.argsort(-judged.score)[:3].tolist()) == {0, 1, 2}
    assert judged.reported[:3].all()
    late = (judged.onset[:3] - stepped.days[40]) / np.timedelta64(1, "D")
    assert (np.abs(late) <= 36).all()


def test_frames_are_silent_before_the_start_and_need_no_future(stepped: Series) -> None:
    monitor = Monitor(start=stepped.days[25])
    whole = np.concatenate([one.score for one in monitor.frames(halves(stepped))])
    assert np.isnan(whole[:, :25]).all()
    assert np.isfinite(whole[:, 25:]).any(axis=0).all()
    short = Series(
        stepped.patch_ids,
        stepped.cells,
        stepped.days[:50],
        stepped.times[:, :50],
        stepped.vectors[:, :50],
        stepped.clear_percent[:, :50],
        stepped.indices[:, :50],
    )
    (cut,) = monitor.frames([short])
    np.testing.assert_array_equal(cut.score, whole[:, :50])


def test_too_short_a_past_is_an_abstention(stepped: Series) -> None:
    judged = Monitor(start=stepped.days[3]).judge([stepped])
    assert np.isnan(judged.score).all()
    assert np.isnat(judged.onset).all()
    assert not judged.reported.any()


def test_the_area_is_read_from_the_ids(stepped: Series) -> None:
    assert patch_km2([stepped]) == pytest.approx(0.0016)
    with pytest.raises(ValueError, match="patch id such as 32631_40m_1_2, got 'a'"):
        patch_km2([replace(stepped, patch_ids=np.array(["a"]))])
