"""Energy models of any kind that the face takes, as tiers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError

from nucleate.api.generators import as_list
from nucleate.errors import InputError
from nucleate.networks.given import GivenSettings
from nucleate.plugins import find, kinds, shipped
from nucleate.relax.settings import TierSettings, relaxers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.run.executor import InlineExecutor

ENGINES = ("models", "programs")


def as_tiers(model: Any, options: Mapping[str, Any] | None = None) -> tuple[TierSettings, ...]:
    """Return the tiers that ``model=`` names.

    Parameters
    ----------
    model
        A name (``chgnet``), ``kind:model`` (``mace:medium-mpa-0``), the path of a force field,
        ``module:Class`` of a component or an ASE calculator, an ASE calculator, a batched model,
        settings of an engine or of a tier, or a sequence of these, cheapest first. None means
        CHGNet.
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
        if tier.name in names and not _has_name(item):
            tiers[place] = tier.model_copy(update={"name": f"{tier.name}-{place + 1}"})
        names.add(tiers[place].name)
    return tuple(tiers)


def has_objects(tiers: Sequence[TierSettings]) -> bool:
    """Return whether a tier is computed by what cannot leave this process.

    That is a Python object, or an engine whose class is in the script that runs.
    """
    return any(
        isinstance(tier.engine, GivenSettings) or type(tier.engine).__module__ == "__main__"
        for tier in tiers
    )


def inline_executor(tiers: Sequence[TierSettings], pressure_gpa: float) -> InlineExecutor:
    """Return what relaxes in this process."""
    from nucleate.run.executor import InlineExecutor

    return InlineExecutor(lambda: relaxers_of(tiers, pressure_gpa=pressure_gpa))


def engine_named(text: str) -> dict[str, Any]:
    """Return the settings of an engine from its name.

    Parameters
    ----------
    text
        ``kind``, ``kind:value`` or ``kind=value`` with the first setting of the engine, the path
        of a force field, or ``module:Class``.

    Raises
    ------
    InputError
        If there is no such engine or file.
    """
    of_file = _engine_of_file(text)
    if of_file is not None:
        return of_file
    separator = "=" if "=" in text else ":"
    kind, _, value = text.partition(separator)
    if separator == ":" and value and not any(kind in kinds()[group] for group in ENGINES):
        return {"kind": text} if _is_engine(text) else {"kind": "ase", "calculator": text}
    try:
        fields = find(kind, *ENGINES).model_fields
    except InputError as error:
        raise InputError(f"model = {text!r}: {error}") from None
    engine: dict[str, Any] = {"kind": kind}
    if value:
        first = next(name for name in fields if name != "kind")
        engine[first] = str(Path(value).absolute()) if Path(value).is_file() else value
    return engine


def _engine_of_file(text: str) -> dict[str, Any] | None:
    """Return the engine that a file names by its ending, or None."""
    suffix = Path(text).suffix
    for kind in shipped(*ENGINES) if suffix else ():
        engine = kind.load()
        if suffix in getattr(engine, "file_suffixes", ()):
            if not Path(text).is_file():
                raise InputError(f"model = {text!r}: there is no such file. Check the path.")
            first = next(name for name in engine.model_fields if name != "kind")
            return {"kind": kind.name, first: str(Path(text).absolute())}
    return None


def _is_engine(path: str) -> bool:
    """Return whether a path names a component rather than an ASE calculator."""
    try:
        find(path, *ENGINES)
    except InputError:
        return False
    return True


def _has_name(model: Any) -> bool:
    """Return whether somebody gave a tier its name."""
    return isinstance(model, TierSettings) or (isinstance(model, Mapping) and "name" in model)


def _tier(model: Any, options: dict[str, Any]) -> TierSettings:
    if isinstance(model, TierSettings):
        given = {key: getattr(model, key) for key in model.model_fields_set}
        return _settings(given | {"engine": model.engine} | options)
    return _settings(_described(model) | options)


def _described(model: Any) -> dict[str, Any]:
    """Return name and engine of a tier, or all that a mapping has."""
    if model is None or isinstance(model, str | Path):
        engine = {"kind": "chgnet"} if model is None else engine_named(str(model))
        return {"name": engine["kind"].rpartition(":")[2], "engine": engine}
    if isinstance(model, Mapping):
        data = dict(cast("Mapping[str, Any]", model))
        return data if "engine" in data else {"name": data.get("kind", "model"), "engine": data}
    if isinstance(model, BaseModel):
        return {"name": str(getattr(model, "kind", "model")).rpartition(":")[2], "engine": model}
    return {"name": type(model).__name__, "engine": GivenSettings.of(model)}


def _settings(data: dict[str, Any]) -> TierSettings:
    from nucleate.run.validation import input_error

    try:
        return TierSettings.model_validate(data)
    except ValidationError as error:
        raise input_error(error, data, TierSettings, "model") from None
