"""The state of a training in a file."""

from __future__ import annotations

import pytest

from nucleate.errors import InputError

torch = pytest.importorskip("torch")


def stepped(seed: int):
    torch.manual_seed(seed)
    network = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1)
    advance(network, optimiser)
    return network, optimiser


def advance(network, optimiser):
    optimiser.zero_grad()
    network(torch.arange(6.0).reshape(2, 3)).square().sum().backward()
    optimiser.step()


def test_a_training_continues_bit_for_bit(tmp_path):
    from nucleate.fitting.state import read_state, restore, write_state

    network, optimiser = stepped(0)
    mean = {"weight": torch.ones(2)}
    write_state(tmp_path / "s", network, optimiser, {"mean": mean}, {"epoch": 3})
    other, its_optimiser = stepped(1)
    groups, facts = read_state(tmp_path / "s", "cpu")
    restore(other, its_optimiser, groups, 1)
    assert facts == {"epoch": 3}
    assert torch.equal(groups["mean"]["weight"], mean["weight"])
    advance(network, optimiser)
    advance(other, its_optimiser)
    assert torch.equal(network.weight, other.weight)


@pytest.mark.parametrize("text", [b"", b"no tensors", b"\xff" * 100])
def test_a_damaged_state_is_one_sentence(tmp_path, text):
    from nucleate.fitting.state import read_state

    (tmp_path / "s").write_bytes(text)
    with pytest.raises(InputError, match="is damaged"):
        read_state(tmp_path / "s", "cpu")
