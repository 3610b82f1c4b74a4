"""Everything a run has found as files that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.names import safe_name
from nucleate.report.columns import columns
from nucleate.report.content import read_run, searched_tier
from nucleate.report.files import write_database, write_rows_extxyz, write_structure
from nucleate.report.page import write_page
from nucleate.report.ranking import LIKELY
from nucleate.report.render import write_csv
from nucleate.report.rows import file_rows, ranked_rows, record_rows
from nucleate.report.trajectory import save_trajectory
from nucleate.report.views import FILES, RANKING, result_columns
from nucleate.writing import remove_unfinished, whole_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nucleate.report.content import RunContent
    from nucleate.report.ranking import RankedStructure
    from nucleate.run.relaxation import FileCrystal
    from nucleate.search.record import Record


def export_run(
    folder: str | Path,
    *,
    out: str | Path | None = None,
    best: int = 20,
    cell: str = "given",
    order: str = LIKELY,
) -> list[RankedStructure]:
    """Write the files of a run and return its ranked distinct structures.

    Writes ``results.csv`` (every structure), ``ranking.csv``, ``structures.extxyz`` and
    ``structures.db`` (the distinct structures with energy, forces and stress; the second is an
    ASE database), ``structures/`` (for each of the best a symmetrised CIF with its tolerance, the
    P1 original as CIF, a POSCAR, the calculated powder pattern and the ``.res`` file of AIRSS),
    ``trajectory.png``, ``report.html`` and, where there are several tiers, ``tiers/`` (the distinct
    structures as each tier left them, with its energy, forces and stress). Existing files of these
    names are replaced.

    Parameters
    ----------
    folder
        The run folder.
    out
        Where to write; None means the run folder itself.
    best
        How many distinct structures get files of their own.
    cell
        Of the POSCAR files: ``given``, ``primitive`` or ``conventional``.
    order
        As in :func:`~nucleate.report.ranking.rank_structures`.

    Raises
    ------
    InputError
        If the folder is not a run folder.
    """
    content = read_run(folder)
    target = Path(folder if out is None else out)
    ranked = content.ranked(order)
    remove_unfinished(target)
    with whole_files(target) as unfinished:
        _write_all(unfinished, content, ranked, best=best, title=Path(folder).name, cell=cell)
        _remove_old(target / "structures")
    return ranked


def _write_all(
    target: Path,
    content: RunContent,
    ranked: list[RankedStructure],
    *,
    best: int,
    title: str,
    cell: str,
) -> None:
    structures = target / "structures"
    structures.mkdir()
    rows = ranked_rows(ranked)
    write_csv(target / "results.csv", record_rows(content.told), result_columns(content.tiers))
    write_csv(target / "ranking.csv", rows, columns(*RANKING))
    write_rows_extxyz(target / "structures.extxyz", rows)
    write_database(target / "structures.db", rows)
    for row in rows[:best]:
        write_structure(structures, row, pressure_gpa=content.pressure_gpa, cell=cell)
    for tier in content.tiers if len(content.tiers) > 1 else ():
        (target / "tiers").mkdir(exist_ok=True)
        write_rows_extxyz(target / "tiers" / f"{safe_name(tier)}.extxyz", rows, tier=tier)
    searched = searched_tier(content)
    if searched is not None:
        title = str(content.meta.get("formula", title))
        save_trajectory(target / "trajectory.png", content.told, searched, title=title)
    write_page(target / "report.html", content, rows[:best])


def write_relaxed(
    folder: Path, items: Sequence[FileCrystal], records: Mapping[int, Record]
) -> None:
    """Write ``relaxed.csv``, ``relaxed.extxyz`` and ``relaxed.db`` into a folder.

    Parameters
    ----------
    folder
        Exists; files of these names are replaced.
    items
        Structures of files.
    records
        What came of them, by their place from 0 on.
    """
    rows = file_rows(items, records)
    with whole_files(folder) as unfinished:
        write_csv(unfinished / "relaxed.csv", rows, columns(*FILES))
        write_rows_extxyz(unfinished / "relaxed.extxyz", rows)
        write_database(unfinished / "relaxed.db", rows)


def _remove_old(folder: Path) -> None:
    if folder.is_symlink():
        return
    for ending in ("cif", "vasp", "res", "xy"):
        for path in folder.glob(f"[0-9]*-r[0-9]*.{ending}"):
            path.unlink()
