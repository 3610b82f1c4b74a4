"""Rows as files of structures: extxyz, ASE database, AIRSS .res, CIF and POSCAR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.crystal.constraints import constraints_of, move_mask
from nucleate.crystal.elements import element
from nucleate.crystal.files import write_cif, write_extxyz, write_poscar
from nucleate.crystal.formula import counts_of
from nucleate.crystal.symmetry import in_cell
from nucleate.relax.outcome import Relaxed
from nucleate.report.columns import columns, stress_in
from nucleate.report.powder import write_pattern
from nucleate.report.render import row_dict
from nucleate.report.views import FILES, RANKING
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ase import Atoms

    from nucleate.crystal.crystal import Crystal
    from nucleate.report.rows import Row

_WRITTEN_OTHERWISE = frozenset({"energy", "energy_cell", "name"})
"""Columns that an extxyz frame has under the names of ASE."""


def row_name(row: Row) -> str:
    """Return a name for the files of a row: ``001-SrTiO3-Pm-3m-r42``, or that of its file."""
    if row.rank is None or row.record is None or row.crystal is None:
        return row.name or ("" if row.record is None else f"r{row.record.number}")
    symbol = row.symmetry[0].symbol.replace("/", "_")
    return f"{row.rank:03d}-{row.crystal.reduced_formula}-{symbol}-r{row.record.number}"


def write_rows_extxyz(path: Path, rows: Iterable[Row], *, tier: str | None = None) -> None:
    """Write the rows that have an energy as extxyz frames with forces and stress.

    Parameters
    ----------
    path
        Replaced if it exists.
    rows
        Rows of a run, or of files.
    tier
        Write the structures as this tier left them; None writes the geometry of the row.
    """
    frames = []
    for row in rows:
        found = row.relaxed if tier is None else row.step(tier)
        if isinstance(found, Relaxed):
            frames.append(frame_of(row, found))
    write_extxyz(path, frames)


def write_database(path: Path, rows: Iterable[Row]) -> None:
    """Write rows into an ASE database (``ase db``), energies, forces and stresses included.

    Parameters
    ----------
    path
        ``.db`` or ``.json``; replaced if it exists.
    rows
        Those without an energy are left out.
    """
    from ase.db import connect

    path.unlink(missing_ok=True)
    database: Any = connect(path)
    with database:
        for row in rows:
            if row.relaxed is not None:
                values, rest = database_values(row)
                database.write(atoms_of(row, row.relaxed), key_value_pairs=values, data=rest)


def write_res(path: Path, row: Row) -> None:
    """Write a row as the ``.res`` file of AIRSS (SHELX); its title has the enthalpy in eV per cell.

    The title is name, pressure in GPa, volume in Å³, enthalpy, two spins, number of atoms, space
    group, and how often the structure was found.
    """
    relaxed = row.relaxed
    assert relaxed is not None
    crystal = relaxed.crystal.wrapped()
    species = list(counts_of(crystal.numbers))
    symbol = row.symmetry[0].symbol if row.symmetry else "P1"
    cell = " ".join(f"{value:.10f}" for value in (*crystal.lengths, *crystal.angles))
    atoms = sorted(
        (species.index(element(number).symbol), *place)
        for number, place in zip(crystal.numbers.tolist(), crystal.scaled.tolist(), strict=True)
    )
    numbers = f"{relaxed.pressure_gpa:.4f} {crystal.volume:.8f} {relaxed.enthalpy:.8f} 0.00 0.00"
    lines = [
        f"TITL {row_name(row)} {numbers} {crystal.n_atoms} ({symbol}) n - {row.copies or 1}",
        f"CELL 1.54180 {cell}",
        "LATT -1",
        "SFAC " + " ".join(species),
    ]
    lines += [
        f"{species[kind]:2s} {kind + 1:3d} {x:.12f} {y:.12f} {z:.12f} 1.0"
        for kind, x, y, z in atoms
    ]
    path.write_text("\n".join([*lines, "END"]) + "\n", encoding="utf-8")


def write_structure(
    folder: Path, row: Row, *, cell: str = "given", with_pattern: bool = True
) -> None:
    """Write a row as CIF (symmetrised and as it is), POSCAR, powder pattern and, in eV, .res."""
    relaxed, name = row.relaxed, row_name(row)
    assert relaxed is not None
    is_ev = relaxed.level.unit == "eV"
    energy = f"{relaxed.enthalpy_per_atom:.5f} {'eV' if is_ev else 'arbitrary units'}/atom"
    pressure = f"{stress_in(relaxed, relaxed.pressure_gpa):g} {'GPa' if is_ev else 'per Å^3'}"
    title = f"{name} {energy} {pressure} {relaxed.level.model}"
    crystal = relaxed.crystal
    write_cif(folder / f"{name}-p1.cif", crystal, title=title)
    rung = next((rung for rung in row.symmetry if rung.number > 1), None)
    symprec = None if rung is None else rung.symprec
    write_cif(folder / f"{name}.cif", crystal, symprec=symprec, title=title)
    write_poscar(folder / f"{name}.vasp", in_cell(crystal, cell), title=title)
    if with_pattern:
        write_pattern(folder / f"{name}.xy", crystal, title=name)
    if is_ev:
        write_res(folder / f"{name}.res", row)


def frame_of(row: Row, found: Relaxed) -> tuple[str, Crystal, dict[str, Any]]:
    """Return name, crystal and values of an extxyz frame."""
    info: dict[str, Any] = {**_info(row), "model": found.level.model, "converged": found.converged}
    steps = () if row.record is None else row.record.outcomes
    for step in steps if len(steps) > 1 else ():
        if isinstance(step.outcome, Relaxed):
            unit = "ev" if step.outcome.level.unit == "eV" else "arbitrary"
            info[f"{step.tier}_energy_{unit}"] = step.outcome.energy
            info[f"{step.tier}_converged"] = step.outcome.converged
    if found.level.unit == "eV":
        info |= {
            "energy": found.energy,
            "stress": found.stress_gpa / GPA_PER_EV_A3,
            "forces": found.forces,
        }
    else:
        info["energy_arbitrary"] = found.energy
    mask = move_mask(row.fixed, found.crystal.cell)
    if mask is not None:
        info["move_mask"] = mask
    return row_name(row), found.crystal, info


def _info(row: Row) -> dict[str, Any]:
    names = RANKING if row.rank is not None else FILES
    values = row_dict(row, columns(*(name for name in names if name not in _WRITTEN_OTHERWISE)))
    return {key: value for key, value in values.items() if value != ""}


def atoms_of(row: Row, found: Relaxed) -> Atoms:
    """Return ASE atoms with energy, forces and stress, and with the constraints of the row."""
    atoms = found.to_ase()
    atoms.set_constraint(constraints_of(row.fixed))
    return atoms


def database_values(row: Row) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values that an ASE database can be searched by, and the rest.

    ASE has keys of its own, and takes no text that could be a number.
    """
    from ase.db.core import reserved_keys

    values = _info(row) | {"name": row_name(row)}
    rest = {
        key: values.pop(key)
        for key in list(values)
        if key in reserved_keys or (isinstance(values[key], str) and _is_number(values[key]))
    }
    return values, rest


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text in ("True", "False")
    return True
