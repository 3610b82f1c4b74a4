"""The final phase of a run: the best are polished, compared, judged and ranked."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.api.models import as_tiers, has_objects, inline_executor
from nucleate.errors import InputError, NucleateError
from nucleate.run.final_settings import AUTO, AUTO_JUDGE, AUTO_PACKAGE, OFF, polishing_tier
from nucleate.run.polishing import Start, relax_starts
from nucleate.search.polished import BY_JUDGE, BY_POLISH, JUDGED, POLISHED, RATTLED, SYMMETRISED
from nucleate.signals import is_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.settings import TierSettings
    from nucleate.report.findings import Findings
    from nucleate.report.prior import Prior
    from nucleate.run.final_settings import FinalSettings
    from nucleate.run.polishing import PhaseSummary
    from nucleate.run.settings import RunSettings

    OnStage = Callable[[str, int, int], None]

RATTLE_ANG = 0.05
"""Å; displacement of the rattled starts, which leaves saddle points."""

DEFAULT_BEST = 20
JUDGED_AT_MOST = 20
JUDGE_STEPS = 60

_log = logging.getLogger(__name__)


def _say_nothing(text: str, done: int, total: int) -> None:
    """Show nothing."""
    del text, done, total


@dataclass(frozen=True, slots=True)
class FinalSummary:
    """How a final phase ended.

    Attributes
    ----------
    polish : PhaseSummary or None
        The tight relaxations; None where none was wanted.
    judge : PhaseSummary or None
        Those of the second model; None where there was none.
    text : tuple of str
        Sentences for people.
    """

    polish: PhaseSummary | None = None
    judge: PhaseSummary | None = None
    text: tuple[str, ...] = ()


def finish(
    folder: str | Path,
    settings: RunSettings,
    *,
    on_stage: OnStage = _say_nothing,
) -> FinalSummary:
    """Polish, compare and judge the best structures of a run; continue what was interrupted.

    Parameters
    ----------
    folder
        The run folder; no other process uses it.
    settings
        The input of the run, with ``[final]`` and ``[run]`` as wanted now.
    on_stage
        Called with what is being done, how much of it is done, and how much there is.

    Raises
    ------
    InputError
        If the judge cannot be used.
    """
    from nucleate.report.prior import Prior
    from nucleate.report.selection import to_polish
    from nucleate.run.store import Store

    path, final = Path(folder), settings.final
    if not final.best:
        return FinalSummary(text=("No structure was polished: final.best = 0.",))
    tier = polishing_tier(settings.tier[-1])
    if tier is None:
        return FinalSummary(
            text=(f"Structures of {settings.tier[-1].name} are not polished automatically.",)
        )
    with Store.read(path) as store:
        pressure_gpa = float(store.meta["input"]["problem"]["pressure_gpa"])
        prior = Prior.of_run(store.meta)
        chosen = to_polish(store, final, prior)
    if not chosen or chosen[0].tier != settings.tier[-1].name:
        return FinalSummary(text=("No structure has reached the last tier: none was polished.",))
    executor = None
    if has_objects([tier]):
        executor = inline_executor([tier], pressure_gpa)
    polish = relax_starts(
        path,
        tier,
        [start for record in chosen for start in starts_of(record.number, record.crystal)],
        source=BY_POLISH,
        where=settings,
        budget_s=final.budget,
        on_done=lambda done, whole: on_stage("polishing", done, whole),
        executor=executor,
    )
    on_stage("comparing", 0, 0)
    findings = decide(path, final, prior, _polish_text(polish))
    if is_request(polish.reason):
        return FinalSummary(polish, text=findings.text)
    judge, findings = _judged(path, settings, findings, on_stage)
    return FinalSummary(polish, judge, findings.text)


def polish(
    folder: str | Path,
    *,
    best: int | None = None,
    window_ev_per_atom: float | None = None,
    budget: str | float | None = None,
    judge: Any = None,
    workers: int | None = None,
    trust: bool = False,
    on_stage: OnStage = _say_nothing,
) -> FinalSummary:
    """Polish, compare and judge the best structures of a run that has ended.

    Parameters
    ----------
    folder
        The run folder.
    best, window_ev_per_atom, budget, judge
        As in ``[final]`` of the input; default what the run has.
    workers
        Worker processes; default one per processor core.
    trust
        Run what the stored input of the folder names.
    on_stage
        Called with what is being done, how much of it is done, and how much there is.

    Raises
    ------
    InputError
        If the folder holds no search, or an option cannot be used.
    """
    from nucleate.api.inputs import settings_of
    from nucleate.run.refinement import check_is_search
    from nucleate.run.store import Store

    path = Path(folder)
    check_is_search(path)
    with Store.read(path) as store:
        formula = str(store.meta["formula"])
        off = not store.meta["input"].get("final", {}).get("best", 1)
    options = {
        "best": DEFAULT_BEST if off and best is None else best,
        "window_ev_per_atom": window_ev_per_atom,
        "budget": budget,
        "judge": judge,
    }
    overrides = {"final": options, "run": {"workers": workers}}
    settings = settings_of(formula, overrides, folder=path, trust=trust)
    return finish(path, settings, on_stage=on_stage)


def starts_of(number: int, crystal: Crystal) -> list[Start]:
    """Return the starts of a record: its geometry symmetrised, if it has symmetry, and rattled."""
    from nucleate.crystal.rattle import rattled
    from nucleate.crystal.symmetry import SYMPREC_LADDER, space_group, standardised

    symmetrised = None
    if space_group(crystal, SYMPREC_LADDER[0])[0] > 1:
        symmetrised = standardised(crystal, SYMPREC_LADDER[0])
    starts = [] if symmetrised is None else [Start(number, SYMMETRISED, symmetrised)]
    return [*starts, Start(number, RATTLED, rattled(crystal, RATTLE_ANG))]


def decide(folder: Path, final: FinalSettings, prior: Prior | None, text: str = "") -> Findings:
    """Return the findings on the polished structures, and write it to the run with a remark."""
    from nucleate.report.judging import make_findings
    from nucleate.report.naming import libraries_of
    from nucleate.run.store import Store

    with Store.read(folder) as store:
        numbers = sorted({number for tier in POLISHED for number in store.statuses(tier)})
        records = store.records_of(numbers)
        libraries = libraries_of(store.meta)
    findings = make_findings(records, final, prior, libraries)
    findings = replace(findings, text=tuple(filter(None, (text, *findings.text))))
    _write(folder, findings)
    return findings


def judge_of(final: FinalSettings) -> TierSettings | None:
    """Return the tier of the second model; None where there is to be none.

    Raises
    ------
    InputError
        If ``final.judge`` cannot be used.
    """
    choice = final.judge
    if choice == OFF or (choice == AUTO and find_spec(AUTO_PACKAGE) is None):
        return None
    try:
        (tier,) = as_tiers(AUTO_JUDGE if choice == AUTO else choice)
    except InputError as error:
        raise InputError(
            f'final.judge: {error} Or write judge = "off" for no second model.'
        ) from None
    if tier.engine.energy_unit != "eV":
        raise InputError(
            f"final.judge = {tier.name!r}: its energies are in arbitrary units and cannot judge "
            'those of another model. Give a model in eV, such as chgnet, or write judge = "off".'
        )
    if isinstance(choice, str) and not tier.engine.is_program:
        tier = tier.model_copy(update={"max_steps": JUDGE_STEPS, "pre_relax": False})
    return tier


def _judged(
    folder: Path, settings: RunSettings, findings: Findings, on_stage: OnStage
) -> tuple[PhaseSummary | None, Findings]:
    """Let the second model see the structures; a failure leaves it as it was."""
    from nucleate.report.opinions import with_opinions
    from nucleate.run.store import Store

    tier = judge_of(settings.final)
    if tier is None or not findings.rows:
        return None, findings
    name = _name_of(tier)
    with Store.read(folder) as store:
        wanted = {row.record for row in findings.rows}
        records = {record.number: record for record in store.records_of(sorted(wanted))}
        pressure_gpa = float(store.meta["input"]["problem"]["pressure_gpa"])
    tiers: dict[str, str] = dict(zip(POLISHED, JUDGED, strict=True))
    polished = {row.key: records[row.record].relaxed_by(row.tier) for row in findings.rows}
    starts = [
        Start(row.record, tiers[row.tier], relaxed.crystal)
        for row in findings.rows[:JUDGED_AT_MOST]
        if (relaxed := polished[row.key]) is not None
    ]
    try:
        executor = inline_executor([tier], pressure_gpa) if has_objects([tier]) else None
        summary = relax_starts(
            folder,
            tier,
            starts,
            source=BY_JUDGE,
            where=settings,
            budget_s=settings.final.budget,
            on_done=lambda done, whole: on_stage(f"judging by {name}", done, whole),
            executor=executor,
        )
    except NucleateError as error:
        _log.warning("judge: %s", error)
        reason = str(error).splitlines()[0]
        remark = f"{name} could not judge: {reason}"
        findings = replace(findings, text=(*findings.text, remark))
        _write(folder, findings)
        return None, findings
    with Store.read(folder) as store:
        judged = store.judged()
    own = {key: item for key, item in polished.items() if item is not None}
    findings = with_opinions(findings, own, judged, name)
    _write(folder, findings)
    return summary, findings


def _name_of(tier: TierSettings) -> str:
    model = getattr(tier.engine, "model", None)
    named = isinstance(model, str) and "/" not in model
    return f"{tier.engine.kind} {model}" if named else tier.name


def _write(folder: Path, findings: Findings) -> None:
    from nucleate.report.findings import EVENT
    from nucleate.run.lock import locked
    from nucleate.run.store import Store

    with locked(folder), Store.append_to(folder) as store:
        elapsed_s = max((time_s for time_s, *_ in store.events()), default=0.0)
        store.add_event(elapsed_s, EVENT, findings.to_data())
        store.commit()


def _polish_text(polish: PhaseSummary) -> str:
    if not polish.reason:
        return ""
    return (
        f"{polish.n_done} of {polish.n_starts} tight relaxations are done ({polish.reason}); "
        "`nucleate refine` with the run folder continues."
    )
