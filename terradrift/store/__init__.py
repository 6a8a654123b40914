"""Tables at rest: Lance datasets, atomic units of work, GeoParquet out and in."""
