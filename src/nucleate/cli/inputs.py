"""From the command line's words to the input of a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence


LIKELY = "likely"
"""Order of lists by default."""


def folder_of(problem: str) -> Path:
    """Return the run folder of a command where none is given."""
    from nucleate.api.inputs import default_folder

    return default_folder(problem)


def given(**options: Any) -> dict[str, Any]:
    """Return the options that are not None or empty."""
    return {key: value for key, value in options.items() if value is not None and value != []}


def refuse_on_map(run: Path, options: Sequence[str]) -> None:
    """Raise InputError if options were given that have no effect on a map."""
    if options:
        raise InputError(
            f"{run}: {', '.join(options)} of this command has no effect on a map; leave it out, or "
            "give the run of one of its compositions."
        )


def parse_formula_units(text: str | None) -> list[int] | None:
    """Return the numbers of ``1,2,4`` or ``1-4``; raises InputError if it is neither."""
    if text is None:
        return None
    from nucleate.api.inputs import MOST_ATOMS_IN_A_CELL

    most = MOST_ATOMS_IN_A_CELL
    return _numbers(
        text, "--formula-units", "1,2,4 or 1-4", most, f"no search can treat more than {most}"
    )


def parse_space_groups(text: str | None) -> list[int] | None:
    """Return the numbers of ``62,221`` or ``1-2``; raises InputError if it is neither."""
    if text is None:
        return None
    return _numbers(text, "--space-groups", "62,221 or 1-2", 230, "the last space group is 230")


def with_what_is_given(
    generators: list[dict[str, Any]] | None, sites: Sequence[str] | None, keep: Path | None
) -> list[dict[str, Any]] | None:
    """Return generators of which wyckoff-language holds given sites and a part that is kept.

    Raises
    ------
    InputError
        If it is not the only generator, or sites are not written ``ELEMENT=LETTERS``.
    """
    if not sites and keep is None:
        return generators
    option = f"--sites = {sites[0]!r}" if sites else f"--keep = {str(keep)!r}"
    if generators is None or [item["kind"] for item in generators] != ["wyckoff-language"]:
        raise InputError(
            f"{option} is known to wyckoff-language alone. Give this --generator and no other."
        )
    letters = {}
    for text in sites or ():
        name, _, word = text.partition("=")
        if not name or not word or name in letters:
            raise InputError(
                f"--sites = {text!r} does not give an element its letters once. Write it like Sr=b."
            )
        letters[name] = word
    given: dict[str, Any] = {"sites": letters} if letters else {}
    if keep is not None:
        given["keep"] = str(keep.absolute())
    return [generators[0] | given]


def _numbers(text: str, option: str, example: str, most: int, limit: str) -> list[int]:
    """Return the numbers of a list with ranges."""
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if match is None:
            raise InputError(
                f"{option} = {text!r} is not a list of numbers. Write it like {example}."
            )
        first, last = int(match[1][:9]), int((match[2] or match[1])[:9])
        if last < first:
            raise InputError(
                f"{option} = {text!r}: the range {part} is empty. Write it as {last}-{first}."
            )
        if last > most:
            raise InputError(f"{option} = {text!r}: {limit}. Write it like {example}.")
        found |= set(range(first, last + 1))
    return sorted(found)


def parse_tier(text: str) -> dict[str, Any]:
    """Return the settings of a tier from ``KIND`` or ``KIND=VALUE``.

    The value is the first setting of the engine: the model of CHGNet, the file of a force field.
    """
    kind, _, value = text.partition("=")
    fields = _fields("--tier", text, kind, "models", "programs")
    engine: dict[str, Any] = {"kind": kind}
    if value:
        engine[fields[0]] = _absolute_if_file(value)
    else:
        _check_complete("--tier", kind, "models", "programs")
    return {"name": kind.rpartition(":")[2], "engine": engine}


def on_device(tier: dict[str, Any], device: str | None) -> dict[str, Any]:
    """Return a tier of :func:`parse_tier` whose engine computes on a device.

    Raises
    ------
    InputError
        If the engine knows no devices.
    """
    from nucleate.api.plugins import keys_of

    engine = tier["engine"]
    if device is None:
        return tier
    if "device" not in keys_of(engine["kind"], "models", "programs"):
        raise InputError(
            f"--device = {device!r}: the engine {engine['kind']} has no device. Leave --device out."
        )
    return tier | {"engine": engine | {"device": device}}


def parse_generator(text: str) -> dict[str, Any]:
    """Return the settings of a generator.

    They are written ``KIND``, ``KIND=WEIGHT``, ``seeds=FILES`` or ``KIND=CHECKPOINT``, a file.
    """
    kind, _, value = text.partition("=")
    fields = _fields("--generator", text, kind, "generators")
    if not value:
        _check_complete("--generator", kind, "generators")
        return {"kind": kind}
    if "files" in fields:
        return {"kind": kind, "files": [str(Path(value).absolute())]}
    if "checkpoint" in fields and Path(value).is_file():
        return {"kind": kind, "checkpoint": str(Path(value).absolute())}
    try:
        return {"kind": kind, "weight": float(value)}
    except ValueError:
        raise InputError(
            f"--generator = {text!r}: {value!r} is neither a weight nor a file that this "
            f"generator reads. Write it like {kind}=2."
        ) from None


def parse_all(parse: Any, texts: Sequence[str] | None) -> list[dict[str, Any]] | None:
    """Return the parsed values of a repeated option, None if it was not given."""
    return [parse(text) for text in texts] if texts else None


def _fields(option: str, text: str, kind: str, *groups: str) -> list[str]:
    """Return the keys of a kind; raises InputError that names the option."""
    from nucleate.api.plugins import keys_of

    try:
        return keys_of(kind, *groups)
    except InputError as error:
        raise InputError(f"{option} = {text!r}: {error}") from None


def _check_complete(option: str, kind: str, *groups: str) -> None:
    """Refuse a kind alone that asks for a value; raises InputError with how to write it."""
    from nucleate.api.plugins import required_key

    key = required_key(kind, *groups)
    if key is not None:
        raise InputError(f"{option} = {kind!r} lacks its {key}. Write {kind}={key.upper()}.")


def _absolute_if_file(value: str) -> str:
    return str(Path(value).absolute()) if Path(value).is_file() else value
