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
from nucleate.exact.relaxing import record
from nucleate.exact.report import proof_row, summary
from nucleate.exact.scan import Event, ScanResult
from nucleate.exact.session import (
    decorate_session,
    distinct_relaxed,
    fit_session,
    prove_session,
)
from nucleate.exact.training import Training
from nucleate.potentials.spp import shipped_library
from nucleate.potentials.toml_format import read_force_field
from nucleate.relax.outcome import Relaxed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np

    from nucleate.crystal.crystal import Crystal
    from nucleate.exact.certificate import RelaxedRecord
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
    fit: Any = None,
    fit_structures: int = 130,
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
    fit, fit_structures
        Fit a cluster expansion to relaxed energies of this model (as in :func:`nucleate.relax`) of
        at least this many small decorations of the lattice, and relax the best with it.
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
    if lattice is not None:
        _refuse_idle(force_field, options)
    place = folder or Path(f"prove-{composition.formula}")
    if fit is not None:
        if lattice is None:
            raise InputError("--fit belongs to a lattice. Give --lattice too, or leave it out.")
        if pairs is not None or proxy:
            raise InputError("give only one of --pairs, --proxy and --fit.")
        training = Training(
            composition, lattice, _energies_by(fit), model=_name(fit), structures=fit_structures,
            folder=place,
        )  # fmt: skip
        return fit_session(
            composition, lattice, training,
            lambda source: SessionOptions(source=source, folder=place, **options),
            _relaxes_by(fit), on_note,
        )  # fmt: skip
    source = _source(composition, force_field, pairs, proxy or bool(lattice and not pairs), on_note)
    given = SessionOptions(source=source, folder=place, **options)
    if lattice is not None:
        return decorate_session(composition, lattice, given)
    return prove_session(composition, given, on_event)


def _refuse_idle(force_field: Path | None, options: Mapping[str, Any]) -> None:
    """Refuse what has no effect on decorations of a lattice."""
    if force_field is not None:
        raise InputError(
            "--force-field has no effect with --lattice, whose energies come from --pairs, --proxy "
            "or --fit. Give one of these."
        )
    idle = {"cell": "--cell", "groups": "--space-group", "grid": "--grid", "formula_units": "--z"}
    for key, name in idle.items():
        if options.get(key):
            raise InputError(
                f"{name} has no effect with --lattice, whose cells are its supercells. Leave it "
                "out, or use --max-atoms."
            )
    if options.get("contacts", 1.0) != 1.0:
        raise InputError("--contacts has no effect with --lattice. Leave it out.")


def _name(model: Any) -> str:
    return model if isinstance(model, str) else type(model).__name__


def _energies_by(model: Any) -> Callable[[Sequence[Crystal]], list[tuple[Crystal, float] | None]]:
    """Return the function that relaxes crystals with a model of any kind."""

    def energies(crystals: Sequence[Crystal]) -> list[tuple[Crystal, float] | None]:
        ends = relax(list(crystals), model=model)
        return [
            (end.crystal, end.energy_per_atom) if isinstance(end, Relaxed) else None for end in ends
        ]

    return energies


def _relaxes_by(model: Any) -> Callable[..., RelaxedRecord | None]:
    """Return the function that relaxes an arrangement with a model of any kind."""

    def relaxes(crystal: Crystal, *, rng: np.random.Generator) -> RelaxedRecord | None:
        del rng
        end = relax(crystal, model=model)
        if not isinstance(end, Relaxed):
            return None
        return record(end.crystal, end.energy, end.converged, _name(model))

    return relaxes


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
