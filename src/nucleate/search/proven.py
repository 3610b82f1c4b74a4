"""The rule ``[stop] proven``: the best structure against what is proven on grids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.exact.stop import Floor

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.exact.certificate import Certificate
    from nucleate.exact.relaxing import Relax
    from nucleate.search.record import Record


class Proven:
    """Whether the best structure of a run is as low as everything that proven grids can offer.

    Where the tier that ranks the structures is the model of the proofs, this ends a run. Else it
    is advice for people, and :meth:`holds` never becomes true.

    Parameters
    ----------
    certificate : Certificate
        The proofs.
    tier : str
        The tier that ranks the structures of the run.
    place : str
        Where the certificate is, for people.
    relax : Relax or None
        Relaxes the best structure with the model of the proofs, where the tier is another one:
        then the rule is advice.
    """

    def __init__(
        self, certificate: Certificate, tier: str, place: str, relax: Relax | None = None
    ) -> None:
        self.floor = Floor.of(certificate)
        self._tier, self._place, self._relax = tier, place, relax
        self._lowest = np.inf
        self._best: Crystal | None = None

    def note(self, record: Record) -> None:
        """Take note of a finished record."""
        relaxed = record.relaxed_by(self._tier)
        if relaxed is not None and relaxed.enthalpy_per_atom < self._lowest:
            self._lowest, self._best = relaxed.enthalpy_per_atom, relaxed.crystal

    @property
    def holds(self) -> bool:
        """Whether the run may end by this rule."""
        return self._relax is None and self.floor.against(self._lowest).may_stop

    def in_words(self) -> str:
        """Return what is proven, on which grids, and what that means for the run."""
        about = f"The proofs are about {self.floor.grids} ({self._place})."
        if self._best is None:
            return f"Not proven: no structure was relaxed. {about}"
        if self._relax is None:
            return f"{_capital(self.floor.against(self._lowest).sentence)} {about}"
        end = self._relax(self._best, rng=np.random.default_rng(0))
        advice = (
            f"Advice only, as the tier {self._tier!r} is not the model of the proofs "
            f"({self.floor.model})"
        )
        if end is None:
            return f"{advice}, with which the best structure could not be relaxed. {about}"
        compared = self.floor.against(end.energy / len(end.symbols))
        return (
            f"{advice}; relaxed with that model, the best structure is {compared.sentence} {about}"
        )


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
