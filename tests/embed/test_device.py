import numpy as np
import pytest
import torch

from terradrift.embed import device


def test_auto_is_cuda_only_where_there_is_one():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert device.resolve("auto") == expected


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_a_device_is_refused():
    with pytest.raises(
        ValueError, match="'cuda' was asked for, but 0 CUDA devices are usable here"
    ):
        device.resolve("cuda")


@pytest.mark.parametrize("name", ["tpu", "cuda:x", "cuda:", "GPU"])
def test_unknown_devices_are_refused(name):
    with pytest.raises(ValueError, match="device must be auto, cpu, cuda or cuda:N"):
        device.resolve(name)


def test_a_device_number_beyond_the_last_is_refused():
    with pytest.raises(ValueError, match="'cuda:99' was asked for"):
        device.resolve("cuda:99")


def test_an_array_stays_what_it_is():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1]
    sent = device.send(array, torch.device("cpu"))
    np.testing.assert_array_equal(sent.numpy(), array)
