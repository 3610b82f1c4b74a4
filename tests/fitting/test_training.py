"""Training: it learns, stops, and goes on after a kill as if nothing had happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nucleate.crystal.crystal import Crystal  # noqa: E402
from nucleate.errors import InputError  # noqa: E402
from nucleate.fitting.graph_network.examples import Examples  # noqa: E402
from nucleate.fitting.graph_network.labels import perturbed_examples  # noqa: E402
from nucleate.fitting.graph_network.settings import TrainingSettings  # noqa: E402
from nucleate.fitting.graph_network.training import Trainer  # noqa: E402
from nucleate.networks.graph_network.graphs import build_graphs  # noqa: E402
from nucleate.networks.graph_network.settings import HarmonicSettings  # noqa: E402

SIZES = HarmonicSettings(width=16, channels=8, blocks=2, gaussians=12, neighbours=8)
QUICK = TrainingSettings(
    epochs=4, batch_size=4, learning_rate=3e-3, warmup_steps=5, save_every=3, average=0.9
)


@pytest.fixture(scope="module")
def examples() -> Examples:
    rng = np.random.default_rng(0)
    crystals = [
        Crystal(rng.integers(3, 20, 4), np.eye(3) * rng.uniform(3.5, 5.5), rng.random((4, 3)))
        for _ in range(24)
    ]
    energies = rng.normal(0.0, 0.5, 24).astype(np.float32)
    return Examples(build_graphs(crystals, SIZES), energies, np.ones(24, np.float32))


def make_trainer(folder: Path, examples: Examples, settings: TrainingSettings) -> Trainer:
    folder.mkdir(exist_ok=True)
    rows = np.arange(24)
    return Trainer(
        folder, SIZES, settings, examples, train=rows[:20], val=rows[20:], perturbed=examples
    )


def test_resumed_training_ends_in_the_same_weights(tmp_path: Path, examples: Examples) -> None:
    whole = make_trainer(tmp_path / "a", examples, QUICK)
    expected = whole.run()
    make_trainer(tmp_path / "b", examples, QUICK).run(until_step=7)
    second = make_trainer(tmp_path / "b", examples, QUICK)
    assert second.step == 7
    resumed = second.run()
    for kind in ("val_mae", "train_mae"):
        errors = [[entry[kind] for entry in run.history] for run in (whole, second)]
        assert errors[0] == pytest.approx(errors[1], rel=1e-6 if kind == "train_mae" else 0.0)
    for name, value in expected.items():
        assert torch.equal(value, resumed[name]), name


def test_padding_changes_nothing(tmp_path: Path, examples: Examples) -> None:
    trainer = make_trainer(tmp_path / "p", examples, QUICK)
    crystals, rows = np.array([3, 17, 30]), torch.tensor([3, 17, 30])
    batcher, network = trainer.examples.batcher, trainer.network
    plain = network(**batcher.take(crystals))
    padded = network(**batcher.gathered(torch.from_numpy(batcher.places(crystals, 20)), 4))
    assert padded[:3].tolist() == pytest.approx(plain.tolist(), abs=1e-6)
    gradients = []
    for inputs in (
        batcher.take(crystals),
        batcher.gathered(torch.from_numpy(batcher.places(crystals, 20)), 4),
    ):
        loss = (network(**inputs)[:3] - trainer.examples.energies[rows]).abs().mean()
        gradients.append(torch.autograd.grad(loss, list(network.parameters())))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_captured_steps_train_as_on_the_cpu(tmp_path: Path, examples: Examples) -> None:
    (tmp_path / "g").mkdir()
    device = {"train": np.arange(20), "val": np.arange(20, 24), "perturbed": examples}
    on_gpu = Trainer(tmp_path / "g", SIZES, QUICK, examples, device="cuda", **device)
    on_gpu.run()
    on_cpu = make_trainer(tmp_path / "h", examples, QUICK)
    on_cpu.run()
    errors = [[entry["val_mae"] for entry in run.history] for run in (on_gpu, on_cpu)]
    assert errors[0] == pytest.approx(errors[1], abs=1e-3)


def test_a_tiny_set_is_learnt_by_heart(tmp_path: Path, examples: Examples) -> None:
    settings = replace(QUICK, epochs=40, learning_rate=1e-2, perturbed_share=0.0, patience=1000)
    trainer = make_trainer(tmp_path / "c", examples, settings)
    trainer.run()
    weights = {key: value.clone() for key, value in trainer.mean.items()}
    wrong = np.abs(trainer.predict(weights, np.arange(20)) - examples.energies[:20]).mean()
    assert wrong < 0.1


def test_training_stops_without_gain(tmp_path: Path, examples: Examples) -> None:
    settings = replace(QUICK, epochs=500, patience=2, learning_rate=1e-12)
    trainer = make_trainer(tmp_path / "d", examples, settings)
    trainer.run()
    assert len(trainer.history) == 3


def test_another_network_in_the_folder_is_refused(tmp_path: Path, examples: Examples) -> None:
    trainer = make_trainer(tmp_path / "e", examples, QUICK)
    trainer.save()
    with pytest.raises(InputError, match="training of another network"):
        Trainer(
            tmp_path / "e",
            replace(SIZES, width=24),
            QUICK,
            examples,
            train=np.arange(4),
            val=np.arange(4),
        )


def test_other_data_or_another_seed_in_the_folder_are_refused(
    tmp_path: Path, examples: Examples
) -> None:
    make_trainer(tmp_path / "f", examples, QUICK).run(until_step=3)
    others = replace(examples, energies=examples.energies + np.float32(0.1))
    with pytest.raises(InputError, match="holds a training with other data"):
        make_trainer(tmp_path / "f", others, QUICK)
    with pytest.raises(InputError, match="holds a training with other seed"):
        make_trainer(tmp_path / "f", examples, replace(QUICK, seed=5))
    assert make_trainer(tmp_path / "f", examples, replace(QUICK, epochs=5)).step == 3


def test_energies_that_are_not_finite_end_a_training(tmp_path: Path, examples: Examples) -> None:
    spoilt = replace(examples, energies=np.where(np.arange(24) == 3, np.nan, examples.energies))
    with pytest.raises(InputError, match=r"not finite after step .* lower learning rate"):
        make_trainer(tmp_path / "n", spoilt, replace(QUICK, baseline=False)).run()
    with pytest.raises(InputError, match="no rate of AdamW"):
        replace(QUICK, learning_rate=float("nan"))


def test_a_potential_without_energies_is_given_up() -> None:
    crystal = Crystal(np.array([11, 17]), 4.0 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]))
    data = SimpleNamespace(rows=lambda _: np.arange(1), crystals=[crystal], energies=np.zeros(1))
    asked = {"count": 4, "rng": np.random.default_rng(0)}
    with pytest.raises(InputError, match="no energy for any of 50 training crystals"):
        perturbed_examples(data, SIZES, lambda items: np.full(len(items), np.nan), **asked)
