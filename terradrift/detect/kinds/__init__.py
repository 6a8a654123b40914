"""Kinds of change: clusters of change deltas, the tree they form, and what becomes of them."""

from terradrift.detect.kinds.cluster import Cluster, Kind, Kinds
from terradrift.detect.kinds.fitted import NONE, Fitted
from terradrift.detect.kinds.tree import BRANCH, KIND, PART

__all__ = ["BRANCH", "KIND", "NONE", "PART", "Cluster", "Fitted", "Kind", "Kinds"]
