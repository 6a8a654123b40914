"""Numbers and instants as people read them."""

from datetime import date

NOTHING = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"

_REFERENCES = {
    "season": "its own past in the same season",
    "recent": "its own last observations",
}


def day(at: date | None) -> str:
    """Such as `16 May 2018`."""
    return NOTHING if at is None else f"{at.day} {at:%B %Y}"


def number(value: float | None, digits: int = 2) -> str:
    """A plain number with a true minus; an en dash where there is none."""
    return NOTHING if value is None else f"{value:,.{digits}f}".replace("-", _MINUS)


def signed(value: float | None) -> str:
    """With its sign, a true minus."""
    return NOTHING if value is None else f"{value:+.2f}".replace("-", _MINUS)


def probability(value: float | None) -> str:
    """A p-value; small ones as a bound."""
    if value is None:
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def rate(per_1000_km2_year: float | None) -> str:
    """Expected false changes of such a strength; small ones as a bound."""
    if per_1000_km2_year is None:
        return NOTHING
    if per_1000_km2_year < 0.01:
        said = "< 0.01"
    elif per_1000_km2_year < 100:
        said = f"{per_1000_km2_year:.2g}"
    else:
        said = f"{per_1000_km2_year:,.0f}"
    return f"{said} per 1,000 km² and year"


def span(first: date | None, last: date | None) -> str:
    """From one day to another; one day where they are the same."""
    if first is None or last is None:
        return NOTHING
    ends = (day(first), day(last))
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def course(name: str | None, ended: date | None) -> str:
    """Such as `transient, until 9 June 2019`."""
    if not name:
        return NOTHING
    return name if ended is None else f"{name}, until {day(ended)}"


def area(km2: float | None) -> str:
    """Hectares below one square kilometre."""
    if km2 is None:
        return NOTHING
    return f"{km2:,.1f} km²" if km2 >= 1 else f"{km2 * 100:,.1f} ha"


def place(longitude: float | None, latitude: float | None) -> str:
    """Such as `50.8181° N, 3.0269° E`."""
    if longitude is None or latitude is None:
        return NOTHING
    north = "N" if latitude >= 0 else "S"
    east = "E" if longitude >= 0 else "W"
    return f"{abs(latitude):.4f}° {north}, {abs(longitude):.4f}° {east}"


def reference(name: str | None, own: int | None, analogues: int | None) -> str:
    """What a patch was compared with, as `scores.reference` codes it."""
    if not name:
        return NOTHING
    kind, _, others = name.partition("+")
    said = _REFERENCES.get(kind, kind)
    text = f"{said} ({own})" if own else said
    if others:
        text += f", and {analogues or 0} patches with a like history on the same date"
    return text


def count(of: int, one: str, many: str | None = None) -> str:
    """Such as `1 event` or `1,204 events`."""
    return f"{of:,} {one if of == 1 else many or one + 's'}"
