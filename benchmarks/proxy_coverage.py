"""Which pairs of elements the proxy potentials know, and which kinds of crystals they keep.

    python benchmarks/proxy_coverage.py [mp_structures.parquet]

The first tables need the shipped library only. With the table of structures the held-out test of
the derivation (600 structures of the split ``val``, the same draw) is broken down by chemistry and
by size.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.elements import element
from nucleate.fitting.proxy_potentials.assess import (
    SPP_CRITERIA,
    largest_displacement,
    mean_stiffness,
)
from nucleate.fitting.proxy_potentials.derive import DerivationSettings, test_set
from nucleate.fitting.proxy_potentials.structures import Sample, read_structures
from nucleate.potentials.basis import CONTEXTS, context_of, pair_index
from nucleate.potentials.spp import SppLibrary, shipped_library

COMPOUNDS = (
    "CoAs2", "Cu7S4", "Mn", "WCl2", "YWB4", "Ca3Ti2O7", "Li2Sn2S3Cl4", "Li3Si3O5Cl5", "Li4OBrCl",
    "Pb5As3O12Cl", "Si6Al6B3Fe3NaO30F",
)  # fmt: skip
WELL_SAMPLED = 20  # structures
KINDS = (
    ("with H", {1}), ("with C or N", {6, 7}), ("no oxygen", None), ("S, Se or Te", {16, 34, 52}),
    ("P or As", {15, 33}), ("B", {5}), ("Si or Ge", {14, 32}), ("halogen", {9, 17, 35, 53}),
)  # fmt: skip


def coverage(library: SppLibrary) -> None:
    """Print how many pairs have data of their own, little, or none."""
    print("pairs of elements with at least 20 structures, with 1 to 19, with none (class prior)")
    for context, name in enumerate(CONTEXTS):
        seen = library.observed[context]
        counts = [(seen >= WELL_SAMPLED).sum(), ((seen > 0) & (seen < WELL_SAMPLED)).sum()]
        print(f"{name:18s} {counts[0]:5d} {counts[1]:5d} {(seen == 0).sum():5d} of {seen.size}")
    print("the same for the benchmark compositions, and the pairs of the last two columns")
    for formula in COMPOUNDS:
        symbols = list(Composition.from_formula(formula).counts)
        numbers = sorted(element(symbol).number for symbol in symbols)
        context = context_of(np.array(numbers))
        few: list[str] = []
        counts = [0, 0, 0]
        for a, b in combinations_with_replacement(numbers, 2):
            places = library.elements.index(a), library.elements.index(b)
            seen = int(library.observed[context, pair_index(*places, len(library.elements))])
            column = 0 if seen >= WELL_SAMPLED else 1 if seen else 2
            counts[column] += 1
            if column:
                few.append(f"{element(a).symbol}-{element(b).symbol} {seen}")
        print(f"{formula:18s} {counts[0]:5d} {counts[1]:5d} {counts[2]:5d}  {', '.join(few)}")


def kind_of(numbers: np.ndarray) -> str:
    """Return the first kind of oxide or halide that fits."""
    present = set(numbers.tolist())
    for name, members in KINDS:
        if (8 not in present) if members is None else present & members:
            return name
    return "other oxides"


def by_criterion(library: SppLibrary, tested: list[Sample]) -> None:
    """Print how the share that stays hangs on the criterion and on the scale of the energies."""
    known = [s for s in tested if context_of(s.crystal.numbers) == 0]
    spring = mean_stiffness(library, known, rng=np.random.default_rng(0))
    print(
        f"held-out oxides and halides: typical spring of an atom {spring:.1f} per Å^2 (scale: 10)"
    )
    for limit in (SPP_CRITERIA.rms_gradient, 0.01 * spring, 0.005):
        moves = []
        for sample in known:
            model = library.model(sample.crystal.numbers)
            end = model.relax(sample.crystal, replace(SPP_CRITERIA, rms_gradient=limit))
            moves.append(
                np.inf if end.failure else largest_displacement(sample.crystal, end.crystal)
            )
        stay = np.mean(np.array(moves) < 0.3)
        print(
            f"RMS gradient under {limit:.3f}: {stay:.1%} stay, median move {np.median(moves):.2f} Å"
        )


def breakdown(library: SppLibrary, tested: list[Sample]) -> None:
    """Print the share of held-out oxides and halides that stay, by kind and by size."""
    rows: dict[str, list[float]] = {}
    for sample in tested:
        crystal = sample.crystal
        if context_of(crystal.numbers) != 0:
            continue
        end = library.model(crystal.numbers).relax(crystal, SPP_CRITERIA)
        move = np.inf if end.failure else largest_displacement(crystal, end.crystal)
        n = crystal.n_atoms
        size = "at most 10 atoms" if n <= 10 else "11 to 20" if n <= 20 else "more than 20"
        for key in ("all", kind_of(crystal.numbers), size):
            rows.setdefault(key, []).append(move)
    print("held-out oxides and halides: number, moved under 0.3 Å, median move in Å")
    for key, moves in sorted(rows.items(), key=lambda item: -len(item[1])):
        stay = np.mean(np.array(moves) < 0.3)
        print(f"{key:18s} {len(moves):4d}  {stay:.0%}  {np.median(moves):.2f}")


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("structures", nargs="?", type=Path)
    parser.add_argument("--library", type=Path, help="default: the shipped one")
    arguments = parser.parse_args()
    library = SppLibrary.load(arguments.library) if arguments.library else shipped_library()
    coverage(library)
    if arguments.structures:
        settings = DerivationSettings()
        rng = np.random.default_rng(settings.seed)
        tested = test_set(read_structures(arguments.structures, split="val"), settings, rng)
        breakdown(library, tested)
        by_criterion(library, tested)


if __name__ == "__main__":
    main()
