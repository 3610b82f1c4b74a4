from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.library.conftest import moved

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import shortest_distance
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.library.geometry import describe, expand, operations
from nucleate.library.labels import (
    Protostructure,
    _relabelings_of,
    _table,
    automorphisms,
    canonical,
    matchings,
    mirror_image,
    pearson_symbol,
)

GROUPS = st.sampled_from([2, 5, 12, 14, 15, 19, 36, 47, 62, 64, 74, 88, 92, 115, 139, 148, 152])
CUBIC = st.sampled_from([160, 164, 166, 176, 186, 191, 198, 205, 213, 216, 217, 221, 225, 227, 230])
CHIRAL = st.sampled_from([76, 91, 92, 95, 144, 151, 153, 154, 169, 171, 178, 180, 181, 212, 213])


def random_crystal(number: int, seed: int) -> Crystal:
    """Three elements on two or three random orbits each of a space group."""
    rng = np.random.default_rng(seed)
    system = next(s for last, s in ((2, "a"), (15, "m"), (74, "o"), (142, "t"), (194, "h"),
                                    (230, "c")) if number <= last)  # fmt: skip
    a, b, c = rng.uniform(6.0, 9.0, 3)
    cell = {
        "a": (a, b, c, 82.0, 95.0, 101.0), "m": (a, b, c, 90, 97.0, 90), "o": (a, b, c, 90, 90, 90),
        "t": (a, a, c, 90, 90, 90), "h": (a, a, c, 90, 90, 120), "c": (a, a, a, 90, 90, 90),
    }[system]  # fmt: skip
    rotations, shifts = operations(number)
    points, kinds = [], []
    for z in (8, 22, 38):
        for _ in range(int(rng.integers(1, 3))):
            point = rng.random(3)
            if rng.random() < 0.6:  # onto a special position: the mean over some site symmetry
                k = int(rng.integers(len(rotations)))
                image = point
                for _ in range(6):
                    image = image @ rotations[k] + shifts[k]
                    gap = image - point
                    point = point + (gap - np.rint(gap)) / 2.0
                    image = point
            points.append(point)
            kinds.append(z)
    from nucleate.library.geometry import primitive_vectors

    conventional = np.array(points) @ primitive_vectors(number)
    box, scaled, orbit_of = expand(number, np.array(cell, dtype=float), conventional)
    return Crystal(np.array(kinds)[orbit_of], box, scaled)


@settings(max_examples=60)
@given(st.one_of(CHIRAL, GROUPS), st.integers(0, 10**6))
def test_the_label_of_a_mirror_image(number: int, seed: int) -> None:
    crystal = random_crystal(number, seed)
    found = describe(crystal, (0.001,))
    inverted = describe(crystal.replace(scaled=-crystal.scaled), (0.001,))
    if found is None or inverted is None:
        return
    assert mirror_image(found.proto.label) == inverted.proto.label
    assert mirror_image(inverted.proto.label) == found.proto.label


@settings(max_examples=40)
@given(st.one_of(GROUPS, CUBIC), st.integers(0, 10**6))
def test_label_does_not_depend_on_the_description(number: int, seed: int) -> None:
    crystal = random_crystal(number, seed)
    rng = np.random.default_rng(seed)
    if crystal.n_atoms > 60 or shortest_distance(crystal) < 0.05:  # by chance almost one site
        return
    first = describe(crystal, (0.001,))
    if first is None:
        return
    for repeats in ((1, 1, 1), (2, 1, 1)):
        other = describe(moved(crystal, rng, repeats), (0.001,))
        assert other is not None
        assert other.proto == first.proto
        assert other.elements == first.elements


@settings(max_examples=40)
@given(st.one_of(GROUPS, CUBIC), st.integers(0, 10**6))
def test_description_gives_back_the_crystal(number: int, seed: int) -> None:
    crystal = random_crystal(number, seed)
    found = describe(crystal, (0.001,)) if crystal.n_atoms <= 60 else None
    if found is None:
        return
    box, scaled, orbit_of = expand(found.proto.number, found.cell, found.points)
    sizes = [size for slot in found.proto.multiplicities for size in slot]
    assert np.bincount(orbit_of).tolist() == sizes
    slots = np.repeat(np.arange(len(found.elements)), found.proto.orbit_counts)
    rebuilt = Crystal(np.array(found.elements)[slots[orbit_of]], box, scaled)
    assert fingerprint_distance(fingerprint(crystal), fingerprint(rebuilt)) < 1e-3


def test_coinciding_atoms_have_no_description() -> None:
    """Two orbits of titanium on one position: Sr4Ti4O4 must not become Sr4Ti2O4."""
    assert describe(random_crystal(12, 1725)) is None


