"""From digital numbers to reflectance: one decision per scene, from what is stated (pure).

Since processing baseline 04.00 ESA adds 1000 to the digital numbers of Sentinel-2 (L1C:
RADIO_ADD_OFFSET, L2A: BOA_ADD_OFFSET). The date tells nothing, for Collection-1 carries
baseline 05.00 on scenes of 2015; catalogues remove the 1000, or not, and their flags are
sometimes wrong. The rules, the first that applies:

1. The user's `boa_offset`.
2. A source that is harmonised as a whole (`COPERNICUS/S2_SR_HARMONIZED`, HLS, Sentinel
   Hub): 0. If its metadata state another offset: refused.
3. `boa_offset_applied` true: 0, also where `raster:bands` still state -0.1
   (cirrus-geo/cirrus-earth-search#33, Element84/earth-search#9: the flag is right there).
4. `boa_offset_applied` false: the flag says the 1000 is still there, so an offset of 0 in
   `raster:bands` does not count against a baseline of 04.00 or later.
5. An offset is stated: taken, once; the baseline must not contradict them.
6. The baseline: -1000 from 04.00 on, 0 before.

Whatever is left, and every contradiction, is refused with what to pass.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import HarmonisationError

S2_SCALE = 1e-4
S2_OFFSET = -1000.0
_C2_REFLECTANCE = (0.0000275, -0.2)  # USGS, Landsat Collection 2 Level-2 guide
_C2_TEMPERATURE = (0.00341802, 149.0)
_HARMONISED = re.compile(
    r"(harmoni[sz]ed|hls[-_.]?[sl]30|hls2|sentinel-?hub)", re.IGNORECASE
)
_BASELINE = re.compile(r"N?(\d{1,2})[._]?(\d{0,2})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What the metadata say about one band of one scene; None where they are silent."""

    scene_id: str
    band: str
    sensor: str = ""
    """`sentinel-2`, `landsat...`, or an empty string."""
    collection: str = ""
    level: str | None = None
    baseline: str | None = None
    applied: bool | None = None
    """`boa_offset_applied`: the +1000 has been taken out of the digital numbers."""
    scale: float | None = None
    offset: float | None = None
    """In reflectance: reflectance = digital number * scale + offset."""
    data_type: str | None = None
    unit: str | None = None
    reflective: bool = True
    """The band is a reflectance as the sensor gives it, not an index or a temperature."""


@dataclass(frozen=True, slots=True)
class Reflectance:
    """reflectance = digital number * scale + offset, and why."""

    scale: float
    offset: float
    boa_offset: float | None
    """What `offset` is in digital numbers; None where the band is not Sentinel-2's."""
    source: str


def harmonise(
    said: Statement, *, boa_offset: float | None = None, scale: float | None = None
) -> Reflectance:
    """Decide how the band's digital numbers become reflectance.

    `boa_offset` (digital numbers) and `scale` are the user's, and win.

    Raises:
        HarmonisationError: it cannot be told, or statements contradict each other.
    """
    if said.reflective and (said.sensor == "sentinel-2" or _told(said, boa_offset)):
        factor = _sentinel2_scale(said, scale)
        added, source = _sentinel2_offset(said, factor, boa_offset)
        return Reflectance(factor, added * factor + 0.0, added, source)
    return _other(said, scale)


def has_offset(baseline: str | None) -> bool | None:
    """Whether ESA added 1000 under this baseline (`04.00`, `N0400`, `4.0`); None: not known.

    Baseline 99.99 is that of users' own Sen2Cor runs and tells nothing.
    """
    match = _BASELINE.match(str(baseline).strip()) if baseline is not None else None
    if match is None or int(match[1]) == 99:
        return None
    return int(match[1]) >= 4


def check_plausible(dn: NDArray[np.generic], boa_offset: float | None) -> str | None:
    """What to pass when subtracting `boa_offset` makes too many clear pixels negative, or None.

    `dn` are digital numbers of clear pixels of any shape (visible bands tell most). Clean
    atmospheric correction leaves few pixels below a reflectance of -0.01, even of water; a
    scene whose 1000 was already removed has most of its vegetation there.
    """
    if not boa_offset or dn.size == 0:
        return None
    share = float(np.mean(dn.astype(np.float64) + boa_offset < -100.0))
    if share <= 0.2:
        return None
    return (
        f"adding {boa_offset:g} makes {share:.0%} of clear pixels clearly negative, so the "
        "source seems to have removed the offset already; pass --boa-offset 0"
    )


