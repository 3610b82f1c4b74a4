"""What a certificate says, in words and tables."""

from __future__ import annotations

from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    open_ones = [name for name, proof in proofs.items() if name in tasks and not proof.is_proven]
    if open_ones:
        lines.append(
            f"{len(open_ones)} grids whose best arrangement was not proven in the time given; only "
            "their bound holds, where there is one."
        )
    lines += [f"Refused: {reason}" for reason in refused.values()]
    return lines


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
    return (
        f"{len(done)} of {len(proofs)} {kind} are proven ({empty} of them hold no arrangement), "
        f"{bounded} more have a bound only."
    )
