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
            {"token_stride": 16, "chip_size": 32, "context_px": 16},
            "below half the chip",
        ),
    ],
)
def test_a_card_that_makes_no_sense_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        card(**given)
