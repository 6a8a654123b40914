"""GeoParquet 1.1: footers, geometries, covering columns, and what makes files slow."""
