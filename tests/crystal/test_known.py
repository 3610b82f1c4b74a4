from __future__ import annotations

from ase.build import bulk

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import fingerprint
from nucleate.crystal.known import KnownCrystals


def of(atoms):
    return fingerprint(Crystal.from_ase(atoms))


def test_matches_come_with_their_distance_oldest_first():
    known = KnownCrystals()
    for number, edge in ((7, 3.6), (3, 3.61), (5, 4.2)):
        known.add(number, of(bulk("Cu", "fcc", edge)))
    found = known.matches(of(bulk("Cu", "fcc", 3.6)))
    assert list(found) == [3, 7]
    assert found[7] < 1e-6 < found[3]
    assert list(known.matches(of(bulk("Cu", "fcc", 3.6)), within=1.0)) == [3, 5, 7]
