"""A reader of Mapbox Vector Tiles 2.1, for tests: from the specification, nothing of ours."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

POINT, POLYGON = 1, 3


@dataclass(frozen=True)
class Feature:
    """One feature: `rings` of whole numbers, of a point one ring of one corner."""

    type: int
    properties: dict[str, Any]
    rings: list[list[tuple[int, int]]]


def layers(tile: bytes) -> dict[str, tuple[int, int, list[Feature]]]:
    """Version, extent and features of each layer."""
    found = {}
    for field, layer in _fields(tile):
        assert field == 3
        parts = list(_fields(layer))
        keys = [value.decode() for number, value in parts if number == 3]
        values = [_value(value) for number, value in parts if number == 4]
        features = [
            _feature(value, keys, values) for number, value in parts if number == 2
        ]
        one = dict(parts)
        found[one[1].decode()] = (one[15], one.get(5, 4096), features)
    return found


def features(tile: bytes, layer: str = "changes") -> list[Feature]:
    """Those of one layer; none where the tile is empty."""
    return layers(tile)[layer][2] if tile else []


def area(ring: list[tuple[int, int]]) -> float:
    """By the surveyor's formula: above 0 for an exterior ring."""
    after = [*ring[1:], ring[0]]
    return sum(x * b - a * y for (x, y), (a, b) in zip(ring, after, strict=True)) / 2


def _feature(message: bytes, keys: list[str], values: list[Any]) -> Feature:
    one = dict(_fields(message))
    tags = list(_varints(one.get(2, b"")))
    properties = {
        keys[key]: values[value]
        for key, value in zip(tags[::2], tags[1::2], strict=True)
    }
    return Feature(one[3], properties, list(_rings(list(_varints(one[4])))))


def _rings(numbers: list[int]) -> Iterator[list[tuple[int, int]]]:
    at, x, y = 0, 0, 0
    ring: list[tuple[int, int]] = []
    while at < len(numbers):
        command, count = numbers[at] & 7, numbers[at] >> 3
        at += 1
        if command == 7:
            yield ring
            ring = []
            continue
        for _ in range(count):
            x += _signed(numbers[at])
            y += _signed(numbers[at + 1])
            ring.append((x, y))
            at += 2
    if ring:
        yield ring


def _signed(number: int) -> int:
    return (number >> 1) ^ -(number & 1)


def _value(message: bytes) -> Any:
    ((field, value),) = _fields(message)
    if field == 1:
        return value.decode()
    if field == 2:
        return struct.unpack("<f", value)[0]
    if field == 3:
        return struct.unpack("<d", value)[0]
    if field == 4:
        return value - (1 << 64) if value >> 63 else value
    if field == 6:
        return _signed(value)
    return bool(value) if field == 7 else value


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
        else:
            size, at = (
                (4 if kind == 5 else 8, at) if kind in (1, 5) else _varint(message, at)
            )
            value, at = message[at : at + size], at + size
        yield key >> 3, value


def _varints(message: bytes) -> Iterator[int]:
    at = 0
    while at < len(message):
        value, at = _varint(message, at)
        yield value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
