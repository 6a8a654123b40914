"""Narrow columns beside the tables: what SQL reads where a statement names no vector.

One DuckDB file per table under `<archive>/index/`, derived from the Lance table and safe to
delete: `build` makes it, `files` finds it, `attached` opens it, `narrow` uses it.
"""
