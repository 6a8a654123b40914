"""Published Major TOM embeddings: their grid, their fragments, and their way into an archive."""
