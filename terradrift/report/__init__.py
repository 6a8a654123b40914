"""Pages and pictures that show what an archive found: where, when, and how sure."""

from typing import TYPE_CHECKING, Any

from terradrift.report.data import ReportData, shown_patches

if TYPE_CHECKING:
    from terradrift.report.write import write_html, write_pngs

__all__ = ["ReportData", "shown_patches", "write_html", "write_pngs"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    # They bring matplotlib; `serve` needs the pictures of this package, and must not wait.
    if name in {"write_html", "write_pngs"}:
        from terradrift.report import write

        return getattr(write, name)
    raise AttributeError(f"module 'terradrift.report' has no attribute {name!r}")
