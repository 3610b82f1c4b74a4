"""Figures that a notebook shows without further ado."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure


class ShownFigure(Figure):
    """A figure that shows itself in a notebook, without pyplot and its backend."""

    def _repr_png_(self) -> bytes:
        return self.to_png()

    def to_png(self, *, dpi: int = 130) -> bytes:
        """Return the figure as the bytes of a PNG file."""
        stream = BytesIO()
        self.savefig(stream, format="png", dpi=dpi)
        return stream.getvalue()
