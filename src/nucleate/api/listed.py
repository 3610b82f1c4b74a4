"""The distinct structures of a run as a sequence that shows itself as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from nucleate.report.columns import columns
from nucleate.report.render import plain_table, to_dicts, to_pandas
from nucleate.report.rows import ranked_rows
from nucleate.report.views import RANKING, SHORT_RANKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs]

    from nucleate.report.columns import Value
    from nucleate.report.ranking import RankedStructure

SHOWN = 20
"""Rows of a table that a notebook or the interpreter shows."""


class Structures:
    """The distinct structures of a run, best first: a sequence that shows itself as a table.

    Parameters
    ----------
    ranked
        The first ones, or all.
    n_distinct
        How many there are; default: those given.
    read
        Returns all of them; called when more than the first ones are needed.
    """

    def __init__(
        self,
        ranked: Sequence[RankedStructure],
        n_distinct: int | None = None,
        read: Callable[[], Sequence[RankedStructure]] | None = None,
    ) -> None:
        self._ranked = tuple(ranked)
        self._n = len(self._ranked) if n_distinct is None else n_distinct
        self._read = read

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[RankedStructure]:
        return iter(self._all())

    @overload
    def __getitem__(self, place: int) -> RankedStructure: ...
    @overload
    def __getitem__(self, place: slice) -> Structures: ...
    def __getitem__(self, place: int | slice) -> RankedStructure | Structures:
        chosen = range(self._n)[place]
        if isinstance(chosen, range):
            last = max(chosen[0], chosen[-1]) if chosen else 0
            return Structures([self._up_to(last)[k] for k in chosen])
        return self._up_to(chosen)[chosen]

    def to_dicts(self) -> list[dict[str, Value]]:
        """Return a dictionary for each structure, with the units in its keys."""
        return to_dicts(ranked_rows(self._all()), columns(*RANKING))

    def to_pandas(self) -> DataFrame:
        """Return :meth:`to_dicts` as a data frame; raises MissingDependencyError without pandas."""
        return to_pandas(ranked_rows(self._all()), columns(*RANKING))

    def __repr__(self) -> str:
        if not self._n:
            return "No structures yet."
        table = plain_table(ranked_rows(self._up_to(SHOWN - 1)[:SHOWN]), columns(*SHORT_RANKING))
        return table + self._rest()

    def _repr_html_(self) -> str:
        return self.to_html()

    def to_html(self) -> str:
        """Return the first rows as an HTML table."""
        from nucleate.report.notebook import structures_html

        return structures_html(self._up_to(SHOWN - 1)[:SHOWN], self._n)

    def _rest(self) -> str:
        more = self._n - SHOWN
        return f"\n... and {more} more" if more > 0 else ""

    def _up_to(self, last: int) -> tuple[RankedStructure, ...]:
        """Return the first structures, up to a place at least, and not past the end."""
        return self._all() if min(last + 1, self._n) > len(self._ranked) else self._ranked

    def _all(self) -> tuple[RankedStructure, ...]:
        """Return all; those that were handed out before stay the same objects."""
        if self._read is not None and len(self._ranked) < self._n:
            whole = list(self._read())
            for place, known in enumerate(self._ranked[: len(whole)]):
                if whole[place].record.number == known.record.number:
                    whole[place] = known
            self._ranked, self._n, self._read = tuple(whole), len(whole), None
        return self._ranked
