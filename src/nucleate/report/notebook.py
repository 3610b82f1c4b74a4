"""A run as a notebook shows it: its state, its trajectory as a picture, its best structures."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

from nucleate.report.columns import columns
from nucleate.report.history import drawn_trajectory
from nucleate.report.render import html_table
from nucleate.report.rows import ranked_rows
from nucleate.report.sketch import sketch
from nucleate.report.views import SHORT_RANKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.report.ranking import RankedStructure
    from nucleate.run.store import Store


def run_html(store: Store, *, best: int) -> str:
    """Return a run as HTML, with its trajectory as a picture in the text.

    Only the geometries of the best structures are read, so a large run is shown as fast.

    Parameters
    ----------
    store
        Open for reading; the run may still be writing to it.
    best
        How many structures are listed.
    """
    from nucleate.report.light import overview
    from nucleate.report.status import state_of

    found = overview(store, best=best)
    formula = str(store.meta["formula"])
    head = f"{formula}: {found.n_structures} structures, {found.n_distinct} distinct"
    text = f"<p><b>{escape(head)}</b> ({escape(state_of(store))})</p>"
    drawn = drawn_trajectory(store)
    if drawn is not None and found.n_distinct:
        text += picture(sketch(*drawn, title=formula), head)
    return text + structures_html(found.ranked, found.n_distinct)


def structures_html(ranked: Sequence[RankedStructure], n_distinct: int) -> str:
    """Return distinct structures as an HTML table that says how many more there are."""
    if not ranked:
        return "<p>No structures yet.</p>"
    more = n_distinct - len(ranked)
    rest = f"<p>... and {more} more</p>" if more > 0 else ""
    return html_table(ranked_rows(ranked), columns(*SHORT_RANKING)) + rest


def picture(svg: str, alternative: str) -> str:
    """Return an SVG document as an ``img`` element that contains it.

    Parameters
    ----------
    svg
        The document.
    alternative
        What it shows, for people who do not see it.
    """
    data = b64encode(svg.encode("utf-8")).decode("ascii")
    return f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(alternative, quote=True)}">'
