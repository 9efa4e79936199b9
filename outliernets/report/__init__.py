"""From results to report.json and to the tables people read."""

from outliernets.report.build import Results, build_report, verdict
from outliernets.report.footprint import footprint_page
from outliernets.report.text import as_text

__all__ = ["Results", "as_text", "build_report", "footprint_page", "verdict"]
