"""Everything a run has found as files that other programs read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.names import safe_name
from nucleate.relax.outcome import Relaxed
from nucleate.report.columns import columns
from nucleate.report.content import check_is_search, read_run
from nucleate.report.files import write_database, write_rows_extxyz, write_structure
from nucleate.report.history import history_of
from nucleate.report.light import overview
from nucleate.report.optimade import write_optimade
from nucleate.report.page import facts_of, write_page
from nucleate.report.ranking import LIKELY
from nucleate.report.render import write_csv
from nucleate.report.rows import ranked_rows, record_rows
from nucleate.report.trajectory import figure_of
from nucleate.report.views import RANKING, result_columns
from nucleate.run.store import Store
from nucleate.writing import remove_unfinished, whole_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nucleate.report.history import History
    from nucleate.report.page.facts import Facts
    from nucleate.report.ranking import RankedStructure
    from nucleate.report.rows import Row


LARGE = 10_000
"""Runs of more records than this are exported without ``results.csv``, and with the best only."""

ON_PAGE = 100
"""Structures that the page shows at most: each takes about 10 kB."""

SOON = 20_000
"""Records up to which a page is written while somebody waits for the end of a command."""

LEFT_OUT = ("results.csv", "structures.db", "structures.optimade.json", "trajectory.png")
"""Files that are not written then."""

RANKED = 1000
"""Distinct structures of a large run that are listed, at least."""


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """What an export wrote.

    Attributes
    ----------
    ranked : list of RankedStructure
        The distinct structures in it.
    n_distinct : int
        How many there are in the run.
    """

    ranked: list[RankedStructure]
    n_distinct: int

    @property
    def text(self) -> str:
        """What it is in words."""
        if len(self.ranked) == self.n_distinct:
            return f"{self.n_distinct} distinct structures"
        return (
            f"the best {len(self.ranked)} of {self.n_distinct} distinct structures, without "
            "results.csv; --all writes everything"
        )


def export_run(
    folder: str | Path,
    *,
    out: str | Path | None = None,
    best: int = 20,
    cell: str = "given",
    order: str = LIKELY,
    everything: bool = False,
) -> Exported:
    """Write the files of a run and return its ranked distinct structures.

    Writes ``results.csv`` (every structure), ``ranking.csv``, ``structures.extxyz``,
    ``structures.db`` and ``structures.optimade.json`` (the distinct structures with energy, forces
    and stress; the second is an ASE database, the third an OPTIMADE response), ``structures/`` (for
    each of the best a symmetrised CIF with its tolerance, the P1 original as CIF, a POSCAR, the
    calculated powder pattern and the ``.res`` file of AIRSS), ``trajectory.png``, ``report.html``
    and, where there are several tiers, ``tiers/`` (the distinct structures as each tier left them,
    with its energy, forces and stress). Existing files of these names are replaced.

    Of a run with more than 10,000 records the best 1,000 distinct structures are written (or
    ``best``, if that is more), and no ``results.csv``.

    Parameters
    ----------
    folder
        The run folder.
    out
        Where to write; None means the run folder itself.
    best
        How many distinct structures get files of their own; the page shows 100 of them at most.
    cell
        Of the POSCAR files: ``given``, ``primitive`` or ``conventional``.
    order
        As in :func:`~nucleate.report.ranking.rank_structures`.
    everything
        Write all of a large run as of a small one; takes hours and gigabytes for 200,000 records.

    Raises
    ------
    InputError
        If the folder is not a run folder.
    """
    target = Path(folder if out is None else out)
    with Store.read(folder) as store:
        check_is_search(store, folder)
        history = history_of(store, store.tiers_seen())
        content = None
        if everything or history.n_records <= LARGE:
            content = read_run(folder)
            ranked = content.ranked(order)
            n_distinct = len(ranked)
        else:
            found = overview(store, best=max(best, RANKED), order=order)
            ranked, n_distinct = found.ranked, found.n_distinct
        meta = store.meta
        rows = ranked_rows(ranked)
        shown = rows[: min(best, ON_PAGE)]
        facts = facts_of(store, history.searched, shown)
    remove_unfinished(target)
    with whole_files(target) as unfinished:
        if content is not None:
            view = result_columns(content.tiers)
            write_csv(unfinished / "results.csv", record_rows(content.told), view)
        _write_ranked(unfinished, meta, history, rows, best=best, cell=cell)
        write_page(unfinished / "report.html", meta, history, shown, facts)
        _remove_old(target / "structures")
    if content is None:
        (target / "results.csv").unlink(missing_ok=True)  # of an earlier export
    return Exported(ranked, n_distinct)


def export_quickly(folder: str | Path, *, best: int = 20, order: str = LIKELY) -> None:
    """Write what takes about a second for a run of any size, when somebody waits for its end.

    Writes ``ranking.csv``, ``structures.extxyz`` and ``structures/`` (without powder patterns) with
    the best structures, and ``report.html`` where the run has at most 20,000 records. The other
    files of :func:`export_run`, which would speak of an earlier state, are removed.

    Parameters
    ----------
    folder
        The run folder.
    best
        How many distinct structures.
    order
        As in :func:`~nucleate.report.ranking.rank_structures`.

    Raises
    ------
    InputError
        If the folder is not a run folder.
    """
    target = Path(folder)
    with Store.read(folder) as store:
        check_is_search(store, folder)
        rows = ranked_rows(overview(store, best=best, order=order).ranked)
        page = _page_of(store, rows) if store.n_records() <= SOON else None
    remove_unfinished(target)
    with whole_files(target) as unfinished:
        structures = unfinished / "structures"
        structures.mkdir()
        write_csv(unfinished / "ranking.csv", rows, columns(*RANKING))
        write_rows_extxyz(unfinished / "structures.extxyz", rows)
        for row in rows:
            write_structure(structures, row, with_pattern=False)
        if page is not None:
            write_page(unfinished / "report.html", *page)
        _remove_old(target / "structures")
    for name in (*LEFT_OUT, *(("report.html",) if page is None else ())):
        (target / name).unlink(missing_ok=True)
    if not (target / "tiers").is_symlink():
        for path in (target / "tiers").glob("*.extxyz"):
            path.unlink()


def _page_of(
    store: Store, rows: Sequence[Row]
) -> tuple[Mapping[str, Any], History, Sequence[Row], Facts]:
    """Return what a page is written from."""
    history = history_of(store, store.tiers_seen())
    return store.meta, history, rows, facts_of(store, history.searched, rows)


def _write_ranked(
    target: Path,
    meta: Mapping[str, Any],
    history: History,
    rows: Sequence[Row],
    *,
    best: int,
    cell: str,
) -> None:
    structures = target / "structures"
    structures.mkdir()
    tiers = tuple(history.tiers)
    write_csv(target / "ranking.csv", rows, columns(*RANKING))
    write_rows_extxyz(target / "structures.extxyz", rows)
    write_database(target / "structures.db", rows)
    write_optimade(target / "structures.optimade.json", rows)
    for row in rows[:best]:
        write_structure(structures, row, cell=cell)
    for tier in tiers if len(tiers) > 1 else ():
        if not any(isinstance(row.step(tier), Relaxed) for row in rows):
            continue  # ASE takes no empty file for extxyz
        (target / "tiers").mkdir(exist_ok=True)
        write_rows_extxyz(target / "tiers" / f"{safe_name(tier)}.extxyz", rows, tier=tier)
    if history.trajectory is not None and history.searched is not None:
        title = str(meta.get("formula", ""))
        figure = figure_of(history.trajectory, history.searched, title=title)
        figure.savefig(target / "trajectory.png", dpi=150)


def _remove_old(folder: Path) -> None:
    if folder.is_symlink():
        return
    for ending in ("cif", "vasp", "res", "xy"):
        for path in folder.glob(f"[0-9]*-r[0-9]*.{ending}"):
            path.unlink()
