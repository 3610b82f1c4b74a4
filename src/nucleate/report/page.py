"""The report of a run: one HTML page that needs no network."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Any

from nucleate.hidden import without_values
from nucleate.report.columns import columns
from nucleate.report.render import html_of, html_table
from nucleate.report.trajectory import figure_of
from nucleate.report.views import SHORT_RANKING, tier_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nucleate.report.history import History
    from nucleate.report.rows import Row

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem }
th, td { padding: 0.25rem 0.7rem; border-bottom: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left }
img { max-width: 100% } .quiet { color: #666 }
"""


def write_page(
    path: Path, meta: Mapping[str, Any], history: History, ranked: Sequence[Row]
) -> None:
    """Write the report page; the trajectory is inside as a picture.

    Parameters
    ----------
    path
        Replaced if it exists.
    meta
        Input, versions, machine, seed.
    history
        What became of all records.
    ranked
        Rows of the best distinct structures.
    """
    tiers = tuple(history.tiers)
    formula = escape(str(meta.get("formula", "run")))
    body = [
        f"<h1>{formula}</h1>",
        f"<p>{history.n_records} structures, tiers: {escape(' → '.join(tiers)) or 'none yet'}.</p>",
    ]
    if history.trajectory is not None and history.searched is not None:
        picture = figure_of(history.trajectory, history.searched, title=formula).to_png()
        data = base64.b64encode(picture).decode("ascii")
        body.append(f'<img alt="energy trajectory" src="data:image/png;base64,{data}">')
    body += ["<h2>Distinct structures</h2>", _ranking(ranked)]
    if len(tiers) > 1:
        body += [
            "<h2>Tier by tier</h2>",
            html_table(ranked, tier_columns(tiers)),
            _tiers(history),
        ]
    body += ["<h2>Sources</h2>", _sources(history)]
    body += ["<h2>Failures</h2>", _failures(history)]
    body += ["<h2>How it was made</h2>", _description(meta, ranked)]
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{formula}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>"
    )
    path.write_text(page, encoding="utf-8")


def _ranking(rows: Sequence[Row]) -> str:
    return html_table(rows, columns(*SHORT_RANKING)) if rows else "<p>None yet.</p>"


def _tiers(history: History) -> str:
    """Return how many structures each tier saw, and what became of them."""
    rows = []
    for tier, count in history.tiers.items():
        levels = [history.levels[key] for key in count.levels if key in history.levels]
        models = " ".join(sorted({level.model for level in levels}))
        failed = count.tried - count.relaxed
        rows.append((tier, models, count.tried, count.relaxed, count.converged, failed))
    return html_of(("tier", "model", "tried", "with energy", "converged", "failed"), rows)


def _sources(history: History) -> str:
    rows = [(name, *counts) for name, counts in sorted(history.sources.items())]
    return html_of(("source", "tried", "relaxed", "new minima"), rows)


def _failures(history: History) -> str:
    if not history.failures:
        return "<p>None.</p>"
    rows = [(reason, tier, count) for (tier, reason), count in history.failures.most_common()]
    return html_of(("reason", "tier", "structures"), rows)


def _description(meta: Mapping[str, Any], ranked: Sequence[Row]) -> str:
    levels = {(row.tier, row.relaxed.level) for row in ranked if row.relaxed is not None}
    rows: list[tuple[Any, ...]] = [
        (tier, f"{level.code} {level.version}, {level.model} {level.checkpoint}")
        for tier, level in sorted(levels, key=str)
    ]
    rows += [(key, value) for key, value in sorted(meta.items()) if key not in ("input", "mark")]
    text = without_values(meta.get("input", ""))
    return html_of(("what", "value"), rows) + f"<pre>{escape(str(text))}</pre>"
