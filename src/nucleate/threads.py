"""One thread for torch or linear algebra, so that results do not depend on the number of cores."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let torch use one thread inside the block, and as many as before after it.

    With several threads torch adds numbers in another order, and an optimiser that follows its
    gradients ends elsewhere.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def one_blas_thread() -> AbstractContextManager[object]:
    """Let the linear algebra of NumPy and SciPy use one thread inside the block.

    On small matrices others only cost time, and the order of sums, and so the last digits, would
    depend on their number.
    """
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> ThreadpoolController:
    import scipy.linalg.cython_blas  # noqa: F401  a controller sees only what is loaded already

    return ThreadpoolController()
