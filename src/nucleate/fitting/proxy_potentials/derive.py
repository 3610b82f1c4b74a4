"""From a structure set to a library, with its hold-out figures inside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nucleate.fitting.proxy_potentials.assess import assess, mean_stiffness
from nucleate.fitting.proxy_potentials.contacts import fit_contacts, fit_volumes
from nucleate.fitting.proxy_potentials.statistics import INNERMOST, invert_statistics
from nucleate.fitting.proxy_potentials.structures import Sample, is_sane, select
from nucleate.fitting.proxy_potentials.system import Geometry
from nucleate.potentials.basis import METALLIC, N_CONTEXTS, Basis, context_of
from nucleate.potentials.spp import SppLibrary

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

STIFFNESS = 10.0
"""Scale of a library: the typical spring of an atom, in (arbitrary) energy per Å^2."""


@dataclass(frozen=True, slots=True)
class DerivationSettings:
    """How to derive a library.

    Attributes
    ----------
    method : {"statistics", "response", "paths"}
        Inverted distance statistics; the fit that takes away the moves of known crystals, starting
        from them; or that one followed by fits that lift what known crystals relax to.
    max_structures : int
        Structures of the statistics.
    fitted_structures : int
        Structures of a linear fit (random ones of the former).
    max_atoms, max_atoms_fitted : int
        Largest structure of each.
    response_ridge, shared : float
        Penalties of `nucleate.fitting.proxy_potentials.hierarchy.fit_curves`.
    step : float
        Part of the Gauss-Newton step that is taken. A second step, from there, overshoots.
    path_structures : int
        Structures with an anion whose relaxations are followed, drawn newly for each set.
    path_ridge : float
        As ``response_ridge``, for these fits.
    path_steps : tuple of tuple of float
        For each set of structures the part of the change that is taken in each of its rounds.
        Whole steps overshoot.
    held_out : int
        Structures to test on.
    seed : int
        Of every random number.
    """

    method: Literal["statistics", "response", "paths"] = "paths"
    max_structures: int = 30_000
    fitted_structures: int = 6_000
    max_atoms: int = 30
    max_atoms_fitted: int = 30
    response_ridge: float = 300.0
    shared: float = 0.1
    step: float = 0.75
    path_structures: int = 7_000
    path_ridge: float = 400.0
    path_steps: tuple[tuple[float, ...], ...] = ((0.6, 0.3, 0.3), (0.4,))
    held_out: int = 600
    seed: int = 0


def derive(
    training: Sequence[Sample],
    held_out: Sequence[Sample],
    settings: DerivationSettings,
    *,
    source: str,
    report: Callable[[str], None],
) -> SppLibrary:
    """Derive a library and measure it on structures held out.

    Parameters
    ----------
    training, held_out
        Structures; formulas that are held out are never trained on.
    settings
        Method and sizes.
    source
        What the structures are, for the provenance.
    report
        Called with a line on each stage.
    """
    elements = tuple(
        sorted({int(z) for sample in [*training, *held_out] for z in sample.crystal.numbers})
    )
    rng = np.random.default_rng(settings.seed)
    tested = test_set(held_out, settings, rng)
    excluded = frozenset(sample.formula for sample in held_out)
    used = select(
        training,
        count=settings.max_structures,
        max_atoms=settings.max_atoms,
        rng=rng,
        excluded=excluded,
    )
    report(f"{len(used)} structures chosen, {len(tested)} held out, {len(elements)} elements")
    basis = Basis()
    contact, inner, observed = fit_contacts(used, elements, basis.cutoff)
    inner = np.maximum(inner, 1.02 * INNERMOST * contact)
    volume, volume_errors = fit_volumes(used, elements)
    geometry = Geometry(elements, contact, volume, basis)
    coefficients = invert_statistics(used, geometry)
    report("distance statistics inverted")
    library = SppLibrary(
        elements=elements,
        contact=contact.astype(np.float32),
        inner=inner.astype(np.float32),
        coefficients=coefficients.astype(np.float32),
        observed=observed,
        volume=volume.astype(np.float32),
        one_body=np.zeros((N_CONTEXTS, len(elements)), dtype=np.float32),
        volume_stiffness=_VOLUME_STIFFNESS,
        basis=basis,
    )
    some = [used[i] for i in rng.permutation(len(used))[:600]]
    library = rescaled(library, STIFFNESS / mean_stiffness(library, some, rng=rng))
    before = assess(library, tested, rng=np.random.default_rng(settings.seed + 1))
    for name, values in before.items():
        report(f"statistics alone, {name}: {values}")
    if settings.method in {"response", "paths"}:
        library = _settled(library, used, settings, rng, report)
    if settings.method == "paths":
        library = kept(library, used, settings, report)
    figures = assess(library, tested, rng=np.random.default_rng(settings.seed + 1))
    for name, values in figures.items():
        report(f"{name}: {values}")
    provenance: dict[str, Any] = {
        "source": source,
        "method": settings.method,
        "settings": {name: getattr(settings, name) for name in settings.__slots__},
        "structures": len(used),
        "median_error_of_expected_volume": [round(float(e), 4) for e in volume_errors],
        "pairs_observed": [int(np.count_nonzero(row)) for row in observed],
        "held_out": _rounded(figures),
        "held_out_statistics_alone": _rounded(before),
    }
    return replace(library, provenance=provenance)


_VOLUME_STIFFNESS = 10.0


def rescaled(library: SppLibrary, factor: float) -> SppLibrary:
    """Return the library with every energy multiplied by ``factor``."""
    return replace(
        library,
        coefficients=(library.coefficients * factor).astype(np.float32),
        one_body=(library.one_body * factor).astype(np.float32),
        volume_stiffness=library.volume_stiffness * factor,
        basis=replace(library.basis, wall_height=library.basis.wall_height * factor),
    )


def _rounded(figures: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {k: {n: round(x, 4) for n, x in values.items()} for k, values in figures.items()}


def _settled(
    library: SppLibrary,
    used: Sequence[Sample],
    settings: DerivationSettings,
    rng: np.random.Generator,
    report: Callable[[str], None],
) -> SppLibrary:
    """Change the library so that known crystals move less when they are relaxed."""
    from nucleate.fitting.proxy_potentials.hierarchy import Hierarchy, fit_curves
    from nucleate.fitting.proxy_potentials.response import ResponseWeights, build_response

    contact: NDArray[np.float64] = library.contact.astype(np.float64)
    volume = library.volume.astype(np.float64)
    geometry = Geometry(library.elements, contact, volume, library.basis)
    small = [sample for sample in used if sample.crystal.n_atoms <= settings.max_atoms_fitted]
    chosen = rng.permutation(len(small))[: settings.fitted_structures]
    system = build_response(
        [small[i] for i in chosen], library, geometry, ResponseWeights(), rng=rng
    )
    hierarchy = Hierarchy.create(library.elements, library.basis.size)
    change = fit_curves(system, hierarchy, ridge=settings.response_ridge, shared=settings.shared)
    left = np.mean((system.target - system.times(change.ravel())) ** 2) / np.mean(system.target**2)
    report(f"fit of the response to {len(chosen)} structures leaves {left:.3f} of the moves")
    coefficients = library.coefficients + settings.step * change.reshape(library.coefficients.shape)
    return replace(library, coefficients=coefficients.astype(np.float32))


def kept(
    library: SppLibrary,
    used: Sequence[Sample],
    settings: DerivationSettings,
    report: Callable[[str], None],
) -> SppLibrary:
    """Return the library after the rounds that lift what known crystals relax to.

    Metals are left as they are: few of them move.
    """
    bonded = [s for s in used if context_of(s.crystal.numbers) != METALLIC]
    for number, steps in enumerate(settings.path_steps):
        rng = np.random.default_rng(settings.seed + 2 + number)
        chosen = [bonded[i] for i in rng.permutation(len(bonded))[: settings.path_structures]]
        if chosen:
            library = _lifted(library, chosen, steps, settings, rng, report)
    return library


def _lifted(
    start: SppLibrary,
    chosen: Sequence[Sample],
    steps: Sequence[float],
    settings: DerivationSettings,
    rng: np.random.Generator,
    report: Callable[[str], None],
) -> SppLibrary:
    """Return the library after the rounds of one set; the rows of earlier rounds are kept."""
    from nucleate.fitting.proxy_potentials.hierarchy import Hierarchy, fit_curves
    from nucleate.fitting.proxy_potentials.paths import PathWeights, build_paths
    from nucleate.fitting.proxy_potentials.response import ResponseWeights, build_response

    contact: NDArray[np.float64] = start.contact.astype(np.float64)
    volume = start.volume.astype(np.float64)
    geometry = Geometry(start.elements, contact, volume, start.basis)
    system = build_response(chosen, start, geometry, ResponseWeights(modes=0), rng=rng)
    hierarchy = Hierarchy.create(start.elements, start.basis.size)
    total, library = np.zeros(start.coefficients.shape), start
    for step in steps:
        paths = build_paths(chosen, library, geometry, PathWeights())
        earlier = paths.times(total.ravel()).astype(np.float32)
        system = system.joined(replace(paths, target=paths.target + earlier))
        wanted = fit_curves(
            system, hierarchy, ridge=settings.path_ridge, shared=settings.shared, iterations=60
        ).reshape(total.shape)
        total = total + step * (wanted - total)
        library = replace(start, coefficients=(start.coefficients + total).astype(np.float32))
        report(f"{paths.target.size} points of relaxations of {len(chosen)} structures lifted")
    return library


def test_set(
    held_out: Sequence[Sample], settings: DerivationSettings, rng: np.random.Generator
) -> list[Sample]:
    """Return the structures to test on: the first sane ones of a random order."""
    order = rng.permutation(len(held_out))
    tested: list[Sample] = []
    for index in order:
        if len(tested) == settings.held_out:
            break
        if is_sane(held_out[index].crystal, max_atoms=40):
            tested.append(held_out[index])
    return tested
