"""The GPU's network against the plain one, interpreted; its kernels compiled for absent cards."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from nucleate.crystal.crystal import Crystal
from nucleate.energy.model import Batch
from nucleate.networks.chgnet.graph import build_graph
from nucleate.networks.chgnet.models import build_chgnet, can_fuse
from nucleate.networks.chgnet.rows import build_rows
from nucleate.networks.kinds.chgnet import ChgnetSettings

INTERPRETED = """
import numpy as np
from nucleate.crystal.crystal import Crystal
from nucleate.networks.chgnet.models import build_chgnet
from nucleate.energy.model import Batch

edges = 1.9 * (1.0 - np.eye(3))
carbide = Crystal(np.array([14, 6]), edges, np.array([[0.0, 0.0, 0.0], [0.25, 0.27, 0.25]]))
places = np.array([[0.0, 0.0, 0.0], [0.9, 0.1, 0.0], [-0.2, 1.0, 0.1]])
water = Crystal.from_positions(np.array([8, 1, 1]), 6.5 * np.eye(3), places)
caesium = Crystal(np.array([55]), 5.9 * np.eye(3), np.zeros((1, 3)))
for crystals in (CRYSTALS, [caesium]):
    batch = Batch.of(crystals)
    plain, fused = (
        build_chgnet(MODEL, "torch-cpu", fuse=fuse).evaluate(batch) for fuse in (False, True)
    )
    assert np.abs(plain.forces).max() > 0.5 or len(crystals) == 1
    for name, close in (("energies", 1e-5), ("forces", 3e-5), ("stresses", 3e-6)):
        one, other = getattr(plain, name), getattr(fused, name)
        assert np.allclose(one, other, atol=close), (name, np.abs(one - other).max())
"""

COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from nucleate.networks.chgnet import basis, messages, sums

INDICES = (
    "ends rows first second half_atom half_bond start back pairs halves bonds swapped"
).split()


def compiled(kernel, warps, **constants):
    def kind(name):
        if name in constants:
            return "constexpr"
        if name.startswith("n_"):
            return "i32"
        if name in ("matrix", "maps", "second_map"):
            return "*fp16"
        if kernel is sums._atom_results and name in ("vectors", "out"):
            return "*fp64"
        is_table = name == "bonds" and "atoms" in kernel.arg_names
        return "*i32" if name in INDICES and not is_table else "*fp32"

    places = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    signature = {name: kind(name) for name in kernel.arg_names}
    source = ASTSource(fn=kernel, signature=signature, constexprs=places)
    options = {"num_warps": warps}
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options).asm["ptx"]


for kernel in (messages._atom_forward, messages._atom_backward):
    tile, warps, _ = messages.ATOM_FORWARD
    assert "mma" in compiled(kernel, warps, has_second=True, has_norm=True, tile=tile)
for kernel in (messages._angle_forward, messages._angle_backward):
    tile, warps, _ = messages.ANGLE_FORWARD
    for flag in (True, False):
        flags = {"has_second": flag, "has_weight": flag, "has_norm": True}
        assert "mma" in compiled(kernel, warps, **flags, tile=tile)
assert "add" in compiled(sums._sum_rows, 4, width=64, stride=64, step=16)
assert "add" in compiled(sums._sum_opposite, 4, width=128, both=True, step=16)
assert "add" in compiled(sums._sum_pairs, 4, width=64, tile=32)
radial = {"cutoff": 6.0, "exponent": 8, "has_other": True, "tile": 64}
assert "mma" in compiled(basis._radial_forward, 4, **radial)
assert "mma" in compiled(basis._radial_backward, 4, **radial, has_halves=True)
assert "mma" in compiled(basis._angular_forward, 4, tile=64)
assert "mma" in compiled(basis._angular_backward, 4, tile=64)
assert "add" in compiled(basis._half_gradients, 1, step=32)
assert "f64" in compiled(sums._atom_results, 2, step=32)
"""


