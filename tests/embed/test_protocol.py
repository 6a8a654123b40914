import pytest

from tests.embed.test_chips import card


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dimensions": 0}, "dimensions and batch must be at least 1"),
        ({"batch": 0}, "dimensions and batch must be at least 1"),
        ({"context_px": -1}, "context_px at least 0"),
        ({"token_stride": 16}, "chip_size must be a multiple of token_stride 16"),
        (
            {"token_stride": 16, "chip_size": 100},
            "chip_size must be a multiple of token_stride 16, got 100",
        ),
        (
            {"token_stride": 16, "chip_size": 224, "context_px": 8},
            "context_px must be a multiple of token_stride 16",
        ),
        (
            {"token_stride": 16, "chip_size": 32, "context_px": 32},
            "below the chip, got 32",
        ),
        ({"dates": 0}, "so must dates"),
        ({"optional": ("cirrus",)}, "must be bands of the model, got cirrus"),
        ({"overlap_px": 4}, "got overlap_px 4 without token_stride"),
        (
            {"token_stride": 16, "chip_size": 64, "overlap_px": 8},
            "overlap_px must be a multiple of token_stride 16",
        ),
        (
            {"token_stride": 16, "chip_size": 64, "overlap_px": 64},
            "at least 0 and below the chip, got 64",
        ),
        (
            {"token_stride": 0, "chip_size": 64},
            "chip_size must be a multiple of token_stride 0",
        ),
    ],
)
def test_a_card_that_makes_no_sense_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        card(**given)
