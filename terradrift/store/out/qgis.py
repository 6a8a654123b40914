"""Styles as QGIS writes them (.qml): scores in classes, kinds by colour (pure).

The form is that of QGIS 3 project files: a `renderer-v2` with a symbol per class. Colours
are those of the page: cividis for scores, Okabe and Ito's for kinds.
"""

from collections.abc import Sequence
from itertools import pairwise
from xml.etree import ElementTree as ET

from terradrift.store.out.colours import CIVIDIS, OKABE_ITO

NONE = "#999999"
"""Of no kind."""

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_VERSION = "3.28.0"
_OUTLINE = "#333333"
_WIDTH_MM = "0.1"


def graduated(column: str, edges: Sequence[float]) -> str:
    """Classes of a number between ascending `edges` (2..6), in the colours of `CIVIDIS`."""
    root, renderer = _renderer("graduatedSymbol", column)
    renderer.set("graduatedMethod", "GraduatedColor")
    ranges = ET.SubElement(renderer, "ranges")
    symbols = ET.SubElement(renderer, "symbols")
    count = len(edges) - 1
    for at, (low, high) in enumerate(pairwise(edges)):
        ET.SubElement(
            ranges,
            "range",
            lower=f"{low:.9f}",
            upper=f"{high:.9f}",
            symbol=str(at),
            label=f"{low:.3g} to {high:.3g}",
            render="true",
        )
        step = round(at * (len(CIVIDIS) - 1) / max(1, count - 1))
        _symbol(symbols, at, CIVIDIS[step])
    return _text(root)


def categorised(column: str, names: Sequence[tuple[int, str]]) -> str:
    """A colour per number, and one for those without; after the seventh they come again."""
    root, renderer = _renderer("categorizedSymbol", column)
    categories = ET.SubElement(renderer, "categories")
    symbols = ET.SubElement(renderer, "symbols")
    for at, (value, label) in enumerate(names):
        _category(categories, at, str(value), label)
        _symbol(symbols, at, OKABE_ITO[at % len(OKABE_ITO)])
    _category(categories, len(names), "", "none")
    _symbol(symbols, len(names), NONE)
    return _text(root)


def _renderer(kind: str, column: str) -> tuple[ET.Element, ET.Element]:
    root = ET.Element("qgis", version=_VERSION, styleCategories="Symbology")
    renderer = ET.SubElement(
        root,
        "renderer-v2",
        type=kind,
        attr=column,
        symbollevels="0",
        enableorderby="0",
        forceraster="0",
    )
    return root, renderer


def _category(parent: ET.Element, at: int, value: str, label: str) -> None:
    ET.SubElement(
        parent,
        "category",
        value=value,
        symbol=str(at),
        label=label,
        render="true",
        type="long" if value else "NULL",
    )


def _symbol(parent: ET.Element, at: int, colour: str) -> None:
    """A square filled with `colour`; both forms in which QGIS 3 reads properties."""
    symbol = ET.SubElement(
        parent,
        "symbol",
        type="fill",
        name=str(at),
        alpha="0.8",
        clip_to_extent="1",
        force_rhr="0",
    )
    layer = ET.SubElement(
        symbol, "layer", {"class": "SimpleFill", "locked": "0", "enabled": "1"}
    )
    layer.set("pass", "0")
    said = {
        "color": _rgba(colour),
        "style": "solid",
        "outline_color": _rgba(_OUTLINE),
        "outline_style": "solid",
        "outline_width": _WIDTH_MM,
        "outline_width_unit": "MM",
        "joinstyle": "miter",
    }
    options = ET.SubElement(layer, "Option", type="Map")
    for name, value in said.items():
        ET.SubElement(options, "Option", type="QString", name=name, value=value)
    for name, value in said.items():
        ET.SubElement(layer, "prop", k=name, v=value)


def _rgba(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"{red},{green},{blue},255"


def _text(root: ET.Element) -> str:
    ET.indent(root, " ")
    return _DOCTYPE + ET.tostring(root, encoding="unicode") + "\n"
