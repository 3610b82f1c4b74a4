"""The forward pass without torch says what the trained network says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from nucleate.generate.wyckoff import sites
from nucleate.generate.wyckoff_language.checkpoint import load_language
from nucleate.generate.wyckoff_language.descriptions import changes, position_changes
from nucleate.generate.wyckoff_language.forward import ForwardNetwork, mixture_log_density
from nucleate.generate.wyckoff_language.settings import COARSE
from nucleate.generate.wyckoff_language.tokens import CELL, GROUP, PLACE, Batch, places

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")

from nucleate.generate.wyckoff_language import network as trained  # noqa: E402

CLOSE = {"rtol": 2e-4, "atol": 2e-4}


def _tokens(rng: np.random.Generator, n: int, length: int) -> Batch:
    """Return tokens of every kind; what the words say need not make sense."""
    batch = Batch.empty(n, length)
    rows = len(places().features)
    batch.kind[:] = rng.integers(1, 7, (n, length))
    batch.kind[:, -3:] = GROUP, CELL, PLACE
    batch.element[:], batch.next_element[:] = rng.integers(0, 104, (2, n, length))
    batch.position[:] = rng.integers(0, rows + 1, (n, length)) * (rng.random((n, length)) < 0.5)
    batch.next_position[:] = rng.integers(0, rows + 1, (n, length))
    batch.slot[:], batch.step[:] = rng.integers(0, 60, (2, n, length))
    batch.scalars[:] = rng.normal(size=batch.scalars.shape)
    batch.point[:] = rng.random(batch.point.shape)
    batch.cell[:] = rng.normal(size=batch.cell.shape)
    batch.group[:] = rng.integers(1, 231, n)
    return batch


@pytest.fixture(scope="module")
def both(small_language: Path) -> tuple[ForwardNetwork, trained.LanguageNetwork]:
    checkpoint = load_language(small_language)
    network = trained.LanguageNetwork(checkpoint.settings)
    network.load_state_dict({k: torch.tensor(v) for k, v in checkpoint.state.items()})
    return checkpoint.network(), network.eval()


def test_both_read_tokens_alike(both: tuple[ForwardNetwork, trained.LanguageNetwork]) -> None:
    forward, network = both
    batch = _tokens(np.random.default_rng(1), 5, 9)
    with torch.inference_mode():
        inputs = trained.inputs_of(batch)
        expected = network(inputs)
        groups = network.group_logits(expected[:, 3]).numpy()
        positions = network.position_logits(expected, inputs["group"])[:, 3].numpy()
    found, _ = forward(batch)
    np.testing.assert_allclose(found, expected.numpy(), **CLOSE)
    np.testing.assert_allclose(forward.group_logits(found[:, 3]), groups, **CLOSE)
    np.testing.assert_allclose(
        forward.position_logits(found[:, 3], batch.group), positions, **CLOSE
    )


def test_token_by_token_and_at_once(both: tuple[ForwardNetwork, object]) -> None:
    forward, rng = both[0], np.random.default_rng(2)
    whole = _tokens(rng, 4, 7)
    expected, _ = forward(whole)
    start = Batch(
        *(getattr(whole, k)[:, :6] if getattr(whole, k).ndim > 1 and k != "cell"
          else getattr(whole, k) for k in Batch.__slots__)
    )  # fmt: skip
    last = Batch(
        *(getattr(whole, k)[:, 6:] if getattr(whole, k).ndim > 1 and k != "cell"
          else getattr(whole, k) for k in Batch.__slots__)
    )  # fmt: skip
    _, past = forward(start)
    found, _ = forward(last, past)
    np.testing.assert_allclose(found[:, 0], expected[:, 6], **CLOSE)
    mask = np.ones((4, 1, 1, 7), np.bool_)
    mask[..., :6] = False  # the token sees itself alone
    alone, _ = forward(last, past, mask)
    np.testing.assert_allclose(alone, forward(last)[0], **CLOSE)


def test_cells_and_coordinates_have_the_same_chances(
    both: tuple[ForwardNetwork, trained.LanguageNetwork],
) -> None:
    forward, network = both
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, 32)).astype(np.float32)
    cell = rng.normal(size=(6, 6)).astype(np.float32)
    free = rng.random((6, 3)).astype(np.float32)
    group, coarse = rng.integers(1, 231, 6), rng.integers(0, COARSE, 6)
    t = torch.from_numpy
    with torch.inference_mode():
        for number in range(6):
            mixture = network.cell_mixture(t(x), t(group), t(cell), number)
            density = trained.mixture_log_density(mixture, t(cell)[:, number]).numpy()
            own = forward.cell_mixture(x, group, cell, number)
            np.testing.assert_allclose(own, mixture.numpy(), **CLOSE)
            np.testing.assert_allclose(mixture_log_density(own, cell[:, number]), density, **CLOSE)
        for number in range(3):
            hidden = network.free_hidden(t(x), t(free), number)
            own = forward.free_hidden(x, free, number)
            np.testing.assert_allclose(own, hidden.numpy(), **CLOSE)
            np.testing.assert_allclose(
                forward.coarse_logits(own), network.coarse(hidden).numpy(), **CLOSE
            )
            np.testing.assert_allclose(
                forward.fine_logits(own, coarse),
                network.fine_logits(hidden, t(coarse)).numpy(),
                **CLOSE,
            )


@pytest.mark.parametrize("number", [5, 14, 62, 129, 166, 225])
def test_the_table_of_changes_is_that_of_the_changes(number: int) -> None:
    rows = {tuple(row) for row in position_changes(number).tolist()}
    assert rows == {tuple(row) for row in changes(number).positions.tolist()}
    assert tuple(range(len(sites(number)))) in rows
