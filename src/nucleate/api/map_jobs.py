"""Folders of a whole map for a program that is run by hand, and the hull of its results."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.api.map_near import near_sites
from nucleate.errors import InputError
from nucleate.mapping.field import key_of
from nucleate.mapping.judged import JUDGED, identity_of
from nucleate.mapping.known_jobs import KNOWN, read_known, write_known
from nucleate.mapping.near import NEAR_EV, near_phases
from nucleate.mapping.reading import read_map
from nucleate.programs.jobs import NotFinishedError, check_can_be_handed_off, read_manifest
from nucleate.run.lock import locked

if TYPE_CHECKING:
    from nucleate.mapping.energies import Phase
    from nucleate.mapping.reading import MapState
    from nucleate.relax.outcome import Relaxed
    from nucleate.run.hand_back import ImportSummary

SAME_EV = 1e-3
"""eV/atom within which a structure of a run is the one that makes its phase."""


def export_near(
    folder: str | Path,
    program: Any,
    *,
    input_file: str | Path | None,
    out: str | Path | None,
    best: int,
    cell: str,
) -> list[tuple[str, Path, int]]:
    """Write folders for a program that you run yourself; see :meth:`PhaseMap.export_jobs`."""
    from nucleate.api.refine import export_jobs, only_tier

    tier = only_tier(program, input_file)
    kind = check_can_be_handed_off(tier).kind
    target = Path(folder) / f"for-{kind}" if out is None else Path(out)
    if target.exists() and any(target.iterdir()):
        raise InputError(f"--out = {target} is not empty. Give the name of a new folder.")
    state, sites = near_sites(folder)
    made: list[tuple[str, Path, int]] = []
    for site in sites:
        place, number = export_jobs(
            site.folder, tier, out=target / site.folder.name, best=best, cell=cell
        )
        made.append((site.formula, place, number))
    known = [
        phase.reference
        for phase in near_phases(state.energies, NEAR_EV)
        if phase.site is None and phase.reference is not None
    ]
    if known:
        pressure_gpa = state.options.pressure_gpa
        place = target / KNOWN
        write_known(known, tier, place, system=state.field.system, pressure_gpa=pressure_gpa)
        made.append((KNOWN, place, len(known)))
    return made


@dataclass(frozen=True, slots=True)
class NearImport:
    """What an import into a map found.

    Attributes
    ----------
    tier : str
        Name of the tier in the runs, and of the model of the hull.
    runs : tuple of (str, ImportSummary)
        What was read into the run of each composition.
    known : tuple of str
        Known compounds with an energy.
    problems : tuple of (str, str)
        Folders without a result, each with its reason.
    phases : int
        How many phases have an energy of this tier.
    missing : tuple of str
        Corners of the field without one; the hull needs all of them.
    """

    tier: str
    runs: tuple[tuple[str, ImportSummary], ...]
    known: tuple[str, ...]
    problems: tuple[tuple[str, str], ...]
    phases: int
    missing: tuple[str, ...]


def import_near(folder: str | Path, jobs: str | Path, *, name: str | None = None) -> NearImport:
    """Read finished calculations of :meth:`PhaseMap.export_jobs` back, and make their hull.

    The results become a tier of the run of each composition. With those of the known compounds
    they make the hull of a second model, in place of that of a judge.

    Parameters
    ----------
    folder
        The folder of a map. No other process may use it.
    jobs
        What was exported.
    name
        Name of the tier; default that under which it was exported.

    Raises
    ------
    InputError
        If there is no such folder, it is of another map, or its energies cannot be compared with
        each other.
    """
    from nucleate.mapping.store import MapStore

    root = Path(jobs)
    exported = _one_tier(root)
    tier = name or exported
    with locked(Path(folder)):
        state = read_map(Path(folder))
        state.check_structures()
        runs, problems = _read_runs(state, root, tier)
        known, more = read_known(root / KNOWN, state.field.system)
        if not known and not any(summary.imported or summary.known for _, summary in runs):
            shown = "".join(f"\n  {place}: {reason}" for place, reason in [*problems, *more])
            raise InputError(f"{root} holds no finished calculation of this map.{shown}")
        found = [
            (phase, outcome)
            for phase in state.energies.phases()
            if (outcome := _outcome_of(phase, state, tier, known)) is not None
        ]
        judged = {
            "tier": tier,
            "energies": {
                phase.composition.formula: outcome.enthalpy_per_atom for phase, outcome in found
            },
            "structures": {phase.composition.formula: identity_of(phase) for phase, _ in found},
        }
        with MapStore.read(folder) as store:
            store.remember(JUDGED, judged)
    corners = [member.formula for member in state.field.members]
    return NearImport(
        tier,
        tuple(runs),
        tuple(name for _, name in known),
        (*problems, *more),
        len(found),
        tuple(formula for formula in corners if formula not in judged["energies"]),
    )


def _one_tier(root: Path) -> str:
    """Return the name of the tier of all folders; raises InputError if their levels differ."""
    from nucleate.run.hand_back import one_level

    if not root.is_dir():
        raise InputError(
            f"{root} is not a folder. Give the one that `nucleate export --for` wrote."
        )
    manifests: dict[str, dict[str, Any]] = {}
    for place in sorted(root.glob("*/*")):
        with suppress(NotFinishedError):
            manifests[str(place.relative_to(root))] = read_manifest(place)
    if not manifests:
        raise InputError(
            f"{root} holds no calculations of a map. Give the folder that `nucleate export MAP "
            "--for ...` wrote."
        )
    one_level(manifests, root)
    return str(next(iter(manifests.values()))["tier"]["name"])


def _read_runs(
    state: MapState, root: Path, tier: str
) -> tuple[list[tuple[str, ImportSummary]], list[tuple[str, str]]]:
    """Read results into the runs of their compositions; return what came, and what did not."""
    from nucleate.run.hand_back import import_results

    runs: list[tuple[str, ImportSummary]] = []
    problems: list[tuple[str, str]] = []
    for place in sorted(path for path in root.iterdir() if path.is_dir() and path.name != KNOWN):
        site = next((s for s in state.energies.sites if s.folder.name == place.name), None)
        if site is None or site.best is None:
            problems.append((place.name, "is no searched composition of this map"))
            continue
        try:
            summary = import_results(site.folder, place, name=tier)
        except InputError as error:
            problems.append((place.name, str(error)))
            continue
        problems += [(f"{place.name}/{item}", reason) for item, reason in summary.problems]
        runs.append((site.formula, summary))
    return runs, problems


def _outcome_of(
    phase: Phase,
    state: MapState,
    tier: str,
    known: dict[tuple[str, str], tuple[Relaxed, dict[str, Any]]],
) -> Relaxed | None:
    """Return the lowest structure of the tier at the composition of a phase.

    None where it has not seen the structure that makes the phase.
    """
    from nucleate.run.store import Store
    from nucleate.search.polished import POLISHED

    if phase.site is None:
        name = "" if phase.reference is None else phase.reference.name
        key = key_of(phase.composition.counts), name
        if key not in known:
            return None
        outcome, manifest = known[key]
        exported = float(manifest["enthalpy_ev_per_atom"])
        return outcome if abs(exported - phase.energy) <= SAME_EV else None
    own = (state.tiers[-1], *POLISHED)
    with Store.read(phase.site.folder) as store:
        if tier not in store.tiers():
            return None
        lowest, has_seen = None, False
        for record, _ in store.records():
            outcome = record.relaxed_by(tier)
            if outcome is None:
                continue
            before = [done.enthalpy_per_atom for name in own if (done := record.relaxed_by(name))]
            has_seen |= bool(before) and min(before) <= phase.energy + SAME_EV
            if lowest is None or outcome.enthalpy_per_atom < lowest.enthalpy_per_atom:
                lowest = outcome
    return lowest if has_seen else None
