"""What a notebook shows of archives, relations and results: HTML without scripts, and maps."""
