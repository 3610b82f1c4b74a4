"""From the weights of a fit to the arrays of the compiled energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba.extending import overload

from nucleate.potentials.total import total_energy
from nucleate.surrogate.descriptors import CUTOFF_ANG
from nucleate.surrogate.kernels import (
    DEGREE,
    MULTIPLICITY,
    N_DEGREES,
    N_PAIR,
    SurrogateTables,
    surrogate_sum,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.surrogate.descriptors import Layout


@overload(total_energy)
def _of_surrogate(pos, cell, kind, first, other, shift, t, forces, virial):  # noqa: ARG001
    if getattr(t, "instance_class", None) is SurrogateTables:

        def implementation(pos, cell, kind, first, other, shift, t, forces, virial):
            return surrogate_sum(pos, cell, kind, first, other, shift, t, forces, virial)

        return implementation
    return None


def tables_of(
    layout: Layout, weights: NDArray[np.float64], walls: NDArray[np.float64]
) -> SurrogateTables:
    """Return the arrays of the compiled sums.

    Parameters
    ----------
    layout
        Order of the weights.
    weights
        eV, shape (n_columns,).
    walls
        Å, shape (n_elements, n_elements).
    """
    pairs = weights[layout.n_elements : layout.three_body].reshape(layout.n_pairs, N_PAIR)
    features = weights[layout.three_body :].reshape(layout.n_elements, -1, N_DEGREES)
    size = layout.n_products
    moments = np.zeros((layout.n_elements, size, size, len(DEGREE)))
    first, second = np.triu_indices(size)
    by_monomial = features[:, :, DEGREE] * MULTIPLICITY
    moments[:, first, second] += by_monomial
    moments[:, second, first] += by_monomial
    return SurrogateTables(
        one_body=weights[: layout.n_elements].copy(),
        pair=pairs[layout.pair],
        wall=np.array(walls, dtype=np.float64),
        embedding=np.array(layout.embedding),
        moments=moments,
        cutoff=CUTOFF_ANG,
    )
