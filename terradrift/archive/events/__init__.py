"""Folders of events, judged without an archive: images, regions, maps."""
