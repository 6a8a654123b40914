"""File-name patterns such as `{collection}_{datetime:%Y%m%d}_{band}.tif` (pure)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

from terradrift.errors import SourceError

_FIELD = re.compile(r"\{(?P<name>\w+)(?::(?P<form>[^{}]+))?\}|(?P<mark>[*\[\]])")
_DIRECTIVES = {
    "Y": r"\d{4}",
    "y": r"\d{2}",
    "m": r"\d{2}",
    "d": r"\d{2}",
    "j": r"\d{3}",
    "H": r"\d{2}",
    "M": r"\d{2}",
    "S": r"\d{2}",
    "f": r"\d{1,6}",
    "b": r"[A-Za-z]{3}",
}
_MARKS = {"*": "[^/]*", "[": "(?:", "]": ")?"}
_EXAMPLE = "'{collection}_{datetime:%Y%m%d}_{band}.tif'"

Scene = tuple[str, dict[str, Any], dict[str | None, Path]]
"""Id, fields but the band, and files by band (None: a file that names its own bands)."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """How a file's name tells its date, and perhaps its band, collection and the like.

    `band`, `collection`, `platform`, `constellation`, `level`, `baseline` and `id` are
    understood; other names only keep scenes apart. `{datetime:FORM}` takes strptime's %Y %y %m %d %j %H %M %S %f %b; other `{names}` match
    anything but a slash; `*` matches without a name; `[_{band}]` may be missing. With a slash in it, the pattern is for
    the path within the folder, else for the file's name.
    """

    text: str
    form: str
    regex: re.Pattern[str]

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Read a pattern.

        Raises:
            ValueError: no date in it, a name twice, or a form that strptime does not know.
        """
        forms: list[str] = []
        out, end = "", 0
        for match in _FIELD.finditer(text):
            out += re.escape(text[end : match.start()])
            out += _group(text, match, forms)
            end = match.end()
        out += re.escape(text[end:])
        if len(forms) != 1:
            raise ValueError(
                f"expected a pattern with one {{datetime:%Y%m%d}}, such as {_EXAMPLE}, got {text!r}"
            )
        try:
            return cls(text, forms[0], re.compile(out))
        except re.error as error:
            raise ValueError(
                f"expected a pattern such as {_EXAMPLE}, got {text!r}: {error}"
            ) from error

    def match(self, path: PurePath) -> tuple[str, dict[str, Any]] | None:
        """Scene id and fields of a path relative to its folder; None where it does not fit."""
        name = path.as_posix() if "/" in self.text else path.name
        match = self.regex.fullmatch(name)
        if match is None:
            return None
        fields: dict[str, Any] = {
            field: value for field, value in match.groupdict().items() if value
        }
        try:
            when = datetime.strptime(match["datetime"] or "", self.form).replace(
                tzinfo=UTC
            )
        except ValueError:
            return None
        fields["datetime"] = when
        return _scene_id(name, match), fields

    def scenes(self, files: Sequence[Path], folder: Path) -> list[Scene]:
        """Files grouped to scenes, by date and id.

        Raises:
            SourceError: a file does not fit, or two files are one band of one scene.
        """
        fits = [(path, self.match(path.relative_to(folder))) for path in files]
        odd = [path for path, fit in fits if fit is None]
        if odd:
            raise SourceError(
                f"expected all GeoTIFFs to fit the pattern {self.text!r}, "
                f"got {len(odd)} of {len(files)} that do not, such as {odd[0].relative_to(folder)}; "
                "pass another --pattern or move them away"
            )
        groups: dict[str, Scene] = {}
        for path, fit in fits:
            if fit is None:
                continue
            scene_id, fields = fit
            band = fields.pop("band", None)
            members = groups.setdefault(scene_id, (scene_id, fields, {}))[2]
            if band in members:
                raise SourceError(
                    f"expected one file per scene and band, got {members[band].name} and "
                    f"{path.name} for {scene_id}; make the pattern {self.text!r} tell them apart"
                )
            members[band] = path
        return sorted(
            groups.values(), key=lambda scene: (scene[1]["datetime"], scene[0])
        )


def _group(text: str, match: re.Match[str], forms: list[str]) -> str:
    if match["mark"]:
        return _MARKS[match["mark"]]
    name, form = match["name"], match["form"]
    if name != "datetime":
        if form:
            raise ValueError(
                f"only datetime takes a form in a pattern, got {match[0]} in {text!r}"
            )
        return f"(?P<{name}>[^/]+?)"
    forms.append(form or "")
    unknown = set(re.findall(r"%(.)", form or "")) - _DIRECTIVES.keys()
    if unknown or not form or "%" not in form:
        raise ValueError(
            "expected {datetime:FORM} with FORM of %Y %y %m %d %j %H %M %S %f %b, "
            f"got {match[0]}"
        )
    parts = re.split(r"%(.)", form)
    inner = "".join(
        _DIRECTIVES[part] if position % 2 else re.escape(part)
        for position, part in enumerate(parts)
    )
    return f"(?P<datetime>{inner})"


def _scene_id(name: str, match: re.Match[str]) -> str:
    """The name without suffix and band; a field called `id` stands for it."""
    if match.groupdict().get("id"):
        return match["id"]
    if match.groupdict().get("band"):
        start, end = match.span("band")
        left, right = name[:start].rstrip("_-. /"), name[end:]
        name = left + right if left else right.lstrip("_-. /")
    stem = name.removesuffix(PurePath(name).suffix)
    return re.sub(r"[/\s]+", "_", stem)
