"""What a band is: canonical names from what catalogues and files call it (pure).

`B05` is a red edge of Sentinel-2, the near infrared of Landsat 8 and the first short-wave
infrared of Landsat 5. So a name counts only together with its sensor; common names and
centre wavelengths count by themselves.
"""

import re

from terradrift.chip import BANDS

SENTINEL2 = "sentinel-2"
LANDSAT_OLI = "landsat-oli"
LANDSAT_TM = "landsat-tm"
LANDSAT = "landsat"

_TABLES: dict[str, dict[str, str]] = {
    SENTINEL2: {
        "1": "coastal",
        "2": "blue",
        "3": "green",
        "4": "red",
        "5": "rededge071",
        "6": "rededge075",
        "7": "rededge078",
        "8": "nir",
        "8A": "nir08",
        "9": "nir09",
        "10": "cirrus",
        "11": "swir16",
        "12": "swir22",
    },
    LANDSAT_OLI: {
        "1": "coastal",
        "2": "blue",
        "3": "green",
        "4": "red",
        "5": "nir08",
        "6": "swir16",
        "7": "swir22",
        "8": "pan",
        "9": "cirrus",
        "10": "lwir11",
        "11": "lwir12",
    },
    LANDSAT_TM: {
        "1": "blue",
        "2": "green",
        "3": "red",
        "4": "nir08",
        "5": "swir16",
        "6": "lwir",
        "7": "swir22",
        "8": "pan",
    },
}
_ALIASES = {
    "rededge1": "rededge071",
    "rededge2": "rededge075",
    "rededge3": "rededge078",
    "re1": "rededge071",
    "re2": "rededge075",
    "re3": "rededge078",
    "nirnarrow": "nir08",
    "narrownir": "nir08",
    "nir8a": "nir08",
    "watervapor": "nir09",
    "swir1": "swir16",
    "swir2": "swir22",
    "coastalaerosol": "coastal",
}
_NUMBERED = re.compile(
    r"(?:(?:OLI|TIRS|MSI|TM|ETM|SR|ST)[_-])?B0*(\d{1,2}A?)(?:[_-]\d+M)?$", re.IGNORECASE
)
_SENSORS = [
    (SENTINEL2, r"sentinel-?2|\bs2[abcd]?(?![a-z0-9])|s2msi|hlss30"),
    (LANDSAT_OLI, r"landsat-?[89]|\bl[co]?0?[89](?![0-9])|hlsl30"),
    (LANDSAT_TM, r"landsat-?[4-7]|\bl[te]0?[4-7](?![0-9])"),
    (LANDSAT_OLI, r"\boli\b"),
    (LANDSAT_TM, r"\be?tm\b"),
    (LANDSAT, r"landsat"),
]
_TOLERANCE = 0.03


def sensor(*said: str | None) -> str:
    """Sensor family by the first of `said` that tells: platform, constellation, ids.

    `sentinel-2`, `landsat-oli` (8, 9), `landsat-tm` (4 to 7), `landsat` where the
    generation is not said, or an empty string.
    """
    for text in said:
        plain = re.sub(r"[_\s/]", "-", (text or "").lower())
        for name, pattern in _SENSORS:
            if re.search(pattern, plain):
                return name
    return ""


def number(label: str) -> str | None:
    """`5` of `B05`, `OLI_B5` or `B05_20m`; None where the label is not a numbered band."""
    match = _NUMBERED.match(label.strip())
    return match[1].upper() if match else None


def canonical(
    label: str,
    common: str | None = None,
    wavelength: float | None = None,
    sensor: str = "",
) -> str:
    """The name in `chip.BANDS`; a band of unknown meaning keeps its own, in lower case.

    `wavelength` is the centre in um. In this order: an unambiguous common name, the number
    under the sensor's table, the label as a name, the wavelength.
    """
    if common in BANDS and common != "nir":
        return common
    listed = _TABLES.get(sensor, {}).get(number(label) or "")
    if listed:
        return listed
    for word in (label, common or ""):
        known = _known(word)
        if known == "nir" and sensor.startswith(LANDSAT):
            return "nir08"
        if known:
            return known
    nearest = None if wavelength is None else by_wavelength(wavelength)
    return nearest or label.strip().lower()


def by_wavelength(wavelength: float) -> str | None:
    """The band in `chip.BANDS` within 3 % of a centre wavelength in um, or None."""
    name = min(BANDS, key=lambda band: abs(BANDS[band] - wavelength))
    near = abs(BANDS[name] - wavelength) <= _TOLERANCE * wavelength
    return name if near else None


def micrometres(wavelength: object) -> float | None:
    """A stated centre wavelength in um; some catalogues state nm."""
    if not isinstance(wavelength, int | float) or not wavelength > 0:
        return None
    return wavelength / 1000.0 if wavelength > 100 else float(wavelength)


def _known(word: str) -> str | None:
    plain = re.sub(r"[\s_-]", "", word.lower())
    return plain if plain in BANDS else _ALIASES.get(plain)
