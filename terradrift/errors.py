"""The errors a caller may want to catch; each also is the built-in it refines.

Every message says what was expected, what came, and what to do.
"""


class TerradriftError(Exception):
    """Base of all errors that terradrift raises on purpose."""


class SchemaError(TerradriftError, TypeError):
    """A table, file or archive does not have the columns that its name promises."""


class SourceError(TerradriftError, ValueError):
    """A source, scene or file cannot be read, or cannot be read safely."""


class HarmonisationError(SourceError):
    """It cannot be told how digital numbers become reflectance."""


class ArchiveError(TerradriftError, ValueError):
    """An archive cannot be created, opened or written as asked."""


class ArchiveLockedError(ArchiveError):
    """Another process is writing to the archive."""


class ModelMismatchError(TerradriftError, ValueError):
    """Vectors of two models, or of two revisions of one, would be mixed."""


class UnknownPluginError(TerradriftError, LookupError):
    """No embedder or detector of that name is installed."""


class QueryError(TerradriftError, ValueError):
    """A query cannot be answered as asked."""


class WeightsError(TerradriftError, ValueError):
    """Weights of a model are absent, damaged, of another model, or not safe to read."""
