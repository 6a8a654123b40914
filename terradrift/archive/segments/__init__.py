"""The method `segments` on an archive: windows, dense maps, regions, files."""
