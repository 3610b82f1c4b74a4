"""Threads, memory and devices: what the networks take of a machine, and what they leave."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from nucleate.crystal.crystal import Crystal
from nucleate.energy.model import Batch
from nucleate.errors import InputError
from nucleate.networks.chgnet.models import build_chgnet
from nucleate.networks.graph_network.network import GraphNetwork
from nucleate.networks.memory import device_memory, keep_freed_memory
from nucleate.threads import one_torch_thread

SALT = Crystal(
    np.array([11, 17]), 2.8 * (1.0 - np.eye(3)), np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]])
)


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_one_thread_inside_and_as_many_as_before_after_it(two_threads) -> None:
    with one_torch_thread():
        assert torch.get_num_threads() == 1
        with one_torch_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_the_threads_come_back_after_an_error(two_threads) -> None:
    with pytest.raises(KeyError), one_torch_thread():
        raise KeyError
    assert torch.get_num_threads() == 2


def test_a_graph_network_gives_the_same_bits_with_any_number_of_threads(two_threads) -> None:
    network = GraphNetwork.load()
    crystals = [SALT, SALT.replace(cell=1.03 * SALT.cell)]
    many = network.gradients(crystals), network.energies(crystals)
    assert torch.get_num_threads() == 2
    with one_torch_thread():
        one = network.gradients(crystals), network.energies(crystals)
    assert np.array_equal(many[0].energies_ev_per_atom, one[0].energies_ev_per_atom)
    assert np.array_equal(many[0].stresses, one[0].stresses)
    assert all(np.array_equal(*pair) for pair in zip(many[0].forces, one[0].forces, strict=True))
    assert np.array_equal(many[1], one[1])


def test_the_compiled_network_is_safe_in_several_threads(compiled_chgnet) -> None:
    """Compiled code lets go of the interpreter's lock; nothing that it writes is shared."""
    crystals = [SALT.replace(cell=scale * SALT.cell) for scale in (0.97, 1.0, 1.03, 1.06)]
    expected = [compiled_chgnet.evaluate(Batch.of([crystal])) for crystal in crystals]
    found: dict[int, list] = {k: [] for k in range(4)}

    def work(k: int) -> None:
        found[k] = [compiled_chgnet.evaluate(Batch.of([crystals[k]])) for _ in range(5)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for k in range(4):
        assert len(found[k]) == 5
        for result in found[k]:
            assert np.array_equal(result.energies, expected[k].energies)
            assert np.array_equal(result.forces, expected[k].forces)


def test_allocations_are_told_to_stay_with_the_process(monkeypatch) -> None:
    calls = []

    class Libc:
        def mallopt(self, option: int, value: int) -> None:
            calls.append((option, value))

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Libc())
    keep_freed_memory()
    assert calls == [(-3, 1 << 30), (-1, 1 << 30)]  # M_MMAP_THRESHOLD and M_TRIM_THRESHOLD


@pytest.mark.parametrize("error", [OSError, AttributeError])
def test_another_libc_is_left_alone(error: type[Exception], monkeypatch) -> None:
    def absent(name: object) -> None:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", absent)
    keep_freed_memory()


def test_a_full_device_empties_its_cache_and_says_so(monkeypatch) -> None:
    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    with pytest.raises(MemoryError, match="out of memory") as caught, device_memory():
        raise torch.OutOfMemoryError("CUDA out of memory: tried 2 GiB")
    assert emptied == [True]
    assert isinstance(caught.value.__cause__, torch.OutOfMemoryError)
    for other in (ValueError, KeyboardInterrupt, MemoryError):
        with pytest.raises(other), device_memory():
            raise other
    with device_memory():
        pass
    assert emptied == [True]


def test_memory_does_not_grow_with_the_number_of_evaluations(compiled_chgnet) -> None:
    """The largest resident size after 40 evaluations is that after the first few."""
    resource = pytest.importorskip("resource")
    batch = Batch.of([SALT] * 4)
    for _ in range(5):
        compiled_chgnet.evaluate(batch)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(40):
        compiled_chgnet.evaluate(batch)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 30_000 * (1024 if sys.platform == "darwin" else 1)


def test_a_missing_gpu_is_refused_before_weights_are_read(monkeypatch) -> None:
    from nucleate.networks.chgnet import models

    def never(model: str) -> None:
        raise AssertionError

    monkeypatch.setattr(models, "load_checkpoint", never)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="torch sees no GPU here; use cpu"):
        build_chgnet(device="cuda:0")


LIGHT = """
import sys
import nucleate.plugins as plugins
for kind in plugins.kinds()["models"].values():
    if kind.path.startswith("nucleate.networks"):
        kind.load()
heavy = {"torch", "numba", "ase", "chgnet", "sevenn", "triton"} & set(sys.modules)
assert not heavy, heavy
"""


def test_reading_settings_does_not_load_torch() -> None:
    """The command line reads every kind; what computes is loaded where it is built."""
    done = subprocess.run(
        [sys.executable, "-c", LIGHT],
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_compiled_chgnet_runs_without_torch() -> None:
    script = (
        "import sys\n"
        "from nucleate.networks.chgnet.models import build_chgnet\n"
        "build_chgnet()\n"
        "assert 'torch' not in sys.modules and 'chgnet' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=dict(os.environ), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
