"""Anomalies of regions: change between two dates, and novelty against the whole history."""
