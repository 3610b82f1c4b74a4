"""The energy of any form of tables, as compiled code calls it; import where needed (numba)."""

from __future__ import annotations

from numba import njit
from numba.extending import overload

from nucleate.potentials.kernels import Tables, energy_sum, neighbours


def total_energy(pos, cell, kind, first, other, shift, t, forces, virial) -> tuple[float, float]:
    """Fill forces and virial by the sums of any tables; return energy and shortest contact.

    As :func:`~nucleate.potentials.kernels.energy_sum`. Compiled code alone can call it. The type of
    ``t`` decides: a form of energy with tables of its own adds an overload.
    """
    raise NotImplementedError(f"no energy of {type(t).__name__} outside of compiled code")


@overload(total_energy)
def _of_tables(pos, cell, kind, first, other, shift, t, forces, virial):  # noqa: ARG001
    if getattr(t, "instance_class", None) is Tables:

        def implementation(pos, cell, kind, first, other, shift, t, forces, virial):
            return energy_sum(pos, cell, kind, first, other, shift, t, forces, virial)

        return implementation
    return None


@njit(cache=True, nogil=True)
def evaluated(pos, cell, kind, t, forces, virial):
    """Fill forces and virial of a crystal without a neighbour list; return energy and contact."""
    first, other, shift = neighbours(pos, cell, t.cutoff)
    return total_energy(pos, cell, kind, first, other, shift, t, forces, virial)
