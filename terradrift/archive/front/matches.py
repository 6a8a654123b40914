"""Searches of an archive whose answers know its scenes, and so can draw themselves."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ParamSpec

from terradrift.archive.front.handed import Handed
from terradrift.query.result import Result

if TYPE_CHECKING:
    from collections.abc import Callable

    from terradrift.store.tables import Store

P = ParamSpec("P")


class Matches(Handed[P, Result]):
    """As `Handed`; the answer is given what draws its matches."""

    def _loaded(self) -> Callable[..., Result]:
        function = super()._loaded()

        @functools.wraps(function)
        def pictured(store: Store, *args: Any, **named: Any) -> Result:  # noqa: ANN401 - those of the function
            from terradrift.archive.pictured import Pictures

            found: Result = function(store, *args, **named)
            model = named.get("model") or store.settings.model
            if model is None:
                return found
            return replace(found, pictures=Pictures(store, str(model)))

        return pictured
