"""The TOML format of force fields (reference: docs/reference/force-field-format.md)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nucleate.crystal.elements import is_element
from nucleate.crystal.formats.archives import decoded, read_bytes
from nucleate.crystal.formats.structures import printable, shortened
from nucleate.errors import InputError
from nucleate.potentials.force_field import COULOMB, Buckingham, ForceField, pair_key


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class BuckinghamEntry(_Strict):
    """One ``[[buckingham]]`` table."""

    pair: tuple[str, str] = Field(description="Two element symbols.")
    A_eV: float = Field(ge=0.0, description="Strength of the repulsion in eV.")
    rho_A: float = Field(gt=0.0, description="Its range in Å.")
    C_eV_A6: float = Field(0.0, ge=0.0, description="Dispersion coefficient in eV Å^6.")
    r_min_A: float | None = Field(None, ge=0.0, description="Lower limit in Å.")
    r_max_A: float | None = Field(None, gt=0.0, le=30.0, description="Cut-off in Å.")


class ForceFieldFile(_Strict):
    """A whole file."""

    name: str = ""
    reference: str = Field("", description="Where the parameters were published.")
    charges: dict[str, float] = Field(default_factory=dict, description="Charges in e.")
    buckingham: list[BuckinghamEntry] = Field(default_factory=list)
    r_min_A: float = Field(0.0, ge=0.0, description="Lower limit of terms that give none, in Å.")
    r_max_A: float = Field(12.0, gt=0.0, le=30.0, description="Cut-off of the others, in Å.")
    taper_A: float = Field(0.0, ge=0.0, description="Width of the smooth end at r_max_A, in Å.")
    dispersion: Literal["lattice-sum", "cutoff"] = "lattice-sum"
    coulomb_constant_eV_A: float = Field(COULOMB, gt=0.0)


def read_force_field(path: Path | str) -> ForceField:
    """Read a force field: TOML, or a GULP library for any other suffix than ``.toml``.

    Raises
    ------
    InputError
        If the file is missing or malformed; the message names the key or the line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"force field = {path}: there is no such file.")
    if path.suffix.lower() != ".toml":
        from nucleate.potentials.gulp_format import parse_gulp_library

        return parse_gulp_library(_text_of(path), path.name)
    try:
        data = tomllib.loads(_text_of(path))
        entry = ForceFieldFile.model_validate(data)
    except (ValueError, RecursionError) as error:
        if isinstance(error, ValidationError):
            raise _bad_entry(path.name, error) from error
        problem = " ".join(str(error).split())
        raise InputError(f"{path.name}: not valid TOML: {problem[:200]}.") from error
    return _force_field(entry, path.name)


def _text_of(path: Path) -> str:
    raw = read_bytes(path)
    try:
        return decoded(raw)
    except InputError as error:
        raise InputError(f"force field = {printable(path)}: {error}") from error


def _bad_entry(name: str, error: ValidationError) -> InputError:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    return InputError(
        f"{name}: {key[:200]} = {shortened(str(problem.get('input')))}: {problem['msg']}. See the "
        "reference page of the force-field format for the keys."
    )


def _force_field(entry: ForceFieldFile, name: str) -> ForceField:
    for symbol in [*entry.charges, *(s for term in entry.buckingham for s in term.pair)]:
        if not is_element(symbol):
            raise InputError(f"{name}: {symbol!r} is not the symbol of an element.")
    terms: dict[tuple[str, str], Buckingham] = {}
    for term in entry.buckingham:
        key = pair_key(*term.pair)
        if key in terms:
            raise InputError(
                f"{name}: the pair {key[0]}-{key[1]} has two Buckingham terms. Keep one."
            )
        r_min = entry.r_min_A if term.r_min_A is None else term.r_min_A
        r_max = entry.r_max_A if term.r_max_A is None else term.r_max_A
        if r_max <= r_min + entry.taper_A:
            raise InputError(
                f"{name}: the pair {key[0]}-{key[1]} ends at r_max_A = {r_max} Å, which is not "
                f"beyond r_min_A + taper_A = {r_min + entry.taper_A} Å."
            )
        terms[key] = Buckingham(term.A_eV, term.rho_A, term.C_eV_A6, r_min, r_max)
    return ForceField(
        entry.charges, terms, taper=entry.taper_A, dispersion=entry.dispersion,
        coulomb_constant=entry.coulomb_constant_eV_A, name=entry.name or name,
    )  # fmt: skip
