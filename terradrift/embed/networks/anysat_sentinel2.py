"""AnySat's bands of Sentinel-2, and constants published for them; no torch."""

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
"""B2 B3 B4 B5 B6 B7 B8 B8A B11 B12; the tuples below follow this order."""
MEAN = (
    4304.32958984375,
    4159.2666015625,
    4057.776611328125,
    4328.951171875,
    4571.22119140625,
    4644.87109375,
    4837.2470703125,
    4700.2578125,
    2823.264404296875,
    2319.97021484375,
)
"""Mean digital number of TreeSatAI-TS, clouds and all, from the official `demo.ipynb`."""
STD = (
    3537.99755859375,
    3324.23486328125,
    3270.070068359375,
    3250.530029296875,
    2897.391357421875,
    2754.4970703125,
    2821.521484375,
    2625.952392578125,
    1731.56298828125,
    1549.3028564453125,
)
"""Standard deviation of the same."""
