"""ASE calculators as batched models: one after another, named by their path, refused in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.calculators.morse import MorsePotential

from nucleate.crystal.crystal import Crystal
from nucleate.energy.engine import EngineContext
from nucleate.energy.level import LevelOfTheory
from nucleate.energy.model import Batch
from nucleate.errors import InputError, MissingDependencyError
from nucleate.networks.ase_model import AseModel
from nucleate.networks.factory import made_by_path
from nucleate.networks.given import GivenSettings
from nucleate.networks.kinds.ase import AseSettings
from nucleate.relax.outcome import Failed, Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings, build_relaxer

HERE = __name__
CONTEXT = EngineContext()
LEVEL = LevelOfTheory("ase", "0", "tests")
CALCULATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "emt": ("ase.calculators.emt:EMT", {}),
    "lj": ("ase.calculators.lj:LennardJones", {"sigma": 2.3, "epsilon": 0.2, "rc": 6.0}),
    "lj-smooth": (
        "ase.calculators.lj:LennardJones",
        {"sigma": 2.3, "epsilon": 0.2, "rc": 6.0, "ro": 4.5, "smooth": True},
    ),
    "morse": ("ase.calculators.morse:MorsePotential", {"r0": 2.6, "epsilon": 0.3, "rho0": 5.0}),
}
CLASSES = {"emt": EMT, "lj": LennardJones, "lj-smooth": LennardJones, "morse": MorsePotential}


def copper(seed: int, repeat: tuple[int, int, int] = (1, 1, 1)) -> Crystal:
    rng = np.random.default_rng(seed)
    atoms = bulk("Cu", "fcc", a=3.7) * repeat
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.04 * rng.normal(size=(3, 3))), scale_atoms=True)
    atoms.positions += rng.normal(0.0, 0.08, atoms.positions.shape)
    atoms.numbers[::2] = 79
    return Crystal.from_ase(atoms)


CRYSTALS = [copper(1), copper(2, (2, 1, 1)), copper(3, (1, 3, 1)), copper(4, (2, 2, 1))]


def model_of(name: str) -> AseModel:
    path, options = CALCULATORS[name]
    return AseSettings(calculator=path, options=options).build(CONTEXT)


@pytest.mark.parametrize("name", CALCULATORS)
def test_a_batch_is_what_ase_says_of_each_crystal(name: str) -> None:
    batch = Batch.of(CRYSTALS)
    found = model_of(name).evaluate(batch)
    _, options = CALCULATORS[name]
    for k, crystal in enumerate(CRYSTALS):
        atoms = crystal.to_ase()
        atoms.calc = CLASSES[name](**options)
        own = slice(batch.start[k], batch.start[k + 1])
        assert found.energies[k] == pytest.approx(atoms.get_potential_energy(), abs=1e-10)
        np.testing.assert_allclose(found.forces[own], atoms.get_forces(), atol=1e-10)
        np.testing.assert_allclose(found.stresses[k], atoms.get_stress(voigt=False), atol=1e-10)


@pytest.mark.parametrize("name", CALCULATORS)
def test_results_have_the_shapes_and_types_of_the_contract(name: str) -> None:
    found = model_of(name).evaluate(Batch.of(CRYSTALS))
    n_atoms = sum(crystal.n_atoms for crystal in CRYSTALS)
    assert found.energies.shape == (len(CRYSTALS),)
    assert found.forces.shape == (n_atoms, 3)
    assert found.stresses.shape == (len(CRYSTALS), 3, 3)
    for part in (found.energies, found.forces, found.stresses):
        assert part.dtype == np.float64
    np.testing.assert_allclose(found.stresses, found.stresses.transpose(0, 2, 1), atol=1e-12)


@pytest.mark.parametrize("name", ["emt", "lj-smooth", "morse"])
def test_forces_and_stress_are_slopes_of_the_energy(name: str) -> None:
    model, crystal, step = model_of(name), CRYSTALS[1], 1e-5
    found = model.evaluate(Batch.of([crystal]))
    rng = np.random.default_rng(5)
    move, strain = rng.normal(size=(crystal.n_atoms, 3)), rng.normal(size=(3, 3))
    strain = 0.5 * (strain + strain.T)
    ends = [
        Crystal.from_positions(crystal.numbers, crystal.cell, crystal.positions + s * step * move)
        for s in (1, -1)
    ] + [crystal.replace(cell=crystal.cell @ (np.eye(3) + s * step * strain)) for s in (1, -1)]
    energies = model.evaluate(Batch.of(ends)).energies
    by_move = (energies[0] - energies[1]) / (2 * step)
    by_strain = (energies[2] - energies[3]) / (2 * step)
    assert -np.vdot(found.forces, move) == pytest.approx(by_move, rel=1e-5, abs=1e-6)
    expected = crystal.volume * np.vdot(found.stresses[0], strain)
    assert expected == pytest.approx(by_strain, rel=1e-5, abs=1e-6)


def test_a_calculator_remembers_nothing_of_the_crystal_before() -> None:
    """ASE keeps results by the atoms they are of; the same one twice, and one between."""
    model = model_of("emt")
    one, other = CRYSTALS[0], CRYSTALS[2]
    first = model.evaluate(Batch.of([one])).energies[0]
    energies = model.evaluate(Batch.of([one, other, one, one])).energies
    assert energies[[0, 2, 3]].tolist() == [first] * 3
    assert energies[1] != first


def test_levels_of_theory_tell_calculators_and_options_apart() -> None:
    levels = {name: model_of(name).level for name in CALCULATORS}
    assert len(set(levels.values())) == len(CALCULATORS)
    assert model_of("lj").level == levels["lj"]
    path, options = CALCULATORS["lj"]
    turned = dict(reversed(options.items()))
    assert AseSettings(calculator=path, options=turned).build(CONTEXT).level == levels["lj"]
    assert levels["lj"].model == path


class WithoutStress(Calculator):
    """It computes energy and forces."""

    implemented_properties = ("energy", "forces")


def needs(*, place: str, scale: float = 1.0) -> EMT:
    """Return EMT; a function with a keyword that must be given."""
    del place, scale
    return EMT()


def raising(error: str) -> EMT:
    """Raise what a constructor may raise of its own."""
    raise {"type": TypeError, "value": ValueError, "import": ImportError, "file": OSError}[error](
        "no such potential\nat all"
    )


@pytest.mark.parametrize(
    ("path", "options", "error", "words"),
    [
        (f"{HERE}:needs", {}, InputError, "do not fit .*'place'.* it takes .*place: "),
        (f"{HERE}:needs", {"place": "a", "scael": 2}, InputError, "do not fit .*'scael'"),
        (f"{HERE}:raising", {"error": "value"}, InputError, "cannot be made .*ValueError: no such"),
        (f"{HERE}:raising", {"error": "import"}, InputError, "ImportError: no .*install what it"),
        (f"{HERE}:raising", {"error": "file"}, InputError, "OSError: no such potential"),
        (f"{HERE}:raising", {"error": "type"}, TypeError, "no such potential"),
        (f"{HERE}:HERE", {}, InputError, "is a str, not a class or function"),
        (f"{HERE}:CRYSTALS", {}, InputError, "is a list, not a class or function"),
        ("builtins:dict", {}, InputError, "gives a dict, not an ASE calculator"),
        ("ase.calculators.eam:EAM", {"potential": "none.alloy"}, InputError, "FileNotFoundError"),
        ("ase.calculators.emt:EMT", {"asap": True}, InputError, "no parameter asap. Use some of"),
        ("ase.calculators.lj:LennardJones", {"sigmma": 2}, InputError, "sigmma.*sigma"),
        ("ase.calculators.morse:MorsePotential", {"r0": 2, "D": 1}, InputError, "parameter D"),
        (f"{HERE}:WithoutStress", {}, InputError, "WithoutStress .* does not compute stress. Use"),
    ],
)
def test_calculators_that_cannot_be_made_say_why(
    path: str, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        AseSettings(calculator=path, options=options).build(CONTEXT)
    assert "\n" not in str(caught.value) or error is TypeError
    if error is InputError:
        assert path in str(caught.value)


def test_a_fault_inside_a_constructor_does_not_read_as_a_wrong_option() -> None:
    """It is the constructor's own: build_relaxer names the component and the line."""
    with pytest.raises(TypeError) as caught:
        made_by_path("calculator", f"{HERE}:raising", {"error": "type"}, "a:b")
    assert "do not fit" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import no_such_module_at_all", "the module no_such_module_at_all is not installed"),
        ("raise RuntimeError('first\\nsecond')", r"cannot be imported \(RuntimeError: first\)"),
        ("1 +", "cannot be imported .*SyntaxError"),
        ("from ase import no_such_name", "cannot be imported .*ImportError"),
    ],
)
def test_modules_that_cannot_be_imported_are_named(
    source: str, words: str, tmp_path, monkeypatch
) -> None:
    (tmp_path / "broken_calculator.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises((InputError, MissingDependencyError), match=words):
        made_by_path("calculator", "broken_calculator:Made", {}, "a:b")


def test_a_compiled_constructor_without_a_signature_is_called() -> None:
    assert made_by_path("model", "builtins:dict", {"a": 1}, "a:b") == {"a": 1}
    with pytest.raises(InputError, match=r"range' cannot be made .*TypeError"):
        made_by_path("model", "builtins:range", {"stop": 3}, "a:b")


def test_a_given_calculator_is_wrapped_and_a_given_model_is_itself() -> None:
    calculator = EMT()
    wrapped = GivenSettings.of(calculator).build(CONTEXT)
    assert isinstance(wrapped, AseModel)
    assert wrapped.calculator is calculator
    assert wrapped.level.model == "ase.calculators.emt:EMT"
    assert wrapped.cutoff == 6.0
    assert GivenSettings.of(wrapped).build(CONTEXT) is wrapped
    with pytest.raises(InputError, match=r"WithoutStress .*does not compute stress"):
        GivenSettings.of(WithoutStress()).build(CONTEXT)


def test_a_given_object_is_not_kept_by_what_is_written_down() -> None:
    made = GivenSettings.of(EMT())
    again = GivenSettings.model_validate(made.model_dump())
    with pytest.raises(InputError, match=r"emt:EMT lives in the process that was given it"):
        again.build(CONTEXT)


class Spoiled(EMT):
    """EMT with one component that breaks its contract."""

    def __init__(self, part: str, change: Any) -> None:
        super().__init__()
        self.part, self.change = part, change

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        super().calculate(*args, **kwargs)
        self.results[self.part] = self.change(self.results[self.part])


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("energy", lambda energy: float("nan"), "not finite: energy"),
        ("forces", lambda forces: forces * np.nan, "not finite: forces"),
        ("stress", lambda stress: stress + np.inf, "not finite: stress"),
        ("forces", lambda forces: forces[:-1], r"forces of shape \(1, 3\)"),
        ("forces", lambda forces: forces * 1j, "forces of type complex128"),
        ("stress", lambda stress: stress[:3], r"Spoiled .*raised .* in its evaluate at atoms.py"),
    ],
)
def test_a_calculator_that_breaks_its_contract_fails_its_crystal(
    part: str, change: Any, words: str
) -> None:
    engine = GivenSettings.of(Spoiled(part, change))
    tier = TierSettings(name="t", engine=engine, pre_relax=False)
    ((_, outcome),) = relax_all(build_relaxer(tier), [(0, CRYSTALS[1])])
    assert isinstance(outcome, Failed)
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(outcome.message)


