import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.embed import card as cards
from terradrift.embed import lattice
from terradrift.embed.how import How
from tests.embed.specs import spec

SMALL = {"chip_size": 8, "chip_multiple": 4, "tokens": {4: 4, 2: 4, 8: 4}}
RESIZED = {"chip_size": 256, "chip_multiple": 64, "resized": 1024}


def made(model, patch_px, **how):
    return cards.card(model, patch_px=patch_px, how=How(**how), weights_sha256="abc")


def test_a_card_says_what_the_model_says():
    card = made(
        spec(missing="zero", optional=("nir",), licence="CC-BY-4.0", bf16=False), 224
    )
    assert (card.name, card.revision, card.licence) == ("model", "1", "CC-BY-4.0")
    assert (card.bands, card.missing, card.optional) == (
        ("red", "nir"),
        "zero",
        ("nir",),
    )
    assert (card.level, card.gsd, card.dimensions, card.bf16) == ("L2A", 10, 8, False)
    assert (card.source, card.weights_sha256) == ("a paper", "abc")
    assert card.weights == "https://example.org/model.pth"
    assert (card.chip_size, card.token_stride, card.context_px) == (224, None, 0)


def test_a_patch_that_the_model_takes_is_its_chip():
    assert made(spec(**SMALL), 8).chip_size == 8
    assert made(spec(), 224).chip_size == 224
    assert made(spec(), 448).chip_size == 448


def test_a_patch_below_the_native_chip_is_a_chip_only_if_asked_for():
    for native, patch_px in ((16, 4), (16, 12), (64, 16), (224, 112), (224, 108)):
        model = spec(chip_size=native, chip_multiple=4, tokens={4: 4})
        words = (
            f"chips of {native} pixels .*, a patch here has {patch_px}; pass "
            f"--chip-size {native} .*--tokens .*--patch-size {10 * native} "
        )
        with pytest.raises(ValueError, match=words):
            made(model, patch_px)
        assert made(model, patch_px, chip_size=patch_px).chip_size == patch_px


def test_a_model_of_single_pixels_takes_any_patch():
    model = spec(chip_size=2, chip_multiple=1, tokens={2: 4, 1: 4})
    assert [made(model, patch_px).chip_size for patch_px in (1, 2, 7)] == [1, 2, 7]


def test_patch_sizes_are_told_in_pixels_of_the_archive():
    for how, patch_px, words in (
        ({"tokens": True}, 2, r"--patch-size 320 \(16 pixels of 20 m\)$"),
        ({}, 4, r"--patch-size 4480 \(224 pixels of 20 m\)$"),
        ({"chip_size": 224}, 17, r"patches of 17; .*--patch-size 4480 "),
    ):
        given = spec(chip_multiple=0) if patch_px == 17 else spec()
        with pytest.raises(ValueError, match=words):
            cards.card(
                given, patch_px=patch_px, how=How(**how), weights_sha256="", gsd=20.0
            )


def test_the_largest_token_that_fits_is_suggested():
    model = spec(
        chip_size=16, chip_multiple=4, tokens=dict.fromkeys((4, *range(1, 9)), 4)
    )
    with pytest.raises(ValueError, match=r"got 5 pixels; .*, or pass --token-size 5$"):
        made(model, 5, tokens=True)


def test_costs_are_whole_numbers():
    with pytest.raises(ValueError, match=r"surroundings, 3,136 times the pixels\)"):
        made(spec(), 4)
    # 4 % more is no cost to tell.
    with pytest.raises(ValueError, match=r"--chip-size 224 \(.* surroundings\)"):
        made(spec(), 220)


def test_a_chip_larger_than_the_patch_is_centred_on_it():
    card = made(spec(), 16, chip_size=224)
    assert (card.chip_size, card.context_px) == (224, 104)


def test_chips_of_another_size_make_other_vectors_and_the_card_says_so():
    lines = {
        made(spec(dates=8), 16, **how).preprocessing
        for how in (
            {"chip_size": 224},
            {"chip_size": 240},
            {"chip_size": 224, "dates": 8},
            {"tokens": True},
            {"tokens": True, "chip_size": 128},
            {"tokens": True, "overlap": 96},
        )
    }
    assert len(lines) == 6


