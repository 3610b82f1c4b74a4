"""Energy models of any kind that the face takes, as tiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from pydantic import BaseModel, ValidationError

from nucleate.api.generators import as_list
from nucleate.errors import InputError
from nucleate.relax.settings import EngineSettings, TierSettings

if TYPE_CHECKING:
    from nucleate.energy.model import BatchedModel
    from nucleate.relax.relaxer import Relaxer

FORCE_FIELD_SUFFIXES = (".toml", ".lib")


@dataclass(frozen=True, slots=True, eq=False)
class Tier:
    """A tier, and the Python object that computes it where it is not one of the registry.

    Attributes
    ----------
    settings : TierSettings
        Criteria, limits, and the engine.
    model : BatchedModel or None
        The object that was given; None where the engine is made from its settings.
    """

    settings: TierSettings
    model: BatchedModel | None = None

    def relaxer(self, pressure_gpa: float) -> Relaxer:
        """Return the relaxer of the tier in this process."""
        from nucleate.relax.batched import BatchedRelaxer
        from nucleate.relax.settings import build_relaxer

        if self.model is None:
            return build_relaxer(self.settings, pressure_gpa=pressure_gpa)
        return BatchedRelaxer(self.model, self.settings, pressure_gpa)


def as_tiers(model: Any, options: Mapping[str, Any] | None = None) -> tuple[Tier, ...]:
    """Return the tiers that ``model=`` names.

    Parameters
    ----------
    model
        A name (``chgnet``), ``kind:model`` (``mace:medium-mpa-0``), the path of a force field,
        ``module:Class`` of an ASE calculator, an ASE calculator, a batched model, settings of an
        engine or of a tier, or a sequence of these, cheapest first. None means CHGNet.
    options
        Keys of a tier that replace those of each of them.

    Raises
    ------
    InputError
        If it is none of these, or an option does not suit it.
    """
    given = as_list(model)
    if not given:
        raise InputError("model = [] names no energy model. Leave it out for CHGNet.")
    tiers = [_tier(item, dict(options or {})) for item in given]
    names: set[str] = set()
    for place, (item, tier) in enumerate(zip(given, tiers, strict=True)):
        if tier.settings.name in names and not _has_name(item):
            settings = tier.settings.model_copy(update={"name": f"{tier.settings.name}-{place + 1}"})
            tiers[place] = Tier(settings, tier.model)
        names.add(tier.settings.name)
    return tuple(tiers)


def _has_name(model: Any) -> bool:
    """Return whether somebody gave a tier its name."""
    return isinstance(model, TierSettings) or (isinstance(model, Mapping) and "name" in model)


def tier_dicts(model: Any, options: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Return the tiers of :func:`as_tiers` as an input file has them.

    Raises
    ------
    InputError
        If one is a Python object, which cannot go to worker processes.
    """
    tiers = as_tiers(model, options)
    for tier in tiers:
        if tier.model is not None:
            raise InputError(
                f"model = {type(tier.model).__name__} is a Python object, which cannot go to "
                "worker processes. Give a name or settings."
            )
    return [_given_keys(tier.settings) for tier in tiers]


def _given_keys(tier: TierSettings) -> dict[str, Any]:
    """Return the keys of a tier that were given, and all of its engine."""
    data = tier.model_dump(mode="json", exclude_unset=True)
    return data | {"name": tier.name, "engine": tier.engine.model_dump(mode="json")}


def _tier(model: Any, options: dict[str, Any]) -> Tier:
    if isinstance(model, TierSettings):
        return Tier(_settings(_given_keys(model) | options))
    if model is None:
        return Tier(_settings({"name": "chgnet", "engine": {"kind": "chgnet"}} | options))
    if isinstance(model, str | Path):
        engine = engine_named(str(model))
        return Tier(_settings({"name": engine["kind"], "engine": engine} | options))
    if isinstance(model, Mapping):
        data = dict(cast("Mapping[str, Any]", model))
        if "engine" not in data:
            data = {"name": data.get("kind", "model"), "engine": data}
        return Tier(_settings(data | options))
    if isinstance(model, BaseModel):
        name = str(getattr(model, "kind", "model"))
        return Tier(_settings({"name": name, "engine": model.model_dump()} | options))
    return _tier_of_object(model, options)


def _tier_of_object(model: Any, options: dict[str, Any]) -> Tier:
    """Return the tier of an ASE calculator or a batched model."""
    kind = cast("type[Any]", type(model))
    path = f"{kind.__module__}:{kind.__qualname__}"
    settings = _settings(
        {"name": kind.__name__, "engine": {"kind": "ase", "calculator": path}} | options
    )
    if hasattr(model, "evaluate") and hasattr(model, "level"):
        return Tier(settings, model)
    if hasattr(model, "get_potential_energy") and hasattr(model, "calculate"):
        return Tier(settings, _ase_model(model, path))
    raise InputError(
        f"model is a {kind.__name__}. Give the name of a model, the path of a force field, an ASE "
        "calculator, a batched model (with level and evaluate), or settings."
    )


def _ase_model(calculator: Any, path: str) -> BatchedModel:
    import ase

    from nucleate.energy.level import LevelOfTheory
    from nucleate.networks.engines.ase import AseModel

    level = LevelOfTheory("ase", ase.__version__, path)
    return cast("BatchedModel", AseModel(calculator, level, cutoff=6.0))


def engine_named(text: str) -> dict[str, Any]:
    """Return the settings of an engine from its name.

    Parameters
    ----------
    text
        ``kind``, ``kind:value`` or ``kind=value`` with the first setting of the engine, the path
        of a force field, or ``module:Class`` of an ASE calculator.

    Raises
    ------
    InputError
        If there is no such engine or file.
    """
    engines = _engines()
    if Path(text).suffix in FORCE_FIELD_SUFFIXES:
        if not Path(text).is_file():
            raise InputError(f"model = {text!r}: there is no such file. Check the path.")
        return {"kind": "force-field", "file": str(Path(text).absolute())}
    separator = "=" if "=" in text else ":"
    kind, _, value = text.partition(separator)
    if kind not in engines:
        if separator == ":" and value:
            return {"kind": "ase", "calculator": text}
        raise InputError(f"model = {text!r} is not known. Use one of {', '.join(engines)}.")
    engine: dict[str, Any] = {"kind": kind}
    if value:
        first = next(name for name in engines[kind].model_fields if name != "kind")
        engine[first] = str(Path(value).absolute()) if Path(value).is_file() else value
    return engine


def _engines() -> dict[str, type[BaseModel]]:
    members: tuple[type[BaseModel], ...] = get_args(get_args(EngineSettings)[0])
    return {member.model_fields["kind"].default: member for member in members}


def _settings(data: dict[str, Any]) -> TierSettings:
    from nucleate.run.validation import input_error

    try:
        return TierSettings.model_validate(data)
    except ValidationError as error:
        raise input_error(error, data, TierSettings, "model") from None
