"""Event folders: a monitored image, its label, and the images of normal days before it."""
