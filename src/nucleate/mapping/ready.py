"""What a map needs is looked for before any work: models, interpreters, files and libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.mapping.field import check_models
from nucleate.run.present import check_present

if TYPE_CHECKING:
    from nucleate.mapping.field import Field
    from nucleate.mapping.settings import MapSettings
    from nucleate.plugins import Component
    from nucleate.relax.settings import TierSettings


def check_ready(field: Field, settings: MapSettings, judge: TierSettings | None = None) -> None:
    """Check what would otherwise be missed only when it is used, perhaps at the end of a map.

    Parameters
    ----------
    field
        The field of the input.
    settings
        The input.
    judge
        The second model, if there is one.

    Raises
    ------
    InputError
        For the first model, interpreter, file or library that is missing or cannot be used.
    MissingDependencyError
        For the first package that is not installed.
    """
    check_models(field, settings.tier)
    _check_unit(settings.tier[-1])
    for tier in settings.tier:
        check_present(f"tier {tier.name!r}", tier, settings.run.python)
    if judge is not None:
        check_models(field, [judge])
        check_present("final.judge", judge, settings.run.python)
    _check_sources(field, settings)
    _check_runs(field, settings)


def check_by_trial(field: Field, settings: MapSettings, judge: TierSettings | None = None) -> None:
    """Check that the models know the elements, by one evaluation where nothing else tells.

    Only models of this interpreter are tried, and only where the workers are on this machine.

    Parameters
    ----------
    field, settings, judge
        As in :func:`check_ready`.

    Raises
    ------
    InputError
        For the first element that a model does not know.
    """
    if settings.executor.kind != "local":
        return
    for tier in (*settings.tier, *([] if judge is None else [judge])):
        if tier.python is None and settings.run.python is None:
            for problem in tier.engine.problems_by_trial(field.elements):
                raise InputError(f"tier {tier.name!r}: {problem}")


def _check_unit(last: TierSettings) -> None:
    """Refuse energies that say nothing about one composition against another."""
    if last.engine.energy_unit != "eV":
        raise InputError(
            f"tier.name = {last.name!r}: the energies of the last tier are in arbitrary units, "
            "which order the structures of one composition but make no hull of several. Add a tier "
            "in eV after it, such as chgnet or a force field."
        )


def _check_sources(field: Field, settings: MapSettings) -> None:
    """Check files and libraries of the search, which is the same at every composition."""
    from nucleate.generate.given import structure_files
    from nucleate.library.library import Library
    from nucleate.run.policy import policy_start

    search = settings.search
    generators: tuple[Component, ...] = tuple(getattr(search, "generators", ()))
    for place, generator in enumerate(generators):
        files = getattr(generator, "files", None)
        if files:
            structure_files(files, kind=f"search.generators[{place}]")
    for component in (search, *generators):
        names = getattr(component, "library", ())
        if names and getattr(component, "known", "all") != "off":
            Library.load(tuple(names))
    if getattr(search, "policy_from", None) is not None:
        policy_start(settings.run_settings(field.compositions[-1]))


def _check_runs(field: Field, settings: MapSettings) -> None:
    """Raise what is wrong with the input of the runs if no composition accepts it.

    What does not fit some compositions leaves only these without an energy.
    """
    first: InputError | None = None
    for composition in field.compositions:
        try:
            settings.run_settings(composition)
        except InputError as error:
            first = first or error
        else:
            return
    if first is not None:
        raise first
