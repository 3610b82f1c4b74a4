"""The lowest arrangement on grids, with a proof, and the verification of such proofs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.api.relax import relax
from nucleate.crystal.composition import Composition
from nucleate.crystal.files import write_cif
from nucleate.crystal.symmetry import space_group
from nucleate.errors import InputError
from nucleate.exact.certificate import Certificate
from nucleate.exact.check import check_proof
from nucleate.exact.options import SessionOptions
from nucleate.exact.pair_models import ionic_field, read_pair_model
from nucleate.exact.report import proof_row, summary
from nucleate.exact.scan import Event, ScanResult
from nucleate.exact.session import (
    decorate_session,
    distinct_relaxed,
    prove_session,
)
from nucleate.potentials.spp import shipped_library
from nucleate.potentials.toml_format import read_force_field
from nucleate.relax.outcome import Relaxed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nucleate.exact.check import Verdict

__all__ = [
    "Certificate",
    "Event",
    "ScanResult",
    "check_certificate",
    "proof_row",
    "prove",
    "relax_arrangements",
    "summary",
]


def prove(
    formula: str,
    *,
    force_field: Path | None = None,
    pairs: Path | None = None,
    proxy: bool = False,
    lattice: str | None = None,
    folder: Path | None = None,
    on_event: Callable[[Event], None] | None = None,
    on_note: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> ScanResult:
    """Find the lowest arrangement of atoms on grids, and prove that nothing on them is lower.

    Parameters
    ----------
    formula
        Composition.
    force_field, pairs, proxy
        Where energies come from: a force field (TOML or a GULP library), tabulated pair energies
        (TOML), or the shipped proxy potentials; default formal charges and radii.
    lattice
        Decorate a lattice (``fcc``, ``bcc``, ``hcp``, ``sc``, or a file) instead.
    folder
        Where certificate, structures and the state go; default ``prove-FORMULA``. The same call
        continues.
    on_event, on_note
        Called as the scan proceeds, and with what has to be known about the energies.
    options
        As in :class:`nucleate.exact.options.SessionOptions`.

    Raises
    ------
    InputError
        If something cannot be used.
    """
    composition = Composition.from_formula(formula)
    given = SessionOptions(
        source=_source(composition, force_field, pairs, proxy or bool(lattice and not pairs),
                       on_note),
        folder=folder or Path(f"prove-{composition.formula}"),
        **options,
    )  # fmt: skip
    if lattice is not None:
        return decorate_session(composition, lattice, given)
    return prove_session(composition, given, on_event)


def _source(
    composition: Composition,
    force_field: Path | None,
    pairs: Path | None,
    proxy: bool,
    on_note: Callable[[str], None],
) -> Any:
    if (force_field is not None) + (pairs is not None) + proxy > 1:
        raise InputError("give only one of --force-field, --pairs and --proxy.")
    if force_field is not None:
        return read_force_field(force_field)
    if pairs is not None:
        return read_pair_model(pairs)
    if proxy:
        return shipped_library()
    on_note("No force field: formal charges and radii (starts for better models only).")
    return ionic_field(composition)


def relax_arrangements(
    result: ScanResult, model: Any, folder: Path
) -> tuple[list[tuple[Relaxed, str, Path]], int]:
    """Relax the best distinct arrangements with another model and write them in their new order.

    Returns
    -------
    (list of (Relaxed, str, Path), int)
        Those with an energy, their space groups and files; and how many were tried.
    """
    ends = relax([end.crystal() for end in distinct_relaxed(result)], model=model)
    good = sorted((e for e in ends if isinstance(e, Relaxed)), key=lambda e: e.energy_per_atom)
    written: list[tuple[Relaxed, str, Path]] = []
    for number, end in enumerate(good, 1):
        group, symbol = space_group(end.crystal, 0.1)
        path = folder / f"relaxed-{number}.cif"
        write_cif(path, end.crystal)
        written.append((end, f"{symbol} ({group})", path))
    return written, len(ends)


def check_certificate(path: Path, *, seconds: float = 60.0) -> Iterator[Verdict]:
    """Verify the proofs of a certificate by other means; yield what was found on each."""
    certificate = Certificate.load(path)
    for proof in certificate.proofs:
        yield check_proof(certificate, proof, seconds=seconds)
