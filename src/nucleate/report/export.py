"""Everything a run has found as files that other programs read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.crystal.files import write_cif, write_extxyz, write_poscar
from nucleate.errors import InputError
from nucleate.relax.outcome import Relaxed
from nucleate.report.page import write_page
from nucleate.report.ranking import rank_structures
from nucleate.report.tables import write_ranking, write_results
from nucleate.report.trajectory import save_trajectory
from nucleate.run.store import Store
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.report.ranking import RankedStructure
    from nucleate.search.record import Record, Verdict


@dataclass(frozen=True, slots=True)
class RunContent:
    """What the store of a run holds.

    Attributes
    ----------
    meta : dict
        Input, versions, machine, seed.
    told : list of (Record, Verdict)
        Finished records in the order in which the search was told of them.
    tiers : tuple of str
        Names of the tiers that saw any record, in the order of the ladder.
    added : tuple of str
        Names of the tiers that were added after the search.
    ladder : tuple of str
        Names of all tiers.
    """

    meta: dict[str, Any]
    told: list[tuple[Record, Verdict]]
    tiers: tuple[str, ...]
    added: tuple[str, ...] = ()
    ladder: tuple[str, ...] = ()

    def ranked(self) -> list[RankedStructure]:
        """Return the distinct structures, best first."""
        return rank_structures([record for record, _ in self.told], self.tiers, added=self.added)


def read_run(folder: str | Path) -> RunContent:
    """Read the store of a run, which may be going on meanwhile.

    Raises
    ------
    InputError
        If the folder holds no search.
    """
    with Store.read(folder) as store:
        if store.meta.get("kind") == "relax":
            raise InputError(
                f"{folder} holds relaxed structures of files, not a search. Read its relaxed.csv "
                "and relaxed.extxyz."
            )
        told = list(store.records())
        tiers = _tiers(told, store.tiers())
        return RunContent(
            store.meta, told, tiers, tuple(store.added_tiers()), store.tiers() or tiers
        )


def export_run(
    folder: str | Path, *, out: str | Path | None = None, best: int = 20
) -> list[RankedStructure]:
    """Write the files of a run and return its ranked distinct structures.

    Writes ``results.csv`` (every structure), ``ranking.csv``, ``structures.extxyz`` (the
    distinct structures with energy, forces and stress), ``structures/`` (for each of the best a
    symmetrised CIF with its tolerance, the P1 original as CIF, and a POSCAR), ``trajectory.png``,
    ``report.html`` and, where there are several tiers, ``tiers/`` (the distinct structures as
    each tier left them, with its energy, forces and stress). Existing files of these names are
    replaced.

    Parameters
    ----------
    folder
        The run folder.
    out
        Where to write; None means the run folder itself.
    best
        How many distinct structures get files of their own.

    Raises
    ------
    InputError
        If the folder is no run folder.
    """
    content = read_run(folder)
    target = Path(folder if out is None else out)
    structures = target / "structures"
    structures.mkdir(parents=True, exist_ok=True)
    ranked = content.ranked()
    write_results(target / "results.csv", content.told, content.tiers)
    write_ranking(target / "ranking.csv", ranked)
    write_extxyz(target / "structures.extxyz", [_frame(item) for item in ranked])
    _remove_old(structures)
    for item in ranked[:best]:
        _write_structure(structures, item)
    if len(content.tiers) > 1:
        _write_tiers(target / "tiers", ranked, content.tiers)
    searched = searched_tier(content)
    if searched is not None:
        title = str(content.meta.get("formula", Path(folder).name))
        save_trajectory(target / "trajectory.png", content.told, searched, title=title)
    write_page(target / "report.html", content, ranked[:best])
    return ranked


def searched_tier(content: RunContent) -> str | None:
    """Return the highest tier of the search itself that gave an energy; None where none did."""
    reached = {tier for record, _ in content.told for tier in record.enthalpies()}
    searched = [tier for tier in content.tiers if tier not in content.added]
    return next((tier for tier in reversed(searched) if tier in reached), None)


def structure_name(item: RankedStructure) -> str:
    """Return the stem of the files of a ranked structure, ``001-SrTiO3-Pm-3m-r42``."""
    symbol = item.symmetry[0].symbol.replace("/", "_")
    formula = item.relaxed.crystal.formula
    return f"{item.rank:03d}-{formula}-{symbol}-r{item.record.number}"


def _write_structure(folder: Path, item: RankedStructure) -> None:
    name, crystal = structure_name(item), item.relaxed.crystal
    level = item.relaxed.level
    unit = "eV/atom" if level.unit == "eV" else "arbitrary units/atom"
    title = f"{name} {item.relaxed.enthalpy_per_atom:.5f} {unit} {level.model}"
    write_cif(folder / f"{name}-p1.cif", crystal, title=title)
    rung = next((rung for rung in item.symmetry if rung.number > 1), None)
    symprec = None if rung is None else rung.symprec
    write_cif(folder / f"{name}.cif", crystal, symprec=symprec, title=title)
    write_poscar(folder / f"{name}.vasp", crystal, title=title)


def _frame(item: RankedStructure) -> tuple[str, Crystal, dict[str, Any]]:
    info = {
        "rank": item.rank,
        "number": item.record.number,
        "tier": item.tier,
        "model": item.relaxed.level.model,
        "origin": item.record.candidate.origin.source,
        "space_group": item.symmetry[0].symbol,
        "converged": item.relaxed.converged,
    }
    for outcome in item.record.outcomes:
        if isinstance(outcome.outcome, Relaxed):
            info[f"{outcome.tier}_energy"] = outcome.outcome.energy
            info[f"{outcome.tier}_converged"] = outcome.outcome.converged
    if item.failed is not None:
        info["failed_tier"] = item.failed.tier
        info["fail_reason"] = str(getattr(item.failed.outcome, "reason", ""))
    return structure_name(item), item.relaxed.crystal, info | _results(item.relaxed)


def _results(relaxed: Relaxed) -> dict[str, Any]:
    """Return energy, stress and forces under the names of ASE, where they are in eV."""
    if relaxed.level.unit != "eV":
        return {"energy_arbitrary": relaxed.energy}
    return {
        "energy": relaxed.energy,
        "stress": relaxed.stress_gpa / GPA_PER_EV_A3,
        "forces": relaxed.forces,
    }


def _write_tiers(folder: Path, ranked: Sequence[RankedStructure], tiers: Sequence[str]) -> None:
    """Write an extxyz file for each tier: the structures that it gave an energy."""
    folder.mkdir(exist_ok=True)
    for tier in tiers:
        frames = []
        for item in ranked:
            relaxed = item.record.relaxed_by(tier)
            if relaxed is not None:
                info = {
                    "rank": item.rank,
                    "number": item.record.number,
                    "model": relaxed.level.model,
                    "converged": relaxed.converged,
                }
                frames.append((structure_name(item), relaxed.crystal, info | _results(relaxed)))
        write_extxyz(folder / f"{safe_name(tier)}.extxyz", frames)


def safe_name(tier: str) -> str:
    """Return the name of a tier as part of a file's name."""
    return re.sub(r"[^\w.+-]", "_", tier)


def _remove_old(folder: Path) -> None:
    for pattern in ("[0-9]*-r[0-9]*.cif", "[0-9]*-r[0-9]*.vasp"):
        for path in folder.glob(pattern):
            path.unlink()


def _tiers(told: Sequence[tuple[Record, Verdict]], ladder: Sequence[str]) -> tuple[str, ...]:
    order: dict[str, int] = {}
    for record, _ in told:
        for position, item in enumerate(record.outcomes):
            order[item.tier] = max(position, order.get(item.tier, 0))
    if set(order) <= set(ladder):
        return tuple(tier for tier in ladder if tier in order)
    return tuple(sorted(order, key=lambda tier: order[tier]))
