"""What the pressure of a run does to volumes: found out once, and kept in the store."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from nucleate.energy.compression import Compression, compression
from nucleate.run.scoring import single_points
from nucleate.run.store import Store
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace
    from nucleate.energy.compression import Energies
    from nucleate.relax.settings import TierSettings
    from nucleate.run.settings import RunSettings

COMPRESSION = "compression"
"""Kind of the event that holds the number."""

LEAST_GPA = 1.0
"""Pressures up to this one change volumes by a few per cent at most."""

DRAWN, SCANNED = 24, 4
"""Random crystals, and the lowest distinct ones of them, through whose volumes the model is
scanned."""

SAME_ENERGY = 1e-3
"""eV/atom; crystals drawn twice have the same energy."""

STAGE = "volumes under pressure"


def compression_of_run(
    settings: RunSettings, folder: Path, report: Callable[[str, int, int], None]
) -> Compression:
    """Return the compression of a new run, or the one that the run of a folder began with.

    Parameters
    ----------
    settings
        The input.
    folder
        The run folder, which may not exist yet.
    report
        See :func:`~nucleate.run.predict.build_source`.
    """
    problem = settings.problem
    if problem.compression is not None or abs(problem.pressure_gpa) <= LEAST_GPA:
        return Compression(problem.compression or 1.0)
    if Store.exists(folder):
        with Store.read(folder) as store:
            found = stored_compression(store)
        if found is not None:
            return found
    report(STAGE, 0, 1)
    found = compression_by_the_model(settings)
    report(STAGE, 1, 1)
    return found


def compression_of_samples(
    tiers: Sequence[TierSettings], pressure_gpa: float, samples: Sequence[Crystal]
) -> Compression:
    """Return the compression for structures that are relaxed as they are given.

    It is the strongest of those of a few of them, as guards must let all of them pass.

    Parameters
    ----------
    tiers, pressure_gpa
        As in the input; the first tier that is an MLIP is asked.
    samples
        Structures of different compositions.
    """
    moves = any(tier.relax and tier.relax_cell for tier in tiers)
    if abs(pressure_gpa) <= LEAST_GPA or not moves or not samples:
        return Compression()
    name, energies = _energies_without_pressure(tiers, pressure_gpa)
    if energies is None:
        return Compression()
    found = [compression(energies, [crystal], pressure_gpa) for crystal in samples]
    choose = min if pressure_gpa > 0.0 else max
    strongest = choose(found, key=lambda one: one.factor)
    return Compression(strongest.factor, strongest.note, name)


def compression_of(store: Store) -> float:
    """Return the compression of a run with records."""
    found = stored_compression(store)
    return 1.0 if found is None else found.factor


def stored_compression(store: Store) -> Compression | None:
    """Return the compression that a run began with; 1 for one with records from before it."""
    for _, _, data in store.events(COMPRESSION):
        return Compression(**data)
    given = store.meta.get("input", {}).get("problem", {}).get("compression")
    if given is not None:
        return Compression(float(given))
    return Compression() if store.n_records() else None


def keep_compression(store: Store, found: Compression) -> None:
    """Write the compression into the store of a run that does not hold it yet."""
    if found != Compression() and not any(store.events(COMPRESSION)):
        store.add_event(0.0, COMPRESSION, asdict(found))
        store.commit()


def compression_by_the_model(settings: RunSettings) -> Compression:
    """Return the compression of a few random crystals of low energy.

    1 with a note where no tier is an MLIP.
    """
    pressure_gpa = settings.problem.pressure_gpa
    name, energies = _energies_without_pressure(settings.tier, pressure_gpa)
    if energies is None:
        return Compression(note="no tier is an MLIP; give problem.compression")
    found = compression(energies, _lowest(settings.problem.space(), energies), pressure_gpa)
    return Compression(found.factor, found.note, name)


def _energies_without_pressure(
    tiers: Sequence[TierSettings], pressure_gpa: float
) -> tuple[str, Energies | None]:
    """Return the first tier that is an MLIP, and its energies in eV/atom; None without one."""
    for tier in tiers:
        enthalpies = single_points(tier, pressure_gpa=pressure_gpa)
        if enthalpies is not None:
            break
    else:
        return "", None
    per_volume = pressure_gpa / GPA_PER_EV_A3

    def energies(crystals: Sequence[Crystal]) -> NDArray[np.float64]:
        volumes = np.array([crystal.volume_per_atom for crystal in crystals])
        return enthalpies(crystals) - per_volume * volumes

    return tier.name, energies


def _lowest(space: SearchSpace, energies: Energies) -> list[Crystal]:
    """Return a few random crystals of low energy, at the volume that is expected at 0 GPa."""
    from nucleate.generate.symmetric import SymmetricGenerator

    rng = np.random.default_rng(0)
    generator = SymmetricGenerator(space)
    smallest = space.formula_units[0]
    drawn = (generator.generate(rng=rng, max_formula_units=max(smallest, 2)) for _ in range(DRAWN))
    volume = space.volume_per_atom
    starts = [c.crystal.with_volume(volume * c.crystal.n_atoms) for c in drawn if c is not None]
    if not starts:
        return []
    values = energies(starts)
    lowest: dict[int, Crystal] = {}
    for place in np.argsort(values):
        if np.isfinite(values[place]):
            lowest.setdefault(round(float(values[place]) / SAME_ENERGY), starts[place])
    return list(lowest.values())[:SCANNED]


def compression_line(pressure_gpa: float, found: Compression) -> str:
    """Return what a run shows of its compression; "" where it was given or is none."""
    if not found.model and not found.note:
        return ""
    if not found.model:
        return f"At {pressure_gpa:g} GPa volumes are expected as at 0 GPa: {found.note}."
    reason = f": {found.note}" if found.note else ""
    return (
        f"At {pressure_gpa:g} GPa the expected volume is {found.factor:.2f} of that at 0 GPa "
        f"({found.model}{reason})."
    )