@pytest.mark.parametrize(
    ("model", "patch_px", "how", "message"),
    [
        (
            {},
            16,
            {},
            r"a patch here has 16; pass --chip-size 224 .* 196 times the pixels\), or pass --tokens .*, or make the archive with --patch-size 2240 \(224 pixels of 10 m\)",
        ),
        ({"gsd": None}, 16, {}, r"with patches of 224 pixels \(--patch-size\)"),
        ({"tokens": {}}, 16, {}, "times the pixels.*, or make the archive"),
        ({}, 120, {}, "takes a multiple of 16 pixels per side, a patch here has 120"),
        (
            {},
            17,
            {"chip_size": 224},
            "larger by an even number of pixels, got --chip-size 224 for patches of 17",
        ),
        ({}, 256, {"chip_size": 224}, "for patches of 256; pass --chip-size 256"),
        (
            {"chip_multiple": 0},
            16,
            {"chip_size": 240},
            "224 pixels per side and no others, got --chip-size 240; pass --chip-size 224",
        ),
        ({}, 16, {"chip_size": 230}, "got --chip-size 230; pass --chip-size 224"),
        ({}, 16, {"chip_size": 0}, "got --chip-size 0"),
        ({"dimensions": None}, 224, {}, "only tokens; pass --tokens"),
        ({}, 224, {"token_size": 16}, "--token-size is about tokens, got 16 without"),
        ({}, 224, {"overlap": 16}, "--overlap is about tokens, got 16 without"),
        ({}, 224, {"dates": 3}, "looks at one date, got --dates 3; leave it out"),
        ({"dates": 8}, 224, {"dates": 9}, "takes 1 to 8 dates, got --dates 9"),
        ({"dates": 8}, 224, {"dates": 0}, "takes 1 to 8 dates, got --dates 0"),
        ({"tokens": {}}, 16, {"tokens": True}, "gives no tokens.* leave --tokens out"),
        (
            {},
            8,
            {"tokens": True},
            r"got 8 pixels; make the archive with --patch-size 160 \(16 pixels of 10 m\)$",
        ),
        (
            {"tokens": {16: 4, 4: 4}},
            8,
            {"tokens": True},
            "--patch-size 160 .*, or pass --token-size 4$",
        ),
        (
            {"tokens": {16: 4, 4: 4}},
            16,
            {"tokens": True, "token_size": 5},
            "gives tokens of 16, 4 pixels, got --token-size 5",
        ),
        (
            {},
            16,
            {"tokens": True, "overlap": 224},
            "chips of 224 pixels can share 0 to 208, got --overlap 224",
        ),
        ({}, 16, {"tokens": True, "overlap": -1}, "got --overlap -1"),
        (
            {"chip_multiple": 1},
            16,
            {"tokens": True, "chip_size": 100},
            "whole number of tokens of 16 pixels, got 100; pass --chip-size 96",
        ),
        (
            {**RESIZED, "chip_multiple": 1},
            16,
            {"tokens": True, "chip_size": 200},
            "so chips must be a multiple of 64 pixels, got 200; pass --chip-size 192",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_refused_with_the_way_out(
    model, patch_px, how, message
):
    with pytest.raises(ValueError, match=message) as refusal:
        made(spec(**model), patch_px, **how)
    assert "\n" not in str(refusal.value)


def test_the_way_out_of_a_refusal_works():
    assert made(spec(), 256, chip_size=256).context_px == 0
    assert made(spec(tokens={16: 4, 4: 4}), 8, tokens=True, token_size=4)
    assert made(spec(), 224).context_px == 0
    assert made(spec(**RESIZED), 12, tokens=True, chip_size=192).token_stride == 3


def test_tokens_have_a_name_and_numbers_of_their_own():
    card = made(spec(), 16, tokens=True)
    assert (card.name, card.dimensions) == ("model-tokens", 4)
    assert (card.chip_size, card.token_stride) == (224, 16)
    assert card.overlap_px == 112
    assert card.context_px == 224 - 16


def test_tokens_of_a_resized_chip_cover_less_ground():
    model = spec(**RESIZED)
    card = made(model, 8, tokens=True)
    assert (card.chip_size, card.token_stride) == (256, 4)
    assert cards.token_size(model, How(tokens=True)) == 16
    assert cards.token_size(model, How(tokens=True, token_size=4)) == 16
    assert made(model, 8, tokens=True, chip_size=512).token_stride == 8


def test_a_token_size_is_one_of_the_networks():
    model = spec(**SMALL)
    assert cards.token_size(model, How(tokens=True)) == 4
    assert cards.token_size(model, How(tokens=True, token_size=2)) == 2
    assert made(model, 4, tokens=True, token_size=2).token_stride == 2


def test_the_chip_grows_to_whole_tokens_where_none_is_asked_for():
    model = spec(chip_size=32, chip_multiple=4, tokens={4: 4, 3: 4, 1: 4})
    assert made(model, 6, tokens=True, token_size=3).chip_size == 36
    assert made(model, 6, tokens=True, token_size=1).chip_size == 32
    pixels = spec(chip_size=2, chip_multiple=1, tokens={2: 4, 4: 4})
    assert made(pixels, 4, tokens=True, token_size=4).chip_size == 4
    with pytest.raises(ValueError, match="got 32; pass --chip-size 33"):
        made(model, 6, tokens=True, token_size=3, chip_size=32)


def test_an_overlap_is_whole_tokens_and_at_least_what_was_asked_for():
    assert made(spec(), 16, tokens=True, overlap=0).overlap_px == 0
    assert made(spec(), 16, tokens=True, overlap=17).overlap_px == 32


def test_chips_reach_past_what_is_read_by_all_but_a_token():
    assert made(spec(**RESIZED), 4, tokens=True, overlap=0).context_px == 256 - 4
    assert made(spec(**RESIZED), 4, tokens=True).context_px == 256 - 4


def test_batches_hold_about_as_many_pixels_whatever_the_chip():
    model = spec(batch=32, dates=4)
    assert made(model, 224).batch == 32
    assert made(model, 112, chip_size=112).batch == 128
    assert made(model, 448).batch == 8
    assert made(model, 224, dates=4).batch == 8
    assert made(spec(**SMALL, batch=4096), 4, chip_size=4).batch == 1024
    assert made(spec(**RESIZED, batch=2), 64, chip_size=64).batch == 2


@settings(max_examples=200)
@given(
    patch_px=st.integers(1, 64),
    chip_size=st.none() | st.integers(1, 80).map(lambda n: 4 * n),
    token_size=st.sampled_from([None, 1, 2, 4, 8]),
    overlap=st.none() | st.integers(0, 64),
)
def test_a_card_that_is_made_has_a_geometry_that_holds(
    patch_px, chip_size, token_size, overlap
):
    model = spec(chip_size=64, chip_multiple=4, tokens={4: 4, 8: 4, 2: 4, 1: 4})
    how = {"chip_size": chip_size, "token_size": token_size, "overlap": overlap}
    try:
        card = made(model, patch_px, tokens=True, **how)
    except ValueError as refusal:
        assert "--" in str(refusal)  # noqa: PT017 - one of many examples
        return
    assert patch_px % card.token_stride == 0
    assert card.chip_size % card.token_stride == 0
    assert card.chip_size == (chip_size or 64)
    tile = 32 * patch_px // card.token_stride
    chip = card.chip_size // card.token_stride
    first = lattice.starts(tile, chip, card.overlap_px // card.token_stride)
    past_the_tile = max(-first[0], first[-1] + chip - tile)
    assert past_the_tile * card.token_stride <= card.context_px
    assert card.context_px == card.chip_size - card.token_stride
    assert card.overlap_px >= (overlap or 0)


def test_chips_of_less_than_a_quarter_of_the_native_side_are_not_safe_in_bfloat16():
    model = spec(chip_size=512, chip_multiple=16, bf16=True)
    safe = {
        size: made(model, 16, chip_size=size, tokens=True).bf16
        for size in (32, 112, 128, 512, 1024)
    }
    assert safe == {32: False, 112: False, 128: True, 512: True, 1024: True}
