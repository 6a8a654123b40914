import gzip
import io
import os
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from terradrift.embed import convert, unpickle
from terradrift.errors import WeightsError
from tests.embed.tiny_network import Tiny, checkpoint, state


@pytest.fixture
def work(tmp_path):
    place = tmp_path / "work"
    place.mkdir()
    return place


def read(file, work):
    return unpickle.tensors(file, work)


class Touches:
    """A pickle of it makes a file when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_of_both_formats_come_with_their_wrappers(zipped, tmp_path, work):
    path = tmp_path / "a.ckpt"
    torch.save(checkpoint(state()), path, _use_new_zipfile_serialization=zipped)
    found = read(path, work)
    assert found.keys() == {"state_dict"}
    inner = found["state_dict"]
    assert inner.keys() == checkpoint(state())["state_dict"].keys()
    for key, value in state().items():
        torch.testing.assert_close(inner[f"module.{key}"], value, rtol=0, atol=0)


def test_tensors_that_share_memory_come_apart(tmp_path, work):
    whole = torch.arange(12.0).reshape(3, 4)
    path = tmp_path / "a.pt"
    tied = {"whole": whole, "again": whole, "row": whole[1], "turned": whole.T}
    torch.save(tied, path)
    found = read(path, work)
    assert found.keys() == tied.keys()
    for key, value in tied.items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=0)


def test_a_parameter_and_half_precision_are_read_as_they_are(tmp_path, work):
    path = tmp_path / "a.bin"
    value = torch.nn.Parameter(torch.randn(3, dtype=torch.float32).to(torch.bfloat16))
    torch.save({"a": value, "b": torch.empty(0), "c": torch.tensor(2)}, path)
    found = read(path, work)
    assert found["a"].dtype == torch.bfloat16
    torch.testing.assert_close(found["a"], value.detach(), rtol=0, atol=0)
    assert found["b"].shape == (0,)
    assert found["c"].item() == 2


def test_the_name_of_a_file_says_nothing_about_its_format(tmp_path, work):
    path = tmp_path / "a.pth"
    save_file(state(), path)
    assert read(path, work).keys() == state().keys()
    assert not list(work.iterdir())


def test_the_converting_process_ignores_modules_of_the_working_folder(
    tmp_path, work, monkeypatch
):
    path = tmp_path / "a.pt"
    torch.save(state(), path)
    (tmp_path / "torch.py").write_text("raise SystemExit('a trap')")
    (tmp_path / "json.py").write_text("raise SystemExit('a trap')")
    monkeypatch.chdir(tmp_path)
    assert read(path, work).keys() == state().keys()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_of_more_than_tensors_is_refused_and_does_nothing(
    zipped, tmp_path, work
):
    path, trace = tmp_path / "a.ckpt", tmp_path / "trace"
    torch.save(
        checkpoint(state()) | {"callbacks": Touches(trace)},
        path,
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(WeightsError) as caught:
        read(path, work)
    words = str(caught.value)
    assert "pickle of more than tensors (" in words
    assert "open)" in words
    assert "python -m terradrift.embed.convert --unsafe FILE OUT.safetensors" in words
    assert not trace.exists()
    assert not list(work.iterdir())


def test_the_step_that_is_named_converts_such_a_file_for_its_user(tmp_path, work):
    path, trace, output = tmp_path / "a.ckpt", tmp_path / "trace", tmp_path / "o.st"
    torch.save(checkpoint(state()) | {"callbacks": Touches(trace)}, path)
    words = [sys.executable, "-m", "terradrift.embed.convert", "--unsafe", path, output]
    subprocess.run(words, check=True)
    assert trace.exists()
    found = read(output, work)["state_dict"]
    torch.testing.assert_close(found["module.conv.bias"], state()["conv.bias"])


def test_a_whole_module_is_a_pickle_of_more_than_tensors(tmp_path, work):
    path = tmp_path / "a.pt"
    torch.save(Tiny("pooled", 5), path)
    with pytest.raises(WeightsError, match=r"more than tensors \(tests.*Tiny\)"):
        read(path, work)


def test_a_plain_pickle_of_arrays_is_refused(tmp_path, work):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": np.ones(3)}, protocol=2))
    with pytest.raises(WeightsError, match=r"more than tensors \(numpy"):
        read(path, work)


def test_a_compiled_program_is_refused(tmp_path, work):
    # torch.jit.save is deprecated, and warns; these are the names it writes.
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"")
        archive.writestr("a/constants.pkl", b"")
        archive.writestr("a/code/__torch__.py", b"")
    with pytest.raises(WeightsError, match="compiled by TorchScript"):
        read(path, work)


def zipped_text():
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("readme.txt", "no weights")
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"  \n<!DOCTYPE html><html>", "a web page"),
        (b'{"error": "quota exceeded"}', "a web page or an error message"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:1",
            "Git LFS pointer",
        ),
        (gzip.compress(b"a"), "a gzip archive"),
        (b"\x89HDF\r\n\x1a\n", "something else"),
        (b"\x80", "something else"),
        (zipped_text(), "a zip file without a checkpoint"),
    ],
)
def test_what_is_no_checkpoint_is_named(content, words, tmp_path, work):
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=words) as caught:
        read(path, work)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_what_is_not_there_is_named(tmp_path, work):
    with pytest.raises(WeightsError, match="which is not there"):
        read(tmp_path / "a.pth", work)
    with pytest.raises(WeightsError, match="which is a folder"):
        read(tmp_path, work)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_truncated_checkpoint_is_refused(zipped, share, tmp_path, work):
    path = tmp_path / "a.pth"
    torch.save(state(), path, _use_new_zipfile_serialization=zipped)
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(WeightsError, match="truncated or damaged"):
        read(path, work)
    assert not list(work.iterdir())


def test_a_truncated_safetensors_file_is_refused(tmp_path, work):
    path = tmp_path / "a.safetensors"
    save_file(state(), path)
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(WeightsError, match="truncated or damaged safetensors"):
        read(path, work)


@pytest.mark.parametrize("held", [[torch.ones(2)], {"epoch": 1}, torch.ones(2)])
def test_a_checkpoint_without_named_tensors_is_refused(held, tmp_path, work):
    path = tmp_path / "a.pt"
    torch.save(held, path)
    with pytest.raises(WeightsError, match="no tensors under names"):
        read(path, work)


def test_what_cannot_be_written_is_told(tmp_path):
    path = tmp_path / "a.pt"
    torch.save(state(), path)
    with pytest.raises(WeightsError, match=r"could not be converted: .*No such file"):
        read(path, tmp_path / "absent")


def test_an_old_torch_is_not_trusted_with_a_pickle():
    assert convert._version("2.5.1+cu121") < convert.SAFE_SINCE
    assert convert._version("2.6.0") >= convert.SAFE_SINCE
    assert convert._version("2.13.0+cpu") >= convert.SAFE_SINCE
