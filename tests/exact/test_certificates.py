from __future__ import annotations

import json
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.exact.systems import METAL, OXIDE, numbers_of

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.exact.certificate import Certificate, ModelRecord
from nucleate.exact.check import check_certificate
from nucleate.exact.options import SessionOptions
from nucleate.exact.pair_models import ionic_field, read_pair_model
from nucleate.exact.session import decorate_session, prove_session
from nucleate.exact.stop import compare
from nucleate.exact.superlattices import hermite, parent_lattice, parent_operations, superlattices

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.exact.scan import ScanResult

pytest.importorskip("highspy")


@pytest.fixture(scope="module")
def perovskite(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScanResult, Path]:
    folder = tmp_path_factory.mktemp("perovskite")
    options = SessionOptions(OXIDE, folder, cell=(3.9,) * 3 + (90.0,) * 3, groups=(221, 75),
                             grid=(4, 4, 4), keep=6)  # fmt: skip
    return prove_session(Composition.from_formula("SrTiO3"), options), folder


def test_a_certificate_is_accepted(perovskite: tuple[ScanResult, Path]) -> None:
    result, folder = perovskite
    certificate = Certificate.load(folder / "certificate.json")
    assert certificate == result.certificate
    verdicts = check_certificate(certificate)
    assert all(verdict.accepted for verdict in verdicts)
    assert {verdict.bound for verdict in verdicts} == {"every arrangement"}
    assert result.relaxed[0].energy == pytest.approx(-158.58354, abs=1e-4)  # GULP
    assert result.relaxed[0].space_group == "Pm-3m (221)"
    assert (folder / "best.cif").is_file()


def raise_bound(proof: dict[str, Any]) -> None:
    proof["bound"] += 0.05


def raise_bound_and_best(proof: dict[str, Any]) -> None:
    proof["found"] = proof["found"][1:]
    proof["bound"] = proof["found"][0]["energy"]


def drop_orbit(proof: dict[str, Any]) -> None:
    proof["orbits"].pop()


def split_orbit(proof: dict[str, Any]) -> None:
    longest = max(proof["orbits"], key=len)
    proof["orbits"].remove(longest)
    proof["orbits"] += [longest[:1], longest[1:]]


def change_energy(proof: dict[str, Any]) -> None:
    proof["found"][0]["energy"] -= 0.05
    proof["bound"] -= 0.05


def change_relaxed(proof: dict[str, Any]) -> None:
    proof["found"][0]["relaxed"]["energy"] -= 0.05


def move_atom(proof: dict[str, Any]) -> None:
    places = proof["found"][0]["places"]
    places["Sr"], places["Ti"] = places["Ti"], places["Sr"]


def change_counts(proof: dict[str, Any]) -> None:
    proof["counts"]["O"] = 2


def leave_out_level(proof: dict[str, Any]) -> None:
    first, *_, last = proof["found"]
    last["proven"] = True
    proof["found"] = [first, last]


def edit_gap(proof: dict[str, Any]) -> None:
    proof["bound"] -= 0.05


def claim_ranks(proof: dict[str, Any]) -> None:
    proof["found"][0]["proven"] = False


def change_group(proof: dict[str, Any]) -> None:
    proof["space_group"] = 195 if proof["space_group"] != 195 else 75


def stretch_cell(proof: dict[str, Any]) -> None:
    proof["cell"][2][2] *= 1.001


def leave_grid(proof: dict[str, Any]) -> None:
    proof["found"][0]["places"]["Sr"] = [64]


def exchange_units(proof: dict[str, Any]) -> None:
    proof["formula_units"] = 2


def deny(proof: dict[str, Any]) -> None:
    proof.update(status="no arrangement", found=[], bound=None)


