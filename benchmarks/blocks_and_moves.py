"""Yield and speed of the blocks generator, of slicing, and of the fourteen moves.

    python benchmarks/blocks_and_moves.py [--structures FOLDER] [--number 200]

``--structures`` names a folder of CIF files called ``FORMULA__anything.cif``; they become the
parents of the moves. Without it the parents come from the generator. Times are processor times of
one process, the first call of everything left out.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from nucleate.blocks.blocks import slice_into_blocks
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import read_crystals
from nucleate.crystal.space import SearchSpace
from nucleate.generate.blocks import BlocksGenerator
from nucleate.moves.move import CONTACT_SCALE, MoveContext
from nucleate.moves.propose import propose
from nucleate.moves.table import MOVES

MAX_ATOMS = 50
FORMULAS = (
    "Ca3Ti2O7", "CoAs2", "Cu7S4", "Mn", "Pb5As3O12Cl", "Si6Al6B3Fe3NaO30F", "WCl2", "YWB4",
    "Li2Sn2S3Cl4", "Li3Si3O5Cl5", "Li4OBrCl",
)  # fmt: skip


def space_of(formula: str) -> SearchSpace:
    """Return the search space of at most 50 atoms."""
    return SearchSpace.create(Composition.from_formula(formula), max_atoms=MAX_ATOMS)


def context_of(formula: str, contact_scale: float = CONTACT_SCALE) -> MoveContext:
    """Return the context of the moves, the generator being the source of new structures."""
    space = space_of(formula)
    generator = BlocksGenerator(space)
    return MoveContext(
        space,
        lambda units, rng: generator.generate(rng=rng, max_formula_units=units),
        contact_scale=contact_scale,
    )


def generator_table(number: int) -> None:
    """Print yield, speed and volume at all sizes and at the largest alone."""
    print("Blocks generator (FUSE 2.02 for Ca3Ti2O7: 3.5 % of attempts, about 1 crystal/s)")
    print(f"{'composition':18} {'valid %':>8} {'V/V0':>6}   {'atoms':>5} {'valid %':>8} {'1/s':>6}")
    for formula in FORMULAS:
        space = space_of(formula)
        generator = BlocksGenerator(space)
        rng = np.random.default_rng(0)
        largest = max(space.formula_units)
        generator.attempt(largest, rng=rng)
        units = rng.choice(space.formula_units, number)
        made = [c for c in (generator.attempt(int(z), rng=rng) for z in units) if c]
        volume = np.mean([c.crystal.volume_per_atom for c in made])
        start = time.process_time()
        large = sum(generator.attempt(largest, rng=rng) is not None for _ in range(number))
        seconds = time.process_time() - start
        print(
            f"{formula:18} {100 * len(made) / number:8.1f} "
            f"{volume / space.composition.volume_per_atom:6.2f}   "
            f"{largest * space.composition.n_atoms:5d} {100 * large / number:8.1f} "
            f"{large / seconds:6.0f}"
        )


def all_parents(folder: Path | None) -> list[tuple[str, Crystal]]:
    """Return the parents of the moves with their formulas."""
    if folder is not None:
        return [
            (file.name.split("__")[0], crystal)
            for file in sorted(folder.glob("*.cif"))
            for _, crystal in read_crystals(file)
        ]
    parents = []
    for formula in FORMULAS:
        context = context_of(formula)
        for seed in range(4):
            candidate = context.fresh(None, np.random.default_rng(seed))
            if candidate is not None:
                parents.append((formula, candidate.crystal))
    return parents


@dataclass
class Tally:
    """What a move did over many trials."""

    children: int = 0
    trials: int = 0
    pushed: int = 0
    seconds_large: list[float] = field(default_factory=list)


def tally_moves(parents: list[tuple[str, Crystal]], scale: float, trials: int) -> dict[int, Tally]:
    """Propose children of every parent that a move applies to.

    The times are those of large cells: parents or children of 40 to 50 atoms.
    """
    tallies: dict[int, Tally] = defaultdict(Tally)
    contexts = {formula: context_of(formula, scale) for formula, _ in parents}
    for formula, parent in parents:
        context = contexts[formula]
        for move in MOVES:
            if not move.applies(parent, context):
                continue
            tally = tallies[move.number]
            for seed in range(trials + 1):
                start = time.process_time()
                child = propose(move, parent, context=context, rng=np.random.default_rng(seed))
                seconds = time.process_time() - start
                if seed == 0:
                    continue
                tally.trials += 1
                if child is not None:
                    tally.children += 1
                    tally.pushed += "pushed_apart" in child.origin.detail
                    if child.crystal.n_atoms >= 40:
                        tally.seconds_large.append(seconds)
                elif parent.n_atoms >= 40:
                    tally.seconds_large.append(seconds)
    return tallies


def moves_table(parents: list[tuple[str, Crystal]], trials: int) -> None:
    """Print how often each move succeeds and how long it takes at 40 to 50 atoms."""
    tallies = tally_moves(parents, CONTACT_SCALE, trials)
    print(f"\nMoves on {len(parents)} parents, contact scale {CONTACT_SCALE}")
    print(f"{'':2} {'move':28} {'children %':>10} {'pushed %':>9} {'median ms':>10} {'p95 ms':>7}")
    for move in MOVES:
        tally = tallies[move.number]
        milliseconds = 1e3 * np.array(tally.seconds_large or [np.nan])
        print(
            f"{move.number:2d} {move.name:28} {100 * tally.children / tally.trials:10.1f} "
            f"{100 * tally.pushed / tally.trials:9.1f} "
            f"{np.median(milliseconds):10.2f} {np.quantile(milliseconds, 0.95):7.2f}"
        )


def scale_table(parents: list[tuple[str, Crystal]], trials: int) -> None:
    """Print, for several contact scales, the share of trials that needed no pushing."""
    scales = (0.6, 0.7, 0.75, 0.8, 0.9, 1.0)
    print("\n% of trials allowed as drawn (within 10 draws), by contact scale")
    print(f"{'move':31}" + "".join(f"{scale:>7}" for scale in scales))
    by_scale = [tally_moves(parents, scale, trials) for scale in scales]
    for move in MOVES[:12]:
        shares = [
            100 * (tallies[move.number].children - tallies[move.number].pushed)
            / tallies[move.number].trials
            for tallies in by_scale
        ]  # fmt: skip
        print(f"{move.number:2d} {move.name:28}" + "".join(f"{share:7.1f}" for share in shares))


def slicing_line(parents: list[tuple[str, Crystal]]) -> None:
    """Print the time of cutting a crystal and putting it together again."""
    sizes = {formula: Composition.from_formula(formula).submodule_size for formula, _ in parents}
    worst = 0.0
    start = time.process_time()
    for formula, parent in parents:
        again = slice_into_blocks(parent, sizes[formula]).assemble()
        gap = again.scaled - parent.scaled
        worst = max(worst, float(np.abs(gap - np.rint(gap)).max()))
    mean = (time.process_time() - start) / len(parents)
    print(f"\nSlice and assemble: {1e6 * mean:.0f} µs, largest deviation {worst:.0e} (fractional)")


def main() -> None:
    """Run all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--structures", type=Path, help="folder of FORMULA__anything.cif files")
    parser.add_argument("--number", type=int, default=200, help="attempts a composition")
    parser.add_argument("--trials", type=int, default=10, help="trials a move and parent")
    options = parser.parse_args()
    generator_table(options.number)
    parents = all_parents(options.structures)
    slicing_line(parents)
    moves_table(parents, options.trials)
    scale_table(parents, max(options.trials // 3, 1))


if __name__ == "__main__":
    main()