def test_labels_of_real_structures_group_as_those_of_pymatgen(shared_data) -> None:
    """One of our labels never splits a group of pymatgen's; it merges axis choices it keeps."""
    parquet = pytest.importorskip("pyarrow.parquet")
    prototypes = pytest.importorskip("pymatgen.analysis.prototypes")
    path = shared_data / "mp_structures.parquet"
    if not path.exists():
        pytest.skip("no table of structures")
    table = parquet.read_table(path, columns=["lattice", "species", "frac_coords"])
    rows = table.take(np.random.default_rng(1).choice(len(table), 60, replace=False)).to_pylist()
    theirs_to_ours: dict[str, str] = {}
    for row in rows:
        crystal = Crystal(
            np.array(row["species"]),
            np.array(row["lattice"]).reshape(3, 3),
            np.array(row["frac_coords"]).reshape(-1, 3),
        )
        found = describe(crystal, (0.1,))
        theirs = prototypes.get_protostructure_label_from_moyopy(crystal.to_pymatgen(), 0.1)
        if found is None or theirs is None or str(found.proto.number) != theirs.split("_")[2]:
            continue
        label = theirs.split(":")[0]
        assert theirs_to_ours.setdefault(label, found.proto.label) == found.proto.label
    assert len(theirs_to_ours) > 20


def test_label_agrees_with_spglib(shared_data) -> None:
    """Space group and letters of spglib, made canonical, give the same label."""
    spglib = pytest.importorskip("spglib")
    from nucleate.crystal.files import read_crystals

    for path in sorted((shared_data / "targets").glob("*.cif")):
        crystal = read_crystals(path)[0][1]
        found = describe(crystal, (0.01,))
        cell = crystal.cell, crystal.scaled, crystal.numbers
        other = spglib.get_symmetry_dataset(cell, symprec=0.01)
        if found is None or other.number != found.proto.number:
            continue
        mapping = np.array(other.mapping_to_primitive)
        slots = []
        for z in found.elements:
            orbits = {}
            for atom in np.flatnonzero(crystal.numbers == z):
                orbits.setdefault(other.crystallographic_orbits[atom], other.wyckoffs[atom])
            primitive = {mapping[atom] for atom in np.flatnonzero(crystal.numbers == z)}
            slots.append((len(primitive), "".join(sorted(orbits.values()))))
        unit = int(np.gcd.reduce([count for count, _ in slots]))
        proto, _ = canonical(other.number, [(n // unit, letters) for n, letters in slots])
        assert proto == found.proto, path.name


@pytest.mark.parametrize(
    ("number", "slots", "label"),
    [
        (225, [(1, "b"), (1, "a")], "AB_cF8_225_a_b"),
        (216, [(1, "d"), (1, "b")], "AB_cF8_216_a_c"),
        (221, [(1, "b"), (1, "a"), (3, "c")], "ABC3_cP5_221_a_b_c"),
        (167, [(3, "e"), (2, "c")], "A2B3_hR10_167_c_e"),
        (14, [(1, "d"), (2, "e")], "AB2_mP6_14_a_e"),
        (2, [(1, "h"), (1, "g")], "AB_aP2_2_a_b"),
    ],
)
def test_known_labels(number: int, slots: list[tuple[int, str]], label: str) -> None:
    proto, _ = canonical(number, slots)
    assert proto.label == label
    assert Protostructure.from_label(label) == proto


def test_what_is_no_label_is_refused() -> None:
    for text in ("", "AB", "AB_cF8_225_a", "AB_cF8_x_a_b", "AB_cF8_225_a_1"):
        with pytest.raises(ValueError, match="is not a protostructure label"):
            Protostructure.from_label(text)


def test_relabelings_form_groups_that_keep_multiplicities() -> None:
    for number, (sizes, words) in _table().items():
        identity = words[0]
        assert len(sizes) == len(identity)
        known = set(words)
        for word in words[:20]:
            permuted = [sizes[identity.index(letter)] for letter in word]
            assert permuted == list(sizes), number
            mapping = dict(zip(identity, word, strict=True))
            for other in words[:20]:
                assert "".join(mapping[letter] for letter in other) in known


def test_relabelings_hold_those_of_pymatgen() -> None:
    data = pytest.importorskip("pymatgen.analysis.prototypes._data")
    for number, maps in data.WYCKOFF_POSITION_RELAB_DICT.items():
        _, words = _table()[int(number)]
        theirs = {"".join(m[ord(letter)] for letter in words[0]) for m in maps}
        assert theirs <= set(words)
        if int(number) > 15:
            assert theirs == set(words)


def test_exchanges_of_slots() -> None:
    rocksalt = Protostructure.from_label("AB_cF8_225_a_b")
    assert automorphisms(rocksalt) == ((0, 1), (1, 0))
    tied = Protostructure.from_label("ABC_oP12_62_c_c_c")
    assert automorphisms(tied) == ((0, 1, 2),)
    assert len(matchings(tied)) == 6
    fluorite = Protostructure.from_label("AB2_cF12_225_a_c")
    assert matchings(fluorite) == ((0, 1),)


def test_pearson_symbols() -> None:
    assert pearson_symbol(166, 1) == "hR1"
    assert pearson_symbol(229, 1) == "cI2"
    assert pearson_symbol(38, 4) == "oC8"
    assert len(_relabelings_of(2, "i")) == 1
