"""Published embeddings as GeoParquet: what made them, when, where, and their way into an archive."""
