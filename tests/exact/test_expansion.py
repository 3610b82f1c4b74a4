"""Cluster expansions against every decoration, one by one."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from ase.calculators.emt import EMT
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.exact.test_certificates import (
    change_energy,
    leave_out_level,
    move_atom,
    raise_bound,
    raise_bound_and_best,
)

from nucleate.api import prove as api
from nucleate.crystal.composition import Composition
from nucleate.errors import InputError
from nucleate.exact.certificate import Certificate
from nucleate.exact.check import check_certificate
from nucleate.exact.colouring import Star, count_colourings, lowest_colourings
from nucleate.exact.decoration import decorations, lowest, stays_on_lattice
from nucleate.exact.expansion import Cluster, ClusterExpansion, labelled
from nucleate.exact.fit_expansion import fit, nearest_of
from nucleate.exact.superlattices import (
    parent_lattice,
    parent_operations,
    site_permutations,
    supercell_sites,
    superlattices,
)
from nucleate.exact.training import LOWEST, Training

ROOT2, ROOT3 = 2.0**0.5, 3.0**0.5
SIDES = {
    "fcc": [(1.0,), (ROOT2,), (1.0, 1.0, 1.0), (1.0, 1.0, ROOT2)],
    "bcc": [(1.0,), (2.0 / ROOT3,), (1.0, 1.0, 2.0 / ROOT3)],
    "hcp": [(1.0,), (ROOT2,), (1.0, 1.0, 1.0), (1.0, 1.0, ROOT2)],
}


def toy(lattice, elements, seed):
    """A cluster expansion with energies out of a hat."""
    rng = np.random.default_rng(seed)
    clusters = [Cluster((), ()), *(Cluster((s,), ()) for s in elements[:-1])]
    for sides in SIDES[lattice]:
        clusters += labelled(elements, sides, 2 if len(sides) == 1 else 3)
    clusters = tuple(replace(c, energy=float(rng.normal())) for c in clusters)
    return ClusterExpansion(elements, clusters, nearest_of(parent_lattice(lattice, 10.0)))


def forms_of(lattice, index):
    parent = parent_lattice(lattice, 11.0)
    return parent, list(superlattices(parent_operations(parent)[0], index))


def test_decorations_are_counted_as_published():
    # Hart and Forcade, Phys. Rev. B 77, 224115 (2008) and 80, 014120 (2009)
    for name, counts in (("fcc", [2, 2, 6, 19, 28]), ("hcp", [3, 10, 50])):
        parent = parent_lattice(name, 12.0)
        found = [len(d.colours) // parent.n_atoms for d in decorations(parent, 2, sum(counts))]
        assert [found.count(k + 1) for k in range(len(counts))] == counts


@given(
    st.sampled_from(sorted(SIDES)), st.sampled_from([("Cu", "Au"), ("Cu", "Pd", "Au")]),
    st.integers(1, 5), st.integers(0, 99), st.integers(0, 9),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_whole_numbers_and_distances_give_the_same_energies(lattice, elements, index, seed, pick):
    expansion = toy(lattice, elements, seed)
    parent, forms = forms_of(lattice, index)
    form = forms[pick % len(forms)]
    sites, _ = supercell_sites(parent, form)
    kinds = len(elements)
    colours = np.random.default_rng(seed).integers(0, kinds, size=(4, sites.size))
    energy = Star(expansion, parent).polynomial(form)
    for row, expected in zip(
        colours, expansion.energies(sites.cell, sites.fractions, colours), strict=True
    ):
        held = [s * (kinds - 1) + k for s, k in enumerate(row) if k < kinds - 1]
        total = energy.constant + energy.linear[held].sum()
        total += energy.quadratic[np.ix_(held, held)].sum()
        total += energy.cubic[np.ix_(held, held, held)].sum()
        assert total == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("lattice", "elements", "counts", "index"),
    [("fcc", ("Cu", "Au"), (3, 3), 6), ("bcc", ("Cu", "Au"), (2, 4), 6),
     ("hcp", ("Cu", "Au"), (4, 4), 4), ("fcc", ("Cu", "Pd", "Au"), (2, 2, 2), 6)],
)  # fmt: skip
def test_the_lowest_of_all_decorations(lattice, elements, counts, index):
    expansion = toy(lattice, elements, 3)
    parent, forms = forms_of(lattice, index)
    star, wanted = Star(expansion, parent), np.array(counts)
    for form in forms[:4]:
        sites, _ = supercell_sites(parent, form)
        images = site_permutations(parent, form, parent_operations(parent))
        every = np.array([
            c for c in product(range(len(counts)), repeat=sites.size)
            if np.array_equal(np.bincount(c, minlength=len(counts)), wanted)
        ])  # fmt: skip
        assert len(every) == count_colourings(wanted)
        energies = expansion.energies(sites.cell, sites.fractions, every)
        classes = {}
        for row, value in zip(every, energies, strict=True):
            key = min(tuple(image) for image in row[images].tolist())
            classes.setdefault(key, value)
        found = lowest_colourings(star.polynomial(form), wanted, images, keep=5, seconds=60.0)
        assert found.complete
        expected = np.sort(list(classes.values()))[:5]
        assert found.energies == pytest.approx(expected, abs=1e-8)
        assert len({min(map(tuple, row[images].tolist())) for row in found.colours}) == len(
            found.colours
        )


def test_what_was_not_looked_at_is_not_proven():
    expansion = toy("fcc", ("Cu", "Au"), 0)
    parent, forms = forms_of("fcc", 6)
    images = site_permutations(parent, forms[0], parent_operations(parent))
    ends = lowest_colourings(
        Star(expansion, parent).polynomial(forms[0]), np.array([3, 3]), images, keep=1, seconds=0.0
    )
    assert not ends.complete


@pytest.mark.slow
def test_a_fit_finds_the_energies_it_was_given():
    parent = parent_lattice("fcc", 12.0)
    samples = decorations(parent, 2, 60)
    expansion = toy("fcc", ("Cu", "Au"), 1)
    energies = np.array([
        expansion.evaluate(s.crystal(parent, expansion.elements, 12.0)).energy / len(s.colours)
        for s in samples
    ])  # fmt: skip
    end = fit(parent, expansion.elements, samples, energies, model="toy")
    assert end.error < 1e-3
    other = decorations(parent, 2, 61)[-5:]
    for sample in other:
        crystal = sample.crystal(parent, expansion.elements, 12.0)
        assert end.evaluate(crystal).energy == pytest.approx(
            expansion.evaluate(crystal).energy, abs=0.02
        )
    noise = np.random.default_rng(0).normal(scale=0.05, size=energies.size)
    assert fit(parent, expansion.elements, samples, energies + noise, model="toy").error > 0.04
    with pytest.raises(InputError, match="a fit needs 10 or more"):
        fit(parent, expansion.elements, samples[:5], energies[:5], model="toy")


def test_sites_of_another_lattice_are_refused():
    expansion = toy("fcc", ("Cu", "Au"), 1)
    crystal = decorations(parent_lattice("bcc", 12.0), 2, 5)[3].crystal(
        parent_lattice("bcc", 12.0), ("Cu", "Au"), 12.0
    )
    with pytest.raises(InputError, match="none of the lattice"):
        expansion.evaluate(crystal)


def test_decorations_that_leave_the_lattice_are_seen():
    parent = parent_lattice("fcc", 12.0)
    start = decorations(parent, 2, 30)[-1].crystal(parent, ("Cu", "Au"), 12.0)
    assert stays_on_lattice(start, start.replace(cell=1.1 * start.cell))
    assert not stays_on_lattice(start, start.replace(cell=start.cell @ np.diag([1.3, 1, 1])))
    moved = start.scaled.copy()
    moved[0] += 0.5
    assert not stays_on_lattice(start, start.replace(scaled=moved))


@pytest.fixture(scope="module")
def alloy(tmp_path_factory):
    """Copper and gold by EMT: the result and its folder."""
    folder = tmp_path_factory.mktemp("alloy")
    notes = []
    result = api.prove("CuAu", lattice="fcc", fit=EMT(), fit_structures=25, folder=folder,
                       max_atoms=6, on_note=notes.append)  # fmt: skip
    return result, folder, notes


def test_a_real_alloy_is_fitted_proven_and_checked(alloy):
    result, folder, notes = alloy
    assert notes[0].startswith("Cluster expansion of EMT: ")
    assert "cross-validated error" in notes[0]
    assert f"its {LOWEST} lowest decorations are all among them" in notes[0]
    certificate = Certificate.load(folder / "certificate.json")
    assert certificate == result.certificate
    assert len(certificate.proofs) == 2 + 7 + 10
    verdicts = check_certificate(certificate)
    assert all(verdict.accepted for verdict in verdicts)
    assert {verdict.bound for verdict in verdicts} == {"every arrangement"}
    assert any("meV/atom, cross-validated on" in line for line in certificate.not_covered)
    parent = parent_lattice("fcc", Composition.from_formula("CuAu").volume_per_atom)
    lines = [json.loads(line) for line in (folder / "fit.jsonl").read_text().splitlines()[1:]]
    known = {line["key"]: line["energy"] for line in lines}
    own = [item.decoration.key for item in lowest(certificate.proofs, parent, {})]
    assert set(own[:LOWEST]) <= set(known)
    assert len(set(own)) == len(own)
    equal = [e for key, e in known.items() if key.split(":")[1].count("0") * 2 == len(
        key.split(":")[1])]  # fmt: skip
    assert min(equal) == pytest.approx(
        min(r.energy / len(r.symbols) for r in result.relaxed), abs=1e-3
    )
    best = result.relaxed[0]
    atoms = best.crystal().to_ase()
    atoms.calc = EMT()
    assert best.model == "EMT"
    assert atoms.get_potential_energy() == pytest.approx(best.energy, abs=1e-4)


@pytest.mark.parametrize(
    "falsify", [raise_bound, raise_bound_and_best, change_energy, leave_out_level, move_atom]
)
def test_a_falsified_decoration_is_refused(alloy, tmp_path, falsify):
    data = json.loads((alloy[1] / "certificate.json").read_text())
    proof = next(p for p in data["proofs"] if len(p["found"]) == 3)
    if falsify is move_atom:
        held = proof["found"][0]["places"]
        held["Cu"][0], held["Au"][0] = held["Au"][0], held["Cu"][0]
    else:
        falsify(proof)
    data["proofs"] = [proof]
    (tmp_path / "false.json").write_text(json.dumps(data))
    (verdict,) = check_certificate(Certificate.load(tmp_path / "false.json"))
    assert verdict.problems
    assert not verdict.accepted


def test_a_changed_cluster_or_site_is_refused(alloy):
    certificate = alloy[0].certificate
    clusters = [
        c.model_copy(update={"energy": c.energy + 0.01}) for c in certificate.model.clusters
    ]
    model = certificate.model.model_copy(update={"clusters": clusters})
    assert not any(
        v.accepted for v in check_certificate(certificate.model_copy(update={"model": model}))
    )
    proof = certificate.proofs[0]
    sites = [(0.03, 0.0, 0.0), *(proof.sites or [])[1:]]
    moved = certificate.model_copy(update={"proofs": [proof.model_copy(update={"sites": sites})]})
    assert "none of the lattice" in check_certificate(moved)[0].problems[0]


def test_energies_are_kept_and_belong_to_a_model(alloy, tmp_path):
    composition = Composition.from_formula("CuAu")
    text = (alloy[1] / "fit.jsonl").read_text().splitlines()
    (tmp_path / "fit.jsonl").write_text("\n".join(text[:20]) + "\n" + text[20][:15])
    asked = []

    def relax(crystals):
        asked.extend(crystals)
        return [None] * len(crystals)

    options = {"model": "EMT", "structures": 25, "folder": tmp_path}
    training = Training(composition, "fcc", relax, **options)
    assert len(asked) == 29 - 19
    assert training.expansion().structures == 19
    with pytest.raises(InputError, match="energies of another model"):
        Training(composition, "fcc", relax, **{**options, "model": "chgnet"})
    other = Training(composition, "bcc", relax, **{**options, "folder": tmp_path / "b"})
    with pytest.raises(InputError, match="0 decorations were relaxed"):
        other.expansion()


def test_what_does_not_go_together_is_refused(tmp_path):
    with pytest.raises(InputError, match="--fit belongs to a lattice"):
        api.prove("CuAu", fit=EMT(), folder=tmp_path)
    with pytest.raises(InputError, match="only one of"):
        api.prove("CuAu", lattice="fcc", fit=EMT(), proxy=True, folder=tmp_path)
