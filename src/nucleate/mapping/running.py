"""A map from its input: references, workers, and the campaign."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError
from nucleate.mapping.campaign import MapCampaign, MapSummary, ended_by
from nucleate.mapping.comparable import Standard
from nucleate.mapping.energies import Energies
from nucleate.mapping.events import MapProgress, Silent
from nucleate.mapping.field import check_models, field_of
from nucleate.mapping.known import relaxed_references
from nucleate.mapping.level import check_contents, level_of
from nucleate.mapping.pressure import at_one_compression
from nucleate.mapping.references import references_of
from nucleate.mapping.site import read_sites, with_earlier
from nucleate.mapping.store import MapStore
from nucleate.relax.settings import under_pressure
from nucleate.run.lock import locked
from nucleate.run.log import logged
from nucleate.run.shared import SharedExecutor
from nucleate.run.starting import start_executor
from nucleate.signals import is_request, stopping_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from nucleate.mapping.events import MapCallback
    from nucleate.mapping.settings import MapSettings
    from nucleate.relax.settings import TierSettings
    from nucleate.run.executor import Executor


def run_map(
    settings: MapSettings,
    folder: Path,
    *,
    callback: MapCallback | None = None,
    executor: Callable[[Sequence[TierSettings]], Executor] | None = None,
) -> MapSummary:
    """Search a phase field; continue the map that a folder holds.

    Ctrl-C and SIGTERM end it after what is being written; nothing is lost but the relaxations in
    flight, which the next start takes up again. Where nothing is left to do, no model is loaded.

    Parameters
    ----------
    settings
        The input.
    folder
        The folder of the map; created if necessary.
    callback
        Who is shown the map.
    executor
        Returns who relaxes, one relaxer for each tier; default: worker processes.

    Raises
    ------
    InputError
        If the input cannot be used, or the folder holds a map of another input.
    WorkerStartError
        If the engines cannot be loaded.
    """
    callback = callback or Silent()
    field = with_earlier(field_of(settings), folder)
    check_models(field, settings.tier)
    settings.check_end()
    known = references_of(field, settings)
    with ExitStack() as stack:
        stack.enter_context(locked(folder))
        stack.enter_context(logged(folder))
        store = stack.enter_context(MapStore.open(folder, settings))
        settings = at_one_compression(settings, field, store, callback)
        level = level_of(settings.tier[-1], settings.field.pressure_gpa)
        sites = read_sites(field, folder, Standard.of(settings.to_dict()))
        has_energies = any(site.best is not None for site in sites)
        check_contents(level, store, has_energies=has_energies)
        with _errors_noted(store):
            references, ended, spent = relaxed_references(
                known,
                settings,
                level,
                folder,
                callback,
                store.remember,
                executor,
            )
            store.add_event(*store.times(), "references", None, {"core_s": spent.core_s})
            energies = Energies(field, sites, references, settings.field.cell_limit)
            if ended:
                return _ended_early(ended, spent.session_s, energies, store)
            campaign = MapCampaign(settings, store, energies, callback, spent_s=spent.session_s)
            if campaign.has_work():
                warm_up = field.compositions[-1].numbers(1).tolist()
                relaxing = _relaxing(settings, folder, callback, warm_up, executor)
                stack.callback(relaxing.close)
                campaign.relax_with(SharedExecutor(relaxing))
        stack.enter_context(stopping_on_signals(campaign.request_stop))
        return campaign.run()


def _relaxing(
    settings: MapSettings,
    folder: Path,
    callback: MapCallback,
    warm_up: list[int],
    executor: Callable[[Sequence[TierSettings]], Executor] | None,
) -> Executor:
    """Return who relaxes, ready; ``warm_up`` has the atomic numbers of a first evaluation."""
    if executor is not None:
        return executor(_guarded(settings))
    return start_executor(
        settings,
        _guarded(settings),
        folder,
        pressure_gpa=settings.field.pressure_gpa,
        warm_up=warm_up,
        report=callback.on_stage,
    )


@contextmanager
def _errors_noted(store: MapStore) -> Iterator[None]:
    """Take note of an error that ends a map before it has searched, where that can be written."""
    try:
        yield
    except BaseException as error:
        with suppress(NucleateError, sqlite3.Error, OSError):
            for kind in ("start", "stop"):
                data = {"reason": ended_by(error), "is_error": True}
                store.add_event(*store.times(), kind, None, data)
            store.commit()
        raise


def _ended_early(reason: str, spent_s: float, energies: Energies, store: MapStore) -> MapSummary:
    """Take note that a map ended while known compounds were relaxed, and return how."""
    if not is_request(reason):
        reason = f"{reason.partition(';')[0]} before all known compounds were relaxed"
    elapsed_s, core_s = store.times()
    for kind in ("start", "stop"):
        store.add_event(elapsed_s + spent_s, core_s, kind, None, {"reason": reason})
    store.commit()
    return MapSummary(reason, energies.hull(), MapProgress(), has_searched=False)


def _guarded(settings: MapSettings) -> tuple[TierSettings, ...]:
    """Return the tiers with guards that know the compression of the map."""
    return under_pressure(settings.tier, settings.field.compression or 1.0)
