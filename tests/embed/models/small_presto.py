"""Sizes that make the network small."""

SMALL = {"presto": {"width": 16, "depth": 1, "heads": 2}}
