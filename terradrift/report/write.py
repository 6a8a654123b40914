"""Report data to one HTML file, or to a folder of PNGs."""

from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup
from matplotlib.figure import Figure

from terradrift.report import history, ink, pictures
from terradrift.report.cards import Card, cards
from terradrift.report.data import ReportData
from terradrift.report.place import place
from terradrift.report.poster import poster
from terradrift.report.summary import summary
from terradrift.report.timeline import timeline


def write_html(data: ReportData, path: Path | str) -> Path:
    """Write one self-contained page: no scripts, and nothing is fetched from elsewhere.

    The file appears whole or not at all.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("terradrift.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = resources.files("terradrift.report").joinpath("page.css").read_text("utf-8")
    where = place(data)
    when = timeline(data)
    page = environment.get_template("page.html").render(
        data=data,
        summary=summary(data),
        style=Markup(style),  # noqa: S704 - our own file
        map=_inline(where, "map"),
        timeline=_inline(when, "time"),
        cards=[_shown(card) for card in cards(data)],
    )
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(target)
    return target


def write_pngs(data: ReportData, folder: Path | str) -> list[Path]:
    """Write `map.png`, `timeline.png` and `event-01.png` and on; gives what was written.

    A picture of which there is nothing to show is not written.
    """
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in (("map", place(data)), ("timeline", timeline(data))):
        if figure is not None:
            path = out / f"{name}.png"
            path.write_bytes(ink.png(figure))
            written.append(path)
    for card in cards(data):
        path = out / f"event-{card.rank:02d}.png"
        path.write_bytes(ink.png(poster(card)))
        written.append(path)
    return written


def _inline(figure: Figure | None, salt: str) -> Markup | None:
    return None if figure is None else Markup(ink.svg(figure, salt))  # noqa: S704 - drawn here


def _shown(card: Card) -> dict[str, object]:
    """A card with its pictures as addresses and its series as a drawing."""
    return {
        "card": card,
        "pictures": [
            (one, None if one.image is None else pictures.data_uri(one.image))
            for one in card.pictures
        ],
        "series": _inline(
            None if card.series is None else history.figure(card.series),
            f"event{card.rank}",
        ),
    }