@pytest.mark.parametrize(
    "falsify",
    [raise_bound, raise_bound_and_best, drop_orbit, split_orbit, change_energy, change_relaxed,
     move_atom, change_counts, leave_out_level, deny, edit_gap, claim_ranks, change_group,
     stretch_cell, leave_grid, exchange_units],
)  # fmt: skip
def test_a_falsified_certificate_is_refused(
    perovskite: tuple[ScanResult, Path], tmp_path: Path, falsify: Any
) -> None:
    data = json.loads((perovskite[1] / "certificate.json").read_text())
    data["proofs"] = [max(data["proofs"], key=lambda proof: len(proof["found"]))]
    falsify(data["proofs"][0])
    path = tmp_path / "false.json"
    path.write_text(json.dumps(data))
    (verdict,) = check_certificate(Certificate.load(path))
    assert verdict.problems
    assert not verdict.accepted


def test_a_grid_without_symmetry_is_checked_arrangement_by_arrangement(tmp_path: Path) -> None:
    options = SessionOptions(OXIDE, tmp_path, cell=(3.9,) * 3 + (90.0,) * 3, grid=(4, 4, 4), keep=2)
    certificate = prove_session(Composition.from_formula("SrTiO3"), options).certificate
    (verdict,) = check_certificate(certificate)
    assert verdict.accepted
    assert verdict.bound == "every arrangement"
    proof = certificate.proofs[0]
    second = [proof.found[1].model_copy(update={"proven": True})]
    false = proof.model_copy(update={"found": second, "bound": second[0].energy})
    (refused,) = check_certificate(certificate.model_copy(update={"proofs": [false]}))
    assert "there is one with energy" in refused.problems[0]


def test_a_changed_potential_is_refused(perovskite: tuple[ScanResult, Path]) -> None:
    certificate = perovskite[0].certificate
    terms = [
        term.model_copy(update={"rho": 0.99 * term.rho}) for term in certificate.model.buckingham
    ]
    model = certificate.model.model_copy(update={"buckingham": terms})
    verdicts = check_certificate(certificate.model_copy(update={"model": model}))
    assert not any(verdict.accepted for verdict in verdicts)


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text("{}")
    with pytest.raises(InputError, match="nucleate prove"):
        Certificate.load(path)
    with pytest.raises(InputError, match="cannot be read"):
        Certificate.load(tmp_path / "none.json")


def test_a_scan_continues_where_it_was(tmp_path: Path) -> None:
    composition = Composition.from_formula("SrTiO3")
    options = SessionOptions(OXIDE, tmp_path, groups=(221,), max_atoms=5, keep=1)
    first = prove_session(composition, options)
    lines = (tmp_path / "scan.jsonl").read_text().splitlines()
    proofs = [k for k, line in enumerate(lines) if '"proof"' in line]
    assert proofs
    cut = "\n".join(lines[: proofs[-1]]) + "\n" + lines[proofs[-1]][:40]
    (tmp_path / "scan.jsonl").write_text(cut)
    again = prove_session(composition, options)
    assert [p.bound for p in again.certificate.proofs] == [
        p.bound for p in first.certificate.proofs
    ]
    assert again.relaxed[0].energy == first.relaxed[0].energy
    assert first.relaxed[0].energy / 5 == pytest.approx(-31.71671, abs=1e-4)
    fewer = SessionOptions(OXIDE, tmp_path, groups=(225,), max_atoms=5, keep=1)
    prove_session(composition, fewer)  # other grids, the same settings: they add to each other
    other = SessionOptions(OXIDE, tmp_path, groups=(221,), max_atoms=5, keep=2)
    with pytest.raises(InputError, match="another composition, model or settings"):
        prove_session(composition, other)


def test_the_sign_to_stop(perovskite: tuple[ScanResult, Path]) -> None:
    result, _ = perovskite
    model = OXIDE.model(numbers_of({"Sr": 1, "Ti": 1, "O": 3}))
    best = result.relaxed[0].crystal()
    assert compare(best, model, result.certificate).may_stop
    worse = best.replace(cell=best.cell * 1.05)
    comparison = compare(worse, model, result.certificate)
    assert not comparison.may_stop
    assert "an arrangement relaxes to -31.71671 eV/atom" in comparison.sentence
    none = compare(best, model, result.certificate.model_copy(update={"proofs": []}))
    assert not none.may_stop
    assert none.sentence == "not proven: no grid has a bound."
    assert "below the best structure" in comparison.sentence


