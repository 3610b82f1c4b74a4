"""Linear score matching: the potentials whose forces lead rattled crystals back.

At a displacement d the target force is -d (in units of the atom's spring), the target virial
is that of an elastic solid, and decoys are to lie a gap above the true crystal. All of it is
linear in the coefficients: a ridge regression, first for the six classes of pairs, then for the
deviation of each pair from its class (denoising score matching; Vincent, Neural Comput. 23, 1661,
2011).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.fitting.proxy_potentials.system import Geometry, System, class_columns
from nucleate.potentials.basis import N_CLASSES, N_CONTEXTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


_CONSTANT_RIDGE = 1.0


def fit_scores(
    system: System,
    geometry: Geometry,
    *,
    prior: NDArray[np.float64] | None = None,
    ridge: float = 3e3,
    smoothness: float = 3e3,
    iterations: int = 300,
    report: Callable[[str], None] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coefficients (n_contexts, n_pairs, size) and constants (n_contexts, n_elements).

    Parameters
    ----------
    system, geometry
        Rows and what they mean.
    prior
        Coefficients that the fit is pulled to; without them, curves fitted for each class.
    ridge, smoothness
        Penalties of the deviation from the prior: its size and its second differences.
    iterations
        Limit of conjugate-gradient steps.
    report
        Called with a line on each stage.
    """
    size = geometry.basis.size
    pairs = N_CONTEXTS * geometry.n_pairs * size
    if prior is None:
        start = _class_curves(system, geometry, ridge=ridge, smoothness=smoothness)
    else:
        start = np.zeros(geometry.n_unknowns)
        start[:pairs] = prior.ravel()
    residual = system.target - system.times(start)
    deviation = _conjugate_gradients(
        system,
        system.columns,
        geometry.n_unknowns,
        residual.astype(np.float64),
        size=size,
        n_splines=pairs,
        ridge=ridge,
        smoothness=smoothness,
        iterations=iterations,
    )
    if report:
        left = residual - system.times(deviation)
        share = float(np.mean(left**2) / np.mean(residual**2))
        report(f"the fit leaves {share:.3f} of what the prior left")
    unknowns = start + deviation
    return (
        unknowns[:pairs].reshape(N_CONTEXTS, geometry.n_pairs, size),
        unknowns[pairs:].reshape(N_CONTEXTS, len(geometry.elements)),
    )


def _class_curves(
    system: System, geometry: Geometry, *, ridge: float, smoothness: float
) -> NDArray[np.float64]:
    size = geometry.basis.size
    columns, n_class = class_columns(system.columns, geometry)
    fitted = _conjugate_gradients(
        system,
        columns,
        n_class,
        system.target.astype(np.float64),
        size=size,
        n_splines=N_CONTEXTS * N_CLASSES * size,
        ridge=0.1 * ridge,
        smoothness=smoothness,
        iterations=150,
    )
    every, _ = class_columns(np.arange(geometry.n_unknowns), geometry)
    return fitted[every]


def _conjugate_gradients(
    system: System,
    columns: NDArray[np.int64],
    n: int,
    target: NDArray[np.float64],
    *,
    size: int,
    n_splines: int,
    ridge: float,
    smoothness: float,
    iterations: int,
) -> NDArray[np.float64]:
    def penalty(x: NDArray[np.float64]) -> NDArray[np.float64]:
        out = ridge * x
        out[n_splines:] = _CONSTANT_RIDGE * x[n_splines:]
        second = np.diff(x[:n_splines].reshape(-1, size), 2, axis=1)
        bend = np.zeros((second.shape[0], size))
        bend[:, :-2] += second
        bend[:, 1:-1] -= 2.0 * second
        bend[:, 2:] += second
        out[:n_splines] += smoothness * bend.ravel()
        return out

    def normal(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return system.transposed(system.times(x, columns), n, columns) + penalty(x)

    diagonal = system.squared_columns(n, columns) + ridge + 6.0 * smoothness
    diagonal[n_splines:] -= ridge + 6.0 * smoothness - _CONSTANT_RIDGE
    x = np.zeros(n)
    r = system.transposed(target, n, columns)
    limit = 1e-4 * float(np.sqrt(r @ (r / diagonal)))
    z = r / diagonal
    p = z.copy()
    rz = float(r @ z)
    for _ in range(iterations):
        ap = normal(p)
        step = rz / float(p @ ap)
        x += step * p
        r -= step * ap
        z = r / diagonal
        new = float(r @ z)
        if np.sqrt(new) < limit:
            break
        p = z + (new / rz) * p
        rz = new
    return x
