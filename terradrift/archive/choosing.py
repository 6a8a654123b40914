"""Which model is meant, and how it is used: what was asked for, and what an archive holds."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import pyarrow as pa

from terradrift import plugins
from terradrift.archive import origins
from terradrift.embed import card as cards
from terradrift.embed import contract
from terradrift.embed import device as devices
from terradrift.embed.how import How
from terradrift.embed.spec import Spec
from terradrift.errors import ModelMismatchError
from terradrift.grid import Grid
from terradrift.store import units
from terradrift.store.tables import Settings, Store

PRECISIONS = ("auto", "fp32", "bf16")

HOW = "how"
"""Schema metadata of embeddings of a foundation model: its `How` as JSON."""

_ABOUT = 0.02
"""Part by which pixels of whole metres may be off, as where they are degrees."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A model by its registered name, and how it is used."""

    model: str
    how: How

    @property
    def stored(self) -> str:
        """The name in the archive: `NAME`, or `NAME-tokens`."""
        return self.model + (cards.TOKENS if self.how.tokens else "")


def parse(model: str, *, tokens: bool = False) -> tuple[str, bool]:
    """The registered name, and whether tokens are meant: `NAME-tokens` says so too."""
    base = model.removesuffix(cards.TOKENS)
    return base, tokens or base != model


def choose(store: Store | None, model: str, asked: Mapping[str, Any]) -> Choice:
    """The model as `store` (None: not there yet) goes on with it.

    `asked` are fields of `How`; None is one that was not given. Where the archive holds
    vectors of the model, they say the rest, and nothing else may be asked for.

    Raises:
        ModelMismatchError: the archive's vectors were made in another way.
    """
    base, tokens = parse(model, tokens=bool(asked.get("tokens")))
    given = {name: value for name, value in asked.items() if value is not None}
    wanted = How(**{**given, "tokens": tokens})
    choice = Choice(base, wanted)
    before = None if store is None else held(store, choice.stored)
    if store is None or before is None:
        return choice
    for name, value in given.items():
        kept = getattr(before, name)
        other = replace(before, **{name: value})
        if name != "allow_mismatch" and not _same(store, base, before, other):
            raise ModelMismatchError(
                f"{store.root} holds vectors of {choice.stored} made with "
                f"{_option(name, kept)}, got {_option(name, value)}; leave the option "
                "out, or embed into another archive"
            )
    allowed = before.allow_mismatch or wanted.allow_mismatch
    return Choice(base, replace(before, allow_mismatch=allowed))


def _same(store: Store, model: str, one: How, other: How) -> bool:
    """Whether both make the same vectors, as where one names the default of the other."""
    plugin = plugins.load(plugins.EMBEDDERS, model)
    if one == other or not isinstance(plugin, Spec):
        return one == other
    px = store.settings.grid.patch_px
    first, second = (
        cards.card(plugin, patch_px=px, how=how, weights_sha256="")
        for how in (one, other)
    )
    return first == second


def held(store: Store, stored: str) -> How | None:
    """How the archive's vectors of the model were made; None where that is not known."""
    table = units.embeddings_table(stored)
    if not store.exists(table):
        return None
    text = (store.dataset(table).schema.metadata or {}).get(HOW.encode())
    if text is None:
        return None
    known = {field.name for field in fields(How)}
    return How(**{k: v for k, v in json.loads(text).items() if k in known})


def remembered(choice: Choice) -> dict[str, str]:
    """What is written beside the vectors so that the next run goes on the same way."""
    plugin = plugins.load(plugins.EMBEDDERS, choice.model)
    if not isinstance(plugin, Spec):
        return {}
    return {HOW: json.dumps(asdict(choice.how), sort_keys=True)}


def check(
    choice: Choice,
    grid: Grid,
    device: str | None,
    precision: str,
    bands: tuple[str, ...] = (),
) -> None:
    """Refuse what cannot be done, before anything is read or written.

    `device` None: not one of this machine. `bands` are the archive's; empty: not known yet.

    Raises:
        UnknownPluginError: no such model.
        WeightsError: its weights are not on this machine.
        ValueError: choices that do not fit the model or the grid, or no such device.
    """
    plugin = plugins.load(plugins.EMBEDDERS, choice.model)
    if device is not None:
        devices.resolve(device)
    if precision not in PRECISIONS:
        raise ValueError(
            f"precision must be {', '.join(PRECISIONS)}, got {precision!r}"
        )
    if not isinstance(plugin, Spec):
        _only_default(choice)
        if precision == "bf16":
            raise ValueError(
                f"model {choice.model} computes in float32 only, got --precision bf16; "
                "leave the option out"
            )
        return
    # Before the first scene the grid may have no pixels; then the options are judged alone.
    natural = _vector_px(plugin, choice.how)
    px = natural if grid.gsd is None else grid.patch_px
    card = cards.card(
        plugin, patch_px=px, how=choice.how, weights_sha256="", gsd=grid.gsd
    )
    if bands:
        contract.missing_bands(card, bands)
    from terradrift.embed import library

    if not library.present(plugin):
        library.load(plugin)  # says how to get them


def fits(choice: Choice, held: Settings, scenes: pa.Table) -> None:
    """Refuse settings and scenes of an archive for the model, if it is a foundation model.

    `scenes` has the columns `origins.COLUMNS` of all its scenes.

    Raises:
        ValueError: patches, bands, sensor, level or pixel size do not fit the model.
    """
    plugin = plugins.load(plugins.EMBEDDERS, choice.model)
    if not isinstance(plugin, Spec):
        return
    grid = held.grid
    card = cards.card(
        plugin,
        patch_px=grid.patch_px,
        how=choice.how,
        weights_sha256="",
        gsd=grid.gsd,
    )
    contract.check(
        card,
        bands=held.bands,
        origin=origins.of_scenes(scenes, held, card),
        allow_mismatch=choice.how.allow_mismatch,
    )


def patch_size(choice: Choice, gsd: float) -> int | None:
    """Metres per patch side that suit the model at `gsd`; None: the usual.

    One token, or one chip of a pooled model. Degrees give pixels of, say, 9.97 m: those
    within 2 % of whole metres count as such.

    Raises:
        UnknownPluginError: no such model.
        ValueError: a token or chip is no whole number of metres.
    """
    plugin = plugins.load(plugins.EMBEDDERS, choice.model)
    if not isinstance(plugin, Spec):
        return None
    pixels = _vector_px(plugin, choice.how)
    for pixel in (gsd, float(round(gsd))):
        metres = pixels * pixel
        if abs(pixel / gsd - 1) <= _ABOUT and abs(metres - round(metres)) <= 1e-6:
            return round(metres)
    raise ValueError(
        f"model {choice.stored} makes a vector of {pixels * gsd:g} m; a patch must be a "
        "whole number of metres, pass --patch-size"
    )


def _vector_px(spec: Spec, how: How) -> int:
    """Pixels per side of what one vector is made for: a token, or a whole chip."""
    if how.tokens:
        return cards.token_pixels(spec, how)
    return how.chip_size or spec.chip_size


def _only_default(choice: Choice) -> None:
    usual = How()
    for field in fields(How):
        value = getattr(choice.how, field.name)
        if value != getattr(usual, field.name):
            raise ValueError(
                f"model {choice.model} knows no {_option(field.name, value)}; leave the "
                "option out, or choose a foundation model (terradrift models)"
            )


def _option(name: str, value: object) -> str:
    """The choice as it is spelled on the command line."""
    flag = f"--{name.replace('_', '-')}"
    if value is None:
        return f"the model's own {flag}"
    return flag if value is True else f"{flag} {value}"
