"""Known compounds of a map as folders for programs that are run by hand, and their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.crystal.composition import Composition
from nucleate.mapping.field import key_of
from nucleate.names import safe_name
from nucleate.programs.jobs import NotFinishedError, read_folder, read_manifest, write_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.mapping.energies import RelaxedReference
    from nucleate.relax.outcome import Relaxed
    from nucleate.relax.settings import TierSettings

KNOWN = "known"
"""Folder beside those of the compositions."""


def write_known(
    references: Sequence[RelaxedReference],
    tier: TierSettings,
    out: Path,
    *,
    system: str,
    pressure_gpa: float,
) -> None:
    """Write a folder for each of some known compounds.

    Parameters
    ----------
    references
        As the map has relaxed them.
    tier
        Engine and criteria.
    out
        Where to.
    system
        Of the map.
    pressure_gpa
        External pressure.

    Raises
    ------
    InputError
        If an input cannot be written.
    """
    for item in references:
        about = {"run": {"map": system}, "record": item.name, "enthalpy_ev_per_atom": item.energy}
        write_folder(
            out / safe_name(f"{item.composition.formula}-{item.name}"),
            item.crystal,
            tier,
            pressure_gpa=pressure_gpa,
            about=about,
        )


def read_known(
    out: Path, system: str
) -> tuple[dict[tuple[str, str], tuple[Relaxed, dict[str, Any]]], list[tuple[str, str]]]:
    """Return the results of :func:`write_known` with their manifests, and why others have none.

    Parameters
    ----------
    out
        Where the folders are.
    system
        Of the map.

    Returns
    -------
    dict of (str, str) to (Relaxed, dict)
        By composition (:func:`~nucleate.mapping.field.key_of`) and name of the known compound:
        names of files may repeat.
    list of (str, str)
        Folders without a result, each with its reason.
    """
    found: dict[tuple[str, str], tuple[Relaxed, dict[str, Any]]] = {}
    problems: list[tuple[str, str]] = []
    for place in sorted(path for path in out.glob("*") if path.is_dir()):
        try:
            manifest = read_manifest(place)
            if manifest["run"] != {"map": system}:
                raise NotFinishedError("is of another map")
            outcome = read_folder(place, manifest)
            key = key_of(Composition.from_numbers(outcome.crystal.numbers).counts)
            found[key, str(manifest["record"])] = outcome, manifest
        except NotFinishedError as error:
            problems.append((f"{out.name}/{place.name}", str(error)))
    return found, problems
