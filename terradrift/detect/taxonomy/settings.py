"""Numbers that a taxonomy can be asked for with."""

from dataclasses import dataclass

METHODS = ("kmeans", "dtw", "hdbscan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How regimes are found."""

    regimes: int | None = None
    """Ground regimes; None: as many as have most support."""
    paths: int | None = None
    """Paths of each ground regime; None: as many as have most support."""
    method: str = "kmeans"
    """`kmeans`; `dtw`, by which paths may run early or late; or `hdbscan`, by density."""
    most_regimes: int = 12
    most_paths: int = 6
    """The largest numbers that are tried."""
    min_size: int | None = None
    """Fewest patches of the sample in a cluster; None: a hundredth of it, 16 or more, of
    which 8 are left on a day with half the sky clouded, to judge one by."""
    min_support: float = 0.05
    """By how much the mean silhouette has to exceed that of points without structure.
    Clusters with less are not told apart, unless their number was given."""
    min_silhouette: float = 0.15
    """Least mean silhouette, likewise,"""
    min_cohesion: float = 0.05
    """and that of the loosest cluster."""
    dimensions: int = 32
    """Components of whole paths, 64 at most."""
    window: float = 0.25
    """Share of the steps that a path may run early or late, with `dtw`."""
    most: int = 20_000
    """Patches that regimes are found on; the others are assigned."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(
                f"method must be one of {', '.join(METHODS)}, got {self.method!r}"
            )
        for name, least in (
            ("regimes", 1),
            ("paths", 1),
            ("min_size", 2),
            ("most_regimes", 2),
            ("most_paths", 2),
            ("dimensions", 1),
            ("most", 20),
        ):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if self.dimensions > 64:
            raise ValueError(f"dimensions must be at most 64, got {self.dimensions}")
        if not 0 <= self.window <= 1:
            raise ValueError(f"window must be 0 to 1, got {self.window}")
        if self.method == "hdbscan" and (self.regimes or self.paths):
            raise ValueError(
                "hdbscan finds the number of clusters by itself; leave regimes and paths "
                "out, or choose kmeans or dtw"
            )

    def least(self, patches: int) -> int:
        """Fewest members of a cluster on a sample of so many patches."""
        return self.min_size or max(16, patches // 100)

    def band(self, steps: int) -> int | None:
        """Steps that a path may run early or late; None: paths are compared step by step."""
        return round(self.window * steps) if self.method == "dtw" else None
