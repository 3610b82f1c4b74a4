"""Whether structures are dynamically stable, and what their soft modes lead to."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.api.holding import holds_run
from nucleate.api.inputs import settings_of
from nucleate.api.models import as_tiers
from nucleate.api.relax import relax_files
from nucleate.api.run import Run, open_run
from nucleate.api.structures import as_items
from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.symmetry import SYMPREC_LADDER, conventional, space_group, symmetrised
from nucleate.errors import InputError
from nucleate.names import safe_name
from nucleate.phonons import distortions
from nucleate.phonons.dynamics import displacements
from nucleate.relax.outcome import Relaxed
from nucleate.report.render import write_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.phonons import Distortion, Phonons
    from nucleate.relax.settings import TierSettings
    from nucleate.report.columns import Value
    from nucleate.run.settings import RunSettings

    OnStage = Callable[[str], None]

SOURCE = "soft-mode"
"""Source of the origin of records that follow a soft mode."""

LARGEST_FORCE, LARGEST_STRESS = 0.02, 0.5
"""eV/Å and GPa: above these a structure is not relaxed enough for phonons."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Stability:
    """What the phonons say of a structure.

    Attributes
    ----------
    name : str
        Record of a run, or name of a file.
    crystal : Crystal
        Symmetrised conventional cell.
    space_group : str
        Its symbol.
    record : int or None
        Number of the record.
    lowest_thz : float
        Lowest frequency at the wave vectors that fit the supercell, imaginary as a negative number,
        translations left out; NaN where there are no phonons.
    lowest_at : tuple of float
        That wave vector.
    is_unstable : bool
        Whether the lowest frequency is imaginary beyond the threshold.
    problem : str
        Why there are no phonons; empty if there are.
    phonons : Phonons or None
        For bands, densities of states and everything else that phonopy does.
    """

    name: str
    crystal: Crystal
    space_group: str
    record: int | None
    lowest_thz: float = np.nan
    lowest_at: tuple[float, ...] = ()
    is_unstable: bool = False
    problem: str = ""
    phonons: Phonons | None = field(default=None, repr=False)

    @property
    def conclusion(self) -> str:
        """``stable``, ``unstable`` or why it is not known."""
        return self.problem or ("unstable" if self.is_unstable else "stable")

    def to_dict(self) -> dict[str, Value]:
        """Return the figures with their units in the keys."""
        known = not self.problem
        return {
            "structure": self.name,
            "formula": self.crystal.reduced_formula,
            "space_group": self.space_group,
            "lowest_frequency_thz": round(self.lowest_thz, 3) if known else None,
            "at": " ".join(f"{value:.3g}" for value in self.lowest_at),
            "conclusion": self.conclusion,
        }


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is computed, and how."""

    tier: TierSettings
    pressure_gpa: float
    length_ang: float
    displacement_ang: float
    imaginary_thz: float
    workers: int | None
    out: Path


def phonons(
    source: Any,
    *,
    model: Any = None,
    best: int = 5,
    length_ang: float = 12.0,
    displacement_ang: float = 0.03,
    imaginary_thz: float = 0.3,
    follow: bool = False,
    out: str | Path | None = None,
    workers: int | None = 1,
    trust: bool = False,
    on_stage: OnStage = _log.info,
) -> list[Stability]:
    """Compute the phonons of the best structures of a run, or of given structures.

    The forces are kept as soon as they are known: the same call continues what was interrupted.

    Parameters
    ----------
    source
        A :class:`Run` or its folder; or relaxed structures of any kind.
    model
        As in :func:`nucleate.relax`; default the last tier of the run, or CHGNet.
    best
        Of a run: how many of the best structures.
    length_ang
        Smallest length of the supercell along each vector of the conventional cell.
    displacement_ang
        Displacement of an atom.
    imaginary_thz
        Imaginary frequencies above this size make a structure unstable.
    follow
        Freeze the softest imaginary modes in, relax, and add what comes of it to the run as new
        records with the source ``soft-mode``.
    out
        Where the files go; default ``phonons`` in the run folder, or nowhere.
    workers
        Worker processes; None is one per processor core.
    trust
        As in :func:`nucleate.predict`.
    on_stage
        Called with a sentence before each structure.

    Returns
    -------
    list of Stability

    Raises
    ------
    InputError
        If the model has no energies in eV, or an option or a structure cannot be used.
    MissingDependencyError
        If phonopy is not installed.
    """
    _check(length_ang, displacement_ang, imaginary_thz)
    if isinstance(source, str | Path) and holds_run(source):
        source = open_run(source)
    settings = _settings_of(source, trust) if isinstance(source, Run) else None
    if follow and settings is None:
        raise InputError(
            "follow = True adds records to a run. Give a run, or relax what "
            "nucleate.phonons.distortions returns."
        )
    tier, pressure = _tier(model, settings)
    entries = _entries(source, best)
    with TemporaryDirectory() as temporary:
        target = Path(out) if out is not None else _folder(source) or Path(temporary)
        plan = _Plan(tier, pressure, length_ang, displacement_ang, imaginary_thz, workers, target)
        found: list[Stability] = []
        for place, (name, record, crystal) in enumerate(entries, start=1):
            on_stage(f"{place} of {len(entries)}: {name}")
            found.append(_of_one(name, record, crystal, plan, on_stage))
        target.mkdir(parents=True, exist_ok=True)
        write_rows(target / "phonons.csv", [item.to_dict() for item in found])
    if follow and settings is not None and isinstance(source, Run):
        _follow(found, source.folder, settings, imaginary_thz, on_stage)
    return found


def _of_one(
    name: str, record: int | None, crystal: Crystal, plan: _Plan, on_stage: OnStage
) -> Stability:
    standard, symprec = symmetrised(crystal, SYMPREC_LADDER[1:])
    whole = None if symprec is None else conventional(crystal, symprec)
    cell = standard if whole is None else whole
    bare = Stability(name, cell, space_group(cell, 1e-3)[1], record)
    displaced = displacements(cell, length=plan.length_ang, distance=plan.displacement_ang)
    folder = plan.out / safe_name(name)
    on_stage(
        f"{bare.space_group}, {len(displaced.supercells)} displacements in supercells of "
        f"{displaced.supercells[0].n_atoms} atoms"
    )
    series = relax_files(
        [cell, *displaced.supercells],
        model=plan.tier,
        folder=folder / "forces",
        pressure_gpa=plan.pressure_gpa,
        workers=plan.workers,
        single_point=True,
    )
    outcomes = series.outcomes
    problem = _problem(outcomes, series.reason)
    if problem:
        return Stability(name, cell, bare.space_group, record, problem=problem)
    made = displaced.phonons([each.forces for each in outcomes[1:] if isinstance(each, Relaxed)])
    point, lowest = made.softest()
    _write(folder, made, f"{cell.reduced_formula} {bare.space_group}, {name}")
    return Stability(
        name, cell, bare.space_group, record, lowest, tuple(float(value) for value in point),
        lowest < -plan.imaginary_thz, "", made,
    )  # fmt: skip


def _problem(outcomes: Sequence[Any], reason: str) -> str:
    """Return why there can be no phonons, or an empty text."""
    for outcome in outcomes:
        if not isinstance(outcome, Relaxed):
            return reason or f"no forces: {outcome.reason} {outcome.message}".strip()
    first = outcomes[0]
    if first.max_force > LARGEST_FORCE or first.max_stress_gpa > LARGEST_STRESS:
        return (
            f"not relaxed by this model: force {first.max_force:.3f} eV/Å, stress "
            f"{first.max_stress_gpa:.2f} GPa after symmetrising. Relax it to "
            "fmax_ev_per_ang = 0.005 first (nucleate refine)"
        )
    return ""


def _write(folder: Path, made: Phonons, title: str) -> None:
    from nucleate.report.phonons import phonon_figure, write_tables
    from nucleate.writing import whole_files

    with whole_files(folder) as target:
        made.save(target / "phonopy_params.yaml")
        write_tables(target, made)
        (target / "phonons.png").write_bytes(phonon_figure(made, title=title).to_png())


def _follow(
    found: Sequence[Stability],
    folder: Path,
    settings: RunSettings,
    imaginary_thz: float,
    on_stage: OnStage,
) -> None:
    """Relax what soft modes lead to, as new records of the run."""
    from nucleate.api.final import finish
    from nucleate.run.predict import predict

    candidates: list[Candidate] = []
    for item in found:
        if item.phonons is None or not item.is_unstable:
            continue
        rng = np.random.default_rng([settings.seed, item.record or 0])
        made = distortions(item.phonons, below=-imaginary_thz, rng=rng)
        candidates += [_candidate(each, item.record) for each in made]
    if candidates:
        on_stage(f"following soft modes: {len(candidates)} distorted structures are relaxed")
        predict(settings, folder, candidates=candidates)
        finish(folder, settings)


def _candidate(distortion: Distortion, record: int | None) -> Candidate:
    point = " ".join(f"{value:.4g}" for value in distortion.point)
    detail: dict[str, str | int | float] = {
        "wave_vector": point,
        "frequency_thz": round(distortion.frequency, 2),
        "pattern": distortion.pattern,
    }
    return Candidate(
        distortion.crystal, Origin(SOURCE, () if record is None else (record,), detail)
    )


def _entries(source: Any, best: int) -> list[tuple[str, int | None, Crystal]]:
    if isinstance(source, Run):
        return [
            (f"record-{item.record.number}", item.record.number, item.crystal)
            for item in source.structures[:best]
        ]
    entries: list[tuple[str, int | None, Crystal]] = []
    for item in as_items(source)[0]:
        if isinstance(item.crystal, InputError):
            raise item.crystal
        entries.append((item.name, None, item.crystal))
    return entries


def _settings_of(run: Run, trust: bool) -> RunSettings:
    return settings_of(run.formula, folder=run.folder, trust=trust)


def _tier(model: Any, settings: RunSettings | None) -> tuple[TierSettings, float]:
    """Return the tier that computes the forces, and the pressure in GPa."""
    tiers = as_tiers(model) if model is not None or settings is None else settings.tier
    tier = tiers[-1]
    unit = getattr(type(tier.engine), "energy_unit", "eV")
    if unit != "eV":
        raise InputError(
            f"model = {tier.name!r} has energies in arbitrary units, from which no frequency "
            "follows. Give a model in eV, such as chgnet (--tier chgnet)."
        )
    return tier, 0.0 if settings is None else settings.problem.pressure_gpa


def _folder(source: Any) -> Path | None:
    return source.folder / "phonons" if isinstance(source, Run) else None


def _check(length: float, displacement: float, imaginary: float) -> None:
    for key, value, low, high in (
        ("length_ang", length, 3.0, 100.0),
        ("displacement_ang", displacement, 1e-3, 0.2),
        ("imaginary_thz", imaginary, 0.0, 10.0),
    ):
        if not low <= value <= high:
            raise InputError(f"{key} = {value} is not between {low} and {high}.")
