"""The proofs that ``[stop] proven`` compares with: read from a file, or made before the search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.search.proven import Proven

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nucleate.crystal.space import SearchSpace
    from nucleate.exact.certificate import Certificate
    from nucleate.relax.settings import TierSettings
    from nucleate.run.settings import RunSettings

    Report = Callable[[str, int, int], None]

FOLDER = "proofs"
"""Folder in that of a run with the state of the scan and its certificate."""

STAGE = "proofs on grids"

MAX_ATOMS = 20
"""Atoms of the largest primitive cell whose grids are proven."""

KEEP = 3
LIMIT_S = 10.0


def proven_of(
    settings: RunSettings, space: SearchSpace, folder: Path, report: Report
) -> Proven | None:
    """Return the rule ``[stop] proven`` of a run, with its proofs; None where it is off.

    Proofs that are made here are kept in the folder of the run, and a run that was interrupted
    continues with them.

    Parameters
    ----------
    settings
        The input.
    space
        What is searched.
    folder
        Of the run.
    report
        Called with what is being done, how much is done and how much there is.

    Raises
    ------
    InputError
        If there is no model for proofs, or the certificate is of another composition or model.
    """
    if settings.stop.proven is False:
        return None
    tier = settings.tier[-1]
    own = classical_source(tier)
    if settings.stop.proven is True:
        source = own or _stand_in(settings)
        certificate = _scanned(settings, space, source, folder / FOLDER, report)
        place = f"{FOLDER}/certificate.json"
    else:
        place = str(settings.stop.proven)
        certificate = _read(place, space, own)
        source = certificate.model.source()
    return Proven(
        certificate, tier.name, place, None if own else _relax(source, space, certificate)
    )


def classical_source(tier: TierSettings) -> Any:
    """Return the force field or library whose energies a tier gives; None for other tiers."""
    from nucleate.energy.engine import EngineContext
    from nucleate.potentials.source import ClassicalModel

    if not tier.engine.relaxer.endswith(":ClassicalRelaxer"):
        return None
    built = tier.engine.build(EngineContext())
    return built.source if isinstance(built, ClassicalModel) else None


def _stand_in(settings: RunSettings) -> Any:
    """Return a model for proofs that are advice: of an earlier tier, or formal charges."""
    from nucleate.exact.pair_models import ionic_field

    for tier in settings.tier[:-1]:
        source = classical_source(tier)
        if source is not None:
            return source
    composition = settings.problem.composition()
    states = composition.oxidation_states
    if states is None or any(state % 1 for state in states.values()):
        raise InputError(
            f"stop.proven: no model for proofs, as {settings.tier[-1].name!r} is no classical tier "
            f"and {composition.formula} has no whole oxidation states. Put a classical tier before "
            "it, give problem.oxidation_states, or name a certificate."
        )
    return ionic_field(composition)


def _scanned(
    settings: RunSettings, space: SearchSpace, source: Any, folder: Path, report: Report
) -> Certificate:
    from nucleate.exact.cells import LIKELY_GROUPS, tasks_of
    from nucleate.exact.certificate import ModelRecord
    from nucleate.exact.relaxing import relax_with
    from nucleate.exact.scan import Scan, ScanSettings
    from nucleate.exact.solver import Limits
    from nucleate.exact.survey import cheapest

    most = min(space.max_atoms, max(MAX_ATOMS, space.composition.n_atoms))
    tasks = tasks_of(space.composition, max_atoms=most, groups=LIKELY_GROUPS)
    model = source.model(space.composition.numbers(1).tolist())
    record = ModelRecord.of(source)
    scan = Scan(
        space.composition, model, record, cheapest(tasks, settings.stop.proven_grids),
        space.min_distances, relax_with(model, record.name),
        ScanSettings(keep=KEEP, limits=Limits(LIMIT_S), seconds=float("inf")),
        store=folder / "scan.jsonl",
        on_event=lambda event: report(f"{STAGE}: {event.kind}", event.done, event.total)
        if event.total
        else None,
    )  # fmt: skip
    certificate = scan.run().certificate
    certificate.save(folder / "certificate.json")
    return certificate


def _read(place: str, space: SearchSpace, own: Any) -> Certificate:
    from nucleate.exact.certificate import Certificate, ModelRecord

    certificate = Certificate.load(place)
    if space.composition.formula != certificate.formula:
        raise InputError(
            f"stop.proven = {place!r} is a certificate of {certificate.formula}, not "
            f"{space.composition.formula}. Give one of the composition that is searched."
        )
    if own is not None and ModelRecord.of(own) != certificate.model:
        raise InputError(
            f"stop.proven = {place!r} was made with another model ({certificate.model.name}) than "
            "the last tier. Make it with the force field of the tier, or write proven = true."
        )
    return certificate


def _relax(source: Any, space: SearchSpace, certificate: Certificate) -> Any:
    from nucleate.exact.relaxing import relax_with

    model = source.model(space.composition.numbers(1).tolist())
    return relax_with(model, certificate.model.name)
