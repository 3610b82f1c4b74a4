"""What a certificate says, in words and tables."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nucleate.exact.cells import Task
    from nucleate.exact.certificate import Certificate, Proof


_GRIDS_ALONE = (
    "Structures whose atoms sit on none of the grids listed under proofs: the guarantee is for "
    "arrangements on the grids, before relaxation."
)


def solver_name() -> str:
    """Return name and version of the solver."""
    try:
        return f"HiGHS (highspy {version('highspy')})"
    except PackageNotFoundError:
        return "none: highspy is not installed"


def uncovered(
    tasks: Mapping[str, Task], proofs: Mapping[str, Proof], refused: Mapping[str, str]
) -> list[str]:
    """Return what the proofs of a scan say nothing about."""
    lines = [_GRIDS_ALONE, "Arrangements with atoms closer than min_distances."]
    left = [task for name, task in tasks.items() if name not in proofs]
    if left:
        groups = Counter(task.space_group for task in left)
        text = ", ".join(f"{group} ({count})" for group, count in sorted(groups.items()))
        lines.append(f"{len(left)} of the {len(tasks)} grids of the scan, by space group: {text}.")
    open_ones = [p for name, p in proofs.items() if name in tasks and not p.is_proven]
    if open_ones:
        lines.append(_open_ones(open_ones))
    lines += [f"Refused: {reason}" for reason in refused.values()]
    return lines


def _open_ones(proofs: Sequence[Proof]) -> str:
    """Return what is known of grids whose best arrangement was not proven, and what would help."""
    ends = ", ".join(f"{n} {status}" for status, n in Counter(p.status for p in proofs).items())
    gaps = [p.gap / sum(p.counts.values()) for p in proofs if p.gap is not None]
    bounded = (
        [f"{len(gaps)} have a bound, with gaps up to {max(gaps):.3f} per atom"] if gaps else []
    )
    bare = [f"{len(proofs) - len(gaps)} have no bound"] if len(gaps) < len(proofs) else []
    return (
        f"{len(proofs)} grids whose best arrangement was not proven ({ends}): "
        f"{', '.join([*bounded, *bare])}. Raise --limit or --memory-mb to prove them."
    )


def proof_row(proof: Proof) -> dict[str, str]:
    """Return the cells of a table row; energies in eV per atom."""
    atoms = sum(proof.counts.values())
    lengths = np.linalg.norm(np.array(proof.cell), axis=1)
    relaxed = [f.relaxed for f in proof.found if f.relaxed is not None]
    best = min(relaxed, key=lambda r: r.energy / len(r.symbols), default=None)
    return {
        "Z": str(proof.formula_units),
        "cell (Å)": " ".join(f"{value:.2f}" for value in lengths),
        "group": str(proof.space_group),
        "grid": "x".join(str(count) for count in proof.grid),
        "variables": str(proof.variables),
        "bound": _per_atom(proof.bound, atoms),
        "best": _per_atom(proof.best, atoms),
        "gap": _per_atom(proof.gap, atoms),
        "status": proof.status,
        "by": proof.method,
        "s": f"{proof.solve_s:.2f}",
        "relaxed": "" if best is None else f"{best.energy / len(best.symbols):.5f}",
        "symmetry": "" if best is None else best.space_group,
    }


def _per_atom(value: float | None, atoms: int) -> str:
    return "not proven" if value is None else f"{value / atoms:.5f}"


def summary(certificate: Certificate) -> str:
    """Return in one sentence what is proven."""
    proofs = certificate.proofs
    done = [proof for proof in proofs if proof.is_proven]
    empty = sum(proof.status == "no arrangement" for proof in done)
    bounded = sum(proof.bound is not None and not proof.is_proven for proof in proofs)
    kind = "cells" if any(proof.sites is not None for proof in proofs) else "grids"
    why = _too_coarse(certificate) if empty and empty == len(proofs) else ""
    return (
        f"{len(done)} of {len(proofs)} {kind} are proven ({empty} of them hold no arrangement), "
        f"{bounded} more have a bound only.{why}"
    )


def _too_coarse(certificate: Certificate) -> str:
    """Return why no grid holds an arrangement, in numbers, and what would help."""
    spacing = [
        np.linalg.norm(np.array(proof.cell), axis=1) / np.array(proof.grid)
        for proof in certificate.proofs
    ]
    limits = ", ".join(f"{pair} {d:.2f}" for pair, d in certificate.min_distances.items())
    return (
        f" No grid holds the atoms at the minimum distances ({limits} Å) with "
        f"{np.min(spacing):.2f} to {np.max(spacing):.2f} Å between points. Use finer grids "
        "(--grid), another cell or number of formula units (--z), groups of lower symmetry, or "
        "--contacts below 1."
    )
