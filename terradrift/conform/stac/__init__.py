"""STAC documents, the Embedding extension v0.0.1, and what they link to on this disk."""
