import os
import resource
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from terradrift.embed import catalogue, foundation, library, official
from terradrift.embed.how import How
from terradrift.embed.spec import Source
from terradrift.errors import WeightsError
from tests.embed.tiny_model import build, tiny
from tests.embed.tiny_network import Tiny, checkpoint, state


@pytest.fixture(autouse=True)
def models(tmp_path, monkeypatch):
    place = tmp_path / "models"
    monkeypatch.setenv("TERRADRIFT_MODELS", str(place))
    return place


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "official.safetensors"
    save_file({f"module.{key}": value for key, value in state().items()}, path)
    return path


def same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=0)


def test_weights_that_were_added_are_those_of_the_file(file, models):
    spec = tiny()
    assert not library.present(spec)
    assert library.add(spec, file) == models / "tiny.safetensors"
    assert library.present(spec)
    held = library.load(spec)
    same(held.state, state())
    assert held.sha256 == library.digest(state())
    network = spec.build(output="tokens", token_size=None)
    network.load_state_dict(held.state, strict=True)


def test_nothing_but_the_weights_is_left_in_the_folder(file, models):
    path = library.add(tiny(), file)
    assert [found.name for found in models.iterdir()] == ["tiny.safetensors"]
    new = models / "new"
    new.touch()
    assert path.stat().st_mode == new.stat().st_mode


def test_a_checkpoint_of_torch_gives_the_same_digest(file, tmp_path):
    library.add(tiny(), file)
    first = library.load(tiny()).sha256
    path = tmp_path / "official.pth"
    torch.save(checkpoint(state()), path)
    library.add(tiny(), path)
    assert library.load(tiny()).sha256 == first


def test_the_digest_tells_numbers_names_and_shapes(file):
    numbers = state()
    assert library.digest(numbers) == library.digest(dict(reversed(numbers.items())))
    moved = numbers | {"conv.bias": numbers["conv.bias"].flip(0)}
    named = {f"{key}x": value for key, value in numbers.items()}
    shaped = numbers | {"conv.bias": numbers["conv.bias"][None]}
    digests = {library.digest(each) for each in (numbers, moved, named, shaped)}
    assert len(digests) == 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_become_float32_and_whole_numbers_stay(dtype, tmp_path):
    given = {
        key: value.to(dtype) if value.is_floating_point() else value
        for key, value in state().items()
    }
    path = tmp_path / "a.pt"
    torch.save(given, path)
    library.add(tiny(), path)
    found = library.load(tiny()).state
    assert found["conv.weight"].dtype == torch.float32
    assert found["order"].dtype == torch.int64
    torch.testing.assert_close(
        found["conv.weight"], given["conv.weight"].float(), rtol=0, atol=0
    )


def test_whole_numbers_where_floats_belong_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file(state() | {"conv.weight": torch.ones(5, 3, 2, 2, dtype=torch.int8)}, path)
    with pytest.raises(WeightsError, match=r"conv.weight is torch.int8.*quantised"):
        library.add(tiny(), path)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"module.conv.bias": None}, r"1 keys are missing \(conv.bias\)"),
        ({"module.extra": torch.ones(1)}, r"1 are not of it \(module.extra\)"),
        ({"module.conv.bias": torch.ones(6)}, r"has the shape \(6,\), expected \(5,\)"),
    ],
)
def test_another_models_file_is_refused_and_nothing_changes(
    changed, words, file, models, tmp_path
):
    library.add(tiny(), file)
    before = (models / "tiny.safetensors").read_bytes()
    given = {f"module.{key}": value for key, value in state(seed=1).items()} | changed
    other = tmp_path / "other.safetensors"
    save_file({key: value for key, value in given.items() if value is not None}, other)
    with pytest.raises(WeightsError, match=words):
        library.add(tiny(), other)
    assert (models / "tiny.safetensors").read_bytes() == before
    assert len(list(models.iterdir())) == 1


def test_a_network_that_cannot_be_built_without_memory_is_built(file):
    def build(output, token_size=None):
        rates = [rate.item() for rate in torch.linspace(0, 1, 3)]
        assert rates[-1] == 1
        return Tiny(output, 5)

    with pytest.raises(RuntimeError, match="meta"), torch.device("meta"):
        build("pooled")
    library.add(tiny(build=build), file)
    same(library.load(tiny()).state, state())


def test_a_network_for_its_shapes_alone_takes_no_memory():
    assert {value.device.type for value in official.skeleton(tiny()).values()} == {
        "meta"
    }


def test_absent_weights_say_how_to_get_them():
    with pytest.raises(WeightsError) as caught:
        library.load(tiny())
    assert str(caught.value) == (
        "weights of tiny are not on this machine; run `terradrift models fetch tiny`, "
        "or `terradrift models add tiny FILE`"
    )


