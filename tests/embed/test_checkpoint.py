import pytest
import torch

from terradrift.embed.checkpoint import Layout
from terradrift.embed.models.galileo import NANO
from terradrift.embed.models.sam2 import HIERA_T
from terradrift.errors import WeightsError

EXPECTED = {"conv.weight": (2, 3), "conv.bias": (2,)}


def state(prefix="", **others):
    found = {f"{prefix}{k}": torch.ones(shape) for k, shape in EXPECTED.items()}
    return found | {key.replace("__", "."): value for key, value in others.items()}


def refusal(layout, file, expected=EXPECTED):
    with pytest.raises(WeightsError) as caught:
        layout.pick(file, expected, model="tiny")
    (line,) = str(caught.value).splitlines()
    return line


def test_tensors_are_taken_by_the_keys_of_the_network():
    file = state()
    found = Layout().pick(file, EXPECTED, model="tiny")
    assert found.keys() == EXPECTED.keys()
    assert all(found[key] is file[key] for key in EXPECTED)


def test_state_is_taken_out_of_the_first_wrapper_there_is():
    layout = Layout(wrappers=("teacher", "student"))
    inner, other = {"a": 1}, {"b": 2}
    assert layout.unwrapped({"student": inner, "epoch": 3}) is inner
    assert layout.unwrapped({"student": other, "teacher": inner}) is inner
    assert layout.unwrapped({"teacher": 5, "student": inner}) is inner
    assert layout.unwrapped(inner) is inner
    assert Layout().unwrapped({"teacher": other}) == {"teacher": other}


def test_first_prefix_that_fits_is_taken_away():
    layout = Layout(prefixes=("module.net.", "net."), ignored=("net",))
    for prefix in layout.prefixes:
        found = layout.pick(state(prefix), EXPECTED, model="tiny")
        assert found.keys() == EXPECTED.keys()
    both = state("module.net.") | {
        f"net.{key}": torch.zeros(shape) for key, shape in EXPECTED.items()
    }
    found = layout.pick(both, EXPECTED, model="tiny")
    assert all(value.all() for value in found.values())


def test_keys_without_the_prefix_are_of_something_else():
    layout = Layout(prefixes=("net.", ""))
    line = refusal(layout, state("net.") | {"conv.bias": torch.ones(2)})
    assert "1 are not of it (conv.bias)" in line


def test_file_without_any_of_the_prefixes_is_refused():
    line = refusal(Layout(prefixes=("module.net.", "net.")), state())
    assert line == (
        "expected the weights of tiny, whose keys begin with 'module.net.' or 'net.', got "
        "conv.weight, conv.bias; is it the file of another model?"
    )
    assert "got no keys;" in refusal(Layout(prefixes=("net.",)), {})


def test_known_parts_of_other_use_are_left_out():
    layout = Layout(prefixes=("net.",), ignored=(r"head\.", r"queue$"))
    file = state("net.", head__weight=torch.ones(1), queue=torch.ones(1))
    assert layout.pick(file, EXPECTED, model="tiny").keys() == EXPECTED.keys()
    line = refusal(layout, file | {"queue_ptr": torch.ones(1)})
    assert "1 are not of it (queue_ptr)" in line
    line = refusal(layout, file | {"net.head.weight": torch.ones(1)})
    assert "1 are not of it (net.head.weight)" in line


def test_unknown_and_missing_keys_are_named_but_not_all():
    file = {f"more.{n}": torch.ones(1) for n in range(6)}
    line = refusal(Layout(), file | {"conv.bias": torch.ones(2)})
    assert line == (
        "these are not the weights of tiny: 1 keys are missing (conv.weight) and 6 are not "
        "of it (more.0, more.1, more.2, more.3 ...); is it the file of another model or size?"
    )


def test_other_shape_is_refused_with_both():
    line = refusal(Layout(), state(conv__weight=torch.ones(3, 2)))
    assert "conv.weight has the shape (3, 2), expected (2, 3)" in line
    assert line.endswith("is it the file of another size?")


def test_names_of_the_file_become_those_of_the_network():
    layout = Layout(prefixes=("net.",), rename=lambda key: key.replace("mlp", "conv"))
    found = layout.pick(
        {"net.mlp.weight": torch.ones(2, 3), "net.conv.bias": torch.ones(2)},
        EXPECTED,
        model="tiny",
    )
    assert found.keys() == EXPECTED.keys()


def test_two_keys_for_one_tensor_are_refused():
    layout = Layout(prefixes=("net.",), rename=lambda key: key.replace("mlp", "conv"))
    line = refusal(layout, state("net.") | {"net.mlp.bias": torch.zeros(2)})
    assert line == (
        "cannot tell which are the weights of tiny: net.conv.bias and net.mlp.bias are both "
        "its conv.bias; expected one of them, take the other out of the file"
    )


@pytest.mark.parametrize(
    ("spec", "one", "other"),
    [
        (NANO, "blocks.0.norm1.bias", "blocks.backbone.0.norm1.bias"),
        (HIERA_T, "image_encoder.neck.coarse.x", "image_encoder.neck.convs.0.conv.x"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_two_spellings_of_a_model_are_refused_in_one_file(spec, one, other):
    name = one.removeprefix("image_encoder.")
    for file in ({one: torch.ones(1)}, {other: torch.ones(1)}):
        assert spec.layout.pick(file, {name: (1,)}, model=spec.name).keys() == {name}
    both = {one: torch.ones(1), other: torch.zeros(1)}
    with pytest.raises(WeightsError, match=rf"cannot tell .* both its {name};"):
        spec.layout.pick(both, {name: (1,)}, model=spec.name)