def test_an_element_that_a_calculator_lacks_fails_that_crystal_alone() -> None:
    """EMT has a dozen metals and says so by NotImplementedError."""
    tier = TierSettings.model_validate(
        {"relax": False, "engine": {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}}
    )
    iron = Crystal.from_ase(bulk("Fe", "bcc", a=2.9))
    found = dict(relax_all(build_relaxer(tier), enumerate([iron, CRYSTALS[1]])))
    assert isinstance(found[0], Failed)
    assert "NotImplementedError" in found[0].message
    assert "Fe" in found[0].message
    assert isinstance(found[1], Relaxed)


def test_a_calculator_that_does_not_say_what_it_computes_is_taken() -> None:
    class Own:
        """No subclass of ASE's, with the three methods."""

        def get_potential_energy(self, atoms: Atoms | None = None) -> float:
            return 0.25 * len(atoms)  # type: ignore[arg-type]

        def get_forces(self, atoms: Atoms) -> np.ndarray:
            return np.zeros((len(atoms), 3))

        def get_stress(self, atoms: Atoms) -> np.ndarray:
            return np.arange(6.0)

    found = AseModel(Own(), LEVEL, 6.0).evaluate(Batch.of(CRYSTALS[:2]))  # type: ignore[arg-type]
    assert found.energies.tolist() == [0.25, 0.5]
    assert found.stresses[0].tolist() == [[0.0, 5.0, 4.0], [5.0, 1.0, 3.0], [4.0, 3.0, 2.0]]