def test_a_truncated_file_is_refused(file):
    path = library.add(tiny(), file)
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(WeightsError, match=r"weights of tiny in .* damaged file"):
        library.load(tiny())


def test_a_file_that_was_put_there_by_hand_is_refused(file):
    path = library.add(tiny(), file)
    path.write_bytes(file.read_bytes())
    with pytest.raises(WeightsError, match="not written by `terradrift models`"):
        library.load(tiny())


@pytest.mark.parametrize("changed", [{"name": "small"}, {"revision": "2"}])
def test_weights_of_another_model_or_revision_are_refused(changed, file):
    path = library.add(tiny(), file)
    other = tiny(**changed)
    path.rename(library.place(other))
    with pytest.raises(WeightsError, match="got those of tiny, revision 1"):
        library.load(other)


@pytest.mark.parametrize("used_before", [True, False])
def test_a_changed_number_is_found(file, used_before):
    path = library.add(tiny(), file)
    if used_before:
        assert library.verify(tiny()).sha256 == library.load(tiny()).sha256
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    for read in (library.load, library.verify, library.load):
        with pytest.raises(WeightsError, match="has changed since it was added") as e:
            read(tiny())
        assert "\n" not in str(e.value)


def test_the_numbers_of_a_file_are_compared_once_in_a_process(file, models):
    path = library.add(tiny(), file)
    library.load(tiny())
    stamp = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    # Whoever sets the clock back is found by `verify` alone.
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    library.load(tiny())
    with pytest.raises(WeightsError, match="has changed since it was added"):
        library.verify(tiny())


def test_weights_of_a_network_that_has_changed_since_are_refused_in_one_line(file):
    library.add(tiny(), file)
    wider = tiny(build=partial(build, width=7), dimensions=7)
    with pytest.raises(WeightsError, match=r"models add tiny FILE") as e:
        foundation.opened(wider, wider.bands, patch_px=8, how=How())
    assert "\n" not in str(e.value)


def test_what_is_known_of_the_source_is_kept(file):
    library.add(tiny(), file)
    about = library.about(tiny())
    assert about["source"] == "official.safetensors"
    assert about["source_sha256"] == library.file_sha256(file)


def test_it_is_known_whether_they_came_from_the_published_file(file):
    library.add(tiny(), file)
    assert library.is_published(tiny()) is None
    digest = library.file_sha256(file)
    for given, expected in [
        ({"sha256": digest}, True),
        ({"sha256_prefix": digest[:8]}, True),
        ({"sha256_prefix": "00000000"}, False),
    ]:
        source = Source(url="https://example.com/tiny.pth", **given)
        assert library.is_published(tiny(source=source)) is expected


def test_without_space_nothing_is_left(file, models):
    library.add(tiny(), file)
    before = library.load(tiny()).sha256
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
    try:
        with pytest.raises(WeightsError, match=r"could not be written to .* space\?"):
            library.add(tiny(), file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert library.load(tiny()).sha256 == before
    assert [found.name for found in models.iterdir()] == ["tiny.safetensors"]


def test_removed_weights_are_gone(file):
    library.add(tiny(), file)
    assert library.remove(tiny())
    assert not library.present(tiny())
    assert not library.remove(tiny())


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    assert library.folder() == tmp_path / "models"
    monkeypatch.delenv("TERRADRIFT_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert library.folder() == tmp_path / "cache" / "terradrift" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert library.folder() == tmp_path / ".cache" / "terradrift" / "models"


def test_a_name_cannot_leave_the_folder(models):
    assert library.place(tiny(name="../../a")).parent == models
    assert library.place(tiny(name="sam2.1-hiera-b+")) == Path(
        models, "sam2.1-hiera-b+.safetensors"
    )


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "relative"),
    [
        ("galileo-nano", "weights/galileo_nano/encoder.pt"),
        ("presto", "weights/presto/default_model.pt"),
    ],
)
def test_published_files_are_taken_and_known_as_such(name, relative, shared):
    spec = catalogue.spec(name)
    file = shared(relative)
    library.add(spec, file)
    assert library.is_published(spec) is True
    network = spec.build(output="pooled", token_size=None)
    network.load_state_dict(library.verify(spec).state, strict=True)
    other = {"presto": "galileo-nano", "galileo-nano": "presto"}[name]
    with pytest.raises(WeightsError, match=f"not the weights of {other}"):
        library.add(catalogue.spec(other), file)
    with pytest.raises(WeightsError, match=f"is the published file of {name}"):
        catalogue.refuse_anothers(catalogue.spec(other), file)
