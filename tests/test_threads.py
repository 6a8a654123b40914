import pytest

from terradrift import threads


def test_at_least_one_core_is_available() -> None:
    assert threads.available() >= 1
    assert threads.resolve(None) == threads.available()
    assert threads.resolve(3) == 3


def test_no_threads_is_refused() -> None:
    with pytest.raises(ValueError, match="threads must be at least 1, got 0"):
        threads.resolve(0)


def test_inside_single_blas_one_thread_is_used() -> None:
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((4, 4)) @ np.ones((4, 4))
    with threads.single_blas():
        assert all(pool["num_threads"] == 1 for pool in threadpool_info())
