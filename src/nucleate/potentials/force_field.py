"""Buckingham force fields with charges: `ForceField` and the model it makes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Literal

import numpy as np

from nucleate.crystal.elements import element
from nucleate.errors import InputError
from nucleate.units import COULOMB_EV_A_OF_GULP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from nucleate.potentials.model import EnergyModel

COULOMB = COULOMB_EV_A_OF_GULP  # so that energies agree with published sets
_STEP = 0.01
_EWALD_CUTOFF = 10.0  # Å
_EWALD_DIGITS = 4.6  # exp(-4.6^2) = 6e-10
_NEGLIGIBLE = 1e-8  # eV: where the repulsion may end


@dataclass(frozen=True, slots=True)
class Buckingham:
    """``A exp(-r/rho) - C/r^6`` between two elements.

    Attributes
    ----------
    a, rho, c : float
        eV, Å, eV Å^6.
    r_min, r_max : float
        The published range in Å. Below ``r_min`` (or where the repulsion would give way to
        -C/r^6) the attraction continues as its second-order Taylor polynomial, so that atoms
        cannot fall into each other.
    """

    a: float
    rho: float
    c: float = 0.0
    r_min: float = 0.0
    r_max: float = 12.0


@dataclass(frozen=True, slots=True)
class ForceField:
    """A published force field: charges and Buckingham terms by element.

    Attributes
    ----------
    charges : dict
        Charge of each element in e.
    buckingham : dict
        Terms by pair of symbols in alphabetical order.
    taper : float
        Width in Å of the smooth end of every term at its ``r_max``; 0 cuts off.
    dispersion : {"lattice-sum", "cutoff"}
        Whether ``-C/r^6`` is summed over the whole lattice (Ewald) or to ``r_max``.
    coulomb_constant : float
        eV Å.
    name : str
        For reports.
    """

    charges: Mapping[str, float]
    buckingham: Mapping[tuple[str, str], Buckingham]
    taper: float = 0.0
    dispersion: Literal["lattice-sum", "cutoff"] = "lattice-sum"
    coulomb_constant: float = COULOMB
    name: str = "force field"

    @property
    def reach(self) -> float:
        """Distance in Å at which the last pair term ends (charges reach further)."""
        return max((term.r_max for term in self.buckingham.values()), default=_EWALD_CUTOFF)

    def check(self, numbers: Iterable[int]) -> None:
        """Raise an `InputError` unless the field describes these atoms.

        Raises
        ------
        InputError
            If a pair that would attract or ignore each other has no potential, or the charges
            do not add up to zero.
        """
        counts: dict[str, int] = {}
        for number in numbers:
            symbol = element(int(number)).symbol
            counts[symbol] = counts.get(symbol, 0) + 1
        symbols = sorted(counts)
        self.check_pairs(symbols)
        total = sum(self.charges.get(symbol, 0.0) * count for symbol, count in counts.items())
        if abs(total) > 1e-6 * max(1, sum(counts.values())):
            formula = "".join(f"{symbol}{count}" for symbol, count in counts.items())
            states = ", ".join(f"{symbol} {self.charges.get(symbol, 0.0):+g}" for symbol in symbols)
            raise InputError(
                f"{self.name}: the charges of {formula} add up to {total:+g} e instead of 0 "
                f"({states}). Change the charges of the force field or the composition."
            )

    def check_pairs(self, symbols: Iterable[str]) -> None:
        """Raise an `InputError` if a pair of these elements has no term."""
        pairs = combinations_with_replacement(sorted(symbols), 2)
        for a, b in sorted(pairs, key=lambda pair: pair[0] == pair[1]):
            self._check_pair(a, b)

    def _check_pair(self, a: str, b: str) -> None:
        if pair_key(a, b) in self.buckingham:
            return
        product = self.charges.get(a, 0.0) * self.charges.get(b, 0.0)
        known = a in self.charges and b in self.charges
        if not known or product <= 0.0:
            missing = [symbol for symbol in dict.fromkeys((a, b)) if symbol not in self.charges]
            detail = f" ({', '.join(missing)} has no charge either)" if missing else ""
            raise InputError(
                f"{self.name}: no potential for the pair {a}-{b}{detail}. Add a Buckingham term "
                "for it; only ions of the same sign may do without one."
            )

    def model(self, numbers: Iterable[int]) -> EnergyModel:
        """Return the compiled model for the elements of these atoms.

        Raises
        ------
        InputError
            As :meth:`check`.
        """
        from nucleate.potentials.kernels import Tables
        from nucleate.potentials.model import EnergyModel

        numbers = list(numbers)
        self.check(numbers)
        elements = tuple(sorted({int(number) for number in numbers}))
        symbols = [element(number).symbol for number in elements]
        charge = np.array([self.charges.get(symbol, 0.0) for symbol in symbols])
        terms = [[self.buckingham.get(pair_key(a, b)) for b in symbols] for a in symbols]
        c6 = np.array([[term.c if term else 0.0 for term in row] for row in terms])
        lattice_sum = self.dispersion == "lattice-sum" and bool(np.any(c6))
        charged = bool(np.any(charge))
        ewald_cutoff = _EWALD_CUTOFF if charged or lattice_sum else 0.0
        alpha = _EWALD_DIGITS / ewald_cutoff if ewald_cutoff else 0.0
        products = self.coulomb_constant * np.outer(charge, charge)
        cutoffs = np.full((len(elements),) * 2, ewald_cutoff)
        for i, row in enumerate(terms):
            for j, term in enumerate(row):
                if term:
                    cutoffs[i, j] = max(cutoffs[i, j], self._reach(term, lattice_sum))
        knots = int(np.ceil(cutoffs.max() / _STEP)) + 1
        pair = np.zeros(cutoffs.shape, dtype=np.int64)
        splines, cut2 = [], []
        for i in range(len(elements)):
            for j in range(i, len(elements)):
                pair[i, j] = pair[j, i] = len(splines)
                splines.append(
                    self._spline(terms[i][j], products[i, j], alpha, lattice_sum, cutoffs[i, j])
                )
                cut2.append(cutoffs[i, j] ** 2)
        spline = np.zeros((len(splines), knots, 4))
        for row, table in zip(spline, splines, strict=True):
            row[: len(table)] = table[:knots]
        tables = Tables(
            pair=pair, spline=spline, cut2=np.array(cut2), inverse_step=1.0 / _STEP,
            cutoff=float(cutoffs.max()), charge_product=products,
            dispersion=c6 if lattice_sum else np.zeros_like(c6), alpha=alpha,
            k_cutoff=2.0 * alpha * _EWALD_DIGITS, volume=np.ones(len(elements)),
            volume_stiffness=0.0,
            one_body=np.zeros(len(elements)),
        )  # fmt: skip
        return EnergyModel(elements, tables)

    def _reach(self, term: Buckingham, lattice_sum: bool) -> float:
        if term.c and not lattice_sum:
            return term.r_max
        decay = term.rho * np.log(max(abs(term.a), 1.0) / _NEGLIGIBLE) if term.a else 0.0
        return float(min(term.r_max, max(decay, 1.0)))

    def _spline(
        self,
        term: Buckingham | None,
        product: float,
        alpha: float,
        lattice_sum: bool,
        cutoff: float,
    ) -> NDArray[np.float64]:
        """Return the table of a pair, with a spline on each side of where a term is cut off."""
        from scipy.special import erfc

        from nucleate.potentials.splines import spline_table, taper

        def short_range(r: NDArray[np.float64], *, cut: bool) -> NDArray[np.float64]:
            assert term is not None
            join = join_distance(term, product)
            repulsion = term.a * np.exp(-r / term.rho)
            attraction = np.where(r < join, _taylor(term.c, join, r), term.c / r**6)
            window = np.zeros_like(r) if cut else np.ones_like(r)
            if self.taper:
                window = taper(r, term.r_max - self.taper, term.r_max)
            if not lattice_sum:
                return (repulsion - attraction) * window
            x2 = (alpha * r) ** 2
            lattice = (1.0 + x2 + 0.5 * x2**2) * np.exp(-x2) * term.c / r**6
            near = np.where(r < join, term.c / r**6 - attraction, 0.0)
            return repulsion * window + near - lattice

        def table(*, cut: bool) -> NDArray[np.float64]:
            def energy(r: NDArray[np.float64]) -> NDArray[np.float64]:
                total = np.zeros_like(r)
                if product:
                    total += product * erfc(alpha * r) / r
                if term:
                    total += short_range(r, cut=cut)
                return total

            return spline_table(energy, step=_STEP, cutoff=cutoff)

        within = table(cut=False)
        if term is None or self.taper or term.r_max >= cutoff:
            return within
        end = int(np.ceil(term.r_max / _STEP - 1e-9))
        return np.concatenate([within[:end], table(cut=True)[end:]])


def pair_key(a: str, b: str) -> tuple[str, str]:
    """Return two symbols in alphabetical order."""
    return (a, b) if a <= b else (b, a)


def join_distance(term: Buckingham, product: float) -> float:
    """Return where the attraction of a Buckingham term leaves -C/r^6, in Å.

    The larger of the published lower limit and the distance where the force between the two
    ions (charges included) is largest; inside it the bare term would let atoms collapse.

    Parameters
    ----------
    term
        The Buckingham term.
    product
        Coulomb constant times both charges in eV Å.
    """
    if term.c <= 0.0 or term.a <= 0.0:
        return term.r_min
    r = np.arange(0.4, 3.0, 0.002)
    curvature = (
        term.a / term.rho**2 * np.exp(-r / term.rho) - 42.0 * term.c / r**8 + 2.0 * product / r**3
    )
    collapsing = r[curvature < 0.0]
    inner = collapsing[collapsing < 2.2]
    return max(term.r_min, float(inner.max()) if inner.size else 0.4)


def _taylor(c: float, join: float, r: NDArray[np.float64]) -> NDArray[np.float64]:
    if join <= 0.0:
        return np.zeros_like(r)
    s = (join - r) / join
    return c / join**6 * (1.0 + 6.0 * s + 21.0 * s**2)
