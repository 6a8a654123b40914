"""Tables out of the archive: what is beside and around the files of an export."""
