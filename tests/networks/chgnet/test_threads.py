"""The compiled network keeps to one thread whatever the BLAS is set to."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

pytest.importorskip("chgnet")

from nucleate.networks.chgnet import compiled
from nucleate.networks.chgnet.checkpoint import load_checkpoint
from nucleate.networks.chgnet.parameters import parameters_of


def blas_threads() -> set[int]:
    return {item["num_threads"] for item in threadpool_info() if item["user_api"] == "blas"}


def test_an_evaluation_takes_one_thread_and_leaves_the_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: set[int] = set()
    build_graph = compiled.build_graph

    def watched(*arguments: object) -> object:
        seen.update(blas_threads())
        return build_graph(*arguments)

    monkeypatch.setattr(compiled, "build_graph", watched)
    evaluator = compiled.Evaluator(parameters_of(load_checkpoint()))
    with threadpool_limits(limits=2, user_api="blas"):
        if blas_threads() == {1}:
            pytest.skip("this BLAS has one thread only")
        evaluator.evaluate(np.array([29]), np.zeros((1, 3)), 2.5 * np.eye(3))
        assert seen == {1}
        assert blas_threads() == {2}
