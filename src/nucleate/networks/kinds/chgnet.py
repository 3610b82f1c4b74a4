"""CHGNet, on the weights that the package ``chgnet`` carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from nucleate.crystal.elements import element
from nucleate.energy.engine import BATCHED, Engine
from nucleate.networks.keys import Device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.energy.engine import EngineContext
    from nucleate.energy.model import BatchedModel

LAST_ELEMENT = 94
"""Plutonium, up to which CHGNet knows all elements."""


class ChgnetSettings(Engine):
    """CHGNet, on the weights that the package ``chgnet`` carries."""

    works: ClassVar[tuple[str, ...]] = ("deng2023",)
    supports: ClassVar[frozenset[str]] = BATCHED | {"guards.max_depth_ev_per_atom"}
    warms_up: ClassVar[bool] = True

    model: Literal["0.3.0", "r2scan", "0.2.0"] = Field(
        "0.3.0", description="Checkpoint; r2scan is CHGNet 0.3.0 transferred to r2SCAN."
    )
    device: Device = Field("cpu", description="cpu, or a CUDA device of torch such as cuda:0.")
    fuse: bool | None = Field(
        None,
        description="On a GPU: dedicated triton kernels, faster and with the same bits every time; "
        "by default where triton is installed and the GPU supports them.",
    )

    @model_validator(mode="after")
    def _fuses_on_a_gpu(self) -> ChgnetSettings:
        if self.fuse and self.device == "cpu":
            raise ValueError(
                'engine.fuse = true needs a GPU: set engine.device = "cuda:0", or leave fuse out'
            )
        return self

    def problems(self, elements: Sequence[str]) -> list[str]:
        """Return the elements that CHGNet does not know, in a sentence."""
        unknown = [symbol for symbol in elements if element(symbol).number > LAST_ELEMENT]
        if not unknown:
            return []
        names = ", ".join(unknown)
        return [f"CHGNet does not know {names}. Use a model that does, or leave the element out."]

    def check_present(self) -> None:
        """Look for the weights and the device; see the base."""
        from nucleate.networks.chgnet.checkpoint import checkpoint_path
        from nucleate.networks.device import check_device

        checkpoint_path(self.model)
        check_device(self.device)

    def build(self, context: EngineContext) -> BatchedModel:
        """Return CHGNet as a batched model; raises InputError if there is no such device."""
        from nucleate.networks.chgnet.models import build_chgnet

        del context
        return build_chgnet(self.model, self.device, fuse=self.fuse)
