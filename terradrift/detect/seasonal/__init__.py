"""Season-matched novelty of embeddings, less what the whole scene went through (METHODS 4.4)."""
