"""How wrong a network is: by split and by chemistry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_HALOGENS = frozenset({9, 17, 35, 53})
_CHALCOGENS = frozenset({16, 34, 52})
_PNICTOGENS = frozenset({7, 15, 33})
_LIGHT = frozenset({1, 5, 6, 14, 32})
_OXYGEN = 8


def chemistry_of(numbers: NDArray[np.int64]) -> str:
    """Return the chemical class of a compound by its anions.

    ``element``, ``oxide``, ``halide``, ``chalcogenide``, ``pnictide``, ``mixed anions``, then
    ``hydride, boride, carbide, silicide or germanide`` and ``intermetallic``.
    """
    present = {int(z) for z in numbers}
    if len(present) == 1:
        return "element"
    groups = [
        name
        for name, members in (
            ("oxide", {_OXYGEN}),
            ("halide", _HALOGENS),
            ("chalcogenide", _CHALCOGENS),
            ("pnictide", _PNICTOGENS),
        )
        if present & members
    ]
    if len(groups) == 1:
        return groups[0]
    if groups:
        return "mixed anions"
    if present & _LIGHT:
        return "hydride, boride, carbide, silicide or germanide"
    return "intermetallic"


def errors_by_chemistry(
    numbers: Sequence[NDArray[np.int64]],
    predicted: NDArray[np.float64],
    energies: NDArray[np.floating],
) -> dict[str, dict[str, Any]]:
    """Return count and mean absolute error in eV/atom of each chemical class."""
    classes = np.array([chemistry_of(z) for z in numbers])
    wrong = np.abs(predicted - energies)
    return {
        str(name): {
            "count": int((classes == name).sum()),
            "mae_ev_per_atom": round(float(wrong[classes == name].mean()), 4),
        }
        for name in np.unique(classes)
    }


def mean_absolute_error(predicted: NDArray[np.float64], energies: NDArray[np.floating]) -> float:
    """Return the mean absolute error, NaN where there is nothing to compare."""
    return float(np.abs(predicted - energies).mean()) if energies.size else float("nan")
