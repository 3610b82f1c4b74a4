"""The closest packing of spheres, as a bound on minimum distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nucleate.crystal.composition import Composition


def check_packing(
    composition: Composition, pair_distances: Mapping[str, float], largest_volume: float
) -> None:
    """Check that atoms of an element can be as far from each other as is asked for.

    Equal spheres fill at most the share of the closest packing (T. C. Hales, Ann. Math. 162, 1065
    (2005)): a diameter d takes a volume of at least d³ / √2 per sphere.

    Parameters
    ----------
    composition
        What is searched.
    pair_distances
        Å by pair, for example ``{"O-O": 2.0}``.
    largest_volume
        Å³ per atom.

    Raises
    ------
    InputError
        For the first distance that no crystal within the volume can have.
    """
    for pair, distance in pair_distances.items():
        first, _, second = pair.partition("-")
        if first != second:
            continue
        share = composition.counts[first] / composition.n_atoms
        largest = (2.0**0.5 * largest_volume / share) ** (1.0 / 3.0)
        if distance > largest:
            raise InputError(
                f"min_distances: {pair} = {distance:g} Å cannot be kept by any crystal of "
                f"{composition.formula} with at most {largest_volume:.1f} Å³ per atom: in the "
                f"closest packing {first} atoms are {largest:.2f} Å apart. Lower it, or raise the "
                "second number of volume_window."
            )
