"""Methods that are functions of the store: their signature and words stand in one place."""

from __future__ import annotations

import functools
import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Concatenate, Generic, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from terradrift.store.tables import Store

P = ParamSpec("P")
R = TypeVar("R")


class Held(Protocol):
    """What has a store."""

    @property
    def store(self) -> Store:
        """The store."""


class Handed(Generic[P, R]):
    """A method that calls a function with the archive's store for its first argument.

    `help`, `inspect.signature` and completion show the function's arguments. Given as
    `module:name`, the function is imported when the method is first looked at, since what
    searches takes longer to import than all else.
    """

    def __init__(self, function: Callable[Concatenate[Store, P], R] | str) -> None:
        self._function = function

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name
        self._qualified = f"{owner.__qualname__}.{name}"

    def __get__(
        self, archive: Held | None, owner: type | None = None
    ) -> Callable[P, R]:
        bound: Callable[P, R] = self._method.__get__(archive, owner)
        return bound

    @functools.cached_property
    def _method(self) -> Callable[..., R]:
        function = self._loaded()

        @functools.wraps(function)
        def method(self: Held, *args: P.args, **named: P.kwargs) -> R:
            return function(self.store, *args, **named)

        told = inspect.signature(function)
        _, *others = told.parameters.values()
        archive = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        method.__name__, method.__qualname__ = self._name, self._qualified
        method.__signature__ = told.replace(  # type: ignore[attr-defined]  # as inspect reads it
            parameters=[archive, *others]
        )
        return method

    def _loaded(self) -> Callable[Concatenate[Store, P], R]:
        if not isinstance(self._function, str):
            return self._function
        module, _, name = self._function.partition(":")
        found: Callable[Concatenate[Store, P], R] = getattr(import_module(module), name)
        return found
