"""Everything a run has found as files that other programs read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.crystal.files import write_cif, write_extxyz, write_poscar
from nucleate.errors import InputError
from nucleate.relax.model import GPA_PER_EV_A3
from nucleate.report.page import write_page
from nucleate.report.ranking import rank_structures
from nucleate.report.tables import write_ranking, write_results
from nucleate.report.trajectory import save_trajectory
from nucleate.run.store import Store

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
        Names of the tiers in the order of the ladder.
    """

    meta: dict[str, Any]
    told: list[tuple[Record, Verdict]]
    tiers: tuple[str, ...]


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
        return RunContent(store.meta, told, _tiers(told))


def export_run(
    folder: str | Path, *, out: str | Path | None = None, best: int = 20
) -> list[RankedStructure]:
    """Write the files of a run and return its ranked distinct structures.

    Writes ``results.csv`` (every structure), ``ranking.csv``, ``structures.extxyz`` (the
    distinct structures with energy, forces and stress), ``structures/`` (for each of the best a
    symmetrised CIF with its tolerance, the P1 original as CIF, and a POSCAR), ``trajectory.png``
    and ``report.html``. Existing files of these names are replaced.

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
    ranked = rank_structures([record for record, _ in content.told], content.tiers)
    write_results(target / "results.csv", content.told, content.tiers)
    write_ranking(target / "ranking.csv", ranked)
    write_extxyz(target / "structures.extxyz", [_frame(item) for item in ranked])
    _remove_old(structures)
    for item in ranked[:best]:
        _write_structure(structures, item)
    if content.tiers:
        last = ranked[0].tier if ranked else content.tiers[-1]
        title = str(content.meta.get("formula", Path(folder).name))
        save_trajectory(target / "trajectory.png", content.told, last, title=title)
    write_page(target / "report.html", content.meta, content.told, ranked[:best], content.tiers)
    return ranked


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
    relaxed = item.relaxed
    info: dict[str, Any] = {
        "rank": item.rank,
        "number": item.record.number,
        "tier": item.tier,
        "model": relaxed.level.model,
        "origin": item.record.candidate.origin.source,
        "space_group": item.symmetry[0].symbol,
        "converged": relaxed.converged,
    }
    for outcome in item.record.outcomes:
        good = getattr(outcome.outcome, "energy", None)
        if good is not None:
            info[f"{outcome.tier}_energy"] = good
    if relaxed.level.unit == "eV":
        info["energy"] = relaxed.energy
        info["stress"] = relaxed.stress_gpa / GPA_PER_EV_A3
        info["forces"] = relaxed.forces
    return structure_name(item), relaxed.crystal, info


def _remove_old(folder: Path) -> None:
    for pattern in ("[0-9]*-r[0-9]*.cif", "[0-9]*-r[0-9]*.vasp"):
        for path in folder.glob(pattern):
            path.unlink()


def _tiers(told: Sequence[tuple[Record, Verdict]]) -> tuple[str, ...]:
    order: dict[str, int] = {}
    for record, _ in told:
        for position, item in enumerate(record.outcomes):
            order[item.tier] = max(position, order.get(item.tier, 0))
    return tuple(sorted(order, key=lambda tier: order[tier]))
