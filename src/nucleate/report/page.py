"""The report of a run: one HTML page that needs no network."""

from __future__ import annotations

import base64
from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any

from nucleate.hidden import without_values
from nucleate.relax.outcome import Failed, Relaxed
from nucleate.report.columns import columns
from nucleate.report.ranking import ENERGY
from nucleate.report.render import html_of, html_table
from nucleate.report.rows import ranked_rows
from nucleate.report.trajectory import trajectory_figure
from nucleate.report.views import SHORT_RANKING, tier_columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.report.content import RunContent
    from nucleate.report.rows import Row
    from nucleate.search.record import Record, SearchUpdate

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem }
th, td { padding: 0.25rem 0.7rem; border-bottom: 1px solid #ddd; text-align: right }
th:first-child, td:first-child { text-align: left }
img { max-width: 100% } .quiet { color: #666 }
"""


def write_page(path: Path, content: RunContent, ranked: Sequence[Row]) -> None:
    """Write the report page; the trajectory is inside as a picture.

    Parameters
    ----------
    path
        Replaced if it exists.
    content
        What the store of the run holds.
    ranked
        Rows of the best distinct structures.
    """
    from nucleate.report.content import searched_tier

    told, tiers = content.told, content.tiers
    formula = escape(str(content.meta.get("formula", "run")))
    body = [
        f"<h1>{formula}</h1>",
        f"<p>{len(told)} structures, tiers: {escape(' → '.join(tiers)) or 'none yet'}.</p>",
    ]
    searched = searched_tier(content)
    if searched is not None:
        body.append(f'<img alt="energy trajectory" src="{_picture(told, searched, formula)}">')
    body += ["<h2>Distinct structures</h2>", _ranking(ranked), *_final(content, ranked)]
    if len(tiers) > 1:
        body += [
            "<h2>Tier by tier</h2>",
            html_table(ranked, tier_columns(tiers)),
            _tiers(told, tiers),
        ]
    body += ["<h2>Sources</h2>", _sources(told)]
    body += ["<h2>Failures</h2>", _failures(told)]
    body += ["<h2>How it was made</h2>", _description(content.meta, ranked)]
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{formula}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>"
    )
    path.write_text(page, encoding="utf-8")


def _picture(told: Sequence[tuple[Record, SearchUpdate]], tier: str, title: str) -> str:
    picture = trajectory_figure(told, tier, title=title).to_png()
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")


def _ranking(rows: Sequence[Row]) -> str:
    return html_table(rows, columns(*SHORT_RANKING)) if rows else "<p>None yet.</p>"


def _final(content: RunContent, ranked: Sequence[Row]) -> list[str]:
    """Return what the final phase says, and the list in the order of energy to open."""
    findings = content.findings
    if findings is None:
        return []
    found = [f"<p>{escape(line)}</p>" for line in findings.text]
    found.append(
        f"<p class=quiet>Polished structures are the same up to a displacement of "
        f"{findings.tolerance:g} (volume per atom)^(1/3), by {escape(findings.matcher)}.</p>"
    )
    by_energy = ranked_rows(content.ranked(ENERGY)[: len(ranked)])
    table = html_table(by_energy, columns(*SHORT_RANKING))
    return [*found, f"<details><summary>In the order of energy</summary>{table}</details>"]


def _tiers(told: Sequence[tuple[Record, SearchUpdate]], tiers: Sequence[str]) -> str:
    """Return how many structures each tier saw, and what became of them."""
    rows = []
    for tier in tiers:
        seen = [item.outcome for record, _ in told for item in record.outcomes if item.tier == tier]
        good = [outcome for outcome in seen if isinstance(outcome, Relaxed)]
        converged = sum(outcome.converged for outcome in good)
        models = " ".join(sorted({outcome.level.model for outcome in good}))
        rows.append((tier, models, len(seen), len(good), converged, len(seen) - len(good)))
    return html_of(("tier", "model", "tried", "with energy", "converged", "failed"), rows)


def _sources(told: Sequence[tuple[Record, SearchUpdate]]) -> str:
    tried = Counter(record.candidate.origin.source for record, _ in told)
    relaxed = Counter(
        record.candidate.origin.source for record, _ in told if record.relaxed is not None
    )
    minima = Counter(
        record.candidate.origin.source for record, verdict in told if verdict.new_minimum
    )
    rows = [(name, tried[name], relaxed[name], minima[name]) for name in sorted(tried)]
    return html_of(("source", "tried", "relaxed", "new minima"), rows)


def _failures(told: Sequence[tuple[Record, SearchUpdate]]) -> str:
    reasons = Counter(
        (item.tier, str(item.outcome.reason))
        for record, _ in told
        for item in record.outcomes
        if isinstance(item.outcome, Failed)
    )
    if not reasons:
        return "<p>None.</p>"
    rows = [(reason, tier, count) for (tier, reason), count in reasons.most_common()]
    return html_of(("reason", "tier", "structures"), rows)


def _description(meta: dict[str, Any], ranked: Sequence[Row]) -> str:
    levels = {(row.tier, row.relaxed.level) for row in ranked if row.relaxed is not None}
    rows: list[tuple[Any, ...]] = [
        (tier, f"{level.code} {level.version}, {level.model} {level.checkpoint}")
        for tier, level in sorted(levels, key=str)
    ]
    rows += [(key, value) for key, value in sorted(meta.items()) if key not in ("input", "mark")]
    text = without_values(meta.get("input", ""))
    return html_of(("what", "value"), rows) + f"<pre>{escape(str(text))}</pre>"