def _told(said: Statement, boa_offset: float | None) -> bool:
    """The user says so of a sensor that we do not know."""
    return boa_offset is not None and not said.sensor


def _sentinel2_scale(said: Statement, scale: float | None) -> float:
    if scale is not None:
        return scale
    if said.scale is not None:
        return said.scale
    if (said.data_type or "").startswith("float"):
        raise _refusal(
            said,
            f"digital numbers are {said.data_type} and no scale is stated",
            "pass --scale 1 --boa-offset 0 if they are reflectance already",
        )
    return S2_SCALE


def _sentinel2_offset(
    said: Statement, scale: float, boa_offset: float | None
) -> tuple[float, str]:
    """Digital numbers to add, and by which rule of the module's list."""
    if boa_offset is not None:
        return boa_offset, "user"
    stated = _stated(said, scale)
    if _HARMONISED.search(said.collection):
        if stated:
            raise _contradiction(
                said, f"collection {said.collection} is harmonised", stated
            )
        return 0.0, "harmonised source"
    if said.applied:
        return 0.0, "boa_offset_applied"
    added = has_offset(said.baseline)
    if stated is not None:
        if added is None or stated == (S2_OFFSET if added else 0.0):
            return stated, "metadata"
        if said.applied is None or stated:
            raise _contradiction(
                said, f"processing baseline is {said.baseline}", stated
            )
    if added is not None:
        return (S2_OFFSET if added else 0.0), "baseline"
    baseline = "is not stated" if said.baseline is None else f"is {said.baseline}"
    raise _refusal(
        said,
        "cannot tell whether digital numbers carry the +1000 of Sentinel-2 baseline "
        f"04.00: processing baseline {baseline}, and no offset is stated",
    )


def _stated(said: Statement, scale: float) -> float | None:
    """The stated offset in digital numbers: 0 or -1000 (or None)."""
    if said.offset is None:
        return None
    added = said.offset / (said.scale or scale)
    for known in (0.0, S2_OFFSET):
        if abs(added - known) < 0.5:
            return known
    if said.applied:
        return None
    raise _refusal(
        said,
        f"expected a Sentinel-2 offset of 0 or -0.1, got {said.offset:g} with scale {said.scale or scale:g}",
    )


def _contradiction(
    said: Statement, statement: str, stated: float
) -> HarmonisationError:
    return _refusal(
        said,
        f"{statement}, but metadata state an offset of {stated:g} digital numbers",
    )


def _other(said: Statement, scale: float | None) -> Reflectance:
    """Bands of other sensors, indices and temperatures: what is stated, or known."""
    source = "not sentinel-2" if said.sensor != "sentinel-2" else "no reflectance band"
    if scale is not None:
        return Reflectance(scale, said.offset or 0.0, None, source)
    if "watt" in (said.unit or "").lower():
        raise HarmonisationError(
            f"scene {said.scene_id}: band {said.band}: expected reflectance, got radiance "
            f"({said.unit}); use a surface reflectance product, or pass --scale"
        )
    if said.scale is not None or said.offset is not None:
        # The raster extension: a missing scale is 1, a missing offset 0.
        factor = 1.0 if said.scale is None else said.scale
        return Reflectance(factor, said.offset or 0.0, None, source)
    if said.sensor.startswith("landsat") and _is_collection2_level2(said):
        known = _C2_REFLECTANCE if said.reflective else _C2_TEMPERATURE
        return Reflectance(*known, None, source)
    kind = said.data_type or "digital numbers"
    raise HarmonisationError(
        f"scene {said.scene_id}: band {said.band}: expected a scale in the metadata, got {kind} "
        "without; pass --scale 0.0001 for reflectance x 10000, --scale 1 for reflectance"
    )


def _is_collection2_level2(said: Statement) -> bool:
    text = f"{said.collection} {said.scene_id}".lower()
    collection2 = re.search(r"c2[-_]?l2|collection-?0?2|_02_t[12]|_02_rt", text)
    level2 = (said.level or "").upper().startswith("L2") or re.search(
        r"c2[-_]?l2|_l2s[pr]_", text
    )
    return bool(collection2 and level2)


def _refusal(
    said: Statement,
    problem: str,
    remedy: str = "pass --boa-offset -1000 to take it out, or --boa-offset 0 if the source has",
) -> HarmonisationError:
    return HarmonisationError(
        f"scene {said.scene_id}: band {said.band}: {problem}; {remedy}"
    )
