"""Input sets of pymatgen, so that energies fit those of the Materials Project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.crystal.formula import chemical_ranks
from nucleate.errors import InputError, MissingDependencyError
from nucleate.programs.presets import nearest

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.programs.settings import Value


def input_set(name: str, crystal: Crystal) -> tuple[dict[str, str], dict[str, Value], str]:
    """Return the setups, the keys of INCAR and the text of KPOINTS of an input set.

    Parameters
    ----------
    name
        A class of ``pymatgen.io.vasp.sets``, such as ``MPRelaxSet``.
    crystal
        Its atoms may be in any order; the setups are in the order of POSCAR.

    Raises
    ------
    MissingDependencyError
        If pymatgen is not installed.
    InputError
        If there is no such set, or it does not know an element.
    """
    try:
        from pymatgen.io.vasp import sets
    except ImportError as error:
        raise MissingDependencyError(
            "engine.input_set needs pymatgen: pip install pymatgen."
        ) from error
    known = sorted(key for key in vars(sets) if key.endswith("Set") and key[:2] in ("MP", "MI"))
    if name not in known:
        raise InputError(f"engine.input_set = {name!r} is not known. {nearest(name, known)}")
    order = chemical_ranks(crystal.numbers)
    ordered = crystal.replace(numbers=crystal.numbers[order], scaled=crystal.scaled[order])
    structure: Any = ordered.to_pymatgen()
    try:
        made: Any = getattr(sets, name)(structure, sort_structure=False)
        incar = {str(key).upper(): _value(key, value) for key, value in made.incar.items()}
        setups = dict(zip(made.poscar.site_symbols, made.potcar_symbols, strict=True))
        kpoints = "" if made.kpoints is None else str(made.kpoints)
    except (KeyError, ValueError, TypeError, NotImplementedError) as error:
        raise InputError(
            f"engine.input_set = {name!r} cannot treat {crystal.reduced_formula}: {error}. Use "
            "preset = 'standard'."
        ) from error
    if "KSPACING" in incar:
        kpoints = ""
    return setups, incar, kpoints


def _value(key: str, value: Any) -> Value:
    """Return a value as it is written in INCAR; moments of pymatgen become one number each."""
    if key.upper() == "MAGMOM":
        return [float(each) for each in value]
    if isinstance(value, list | tuple):
        return list(value)
    return value
