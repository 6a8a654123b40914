"""Tiny networks of the Clay family, by spec name."""

SMALL = {
    name: {"dim": 48, "depth": 2, "heads": 3, "dim_head": 16}
    for name in ("clay-v1.5", "clay-v1.0")
}
