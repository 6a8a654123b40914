"""The dense features of an archive's model, ready on a device."""

from dataclasses import replace

from terradrift import plugins
from terradrift.archive import choosing, modelling, origins
from terradrift.archive.choosing import Choice
from terradrift.embed import card as cards
from terradrift.embed import contract, dense
from terradrift.embed import device as devices
from terradrift.embed.dense import DenseFeatures
from terradrift.embed.how import How
from terradrift.embed.protocol import Embedder, Placeable
from terradrift.embed.spec import Spec
from terradrift.errors import ArchiveError
from terradrift.store.tables import Store


def opened(
    store: Store,
    model: str,
    *,
    cell_px: int | None,
    chip_size: int | None,
    device: str,
    allow_mismatch: bool = False,
) -> DenseFeatures:
    """A map by the model: of its tokens where it has any, else of cells; of `cell_px` pixels.

    `chip_size` is that of a model with tokens; None: as the archive's vectors were made, or
    the model's own. `allow_mismatch` takes images of another level or pixel size than the
    model's, as do vectors in the archive that were made so.

    Raises:
        UnknownPluginError: no such model.
        WeightsError: its weights are not on this machine.
        ArchiveError: a model that is fitted on the archive and has not been.
        ValueError: the archive's images do not fit the model, or it gives no map.
    """
    choice = choosing.choose(store, model, {})
    plugin = plugins.load(plugins.EMBEDDERS, choice.model)
    if isinstance(plugin, Spec):
        how = replace(
            choice.how, allow_mismatch=allow_mismatch or choice.how.allow_mismatch
        )
        embedder = _tokens(store, plugin, how, chip_size, cell_px)
    else:
        if chip_size is not None:
            raise ValueError(
                f"model {choice.model} has no chips of its own, got chip_size {chip_size}; "
                "set cell_px"
            )
        embedder = _own(store, choice)
    where = devices.resolve(device)
    if isinstance(embedder, Placeable):
        embedder = embedder.to(where)
    return dense.dense(embedder, patch_px=store.settings.grid.patch_px, cell_px=cell_px)


def _tokens(
    store: Store, spec: Spec, how: How, chip_size: int | None, cell_px: int | None
) -> Embedder:
    wanted = How(
        tokens=True,
        chip_size=chip_size or how.chip_size,
        token_size=cell_px or how.token_size,
        overlap=how.overlap,
        allow_mismatch=how.allow_mismatch,
    )
    bands = store.settings.bands
    # A map needs no whole number of tokens per patch: one token is the patch here.
    made = spec.embedder(bands, patch_px=cards.token_pixels(spec, wanted), how=wanted)
    contract.check(
        made.card,
        bands=bands,
        origin=origins.origin(store, made.card),
        allow_mismatch=how.allow_mismatch,
    )
    return made


def _own(store: Store, choice: Choice) -> Embedder:
    if modelling.unfitted(store, choice):
        raise ArchiveError(
            f"{store.root} has no fitted {choice.model}; run terradrift embed "
            f"--model {choice.model} first, or choose another model"
        )
    return modelling.opened(store, choice)
