"""Methods beside detection: what they are asked, where their rows go, and those on vectors."""
