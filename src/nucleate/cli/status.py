"""``nucleate status``: how a run is going, read from its store."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from typer import Typer

    from nucleate.run.store import Store


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(status)


def status(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    best: Annotated[int, typer.Option(min=1, help="How many structures are listed.")] = 10,
) -> None:
    """Show how a run is going, while or after it goes on."""
    from nucleate.run.store import Store

    with Store.read(run) as store:
        facts = read_status(store, best=best)
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
    else:
        _print(facts)


def read_status(store: Store, *, best: int) -> dict[str, Any]:
    """Return the state of a run as JSON-ready facts; energies in eV/atom, times in seconds."""
    from nucleate.report.ranking import rank_structures
    from nucleate.report.tables import failure_words
    from nucleate.run.lock import is_locked

    told = list(store.records())
    tiers, added = store.tiers(), store.added_tiers()
    ranked = []
    if store.meta.get("kind") != "relax":
        ranked = rank_structures((record for record, _ in told), tiers, added=added)
    paid = [record for record, _ in told if record.outcomes]
    failures: Counter[str] = Counter()
    for record in paid:
        if record.failure is not None:
            failures[str(getattr(record.failure.outcome, "reason", ""))] += 1
    stops = [data["reason"] for _, kind, data in store.events() if kind in ("start", "stop")
             for data in [{"reason": None, **data}]]  # fmt: skip
    core = [record.core_s for record, _ in told]
    core += [data.get("core_s", 0.0) for _, _, data in store.events()]
    times = [record.finished_s for record, _ in told] + [time for time, _, _ in store.events()]
    return {
        "formula": store.meta["formula"],
        "seed": store.meta["seed"],
        "running": is_locked(store.path.parent),
        "stop_reason": stops[-1] if stops else None,
        "elapsed_s": max(times, default=0.0),
        "core_s": max(core, default=0.0),
        "structures": len(paid),
        "repeats": len(told) - len(paid),
        "distinct": len(ranked),
        "failures": dict(failures),
        "best": [
            {
                "rank": item.rank,
                "record": item.record.number,
                "tier": item.tier,
                "energy_per_atom": item.relaxed.energy_per_atom,
                "enthalpy_per_atom": item.relaxed.enthalpy_per_atom,
                "unit": item.relaxed.level.unit,
                "space_group": item.symmetry[0].symbol,
                "space_group_number": item.symmetry[0].number,
                "symprec": item.symmetry[0].symprec,
                "atoms": item.relaxed.crystal.n_atoms,
                "converged": item.relaxed.converged,
                "failed": failure_words(item),
                "source": item.record.candidate.origin.source,
                "found_s": item.record.finished_s,
            }
            for item in ranked[:best]
        ],
    }


def _print(facts: dict[str, Any]) -> None:
    state = "running" if facts["running"] else f"stopped ({facts['stop_reason'] or 'killed'})"
    spent = f" ({facts['core_s']:.0f} s of processor time)" if facts["core_s"] else ""
    typer.echo(
        f"{facts['formula']}, seed {facts['seed']}: {state} after {facts['elapsed_s']:.0f} s{spent}"
    )
    failed = ", ".join(f"{count} {reason}" for reason, count in facts["failures"].items())
    typer.echo(
        f"{facts['structures']} structures, {facts['distinct']} distinct, "
        f"{facts['repeats']} repeats not relaxed, failures: {failed or 'none'}"
    )
    for item in facts["best"]:
        typer.echo(
            f"{item['rank']:4d}  {item['enthalpy_per_atom']:10.4f} {item['unit']}/atom  "
            f"{item['space_group']:<10} {item['atoms']:3d} atoms  {item['tier']}  "
            f"record {item['record']} at {item['found_s']:.0f} s by {item['source']}"
            + (f"; {item['failed']}" if item["failed"] else "")
        )
