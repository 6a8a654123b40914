"""From the keys of an official checkpoint to those of a network (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from terradrift.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

_SHOWN = 4
"""Keys named in a message; the others are counted."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where a checkpoint keeps the tensors of the network, and what else it may hold."""

    wrappers: tuple[str, ...] = ()
    """Top-level entries that may hold the state, best first, such as `state_dict`."""
    prefixes: tuple[str, ...] = ("",)
    """What may stand before the network's keys, best first; the first that fits any key of
    the file is taken. The empty prefix fits always."""
    ignored: tuple[str, ...] = ()
    """Regular expressions, matched from the start of a whole key of the file: parts of the
    checkpoint that are not of the network (heads, decoders, teachers, queues)."""
    rename: Callable[[str], str] = field(default=str)
    """From a key without prefix to the key of the network."""

    def unwrapped(self, loaded: Mapping[str, object]) -> Mapping[str, object]:
        """The state itself, out of the wrapper where there is one."""
        for name in self.wrappers:
            inner = loaded.get(name)
            if isinstance(inner, dict):
                return inner
        return loaded

    def pick(
        self,
        state: Mapping[str, Tensor],
        expected: Mapping[str, tuple[int, ...]],
        *,
        model: str,
    ) -> dict[str, Tensor]:
        """The tensors of the network by its own keys.

        `expected` maps each key of the network to its shape.

        Raises:
            WeightsError: a key is missing, unknown, or of another shape, or two keys of the
                file are the same one of the network.
        """
        prefix = next(
            (p for p in self.prefixes if any(key.startswith(p) for key in state)), None
        )
        if prefix is None:
            raise WeightsError(
                f"expected the weights of {model}, whose keys begin with "
                f"{' or '.join(map(repr, self.prefixes))}, got {_named(list(state))}; "
                "is it the file of another model?"
            )
        dropped = [re.compile(pattern) for pattern in self.ignored]
        found: dict[str, Tensor] = {}
        origin: dict[str, str] = {}
        unknown: list[str] = []
        for key, value in state.items():
            name = self.rename(key.removeprefix(prefix))
            if key.startswith(prefix) and name in expected:
                if name in found:
                    raise WeightsError(
                        f"cannot tell which are the weights of {model}: {origin[name]} and "
                        f"{key} are both its {name}; expected one of them, take the other "
                        "out of the file"
                    )
                found[name], origin[name] = value, key
            elif not any(pattern.match(key) for pattern in dropped):
                unknown.append(key)
        missing = [key for key in expected if key not in found]
        if missing or unknown:
            raise WeightsError(
                f"these are not the weights of {model}: "
                + " and ".join(_difference(missing, unknown))
                + "; is it the file of another model or size?"
            )
        for key, value in found.items():
            if tuple(value.shape) != tuple(expected[key]):
                raise WeightsError(
                    f"these are not the weights of {model}: {key} has the shape "
                    f"{tuple(value.shape)}, expected {tuple(expected[key])}; "
                    "is it the file of another size?"
                )
        return found


def _difference(missing: list[str], unknown: list[str]) -> list[str]:
    parts = []
    if missing:
        parts.append(f"{len(missing)} keys are missing ({_named(missing)})")
    if unknown:
        parts.append(f"{len(unknown)} are not of it ({_named(unknown)})")
    return parts


def _named(keys: list[str]) -> str:
    shown = ", ".join(keys[:_SHOWN])
    return f"{shown} ..." if len(keys) > _SHOWN else shown or "no keys"
