import math

import pytest

from terradrift.detect.labels import label

NOT_KNOWN = math.nan


@pytest.mark.parametrize(
    ("indices", "words"),
    [
        ((-0.45, -0.5, 0.35), "vegetation lost, burnt-like"),
        ((-0.35, -0.2, 0.3), "strong vegetation loss"),
        ((-0.15, -0.1, 0.1), "vegetation loss"),
        ((-0.4, NOT_KNOWN, NOT_KNOWN), "strong vegetation loss"),
        ((-0.6, -0.3, 0.9), "wetter"),
        ((-0.15, 0.2, 0.3), "wetter"),
        ((0.2, 0.1, -0.2), "greening"),
        ((0.5, 0.4, -0.4), "strong greening"),
        ((0.0, -0.2, 0.0), "drier or barer"),
        ((0.0, 0.2, 0.0), "moister or darker"),
        ((0.0, 0.0, -0.3), "drier"),
        ((0.02, -0.05, 0.03), "little spectral change"),
        ((NOT_KNOWN, NOT_KNOWN, NOT_KNOWN), "unnamed change"),
    ],
)
def test_words_follow_the_indices(
    indices: tuple[float, float, float], words: str
) -> None:
    assert label(*indices).label == words


def test_the_sentence_gives_the_numbers_that_are_known() -> None:
    assert label(-0.45, -0.5, math.nan).description.endswith("(NDVI -0.45, NBR -0.50).")


def test_without_indices_the_sentence_says_so() -> None:
    said = label(math.nan, math.nan, math.nan).description
    assert said == "No spectral index is known before and after."
