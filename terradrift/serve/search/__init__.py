"""Searches whose matches are shown, and what analysts say of them."""
