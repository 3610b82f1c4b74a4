"""Networks that several files share: loading one costs more than most tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nucleate.energy.model import BatchedModel


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices are tiny: on a busy machine a second thread of torch costs seconds per test."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def compiled_chgnet() -> BatchedModel:
    """CHGNet by compiled code."""
    pytest.importorskip("chgnet")
    from nucleate.networks.chgnet.models import build_chgnet

    return build_chgnet()


@pytest.fixture(scope="session")
def torch_chgnet() -> BatchedModel:
    """CHGNet by torch, on the CPU."""
    pytest.importorskip("chgnet")
    from nucleate.networks.chgnet.models import build_chgnet

    return build_chgnet(device="torch-cpu")


@pytest.fixture(scope="session")
def package_chgnet() -> Any:
    """CHGNet of its own package."""
    model = pytest.importorskip("chgnet.model")
    return model.CHGNet.load(verbose=False, use_device="cpu")


@pytest.fixture(params=["compiled_chgnet", "torch_chgnet"])
def chgnet(request: pytest.FixtureRequest) -> BatchedModel:
    """CHGNet by each path of its own."""
    return request.getfixturevalue(request.param)
