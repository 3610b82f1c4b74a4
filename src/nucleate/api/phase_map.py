"""The result of the search of a phase field, in a folder that may still grow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.api.holding import holds_map
from nucleate.api.inputs import given
from nucleate.api.run import Run
from nucleate.errors import InputError
from nucleate.mapping.judged import JUDGED
from nucleate.mapping.reading import read_map
from nucleate.mapping.site import COMPOSITIONS
from nucleate.report.maps.named import named
from nucleate.report.maps.rows import map_rows

REFINED = 3
"""Structures of each composition near the hull that :meth:`PhaseMap.refine` relaxes tightly."""

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure
    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs]

    from nucleate.crystal.crystal import Crystal
    from nucleate.mapping.energies import Phase
    from nucleate.mapping.hull import Hull
    from nucleate.mapping.potentials import StabilityWindow
    from nucleate.mapping.reading import MapState
    from nucleate.report.maps.advice import Advice
    from nucleate.report.maps.opened import OpenHull
    from nucleate.report.maps.rows import MapRow


class PhaseMap:
    """A phase field and what was found in it.

    Everything is read from the folder when it is asked for, also while another process is writing
    there. Made by :func:`nucleate.map` and :func:`nucleate.api.open_map`.

    Parameters
    ----------
    folder
        The folder of the map.

    Raises
    ------
    InputError
        If the folder holds no map.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._known: tuple[list[tuple[int, int]], MapState] | None = None
        self._state()

    def _state(self) -> MapState:
        """Return what the folder holds, read again if it has grown."""
        runs = self.folder.glob(f"{COMPOSITIONS}/*/run.db")
        facts = [path.stat() for path in (*sorted(self.folder.glob("*.db")), *sorted(runs))]
        stamp = [(fact.st_mtime_ns, fact.st_size) for fact in facts]
        if self._known is None or self._known[0] != stamp:
            self._known = stamp, read_map(self.folder)
        return self._known[1]

    @property
    def system(self) -> str:
        """Elements or end members, joined by hyphens."""
        return self._state().field.system

    @property
    def compositions(self) -> list[str]:
        """Formulas of the field."""
        return [item.formula for item in self._state().field.compositions]

    @property
    def hull(self) -> Hull:
        """The convex hull of what is known and found."""
        return self._state().energies.hull()

    @property
    def rows(self) -> list[MapRow]:
        """The lowest structure of each composition, lowest above the hull first, with names."""
        state = self._state()
        return named(map_rows(state.energies, state.meta.get(JUDGED)), state)

    @property
    def to_make_next(self) -> list[Advice]:
        """Compositions that are worth making, best first, with reasons and doubts."""
        from nucleate.report.maps.advice import to_make_next

        state = self._state()
        return to_make_next(map_rows(state.energies, state.meta.get(JUDGED)))

    @property
    def potentials(self) -> list[StabilityWindow]:
        """Chemical potentials at which each stable phase is stable, by the corners of the hull.

        In eV per atom relative to the corners. Empty as long as a corner has no energy.
        """
        from nucleate.mapping.potentials import stability_windows

        hull = self.hull
        return [] if hull.missing else stability_windows(hull)

    def phase(self, formula: str) -> Phase:
        """Return the lowest structure of a composition.

        Raises
        ------
        InputError
            If it is no composition of the map, or none of its structures has an energy.
        """
        from nucleate.crystal.composition import Composition
        from nucleate.mapping.field import key_of

        wanted = key_of(Composition.from_formula(formula).counts)
        for item in self._state().energies.phases():
            if key_of(item.composition.counts) == wanted:
                return item
        raise InputError(
            f"{formula} has no structure in {self.folder}. Use a formula of `compositions`, or "
            "continue the map."
        )

    def best(self, formula: str) -> Crystal:
        """Return the lowest crystal of a composition, found or known.

        Parameters
        ----------
        formula
            Such as ``Y2SrTiO6``.

        Raises
        ------
        InputError
            As :meth:`phase`.
        """
        from nucleate.mapping.travel import crystal_of

        return crystal_of(self.phase(formula))

    def run(self, formula: str) -> Run:
        """Return the run of a composition; raises InputError where there is none yet."""
        from nucleate.crystal.composition import Composition

        state = self._state()
        place = state.field.index_of(Composition.from_formula(formula))
        if place is None:
            raise InputError(f"{formula} is no composition of the map in {self.folder}.")
        return Run(state.energies.sites[place].folder)

    def phase_diagram(self) -> Any:
        """Return a ``pymatgen`` PhaseDiagram of all phases.

        Raises
        ------
        MissingDependencyError
            If pymatgen is not installed.
        InputError
            If an element has no energy yet.
        """
        from nucleate.report.maps.materials import phase_diagram

        return phase_diagram(self._state())

    def open_to(
        self,
        symbol: str,
        *,
        temperature: float | None = None,
        pressure: float | None = None,
        potential: float | None = None,
    ) -> OpenHull:
        """Return what is stable while one element is exchanged with a reservoir.

        Parameters
        ----------
        symbol
            The open element, such as ``O``.
        temperature, pressure
            Of its gas (O, N, H, Cl or F) in K and bar; default pressure 1 bar.
        potential
            In place of these, for any element, its chemical potential in eV per atom relative to
            the element of the map, at most 0.

        Raises
        ------
        InputError
            If the field has no such element or end members, a corner has no energy, or the
            condition is none or out of range.
        """
        from nucleate.report.maps.opened import open_to

        return open_to(
            self._state(),
            symbol,
            temperature_k=temperature,
            pressure_bar=pressure,
            potential_ev=potential,
        )

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return a dictionary for each composition, with the units in its keys."""
        return [row.to_dict() for row in self.rows]

    def to_pandas(self) -> DataFrame:
        """Return the compositions as a data frame; raises MissingDependencyError without pandas."""
        from nucleate.report.maps.rows import frame_of

        return frame_of(self.rows)

    def plot_hull(self) -> Figure:
        """Return a figure of the hull: a line, a triangle, or a tetrahedron in projection.

        Sections of a tetrahedron are on the page.
        """
        from nucleate.report.maps.figures import hull_figure

        return hull_figure(self._state())

    def export(self, out: str | Path | None = None, *, quickly: bool = False) -> Path:
        """Write tables, structures, the pymatgen phase diagram and the page.

        Parameters
        ----------
        out
            Folder to write to; default that of the map.
        quickly
            Leave out what takes longest: the figure and the files for pymatgen.
        """
        from nucleate.report.maps.export import export_map

        return export_map(self.folder, out=out, quickly=quickly)

    def export_jobs(
        self,
        program: Any = None,
        *,
        input_file: str | Path | None = None,
        out: str | Path | None = None,
        best: int = 1,
        cell: str = "primitive",
    ) -> list[tuple[str, Path, int]]:
        """Write folders for a program that you run yourself, of all that is near the hull.

        :func:`nucleate.api.import_near` reads the results back.

        Parameters
        ----------
        program, input_file, cell
            As in :func:`nucleate.api.export_jobs`.
        out
            Where to write, a folder for each composition; default ``for-PROGRAM`` in the map.
        best
            Structures of each composition.

        Returns
        -------
        list of (str, Path, int)
            Formula, folder and number of structures of each point and each composition at most
            0.1 eV/atom above the hull that was searched; then ``known`` for the known compounds
            that are the lowest of theirs.

        Raises
        ------
        InputError
            If there is none, ``out`` is not empty, or the program cannot be used.
        """
        from nucleate.api.map_jobs import export_near

        return export_near(
            self.folder, program, input_file=input_file, out=out, best=best, cell=cell
        )

    def status(self, *, best: int = 30) -> dict[str, Any]:
        """Return the state of the map as JSON-ready facts; times in seconds.

        Parameters
        ----------
        best
            Number of compositions to list.
        """
        from nucleate.report.maps.status import map_status

        return map_status(self._state(), best=best)

    def watched(self, *, width: int, height: int) -> tuple[str, bool]:
        """Return the state as text for a terminal, and whether the map is running.

        Parameters
        ----------
        width, height
            Columns and lines of the terminal.
        """
        from nucleate.report.maps.status import status_text
        from nucleate.run.lock import is_locked

        lines = status_text(self.status(best=max(height - 5, 3))).splitlines()
        return "\n".join(line[:width] for line in lines), is_locked(self.folder)

    def refine(
        self,
        *,
        best: int | None = None,
        judge: Any = None,
        workers: int | None = None,
        trust: bool = False,
        on_stage: Callable[[str, int, int], None] | None = None,
    ) -> PhaseMap:
        """Polish points and what is near the hull, let a second model judge, and return the map.

        Parameters
        ----------
        best
            How many structures of each composition are relaxed tightly; default 3, 0 for none.
        judge
            Second model as in :func:`nucleate.predict`.
        workers
            Worker processes; default one per processor core.
        trust
            Run what the stored input of the folder names.
        on_stage
            Called with what is being done, how much of it is done, and how much there is.

        Raises
        ------
        InputError
            If the judge cannot be used, or the stored input names code without ``trust``.
        """
        from nucleate.api.map_final import finish_map
        from nucleate.api.map_inputs import settings_of_map
        from nucleate.signals import is_request

        options = {
            "final": given(best=REFINED if best is None else best, judge=judge),
            "run": given(workers=workers),
        }
        settings, path = settings_of_map(self.system, options, folder=self.folder, trust=trust)
        lack = finish_map(path, settings, on_stage=on_stage or _say_nothing)
        self._known = None
        if lack and not is_request(lack):
            raise InputError(f"final.judge: {lack}")
        return self

    def __len__(self) -> int:
        return len(self.compositions)

    def __repr__(self) -> str:
        facts = self.status()
        return (
            f"PhaseMap({self.system} in {self.folder}: {facts['visited']} of "
            f"{facts['compositions']} compositions, {facts['structures']} structures, "
            f"{facts['stable']} stable)"
        )

    def _repr_html_(self) -> str:
        from nucleate.report.maps.rows import SHOWN, rows_html

        state = self._state()
        rows = map_rows(state.energies, state.meta.get(JUDGED), with_reactions=False)
        return rows_html(named(rows, state, most=SHOWN), repr(self))


def open_map(folder: str | Path) -> PhaseMap:
    """Return the map of a folder; raises InputError if it holds none."""
    return PhaseMap(folder)


def open_folder(folder: str | Path, *, trust: bool = False) -> Any:
    """Return the run or the map of a folder, finished or not; ``nucleate.open``.

    Parameters
    ----------
    folder
        The folder of a run or a map.
    trust
        As in :class:`Run`; a map takes it where it is refined.

    Returns
    -------
    Run or PhaseMap
        What the folder holds.

    Raises
    ------
    InputError
        If the folder holds neither.
    """
    return PhaseMap(folder) if holds_map(folder) else Run(folder, trust=trust)


def _say_nothing(text: str, done: int, total: int) -> None:
    """Show nothing."""
    del text, done, total
