"""The pressure of a run: compression by the model, starts, limits, guards and the store."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.energy.compression import NO_BOUND, STRONGEST, Compression, compression
from nucleate.generate.build import build_generators, named
from nucleate.generate.context import GeneratorContext
from nucleate.generate.given import at_rest
from nucleate.relax.guards import check_contacts, check_geometry
from nucleate.relax.outcome import Failed, Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings, build_relaxer, under_pressure
from nucleate.run.listed_files import FileCrystal, survey_of
from nucleate.run.pressure import (
    compression_line,
    compression_of_run,
    compression_of_samples,
    keep_compression,
    stored_compression,
)
from nucleate.run.relaxation import pressed_tiers
from nucleate.run.settings import RunSettings
from nucleate.run.store import Store
from nucleate.units import GPA_PER_EV_A3

CUBE = Crystal(np.array([29]), 2.3 * np.eye(3), np.zeros((1, 3)))
PRESSED = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8, compression=0.5)
PLAIN = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8)


def murnaghan(bulk: float, derivative: float):
    """Return energies (eV/atom) of the equation of state with B in GPa, and V(p)/V(0)."""

    def energies(crystals):
        x = np.array([crystal.volume for crystal in crystals]) / CUBE.volume
        scale = bulk / GPA_PER_EV_A3 * CUBE.volume
        return scale * (
            x / derivative * (x**-derivative / (derivative - 1) + 1) - 1 / (derivative - 1)
        )

    return energies, lambda p: (1 + derivative * p / bulk) ** (-1 / derivative)


@pytest.mark.parametrize("pressure", [-5.0, 2.0, 30.0, 200.0])
def test_it_is_the_solution_of_an_equation_of_state(pressure: float) -> None:
    energies, exact = murnaghan(100.0, 4.0)
    starts = [CUBE.with_volume(CUBE.volume * x) for x in (0.8, 1.0, 1.3)]
    found = compression(energies, starts, pressure)
    assert not found.note
    assert_allclose(found.factor, exact(pressure), rtol=0.01)


def test_the_first_minimum_counts_where_the_model_falls_without_end() -> None:
    energies, exact = murnaghan(100.0, 4.0)

    def saturated(crystals):
        x = np.array([crystal.volume for crystal in crystals]) / CUBE.volume
        return np.where(x < 0.4, -100.0, energies(crystals))

    assert_allclose(compression(saturated, [CUBE], 50.0).factor, exact(50.0), rtol=0.01)


def test_no_bound_is_said() -> None:
    def flat(crystals):
        return np.array([(crystal.volume / CUBE.volume - 1) ** 2 for crystal in crystals])

    assert compression(flat, [CUBE], 2000.0) == Compression(STRONGEST, NO_BOUND)
    assert compression(lambda c: np.full(len(c), np.nan), [CUBE], 10.0).note == NO_BOUND
    assert compression(flat, [], 10.0).factor == 1.0


def test_limits_scale_and_without_pressure_nothing_changes() -> None:
    assert PLAIN.at_rest() is PLAIN
    assert PLAIN.pressed(CUBE) is CUBE
    assert_array_equal(PRESSED.at_rest().min_distances, PLAIN.min_distances)
    assert_allclose(PRESSED.min_distances, PLAIN.min_distances * 0.5 ** (1 / 3))
    assert_allclose(PRESSED.volume_bounds, 0.5 * np.array(PLAIN.volume_bounds))


def test_distances_of_the_user_hold_under_the_pressure() -> None:
    space = SearchSpace.create(
        Composition.from_formula("NaCl"), compression=0.5, pair_distances={"Na-Na": 3.0}
    )
    assert space.min_distances[11, 11] == 3.0
    stretch = space.start_ratio ** (-1 / 3)
    assert_allclose(space.at_rest().min_distances[11, 11], 3.0 * stretch)


def test_generators_draw_at_rest_and_starts_are_pressed() -> None:
    settings = [named("symmetric")]
    plain = build_generators(settings, GeneratorContext(PLAIN))
    pressed = build_generators(settings, GeneratorContext(PRESSED))
    for seed in range(5):
        one = plain.generate(rng=np.random.default_rng(seed))
        other = pressed.generate(rng=np.random.default_rng(seed))
        assert one is not None
        assert other is not None
        assert_array_equal(one.crystal.scaled, other.crystal.scaled)
        assert_allclose(other.crystal.volume / one.crystal.volume, 0.5**0.5)
        assert PRESSED.rejection(other.crystal) is None


@pytest.mark.parametrize("ratio", [0.45, 0.55, 1.0, 1.2])
def test_a_seed_computed_under_the_pressure_is_kept(ratio: float) -> None:
    cell = (2 * PLAIN.volume_per_atom * ratio) ** (1 / 3) * np.eye(3)
    seed = Crystal(np.array([11, 17]), cell, np.array([[0, 0, 0], [0.5, 0.5, 0.5]]))
    start = PRESSED.pressed(at_rest(seed, PRESSED.at_rest(), PRESSED.start_ratio))
    expected = ratio if ratio < 0.7 else ratio * 0.5**0.5
    assert_allclose(start.volume / seed.volume * ratio, expected)


def test_guards_know_the_compression() -> None:
    (tier,) = under_pressure([TierSettings.model_validate({})], 0.5)
    assert under_pressure([tier], 0.3)[0].guards.compression == 0.5
    plain = TierSettings.model_validate({}).guards
    dense = 2 * PLAIN.volume_per_atom
    salt = Crystal(
        np.array([11, 17]), dense ** (1 / 3) * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
    )
    close = salt.with_volume(dense * 0.5**4)
    assert check_contacts(plain, close) is not None
    fallen = salt.with_volume(dense * 0.2)
    assert isinstance(check_geometry(tier.guards, fallen, dense * 0.5, 20.0), Failed)
    assert check_geometry(plain, fallen, dense * 0.5, 20.0) is None
    assert check_geometry(tier.guards, salt.with_volume(dense * 0.4), dense, 20.0) is None


def test_proxy_potentials_relax_at_rest_and_give_compressed_crystals() -> None:
    tier = TierSettings.model_validate({"name": "spp", "engine": {"kind": "spp"}})
    generator = named("symmetric").build(GeneratorContext(PLAIN))
    drawn = [generator.generate(rng=np.random.default_rng(seed)) for seed in range(4)]
    starts = [candidate.crystal for candidate in drawn if candidate is not None]
    ((_, plain),) = list(relax_all(build_relaxer(tier), [(0, starts[0])]))
    (pressed_tier,) = under_pressure([tier], 0.5)
    start = starts[0].with_volume(starts[0].volume * 0.5)
    ((_, pressed),) = list(relax_all(build_relaxer(pressed_tier, pressure_gpa=50.0), [(0, start)]))
    assert isinstance(plain, Relaxed)
    assert isinstance(pressed, Relaxed)
    assert_allclose(pressed.energy, plain.energy, rtol=1e-6)
    assert_allclose(pressed.crystal.volume, 0.5 * plain.crystal.volume, rtol=1e-4)


def test_the_store_keeps_the_number(tmp_path) -> None:
    data = {
        "problem": {"formula": "NaCl", "pressure_gpa": 30.0},
        "tier": [{"engine": {"kind": "spp"}}],
    }
    settings = RunSettings.from_dict(data)
    found = compression_of_run(settings, tmp_path, lambda *_: None)
    assert found.factor == 1.0
    assert "give problem.compression" in compression_line(30.0, found)
    kept = Compression(0.65, "", "chgnet")
    with Store.create(tmp_path, {"input": settings.to_dict()}) as store:
        keep_compression(store, kept)
        keep_compression(store, Compression(0.1))
        assert stored_compression(store) == kept
    assert compression_of_run(settings, tmp_path, lambda *_: None) == kept
    assert compression_line(30.0, kept) == (
        "At 30 GPa the expected volume is 0.65 of that at 0 GPa (chgnet)."
    )
    given = RunSettings.from_dict(
        data | {"problem": {**data["problem"], "compression": 0.7}}  # type: ignore[dict-item]
    )
    assert compression_of_run(given, tmp_path / "new", lambda *_: None) == Compression(0.7)
    assert compression_line(30.0, Compression(0.7)) == ""


def test_a_series_of_files_knows_the_strongest_compression_of_its_compositions(
    tmp_path, monkeypatch
) -> None:
    hard, soft = murnaghan(300.0, 4.0), murnaghan(50.0, 4.0)

    def enthalpies(crystals):
        pick = [hard if crystal.numbers[0] == 29 else soft for crystal in crystals]
        pressed = 20.0 / GPA_PER_EV_A3
        return np.array([
            energies([crystal])[0] + pressed * crystal.volume_per_atom
            for (energies, _), crystal in zip(pick, crystals, strict=True)
        ])  # fmt: skip

    monkeypatch.setattr("nucleate.run.pressure.single_points", lambda *_, **__: enthalpies)
    other = CUBE.replace(numbers=np.array([47]))
    items = [FileCrystal("x", str(k), crystal) for k, crystal in enumerate((CUBE, CUBE, other))]
    survey = survey_of(items)
    assert [crystal.numbers[0] for crystal in survey.samples] == [29, 47]
    tier = TierSettings.model_validate({})
    found = compression_of_samples([tier], 20.0, survey.samples)
    assert_allclose(found.factor, soft[1](20.0), rtol=0.01)
    for options in ({"relax": False}, {"relax_cell": False}):
        still = TierSettings.model_validate(options)
        assert compression_of_samples([still], 20.0, survey.samples).factor == 1.0
    assert compression_of_samples([tier], 0.5, survey.samples).factor == 1.0
    with Store.create(tmp_path, {"input": {}}) as store:
        (pressed,) = pressed_tiers([tier], 20.0, survey.samples, store)
        assert pressed.guards.compression == found.factor
        monkeypatch.undo()  # what is continued asks no model again
        assert pressed_tiers([tier], 20.0, survey.samples, store) == (pressed,)
