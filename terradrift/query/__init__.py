"""Answers from the store: SQL and similar changes."""