def run_script(script: str, **environment: str) -> None:
    pytest.importorskip("triton")
    pytest.importorskip("chgnet")
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("model", "crystals"),
    [
        ("0.3.0", "water"),
        pytest.param("0.3.0", "water, caesium", marks=pytest.mark.slow),
        pytest.param("0.3.0", "carbide, water, carbide", marks=pytest.mark.slow),
        pytest.param("0.2.0", "carbide, caesium, water", marks=pytest.mark.slow),
    ],
)
def test_the_fused_network_gives_the_same(model: str, crystals: str) -> None:
    script = INTERPRETED.replace("MODEL", repr(model)).replace("CRYSTALS", f"[{crystals}]")
    run_script(script, TRITON_INTERPRET="1")


@pytest.mark.slow
def test_the_kernels_compile_for_an_h100() -> None:
    run_script(COMPILED)


@pytest.mark.gpu
def test_a_gpu_repeats_bit_for_bit_and_agrees_with_the_plain_network() -> None:
    rng = np.random.default_rng(8)
    crystals = [
        Crystal(rng.integers(6, 30, 8), 5.0 * np.eye(3), rng.uniform(0.0, 1.0, (8, 3)))
        for _ in range(40)
    ]
    batch = Batch.of(crystals)
    assert can_fuse("cuda:0")
    fused = build_chgnet(device="cuda:0")
    one, again = fused.evaluate(batch), fused.evaluate(batch)
    assert np.array_equal(one.energies, again.energies)
    assert np.array_equal(one.forces, again.forces)
    assert np.array_equal(one.stresses, again.stresses)
    plain = build_chgnet(device="cuda:0", fuse=False).evaluate(batch)
    assert np.allclose(one.energies, plain.energies, atol=1e-4)
    assert np.allclose(one.forces, plain.forces, rtol=1e-4, atol=1e-3)


def test_the_kernels_are_not_used_without_a_gpu() -> None:
    pytest.importorskip("torch")
    assert not can_fuse("cpu")
    with pytest.raises(ValidationError, match="true needs a GPU"):
        ChgnetSettings(fuse=True)


def test_rows_say_the_same_as_the_graph() -> None:
    rng = np.random.default_rng(5)
    cells = np.stack([4.0 * np.eye(3), 9.0 * np.eye(3), 3.5 * np.eye(3)])
    start = np.array([0, 4, 5, 8])
    owner = np.repeat(np.arange(3), np.diff(start))
    positions = np.concatenate([rng.uniform(0, 3.5, (n, 3)) for n in np.diff(start)])
    graph = build_graph(cells, positions, start, 6.0, 3.0)
    rows = build_rows(graph.bond_ends, graph.n_short, owner, 3)
    ends = graph.bond_ends

    assert np.array_equal(np.bincount(ends.ravel(), minlength=8), np.diff(rows.start))
    centre = np.repeat(np.arange(8), np.diff(rows.start))
    assert np.array_equal(rows.back[rows.back], np.arange(rows.bond.size))
    assert np.array_equal(rows.bond[rows.back], rows.bond)
    assert np.array_equal(centre[rows.of_bond], ends)
    assert np.array_equal(rows.ends, ends)
    assert np.array_equal(rows.half_atom[rows.half_of_bond], ends[: graph.n_short])

    assert np.array_equal(rows.first[rows.swapped], rows.second)
    assert np.array_equal(rows.second[rows.swapped], rows.first)
    assert np.array_equal(
        np.bincount(rows.first, minlength=rows.half_bond.size), np.diff(rows.angle_start)
    )
    halves = np.stack([rows.half_atom[rows.first], rows.half_bond[rows.first],
                       rows.half_bond[rows.second]], axis=1)  # fmt: skip
    half_sign = np.empty(rows.half_bond.size)
    half_sign[rows.half_of_bond] = [1.0, -1.0]
    signs = half_sign[rows.first] * half_sign[rows.second]

    def ordered(angles: np.ndarray, sign: np.ndarray) -> list[tuple[float, ...]]:
        return sorted(map(tuple, np.column_stack([angles, sign])))

    assert ordered(halves, signs) == ordered(graph.angles, graph.angle_sign)
    assert np.array_equal(rows.bent, np.isin(owner[ends[:, 0]], owner[graph.angles[:, 0]]))
