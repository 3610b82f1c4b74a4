"""Figures that a notebook shows without further ado."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure

from nucleate.text import label

LONGEST_TEXT = 60
"""Characters of a name that a figure shows."""


def figure_text(text: object) -> str:
    """Return a name as a figure shows it: one short line, none of it read as mathematics.

    A space precedes a leading underscore, by which matplotlib hides an entry of a legend.
    """
    shown = label(text)
    if len(shown) > LONGEST_TEXT:
        shown = shown[: LONGEST_TEXT - 3] + "..."
    shown = shown.replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


class ShownFigure(Figure):
    """A figure that shows itself in a notebook, without pyplot and its backend."""

    def _repr_png_(self) -> bytes:
        return self.to_png()

    def to_png(self, *, dpi: int = 130) -> bytes:
        """Return the figure as the bytes of a PNG file."""
        stream = BytesIO()
        self.savefig(stream, format="png", dpi=dpi)
        return stream.getvalue()
