"""A local page and its JSON interface: an archive to look at, to search and to label."""
