"""Pages and pictures that show what an archive found: where, when, and how sure."""

from terradrift.report.data import ReportData, shown_patches
from terradrift.report.write import write_html, write_pngs

__all__ = ["ReportData", "shown_patches", "write_html", "write_pngs"]
