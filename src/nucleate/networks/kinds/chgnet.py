"""CHGNet, on the weights that the package ``chgnet`` carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from nucleate.energy.engine import BATCHED, Engine
from nucleate.networks.keys import Device

if TYPE_CHECKING:
    from nucleate.energy.engine import EngineContext
    from nucleate.energy.model import BatchedModel


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

    def build(self, context: EngineContext) -> BatchedModel:
        """Return CHGNet as a batched model; raises InputError if there is no such device."""
        from nucleate.networks.chgnet.models import build_chgnet

        del context
        return build_chgnet(self.model, self.device, fuse=self.fuse)
