"""Where the scenes of an archive come from, as models ask it."""

import pyarrow as pa
import pyarrow.compute as pc

from terradrift.embed.contract import Origin, sensor_of
from terradrift.embed.protocol import ModelCard
from terradrift.store.tables import Settings, Store

COLUMNS = ["constellation", "processing_level", "gsd"]
"""What `scenes` say of where they come from."""


def origin(store: Store, card: ModelCard) -> Origin:
    """What all scenes of the archive state, whether embedded yet or not.

    Raises:
        ValueError: the model was made for one level, and the scenes are of several, or of
            one beside some that state none.
    """
    return of_scenes(store.scan("scenes", COLUMNS).read_all(), store.settings, card)


def of_scenes(stated: pa.Table, held: Settings, card: ModelCard) -> Origin:
    """The same of scenes that may not be stored yet; `stated` has `COLUMNS`.

    Raises: as `origin`.
    """
    levels = sorted({level or "" for level in stated["processing_level"].to_pylist()})
    if len(levels) > 1 and card.level != "any":
        words = " and ".join(level or "an unknown level" for level in reversed(levels))
        raise ValueError(
            f"model {card.name} needs scenes of one level, {card.level}, and these are of "
            f"{words}; make an archive of each (ingest --level or --collection)"
        )
    sensors = sorted({name for name in stated["constellation"].to_pylist() if name})
    return Origin(
        level=levels[0] if len(levels) == 1 else None,
        gsd=held.grid.gsd,
        scene_gsd=pc.max(stated["gsd"]).as_py(),
        sensor=sensor_of(" and ".join(sensors), held.bands),
    )
