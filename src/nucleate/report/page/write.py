"""Put the page together."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from nucleate.crystal.formula import counts_of
from nucleate.hidden import without_values
from nucleate.policy.ledger import COULD, STATE
from nucleate.report.columns import columns
from nucleate.report.files import row_name
from nucleate.report.learned import HEADS as FIT_HEADS
from nucleate.report.page.doubts import doubts
from nucleate.report.page.structures import cells, lattice_text, pattern_points, site_table
from nucleate.report.page.works import works_of
from nucleate.report.phases import duration
from nucleate.report.render import texts
from nucleate.report.views import SHORT_RANKING, tier_columns
from nucleate.report.worked import HEADS
from nucleate.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nucleate.report.history import History
    from nucleate.report.page.facts import Facts
    from nucleate.report.rows import Row

REFRESH_S = 20
"""How often the page of a running search is loaded again."""

ARBITRARY = "arb. unit"
"""What proxy potentials count in."""


def write_page(
    path: Path, meta: Mapping[str, Any], history: History, rows: Sequence[Row], facts: Facts
) -> None:
    """Write the report page; everything it shows is inside.

    Parameters
    ----------
    path
        Replaced if it exists.
    meta
        Input, versions, machine, seed.
    history
        What became of all records.
    rows
        Rows of the best distinct structures.
    facts
        What else the store says.
    """
    path.write_text(page_text(meta, history, rows, facts), encoding="utf-8")


def page_text(meta: Mapping[str, Any], history: History, rows: Sequence[Row], facts: Facts) -> str:
    """Return the page as text; see :func:`write_page`."""
    from nucleate.report.page.template import environment

    tiers = tuple(history.tiers)
    return (
        environment()
        .get_template("page.html")
        .render(
            title=clean(str(meta.get("formula", "run"))),
            state=_state(facts),
            facts=_facts_in_words(meta, history, facts),
            doubts=doubts(history, facts, rows),
            table=_table(rows),
            final=facts.final,
            notes=facts.notes,
            has_files=not facts.running,
            running=facts.running,
            tiers=_tier_table(rows, tiers, history),
            sources=_source_table(history, facts),
            policy=_policy_table(facts),
            surrogate=_surrogate_table(facts),
            failures=facts.failures,
            works=works_of(meta, history.sources, facts.engines),
            input=toml_text(without_values(meta.get("input") or {})),
            made=_made(meta, history),
            data=_script_data(meta, history, rows, facts),
            style=_asset("page.css"),
            script=_asset("page.js"),
            viewer=_asset("3Dmol-min.js"),
        )
    )


def _state(facts: Facts) -> str:
    if facts.running:
        return f"running for {duration(facts.elapsed_s)}"
    return f"stopped: {clean(facts.stop_reason)}" if facts.stop_reason else "interrupted"


def _facts_in_words(
    meta: Mapping[str, Any], history: History, facts: Facts
) -> list[tuple[str, str]]:
    problem = (meta.get("input") or {}).get("problem") or {}
    found = [
        ("structures", str(history.n_records - history.n_repeats)),
        ("tiers", clean(" → ".join(history.tiers)) or "none yet"),
        ("running time", duration(facts.elapsed_s)),
        ("processor time", duration(facts.core_s)),
        ("pressure", f"{float(problem.get('pressure_gpa') or 0.0):g} GPa"),
    ]
    if history.n_repeats:
        found.insert(1, ("repeats skipped", str(history.n_repeats)))
    if facts.best:
        found.insert(1, ("best found after", f"{duration(facts.best[-1][1])} of processor time"))
    return found


def _table(rows: Sequence[Row]) -> dict[str, Any]:
    shown = texts(rows, columns(*SHORT_RANKING))
    links = [row_name(row) for row in rows]
    return {
        "heads": shown.heads,
        "is_number": shown.is_number,
        "lines": [
            {"cells": [clean(cell) for cell in line], "name": name}
            for line, name in zip(shown.cells, links, strict=True)
        ],
    }


def _tier_table(
    rows: Sequence[Row], tiers: Sequence[str], history: History
) -> dict[str, Any] | None:
    if len(tiers) < 2:
        return None
    shown = texts(rows, tier_columns(tiers))
    counted = [
        (
            clean(tier),
            " ".join(sorted({history.levels[key].model for key in count.levels})),
            count.tried,
            count.relaxed,
            count.converged,
            count.tried - count.relaxed,
        )
        for tier, count in history.tiers.items()
    ]
    return {"heads": shown.heads, "lines": shown.cells, "counts": counted}


def _source_table(history: History, facts: Facts) -> dict[str, Any]:
    """Return source, records, with an energy, new best ones, and the best it reached."""
    lowest = facts.lowest
    best = min(lowest.values(), default=0.0)
    unit, factor, digits = ("meV/atom", 1000.0, 0) if _is_ev(history) else (ARBITRARY, 1.0, 3)
    lines = [
        (
            clean(source),
            *counts,
            f"{factor * (lowest[source] - best):.{digits}f}" if source in lowest else "",
        )
        for source, counts in sorted(history.sources.items(), key=lambda item: -item[1][0])
    ]
    return {"unit": unit, "lines": lines}


def _is_ev(history: History) -> bool:
    return history.trajectory is None or history.trajectory.unit == "eV"


def _policy_table(facts: Facts) -> dict[str, Any] | None:
    """Return what came of each source and move, and how often it is drawn."""
    if not facts.worked:
        return None
    return {
        "kind": clean(facts.policy),
        "heads": HEADS,
        "lines": [row.cells() for row in facts.worked],
    }


def _surrogate_table(facts: Facts) -> dict[str, Any] | None:
    """Return what the surrogate did in words, and its fits."""
    if facts.learned is None:
        return None
    lines = [[clean(cell) for cell in fit.cells()] for fit in facts.learned.fits]
    return {"words": clean(facts.learned.in_words()), "heads": FIT_HEADS, "lines": lines}


def _made(meta: Mapping[str, Any], history: History) -> list[tuple[str, str]]:
    rows = [
        (clean(tier), clean(f"{level.code} {level.version}, {level.model} {level.checkpoint}"))
        for tier, count in history.tiers.items()
        for level in (history.levels[key] for key in sorted(count.levels))
    ]
    for key, value in sorted(meta.items()):
        if key in ("input", "mark"):
            continue
        if isinstance(value, dict):
            rows += [(clean(f"{key} {name}"), clean(str(one))) for name, one in value.items()]
        else:
            rows.append((clean(key), clean(str(value))))
    return rows


def _script_data(
    meta: Mapping[str, Any], history: History, rows: Sequence[Row], facts: Facts
) -> str:
    """Return what the script of the page draws, as JSON that no tag can end."""
    data = {
        "formula": clean(str(meta.get("formula", ""))),
        "unit": "eV" if _is_ev(history) else ARBITRARY,
        "tier": history.searched,
        "running": facts.running,
        "refresh_s": REFRESH_S,
        "points": facts.points,
        "n_points": facts.n_points,
        "best": facts.best,
        "lines": facts.lines,
        "structures": [_structure(row, facts) for row in rows],
    }
    text = json.dumps(data, separators=(",", ":"), allow_nan=False, default=str)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _structure(row: Row, facts: Facts) -> dict[str, Any]:
    crystal = row.crystal
    assert crystal is not None
    number = None if row.record is None else row.record.number
    return {
        "name": row_name(row),
        "rank": row.rank,
        "record": number,
        "title": f"{crystal.reduced_formula} {row.symmetry[0].symbol if row.symmetry else ''}",
        "elements": list(counts_of(crystal.numbers)),
        "cells": cells(crystal),
        "lattice": lattice_text(crystal),
        "sites": site_table(crystal),
        "pattern": pattern_points(crystal),
        "tree": [] if number is None else _tree(number, facts),
    }


def _tree(number: int, facts: Facts) -> list[dict[str, Any]]:
    """Return the record and its ancestors, generation by generation."""
    found: list[dict[str, Any]] = []
    seen: set[int] = set()
    generation = [number]
    while generation:
        following: list[int] = []
        for one in generation:
            if one in seen or one not in facts.ancestors:
                continue
            seen.add(one)
            source, parents, detail = facts.ancestors[one]
            shown = [item for item in detail.items() if item[0] not in (STATE, COULD)]
            words = "; ".join(f"{key.replace('_', ' ')}: {_short(value)}" for key, value in shown)
            found.append(
                {
                    "record": one,
                    "source": clean(source),
                    "parents": parents,
                    "detail": clean(words)[:300],
                }
            )
            following += parents
        generation = following
    return found


def _short(value: Any) -> str:
    """Return a detail of an origin, numbers with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def toml_text(given: Mapping[str, Any]) -> str:
    """Return an input as TOML; what is not set is left out."""
    import tomli_w

    return clean(tomli_w.dumps(_set(json.loads(json.dumps(given, default=str)))))


def _set(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _set(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_set(one) for one in value if one is not None]
    return value


@cache
def _asset(name: str) -> str:
    return (files("nucleate.report.page") / "assets" / name).read_text(encoding="utf-8")
