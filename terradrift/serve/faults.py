"""What a visitor is told where an answer cannot be given: one line and a status."""

from terradrift.errors import TerradriftError


class Fault(Exception):  # noqa: N818 - not an error of the program
    """An answer that is not 200; its text is one line for the visitor."""

    status = 400


class NotThere(Fault):
    """No such thing in the archive."""

    status = 404


class Gone(Fault):
    """It was there and is not kept any more."""

    status = 410


class Busy(Fault):
    """Another process writes to the archive now."""

    status = 423


class Refused(Fault):
    """The visitor may not do this."""

    status = 403


class Crowded(Fault):
    """Too many ask at once."""

    status = 429


class Ended(Fault):
    """Nobody waits for the answer any more, or the server ends."""

    status = 503


class ServeError(TerradriftError, ValueError):
    """The server cannot start as asked."""
