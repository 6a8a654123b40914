"""A patch judged by its own past: distance and local outlier factor of a no-change set."""
