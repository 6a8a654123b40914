"""Checks files against published specifications; knows nothing of archives and models."""
