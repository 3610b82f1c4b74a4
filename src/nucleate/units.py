"""Units and constants of nature: CODATA 2018 (Tiesinga et al., Rev. Mod. Phys. 93, 025010, 2021).

The package works in Å, eV, eV/Å and eV/Å³, and in GPa where pressures are read or shown.
"""

from __future__ import annotations

GPA_PER_EV_A3 = 160.2176634
"""GPa in one eV/Å³ (exact: the elementary charge is)."""

KBAR_PER_GPA = 10.0
"""kbar in one GPa."""

BAR_PER_GPA = 1e4
"""bar in one GPa."""

COULOMB_EV_A_OF_GULP = 14.3997584
"""The same as GULP has it; published force fields were fitted with it."""

EV_PER_HARTREE = 27.211386245988
"""eV in one Hartree."""

EV_PER_RYDBERG = 13.605693122994
"""eV in one Rydberg."""

ANGSTROM_PER_BOHR = 0.529177210903
"""Å in one Bohr radius."""

BOLTZMANN_EV_PER_K = 8.617333262145179e-5
"""Boltzmann's constant in eV/K (exact)."""

EV_PER_KCAL_MOL = 4184.0 / 6.02214076e23 / 1.602176634e-19
"""eV per particle in one (thermochemical) kcal/mol."""

EV_PER_KJ_MOL = 1000.0 / 6.02214076e23 / 1.602176634e-19
"""eV per particle in one kJ/mol."""
