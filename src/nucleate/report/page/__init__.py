"""The report of a run: one HTML page that needs no network."""

from __future__ import annotations

from nucleate.report.page.facts import Facts, facts_of
from nucleate.report.page.write import write_page

__all__ = ["Facts", "facts_of", "write_page"]
