"""Clay's constants of Sentinel-2 L2A, as in its `configs/metadata.yaml`; no torch."""

BANDS = (
    "blue",
    "green",
    "red",
    "rededge071",
    "rededge075",
    "rededge078",
    "nir",
    "nir08",
    "swir16",
    "swir22",
)
"""B02 B03 B04 B05 B06 B07 B08 B8A B11 B12; the tuples below follow this order."""
MEAN = (1105, 1355, 1552, 1887, 2422, 2630, 2743, 2785, 2388, 1835)
"""Mean digital number, 10000 * reflectance."""
STD = (1809, 1757, 1888, 1870, 1732, 1697, 1742, 1648, 1470, 1379)
"""Standard deviation of the digital number."""
WAVELENGTH = (0.493, 0.56, 0.665, 0.704, 0.74, 0.783, 0.842, 0.865, 1.61, 2.19)
"""Centre in um. The network was trained with these, so they are given to it whatever the
scene says."""
