"""Folders for those who submit their calculations by hand, and what comes back in them.

A folder holds the input of the last stage of a recipe, a script ``run.sh`` that starts the
program, and ``nucleate.json``, which says what the folder is.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nucleate import __version__
from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError, NucleateError
from nucleate.hidden import is_secret, without_secrets
from nucleate.plugins import kinds
from nucleate.programs.program import Launch, UnreadableError
from nucleate.programs.relaxer import facts_of, goal_of, judged
from nucleate.relax.outcome import Failed
from nucleate.relax.settings import TierSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nucleate.crystal.crystal import Crystal
    from nucleate.programs.settings import ExternalSettings
    from nucleate.relax.outcome import Relaxed

MANIFEST = "nucleate.json"
SCRIPT = "run.sh"


class NotFinishedError(NucleateError):
    """A folder has no result that can be used; the message says why."""


def check_can_be_handed_off(tier: TierSettings) -> ExternalSettings:
    """Return the engine of a tier; raises InputError if it is no external program."""
    if not tier.engine.is_program:
        raise InputError(
            f"engine.kind = {tier.engine.kind!r} is not a program with input files. Use one of "
            f"{', '.join(kinds()['programs'])}; `nucleate refine` runs the others."
        )
    return cast("ExternalSettings", tier.engine)


def write_folder(
    folder: Path,
    crystal: Crystal,
    tier: TierSettings,
    *,
    pressure_gpa: float,
    about: Mapping[str, Any],
) -> None:
    """Write the input of a crystal's calculation.

    Parameters
    ----------
    folder
        Made here.
    crystal
        Geometry to start from.
    tier
        Engine, criteria, and whether to relax.
    pressure_gpa
        External pressure.
    about
        More for the manifest: the run and the number of the record.

    Raises
    ------
    InputError
        If no input can be written, for example as a pseudopotential is missing.
    """
    engine = check_can_be_handed_off(tier)
    folder.mkdir(parents=True)
    goal = goal_of(engine.stage[-1], tier, pressure_gpa)
    launch, first = engine.write_job(folder, crystal, goal)
    (folder / SCRIPT).write_text(_script(folder, launch, engine, first))
    (folder / SCRIPT).chmod(0o755)
    manifest = {
        "nucleate": __version__,
        **about,
        "level": asdict(engine.program().level),
        "pressure_gpa": pressure_gpa,
        "start": crystal.to_dict(),
        "tier": without_secrets(tier.model_dump(mode="json")),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what ``nucleate.json`` says; raises NotFinishedError if it is missing or broken."""
    path = folder / MANIFEST
    if not path.is_file():
        raise NotFinishedError(f"has no {MANIFEST}: it was not written by nucleate export")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        for key in ("record", "run", "tier", "start", "level", "pressure_gpa"):
            manifest[key]
    except (ValueError, KeyError, TypeError) as error:
        raise NotFinishedError(f"its {MANIFEST} is broken ({error!r})") from error
    return manifest


def read_folder(folder: Path, manifest: Mapping[str, Any]) -> Relaxed:
    """Return what a calculation left behind.

    Raises
    ------
    NotFinishedError
        If it has not run, has not come to its end, or its result cannot be right.
    """
    from nucleate.crystal.crystal import Crystal

    kind = str(manifest["tier"].get("engine", {}).get("kind", ""))
    if ":" in kind:
        raise NotFinishedError(f"its {MANIFEST} names code ({kind!r}), which is not imported")
    tier = TierSettings.model_validate(manifest["tier"])
    engine = check_can_be_handed_off(tier)
    start = Crystal.from_dict(manifest["start"])
    program = engine.program()
    try:
        result = program.read(folder, start)
    except (UnreadableError, FileNotFoundError) as error:
        raise NotFinishedError(f"has no result: {error}") from error
    except Exception as error:  # whatever a reader raises over garbage
        message = f"its output cannot be read ({type(error).__name__}: {error})"
        raise NotFinishedError(message) from error
    if not result.complete:
        raise NotFinishedError(f"is not finished: the output ends after {result.steps} steps")
    if not result.scf_converged:
        raise NotFinishedError("the electrons did not converge")
    facts = replace(
        facts_of(program, float(manifest["pressure_gpa"])), level=LevelOfTheory(**manifest["level"])
    )
    outcome = judged(result, tier, facts, start_volume=start.volume)
    if isinstance(outcome, Failed):
        raise NotFinishedError(f"its result cannot be right ({outcome.reason}: {outcome.message})")
    return outcome


def _script(folder: Path, launch: Launch, engine: ExternalSettings, first: tuple[str, ...]) -> str:
    """Return a shell script that runs the calculation; files it needs are copied beside it."""
    words = []
    for word in launch.command:
        path = Path(word)
        if word == sys.executable:
            words.append("python3")
        elif path.is_absolute() and path.suffix == ".py" and path.is_file():
            shutil.copy(path, folder / path.name)
            words.append(path.name)
        else:
            words.append(word)
    environment = {**launch.environment, **engine.environment}
    command = f"{shlex.join(words)} > {shlex.quote(launch.output)} 2>&1"
    if launch.stdin:
        command += f" < {shlex.quote(launch.stdin)}"
    lines = [
        "#!/bin/sh",
        "# Adapt the last line to your machine; the output must stay in this folder.",
        'cd "$(dirname "$0")" || exit 1',
        *(_export(name, value) for name, value in environment.items()),
        *first,
        command,
    ]
    return "\n".join(lines) + "\n"


def _export(name: str, value: str) -> str:
    """Return the line that sets a variable; the value of a secret is left to the user's shell."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None:
        raise InputError(
            f"engine.environment: {name!r} is no name of a variable. Use letters, digits and _."
        )
    if is_secret(name):
        return f': "${{{name}:?set {name} before you start this script}}"'
    return f"export {name}={shlex.quote(value)}"
