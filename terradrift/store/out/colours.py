"""Colours that people of any colour vision tell apart, as files, figures and notebooks use them.

The page has the same in its `scales.js`.
"""

CIVIDIS = ("#00224e", "#434e6c", "#7d7c78", "#bcae6c", "#fee838")
"""Five steps, low to high (Nunez, Anderton and Renslow 2018)."""

ORANGE, SKY, GREEN, YELLOW = "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILION, PURPLE = "#0072b2", "#d55e00", "#cc79a7"
OKABE_ITO = (ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE)
"""Of classes, in their order (Okabe and Ito 2008, "Color universal design"); without black."""
