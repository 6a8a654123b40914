"""A local page and its JSON interface: an archive to look at, to search and to label."""

from terradrift.serve.running import serve, served

__all__ = ["serve", "served"]
