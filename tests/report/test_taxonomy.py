"""Pictures of a taxonomy: what they say and how regimes are told apart."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from terradrift.detect.taxonomy import colours
from terradrift.report import ink, taxonomy
from terradrift.report.taxonomy_data import Course, Drawn, Regime
from terradrift.report.taxonomy_ink import paints


def regime(number, parent, size, label=""):
    return Regime(
        number=number,
        parent=parent,
        label=label or f"regime {number}",
        size=size,
        share=size / 100,
        representatives=(f"p{number}",),
    )


@pytest.fixture
def drawn():
    rows, cols = np.divmod(np.arange(100), 10)
    corner = np.stack([4 + cols * 1e-3, 50 + rows * 1e-3], axis=1)[:, None]
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * 1e-3
    days = np.datetime64("2019-01-01") + 30 * np.arange(12)
    wave = np.linspace(0.2, 0.8, len(days))
    course = Course(
        days=days, low=wave - 0.1, middle=wave, high=wave + 0.1, typical=((days, wave),)
    )
    at = np.array([0.0, 1.0, 4.0])
    return Drawn(
        title="somewhere",
        regimes=(
            regime(0, None, 70),
            regime(1, None, 20, "water"),
            regime(2, 0, 30, "crop-like, peak in June"),
            regime(3, 0, 40, "evergreen vegetation"),
        ),
        index="NDVI",
        courses={2: course, 3: course},
        corners=corner + square,
        leaf=np.repeat([2, 3, 1, -1], [30, 40, 20, 10]),
        distances=np.abs(at[:, None] - at),
        colours=np.full((100, 3), 0.5),
        explained=0.6,
    )


def texts(figure):
    found = [text.get_text() for axes in figure.axes for text in axes.texts]
    found += [axes.get_title(loc="left") for axes in figure.axes]
    for axes in figure.axes:
        if legend := axes.get_legend():
            found += [text.get_text() for text in legend.get_texts()]
    return "\n".join(found)


def test_leaves_stand_ground_by_ground_the_largest_first(drawn):
    assert [leaf.number for leaf in drawn.leaves] == [3, 2, 1]


def test_paths_of_a_ground_share_its_hue_and_all_leaves_differ(drawn):
    found = paints(drawn)
    assert len({(one.colour, one.hatch) for one in found.values()}) == 3
    dark, light = (np.array(to_rgb(found[number].colour)) for number in (3, 2))
    assert dark.sum() < light.sum()
    assert dark.argmax() == light.argmax()
    many = replace(drawn, regimes=tuple(regime(n, None, 5) for n in range(20)))
    assert len({(one.colour, one.hatch) for one in paints(many).values()}) == 20


def test_the_map_tells_every_leaf_and_what_has_none(drawn):
    said = texts(taxonomy.regime_map(drawn))
    for words in ("crop-like, peak in June (30%)", "water (20%)", "no regime (10)"):
        assert words in said


def test_the_tree_joins_leaves_by_their_distances(drawn):
    figure = taxonomy.tree(drawn)
    said = texts(figure)
    assert "evergreen vegetation, 40%" in said
    joins = sorted(
        {round(float(max(line.get_xdata())), 6) for line in figure.axes[0].lines}
    )
    assert joins == [1.0, 3.5]
    alone = replace(drawn, regimes=drawn.regimes[1:2], distances=np.zeros((1, 1)))
    assert "water" in texts(taxonomy.tree(alone))


def test_cards_show_courses_and_say_where_no_index_is_known(drawn):
    said = texts(taxonomy.cards(drawn))
    assert "crop-like, peak in June: 30 patches, 30%" in said
    assert said.count("no index is known") == 1


def test_every_picture_is_a_png(drawn):
    for make in (
        taxonomy.regime_map,
        taxonomy.colour_map,
        taxonomy.tree,
        taxonomy.cards,
    ):
        assert ink.png(make(drawn)).startswith(b"\x89PNG")


def test_colours_are_principal_components_of_paths():
    random = np.random.default_rng(0)
    scale = np.array([5.0, 3.0, 2.0, 0.1, 0.1, 0.1])
    flat = random.standard_normal((300, 6)) * scale
    found = colours.fit(flat.reshape(300, 3, 2))
    assert found.explained > 0.99
    values = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[2][:3]
    np.testing.assert_allclose(np.abs(values @ found.axes), np.eye(3), atol=1e-6)
    shade = found.of(flat.reshape(300, 3, 2))
    assert ((shade >= 0) & (shade <= 1)).all()
    assert np.corrcoef(shade[:, 0], flat[:, 0])[0, 1] > 0.95
    flipped = colours.fit(-flat.reshape(300, 3, 2))
    np.testing.assert_allclose(flipped.axes, found.axes, atol=1e-9)
    one = colours.fit(flat[:1].reshape(1, 3, 2))
    assert np.isfinite(one.of(flat[:1].reshape(1, 3, 2))).all()
    with pytest.raises(ValueError, match="got none"):
        colours.fit(np.zeros((0, 3, 2)))
