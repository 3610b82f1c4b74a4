"""Energy models for grids beyond published force fields: pair functions, and ions by default."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.contacts import shortest_contact
from nucleate.crystal.elements import element, ionic_radius, is_element
from nucleate.errors import InputError
from nucleate.potentials.force_field import COULOMB, Buckingham, ForceField, pair_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from nucleate.crystal.composition import Composition
    from nucleate.potentials.model import EnergyModel

_STEP = 0.01
_EWALD_CUTOFF = 10.0  # Å
_EWALD_DIGITS = 4.6
_MADELUNG = 0.29
"""Madelung constant over coordination number: 0.291 in rock salt, 0.22 to 0.41 elsewhere."""
_RANGE = 0.3  # Å, of the repulsion
_CONTACT_ENERGY = 0.15  # eV, of like ions at their shortest contact


@dataclass(frozen=True, slots=True, eq=False)
class PairModel:
    """Any pair energies, tabulated, with charges or without.

    Attributes
    ----------
    values : dict
        Energies in eV at the distances 0, step, 2 step ... by pair of symbols in alphabetical
        order; a pair ends at the end of its table.
    charges : dict
        Charge of each element in e.
    step : float
        Å.
    coulomb_constant : float
        eV Å.
    name : str
        For reports.
    """

    values: Mapping[tuple[str, str], NDArray[np.float64]]
    charges: Mapping[str, float]
    step: float = _STEP
    coulomb_constant: float = COULOMB
    name: str = "pair energies"

    @classmethod
    def from_functions(
        cls,
        functions: Mapping[tuple[str, str], Callable[[NDArray[np.float64]], NDArray[np.float64]]],
        *,
        cutoff: float,
        charges: Mapping[str, float] | None = None,
        coulomb_constant: float = COULOMB,
        name: str = "pair energies",
    ) -> PairModel:
        """Tabulate functions of the distance (Å) up to a cut-off; below 0.3 Å they are constant."""
        r = np.maximum(np.arange(round(cutoff / _STEP) + 1) * _STEP, 0.3)
        values = {pair_key(*pair): function(r) for pair, function in functions.items()}
        return cls(values, charges or {}, _STEP, coulomb_constant, name)

    def model(self, numbers: Iterable[int]) -> EnergyModel:
        """Return the compiled model for the elements of these atoms.

        Raises
        ------
        InputError
            If the charges do not add up to 0, or a pair has neither charges nor energies.
        """
        from scipy.special import erfc

        from nucleate.potentials.kernels import Tables
        from nucleate.potentials.model import EnergyModel
        from nucleate.potentials.splines import spline_table

        numbers = list(numbers)
        self._check(numbers)
        elements = tuple(sorted(set(numbers)))
        symbols = [element(z).symbol for z in elements]
        charge = np.array([self.charges.get(symbol, 0.0) for symbol in symbols])
        charged = bool(np.any(charge))
        alpha = _EWALD_DIGITS / _EWALD_CUTOFF if charged else 0.0
        products = self.coulomb_constant * np.outer(charge, charge)
        n = len(elements)
        pair = np.zeros((n, n), dtype=np.int64)
        splines, cutoffs = [], []
        for i in range(n):
            for j in range(i, n):
                pair[i, j] = pair[j, i] = len(splines)
                table = self._table(symbols[i], symbols[j])
                cutoff = max((table.shape[0]) * self.step, _EWALD_CUTOFF if charged else 0.0)
                electric = spline_table(
                    lambda r, q=products[i, j]: q * erfc(alpha * r) / r,
                    step=self.step, cutoff=cutoff,
                )  # fmt: skip
                electric[: table.shape[0]] += table
                splines.append(electric)
                cutoffs.append(cutoff)
        knots = max(spline.shape[0] for spline in splines)
        spline = np.zeros((len(splines), knots, 4))
        for row, table in zip(spline, splines, strict=True):
            row[: table.shape[0]] = table
        tables = Tables(
            pair=pair, spline=spline, cut2=np.array(cutoffs) ** 2, inverse_step=1.0 / self.step,
            cutoff=max(cutoffs), charge_product=products, dispersion=np.zeros((n, n)), alpha=alpha,
            k_cutoff=2.0 * alpha * _EWALD_DIGITS, volume=np.ones(n), volume_stiffness=0.0,
            one_body=np.zeros(n),
        )  # fmt: skip
        return EnergyModel(elements, tables)

    def _table(self, a: str, b: str) -> NDArray[np.float64]:
        from nucleate.potentials.splines import cubic_coefficients

        values = self.values.get(pair_key(a, b))
        return np.zeros((1, 4)) if values is None else cubic_coefficients(np.asarray(values))

    def _check(self, numbers: list[int]) -> None:
        symbols = [element(z).symbol for z in numbers]
        total = sum(self.charges.get(symbol, 0.0) for symbol in symbols)
        if abs(total) > 1e-6 * len(symbols):
            raise InputError(
                f"{self.name}: the charges add up to {total:+g} e instead of 0. Change them or the "
                "composition."
            )
        for a in sorted(set(symbols)):
            for b in sorted(set(symbols)):
                product = self.charges.get(a, 0.0) * self.charges.get(b, 0.0)
                if pair_key(a, b) not in self.values and product <= 0.0:
                    raise InputError(
                        f"{self.name}: no energies for the pair {a}-{b}. Add a table for it; only "
                        "ions of the same sign may do without one."
                    )


def read_pair_model(path: Path | str) -> PairModel:
    """Read tabulated pair energies from a TOML file.

    It has ``[[pair]]`` tables with ``elements``, ``r_A`` (rising, two distances or more) and
    ``energy_eV``, and may have ``name`` and ``[charges]``. Energies are joined by natural cubic
    splines and constant inside the first distance; they are 0 beyond the last.

    Raises
    ------
    InputError
        If the file is missing or malformed.
    """
    from scipy.interpolate import CubicSpline

    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        values = {}
        for entry in data["pair"]:
            a, b = entry["elements"]
            r, energy = np.array(entry["r_A"], float), np.array(entry["energy_eV"], float)
            if not (is_element(a) and is_element(b)) or r.size < 2 or np.any(np.diff(r) <= 0):
                raise ValueError(f"pair {a}-{b}")
            spline = CubicSpline(r, energy, bc_type="natural")
            grid = np.arange(int(np.floor(r[-1] / _STEP + 1e-9)) + 1) * _STEP
            values[pair_key(a, b)] = spline(np.clip(grid, r[0], r[-1]))
        return PairModel(values, data.get("charges", {}), name=data.get("name", path.name))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"pair energies = {path}: not readable ({error}). Give [[pair]] tables with elements, "
            "r_A (rising) and energy_eV."
        ) from error


def ionic_field(composition: Composition) -> ForceField:
    """Return formal charges with a repulsion that holds ions at the sum of their radii.

    For each cation and anion ``A exp(-r/0.3 Å)`` balances the Coulomb force of a crystal, that of
    the pair times 0.29, at the sum of the ionic radii; like ions repel with 0.15 eV at their
    shortest contact in known structures. A stand-in where no force field was published: its
    structures are starts for better models, its energies mean nothing by themselves.

    Raises
    ------
    InputError
        If the composition has no oxidation states.
    """
    states = composition.oxidation_states
    if states is None:
        raise InputError(
            f"{composition.formula} has no oxidation states that add up to 0. Give a force field "
            "(--force-field), or use the proxy potentials (--proxy)."
        )
    terms = {}
    symbols = list(states)
    for i, a in enumerate(symbols):
        for b in symbols[i:]:
            product = states[a] * states[b]
            if product < 0:
                r0 = ionic_radius(a, states[a]) + ionic_radius(b, states[b])
                force = _MADELUNG * COULOMB * abs(product) / r0**2
                strength = force * _RANGE * np.exp(r0 / _RANGE)
            else:
                contact = shortest_contact(element(a).number, element(b).number)
                strength = _CONTACT_ENERGY * np.exp(contact / _RANGE)
            terms[pair_key(a, b)] = Buckingham(float(strength), _RANGE, 0.0, 0.0, 12.0)
    charges = {symbol: float(state) for symbol, state in states.items()}
    return ForceField(charges, terms, name="formal charges and radii")
