"""What may be asked of the server; one file per subject, each with one function `router`."""
