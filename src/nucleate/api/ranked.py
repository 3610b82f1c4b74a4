"""The distinct structures of a run, in their order, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from nucleate.report.columns import columns
from nucleate.report.render import plain_table, to_dicts, to_pandas
from nucleate.report.rows import ranked_rows
from nucleate.report.views import RANKING, SHORT_RANKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs]

    from nucleate.report.columns import Value
    from nucleate.report.ranking import RankedStructure

SHOWN = 20
"""Rows of a table that a notebook or the interpreter shows."""


class Structures:
    """The distinct structures of a run, best first: a sequence that shows itself as a table."""

    def __init__(self, ranked: Sequence[RankedStructure]) -> None:
        self._ranked = tuple(ranked)

    def __len__(self) -> int:
        return len(self._ranked)

    def __iter__(self) -> Iterator[RankedStructure]:
        return iter(self._ranked)

    @overload
    def __getitem__(self, place: int) -> RankedStructure: ...
    @overload
    def __getitem__(self, place: slice) -> Structures: ...
    def __getitem__(self, place: int | slice) -> RankedStructure | Structures:
        if isinstance(place, slice):
            return Structures(self._ranked[place])
        return self._ranked[place]

    def to_dicts(self) -> list[dict[str, Value]]:
        """Return a dictionary for each structure, with the units in its keys."""
        return to_dicts(ranked_rows(self._ranked), columns(*RANKING))

    def to_pandas(self) -> DataFrame:
        """Return :meth:`to_dicts` as a data frame; raises MissingDependencyError without pandas."""
        return to_pandas(ranked_rows(self._ranked), columns(*RANKING))

    def __repr__(self) -> str:
        if not self._ranked:
            return "No structures yet."
        table = plain_table(ranked_rows(self._ranked[:SHOWN]), columns(*SHORT_RANKING))
        return table + self._rest()

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_html(self) -> str:
        """Return the first rows as an HTML table."""
        from nucleate.report.notebook import structures_html

        return structures_html(self._ranked[:SHOWN], len(self._ranked))

    def _rest(self) -> str:
        more = len(self._ranked) - SHOWN
        return f"\n... and {more} more" if more > 0 else ""
