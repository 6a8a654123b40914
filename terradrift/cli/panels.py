"""Help in groups, as plain text: what belongs together stands together."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

_OPTIONS: Mapping[str, Sequence[str]] = {
    "Grid of a new archive": ("patch_size", "gsd", "crs"),
    "Which scenes": (
        *("bbox", "region_file", "datetime", "collection", "max_cloud"),
        *("level", "skip_bad"),
    ),
    "How scenes are read": ("mask", "boa_offset", "scale", "bands", "pattern"),
    "Model": (
        *("model", "tokens", "chip_size", "token_size", "overlap", "dates"),
        "allow_mismatch",
    ),
    "What is reported": ("max_false_alarms",),
    "Machine": (*("device", "precision", "threads", "ray", "ray_workers", "ray_gpus"),),
}
"""Heading to parameters, in order; all others stand under `Options`."""
_PANEL = {name: panel for panel, names in _OPTIONS.items() for name in names}


class Group(TyperGroup):
    """Verbs under the `rich_help_panel` that each was added with."""

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ANN401 - the base takes classes of click, which typer may bring itself
        """Write a section per panel, names aligned over all of them."""
        commands = {name: self.get_command(ctx, name) for name in self.commands}
        widest = max(map(len, commands))
        panels: dict[str, list[tuple[str, str]]] = {}
        for name, command in commands.items():
            panel = getattr(command, "rich_help_panel", None) or "Commands"
            said = command.get_short_help_str(formatter.width) if command else ""
            panels.setdefault(panel, []).append((f"{name:<{widest}}", said))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


class Command(TyperCommand):
    """A verb of many options, in groups."""

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ANN401 - as above
        """Write arguments, a section per panel, and the rest."""
        order = ("Arguments", *_OPTIONS, "Options")
        sections: dict[str, list[tuple[str, str]]] = {name: [] for name in order}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            is_argument = parameter.param_type_name == "argument"
            panel = _PANEL.get(parameter.name or "", "Options")
            sections["Arguments" if is_argument else panel].append(record)
        for name, rows in sections.items():
            if rows:
                with formatter.section(name):
                    formatter.write_dl(rows)
