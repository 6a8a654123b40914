"""Image detectors by name, as an archive uses them."""

from collections.abc import Mapping
from typing import Any

from terradrift import plugins
from terradrift.detect.image.protocol import ImageDetector
from terradrift.store.tables import Store


def opened(
    store: Store, name: str, device: str, given: Mapping[str, Any]
) -> ImageDetector:
    """The image detector `name` with the parameters `given`.

    One that must be trained is read from the archive's `models`, where its training left it.

    Raises:
        UnknownPluginError: no such image detector.
        ValueError: a parameter out of range.
        ArchiveError: it must be trained first.
    """
    plugin = plugins.load(plugins.IMAGE_DETECTORS, name)
    trained = getattr(plugin, "trained", None)
    found: ImageDetector = (
        plugin(**given)
        if trained is None
        else trained(store.root / "models", device=device, **given)
    )
    return found
