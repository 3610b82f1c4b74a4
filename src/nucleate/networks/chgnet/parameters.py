"""The weights of CHGNet in the shapes that the batched networks use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from nucleate.networks.chgnet.checkpoint import Checkpoint

WIDTH = 64
"""Number of features of atoms, bonds and angles."""


class GatedLayers(NamedTuple):
    """Gated perceptrons of one kind of layer, stacked over the interaction blocks.

    The first linear map of core and gate acts on a concatenation of features; it is kept as one
    block per feature, because applying the blocks before the features are gathered is far cheaper:
    ``W [a; b; c] = W_a a + W_b b + W_c c``.

    Attributes
    ----------
    first : ndarray of float32, shape (n_layers, n_parts, 64, 128)
        Blocks for (centre, bond, neighbour) atoms' layers and for (first bond, second bond,
        angle, centre) in the others; core in the first 64 columns, gate in the last.
    first_bias : ndarray of float32, shape (n_layers, 128)
    second : ndarray of float32, shape (n_layers, 2, 64, 64)
        Second linear map of core and gate; no layers where there is none.
    second_bias : ndarray of float32, shape (n_layers, 2, 64)
    norm : ndarray of float32, shape (n_layers, 4, 64) or (n_layers, 0, 64)
        Scale and shift of the core's layer norm, then of the gate's; none where unused.
    out : ndarray of float32, shape (n_layers, 64, 64)
        Linear map of the summed messages; no layers where there is none.
    out_bias : ndarray of float32, shape (n_layers, 64)
    """

    first: Any
    first_bias: Any
    second: Any
    second_bias: Any
    norm: Any
    out: Any
    out_bias: Any


class Parameters(NamedTuple):
    """Everything that CHGNet computes with; all arrays float32.

    Attributes
    ----------
    cutoff, short_cutoff : float
        Å, for bonds and for bonds that form angles.
    envelope : int
        Exponent p of the polynomial envelope.
    frequencies, short_frequencies, angle_frequencies : ndarray, shape (n,)
        Of the radial and the angular basis.
    atom_embedding : ndarray, shape (95, 64)
        Indexed by atomic number.
    atom_energy : ndarray, shape (95,)
        Energy of the composition model in eV, indexed by atomic number.
    bond_embedding, bond_weights, short_weights : ndarray, shape (n_radial, 64)
    angle_embedding : ndarray, shape (n_angular, 64)
    atom, bond, angle : GatedLayers
    readout_norm : ndarray, shape (2, 64) or (0, 64)
    readout : ndarray, shape (n_hidden, 64, 64)
    readout_bias : ndarray, shape (n_hidden, 64)
    energy : ndarray, shape (64,)
        Last linear map of the readout.
    energy_bias : float
    """

    cutoff: float
    short_cutoff: float
    envelope: int
    frequencies: Any
    short_frequencies: Any
    angle_frequencies: Any
    atom_embedding: Any
    atom_energy: Any
    bond_embedding: Any
    bond_weights: Any
    short_weights: Any
    angle_embedding: Any
    atom: GatedLayers
    bond: GatedLayers
    angle: GatedLayers
    readout_norm: Any
    readout: Any
    readout_bias: Any
    energy: Any
    energy_bias: float


def parameters_of(checkpoint: Checkpoint) -> Parameters:
    """Return the parameters of a checkpoint, rearranged.

    Raises
    ------
    InputError
        If the checkpoint is of another architecture.
    """
    try:
        return _parameters(checkpoint)
    except (LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"CHGNet {checkpoint.model} of chgnet {checkpoint.package_version} is of another "
            f"architecture ({type(error).__name__}: {error}). Install chgnet==0.4.2."
        ) from error


def _parameters(checkpoint: Checkpoint) -> Parameters:
    weights, arguments = checkpoint.weights, checkpoint.arguments
    n_layers = int(arguments["n_conv"])
    hidden = len(arguments["mlp_hidden_dims"])
    last = max(int(name.split(".")[2]) for name in weights if name.startswith("mlp.layers."))
    bases = "bond_basis_expansion.rbf_expansion_"
    norm = [weights[key] for key in ("readout_norm.weight", "readout_norm.bias") if key in weights]
    return Parameters(
        cutoff=float(arguments["atom_graph_cutoff"]),
        short_cutoff=float(arguments["bond_graph_cutoff"]),
        envelope=int(arguments["cutoff_coeff"]),
        frequencies=weights[bases + "ag.frequencies"],
        short_frequencies=weights[bases + "bg.frequencies"],
        angle_frequencies=weights["angle_basis_expansion.fourier_expansion.frequencies"],
        atom_embedding=_by_number(weights["atom_embedding.embedding.weight"]),
        atom_energy=_by_number(weights["composition_model.fc.weight"].reshape(-1, 1))[:, 0].copy(),
        bond_embedding=_transposed(weights["bond_embedding.weight"]),
        bond_weights=_transposed(weights["bond_weights_ag.weight"]),
        short_weights=_transposed(weights["bond_weights_bg.weight"]),
        angle_embedding=_transposed(weights["angle_embedding.weight"]),
        atom=_gated_layers(weights, "atom_conv_layers.{}", "twoBody_atom", range(n_layers)),
        bond=_gated_layers(weights, "bond_conv_layers.{}", "twoBody_bond", range(n_layers - 1)),
        # the package updates the angles once more after their last use
        angle=_gated_layers(weights, "angle_layers.{}", "twoBody_bond", range(n_layers - 2)),
        readout_norm=np.array(norm, dtype=np.float32).reshape(-1, WIDTH),
        readout=np.stack(
            [_transposed(weights[f"mlp.layers.{2 * k}.weight"]) for k in range(hidden)]
        ),
        readout_bias=np.stack([weights[f"mlp.layers.{2 * k}.bias"] for k in range(hidden)]),
        energy=weights[f"mlp.layers.{last}.weight"][0].copy(),
        energy_bias=float(weights[f"mlp.layers.{last}.bias"][0]),
    )


def _gated_layers(
    weights: Mapping[str, NDArray[np.float32]], prefix: str, block: str, layers: range
) -> GatedLayers:
    first, first_bias, second, second_bias, norm, out, out_bias = ([] for _ in range(7))
    for layer in layers:
        root = f"{prefix.format(layer)}."
        maps = [
            _linear_maps(weights, f"{root}{block}.mlp_{part}.layers.") for part in ("core", "gate")
        ]
        joined = np.concatenate([maps[0][0][0], maps[1][0][0]])
        first.append(
            np.stack(
                [_transposed(part) for part in np.split(joined, joined.shape[1] // WIDTH, axis=1)]
            )
        )
        first_bias.append(np.concatenate([maps[0][0][1], maps[1][0][1]]))
        if len(maps[0]) == 2:
            second.append(np.stack([_transposed(part[1][0]) for part in maps]))
            second_bias.append(np.stack([part[1][1] for part in maps]))
        if f"{root}{block}.bn1.weight" in weights:
            names = ("bn1.weight", "bn1.bias", "bn2.weight", "bn2.bias")
            norm.append(np.stack([weights[f"{root}{block}.{name}"] for name in names]))
        if f"{root}mlp_out.layers.1.weight" in weights:
            out.append(_transposed(weights[f"{root}mlp_out.layers.1.weight"]))
            out_bias.append(
                weights.get(f"{root}mlp_out.layers.1.bias", np.zeros(WIDTH, np.float32))
            )
    return GatedLayers(
        np.stack(first),
        np.stack(first_bias),
        _stacked(second, (2, WIDTH, WIDTH)),
        _stacked(second_bias, (2, WIDTH)),
        np.stack(norm) if norm else np.empty((len(layers), 0, WIDTH), np.float32),
        _stacked(out, (WIDTH, WIDTH)),
        _stacked(out_bias, (WIDTH,)),
    )


def _linear_maps(
    weights: Mapping[str, NDArray[np.float32]], prefix: str
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return (weight, bias) of the linear layers below a prefix, in order."""
    names = [name for name in weights if name.startswith(prefix) and name.endswith(".weight")]
    names.sort(key=lambda name: int(name.removeprefix(prefix).split(".")[0]))
    return [(weights[name], weights[name.removesuffix("weight") + "bias"]) for name in names]


def _stacked(arrays: list[NDArray[np.float32]], shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.stack(arrays) if arrays else np.empty((0, *shape), np.float32)


def _transposed(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(matrix.T)


def _by_number(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Prepend a row for atomic number 0, so that rows are indexed by atomic number."""
    return np.concatenate([np.zeros((1, *rows.shape[1:]), np.float32), rows])
