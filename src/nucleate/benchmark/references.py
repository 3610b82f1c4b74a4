"""Reference structures, and any others, relaxed by the tiers that judge the runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.benchmark.compounds import COMPOUNDS, compound_of, reference_structure
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.names import safe_name
from nucleate.plugins import find
from nucleate.run.listed_files import FileCrystal
from nucleate.run.relaxation import relax_files
from nucleate.run.settings import RelaxationSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

REFERENCES, COMPARED, JUDGED = "references", "compared", "judged"


@dataclass(frozen=True, slots=True, eq=False)
class RelaxedStructure:
    """A structure from a file after relaxation.

    Attributes
    ----------
    name, file : str
        Where it is from.
    crystal : Crystal
        Relaxed by the last tier.
    energy_ev_per_atom : float
        By that tier.
    converged : bool
        Whether the relaxation came to its end.
    """

    name: str
    file: str
    crystal: Crystal
    energy_ev_per_atom: float
    converged: bool


def relaxed_references(
    out: Path, tiers: Sequence[dict[str, Any]], *, workers: int = 1
) -> dict[str, RelaxedStructure]:
    """Return the relaxed references of the known compounds by name; they are kept in ``out``."""
    items = [
        FileCrystal(f"{compound.name}.cif", compound.name, crystal)
        for compound in COMPOUNDS
        if (crystal := reference_structure(compound)) is not None
    ]
    found = relaxed_structures(out / REFERENCES, items, tiers, workers=workers)
    return {item.name: item for item in found}


def relaxed_structures(
    folder: Path,
    items: Sequence[FileCrystal],
    tiers: Sequence[dict[str, Any]],
    *,
    workers: int = 1,
) -> list[RelaxedStructure]:
    """Relax structures, or read what was relaxed in this folder before; failures are left out.

    Raises
    ------
    InputError
        If the folder holds other structures or another tier.
    """
    settings = RelaxationSettings.from_dict({"tier": list(tiers), "run": {"workers": workers}})
    summary = relax_files(items, settings, folder=folder)
    if summary.reason:
        raise InputError(f"{folder}: {summary.reason} before its end. The same command continues.")
    last = settings.tier[-1].name
    found = []
    for number, item in enumerate(items):
        record = summary.records.get(number)
        relaxed = None if record is None else record.relaxed
        if record is not None and relaxed is not None and record.tier == last:
            found.append(
                RelaxedStructure(
                    item.name,
                    item.file,
                    relaxed.crystal,
                    relaxed.energy_per_atom,
                    relaxed.converged,
                )
            )
    return found


def compared_structures(
    out: Path, folder: Path, tiers: Sequence[dict[str, Any]], *, workers: int = 1
) -> list[RelaxedStructure]:
    """Relax the structures of a folder that are of the benchmark's compounds; keep them in ``out``.

    Raises
    ------
    InputError
        If the folder has none.
    """
    from nucleate.run.listed_files import read_files

    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder. Give one with CIF files.")
    paths = sorted(path for path in folder.rglob("*") if path.suffix in (".cif", ".vasp"))
    items = [
        FileCrystal(path.stem, item.name, item.crystal)
        for path in paths
        for item in read_files([path])
        if isinstance(item.crystal, Crystal) and compound_of(item.crystal) is not None
    ]
    if not items:
        raise InputError(f"{folder} has no CIF or POSCAR file of one of the eleven compounds.")
    return relaxed_structures(out / COMPARED / folder.name, items, tiers, workers=workers)


def rejudged(
    out: Path, items: Sequence[FileCrystal], tier: dict[str, Any], *, workers: int = 1
) -> list[RelaxedStructure]:
    """Relax structures by another tier; they are kept in ``out`` until one of them changes."""
    total = hashlib.sha256()
    for item in items:
        assert isinstance(item.crystal, Crystal)
        total.update(item.crystal.cell.tobytes() + item.crystal.scaled.tobytes())
    folder = out / JUDGED / f"{safe_name(tier['name'])}-{total.hexdigest()[:12]}"
    return relaxed_structures(folder, items, [tier], workers=workers)


def judging_tiers(tiers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the tiers of a run that give energies in eV: those of a reference."""
    engines = [find(tier["engine"]["kind"], "models", "programs") for tier in tiers]
    return [
        tier
        for tier, engine in zip(tiers, engines, strict=True)
        if getattr(engine, "energy_unit", "eV") == "eV"
    ]