def test_superlattices_are_counted_as_published() -> None:
    # Hart and Forcade, Phys. Rev. B 77, 224115 (2008), table of fcc, bcc (the same), sc, hcp
    for name, numbers in (("fcc", [1, 2, 3, 7, 5, 10]), ("bcc", [1, 2, 3, 7, 5, 10]),
                          ("sc", [1, 3, 3, 9, 5, 13]), ("hcp", [1, 3, 5, 11, 7, 19])):  # fmt: skip
        rotations, _ = parent_operations(parent_lattice(name, 12.0))
        assert [len(list(superlattices(rotations, n))) for n in range(1, 7)] == numbers
    matrix = np.array([[2, 1, 0], [-1, 3, 1], [0, 2, 2]])
    form = hermite(matrix)
    change = form @ np.linalg.inv(matrix)
    assert np.allclose(change, np.rint(change))
    assert abs(np.linalg.det(change)) == pytest.approx(1.0)


def test_decorations_are_proven_and_checked(tmp_path: Path) -> None:
    options = SessionOptions(METAL, tmp_path, max_atoms=4, keep=2)
    result = decorate_session(Composition.from_formula("CuAu"), "fcc", options)
    assert len(result.certificate.proofs) == 2 + 7
    assert all(proof.is_proven for proof in result.certificate.proofs)
    assert all(
        v.accepted for v in check_certificate(Certificate.load(tmp_path / "certificate.json"))
    )
    model = METAL.model([29, 79])
    for proof in result.certificate.proofs:
        n = len(proof.sites or ())
        energies = []
        for places in combinations(range(n), n // 2):
            numbers = [29 if site in places else 79 for site in range(n)]
            crystal = Crystal(np.array(numbers), np.array(proof.cell), np.array(proof.sites))
            energies.append(model.evaluate(crystal).energy)
        assert proof.bound == pytest.approx(min(energies), rel=1e-9)
    with pytest.raises(InputError, match="Allow at least 4"):
        decorate_session(
            Composition.from_formula("Cu3Au"), "fcc", SessionOptions(METAL, tmp_path, max_atoms=3)
        )
    with pytest.raises(InputError, match="neither one of"):
        decorate_session(Composition.from_formula("CuAu"), "diamond", options)


def test_models_survive_the_file() -> None:
    for source, counts in ((OXIDE, {"Sr": 1, "Ti": 1, "O": 3}), (METAL, {"Cu": 1, "Au": 1})):
        again = ModelRecord.model_validate_json(ModelRecord.of(source).model_dump_json()).source()
        numbers = numbers_of(counts)
        rng = np.random.default_rng(0)
        crystal = Crystal(np.array(numbers), np.eye(3) * 4.0, rng.random((len(numbers), 3)))
        first, second = (s.model(numbers).evaluate(crystal).energy for s in (source, again))
        assert first == second


def test_formal_charges_hold_rock_salt_at_its_radii() -> None:
    from ase.build import bulk

    composition = Composition.from_formula("NaCl")
    model = ionic_field(composition).model(composition.numbers(1).tolist())
    end = model.relax(Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.6)))
    assert end.converged
    assert (4.0 * end.crystal.volume) ** (1 / 3) == pytest.approx(5.64, rel=0.05)
    with pytest.raises(InputError, match="no oxidation states"):
        ionic_field(Composition.from_formula("Cu"))


def test_pair_files(tmp_path: Path) -> None:
    path = tmp_path / "pairs.toml"
    path.write_text(
        'name = "model"\n[[pair]]\nelements = ["Cu", "Au"]\nr_A = [2.0, 2.5, 3.0, 4.0]\n'
        "energy_eV = [1.0, -0.5, -0.2, 0.0]\n"
    )
    model = read_pair_model(path)
    assert model.values["Au", "Cu"][250] == pytest.approx(-0.5)
    with pytest.raises(InputError, match="no energies for the pair Au-Au"):
        model.model([29, 79])
    path.write_text('[[pair]]\nelements = ["Cu", "Au"]\nr_A = [2.0, 1.0]\nenergy_eV = [0, 0]\n')
    with pytest.raises(InputError, match="rising"):
        read_pair_model(path)
