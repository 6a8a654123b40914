"""The model of an archive: for its bands, fitted and kept with it, or from weights."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from terradrift import plugins, schema
from terradrift.archive.choosing import Choice
from terradrift.embed.protocol import Embedder
from terradrift.embed.spec import Spec
from terradrift.errors import ModelMismatchError
from terradrift.store import units
from terradrift.store.tables import Store

if TYPE_CHECKING:
    from terradrift.embed.forward_precision import Precision
    from terradrift.embed.foundation import Foundation


def opened(store: Store, choice: Choice, precision: str = "auto") -> Embedder:
    """The model, ready for the images of the archive.

    `precision` is that of a foundation model; others have their own. A model that is
    fitted must have been, see `unfitted`.

    Raises:
        UnknownPluginError: no such model.
        WeightsError: its weights are not on this machine, or damaged.
        ValueError: the archive's bands or patches do not fit the model.
    """
    plugin = plugins.load(plugins.EMBEDDERS, choice.model)
    if isinstance(plugin, Spec):
        held, how = store.settings, choice.how
        made = plugin.embedder(held.bands, patch_px=held.grid.patch_px, how=how)
        return replace(made, precision=cast("Precision", precision))
    if getattr(plugin, "needs_fit", False):
        loaded: Embedder = plugin.load(fitted_path(store, choice))
        return loaded
    simple: Embedder = plugin.for_bands(store.settings.bands)
    return simple


def precision(choice: Choice, embedder: Embedder, device: str) -> str:
    """`fp32` or `bf16`: in what the model, as `opened` gave it, computes on `device`."""
    if isinstance(plugins.load(plugins.EMBEDDERS, choice.model), Spec):
        return cast("Foundation", embedder).precision_on(device)
    return "fp32"


def fitted_path(store: Store, choice: Choice) -> Path:
    """Where a model that was fitted on the archive is kept."""
    return store.root / "models" / f"{schema.suffix(choice.stored)}.safetensors"


def unfitted(store: Store, choice: Choice) -> bool:
    """Whether the model must be fitted on the archive before it can be opened.

    Raises:
        ModelMismatchError: the archive's vectors come from a fit that is not here.
    """
    plugin = plugins.load(plugins.EMBEDDERS, choice.model)
    path = fitted_path(store, choice)
    if not getattr(plugin, "needs_fit", False) or path.exists():
        return False
    table = units.embeddings_table(choice.stored)
    if store.exists(table) and store.count(table):
        raise ModelMismatchError(
            f"{store.root} holds vectors of a fitted {choice.stored} that is not with them, "
            f"as after an import; copy models/{path.name} of the archive they come from to "
            f"{path}"
        )
    return True
