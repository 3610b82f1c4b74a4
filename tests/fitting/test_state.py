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


def test_weights_that_had_no_gradient_in_some_steps_continue_bit_for_bit(tmp_path):
    from nucleate.fitting.state import read_state, restore, write_state

    def made():
        torch.manual_seed(0)
        network = torch.nn.ModuleList([torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)])
        return network, torch.optim.AdamW(network.parameters(), lr=0.1)

    def step(network, optimiser, parts):
        optimiser.zero_grad()
        x = torch.arange(6.0).reshape(2, 3)
        sum(network[k](x).square().sum() for k in parts).backward()
        optimiser.step()

    network, optimiser = made()
    for parts in ([0, 1], [0], [0], [0, 1]):
        step(network, optimiser, parts)
    write_state(tmp_path / "s", network, optimiser, {}, {})
    other, its_optimiser = made()
    restore(other, its_optimiser, read_state(tmp_path / "s", "cpu")[0], 4)
    for pair in ((network, optimiser), (other, its_optimiser)):
        step(*pair, [0, 1])
    for one, two in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("text", [b"", b"no tensors", b"\xff" * 100])
def test_a_damaged_state_is_one_sentence(tmp_path, text):
    from nucleate.fitting.state import read_state

    (tmp_path / "s").write_bytes(text)
    with pytest.raises(InputError, match="is damaged"):
        read_state(tmp_path / "s", "cpu")
