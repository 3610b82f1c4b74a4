"""The result of a search, in a folder that may still grow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.api.continued import stop_of_now
from nucleate.api.listed import SHOWN, Structures
from nucleate.errors import InputError
from nucleate.report.content import check_is_search
from nucleate.run.store import Store
from nucleate.text import in_a_line

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from matplotlib.figure import Figure
    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs]

    from nucleate.report.columns import Value
    from nucleate.report.content import RunContent
    from nucleate.report.displays import Display
    from nucleate.report.findings import Findings
    from nucleate.report.ranking import RankedStructure
    from nucleate.run.settings import RunSettings
    from nucleate.search.record import Record


class Run:
    """A search and what it has found.

    Everything is read from the run folder when it is asked for, also while another process is
    writing there. Made by :func:`nucleate.predict` and :func:`nucleate.open`.

    Parameters
    ----------
    folder
        The run folder.
    temporary
        The folder, where it is a temporary one; it is deleted together with this object.
    trust
        Use what the stored input of the folder imports or executes, whoever began the run. It
        matters to :attr:`settings` and :meth:`continue_` alone.

    Raises
    ------
    InputError
        If the folder holds no search.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        temporary: TemporaryDirectory[str] | None = None,
        trust: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self._trust = trust
        self._temporary = temporary
        self._read: tuple[tuple[int, int], RunContent] | None = None
        self._listed: tuple[tuple[int, int], Structures] | None = None
        with Store.read(self.folder) as store:
            check_is_search(store, self.folder)

    @property
    def settings(self) -> RunSettings:
        """The input; raises InputError if it names the code of somebody else without ``trust``."""
        return self._settings(trust=self._trust)

    def _settings(self, *, trust: bool) -> RunSettings:
        from nucleate.run.folder import stored_input
        from nucleate.run.settings import RunSettings
        from nucleate.run.trust import began_by_user, check_trusted

        data = stored_input(self._meta())
        check_trusted(self.folder, data, trust=trust or began_by_user(self.folder))
        return RunSettings.from_dict(data)

    @property
    def formula(self) -> str:
        """Formula that is searched."""
        return str(self._meta()["formula"])

    @property
    def records(self) -> list[Record]:
        """Every structure that was tried, in the order in which the search received it.

        All of them are read into memory; :meth:`top` and :meth:`status` read what they need.
        """
        return [record for record, _ in self._content().told]

    @property
    def structures(self) -> Structures:
        """The distinct structures, best first in the order ``likely`` of :meth:`ranked`.

        Those after the first 20 are read when needed.
        """
        from nucleate.report.light import overview

        state = self._state()
        if self._listed is None or self._listed[0] != state:
            with Store.read(self.folder) as store:
                found = overview(store, best=SHOWN)
            listed = Structures(found.ranked, found.n_distinct, lambda: self._content().ranked())
            self._listed = state, listed
        return self._listed[1]

    def ranked(self, order: str = "likely") -> Structures:
        """Return the distinct structures in another order.

        Parameters
        ----------
        order
            ``likely``: polished ones by the probability to be the observed one, where there is a
            prior; ``energy``.

        Raises
        ------
        InputError
            If there is no such order.
        """
        return Structures(self._content().ranked(checked_order(order)))

    def top(self, best: int, order: str = "likely") -> list[RankedStructure]:
        """Return the best distinct structures as :meth:`ranked`, without reading the others."""
        from nucleate.report.light import overview

        checked_order(order)
        with Store.read(self.folder) as store:
            return overview(store, best=best, order=order).ranked

    @property
    def findings(self) -> Findings | None:
        """What the final phase found; None where there was none."""
        from nucleate.report.findings import read_findings

        with Store.read(self.folder) as store:
            return read_findings(store)

    @property
    def best(self) -> RankedStructure:
        """The first of :attr:`structures`; raises InputError while there is none.

        These come in the order ``likely`` of :meth:`ranked`, so that it need not be the lowest:
        that is ``run.top(1, order="energy")[0]``.
        """
        structures = self.structures
        if not len(structures):
            raise InputError(f"{self.folder} has no relaxed structure yet. Continue the run.")
        return structures[0]

    @property
    def stop_reason(self) -> str | None:
        """Why the search stopped last; None while it has not, and where it was killed."""
        return self.status()["stop_reason"]

    def status(self) -> dict[str, Any]:
        """Return the state of the run as JSON-ready facts; times in seconds."""
        return status_of(self.folder, best=SHOWN)

    def first_failure(self) -> str:
        """Return reason and message of the first structure that failed; empty if none did."""
        with Store.read(self.folder) as store:
            first = min(store.failure_examples(), key=lambda row: row[3], default=None)
        return "" if first is None else f"{first[1]}: {in_a_line(first[4])}"

    def to_dicts(self) -> list[dict[str, Value]]:
        """Return a dictionary for each distinct structure, with the units in its keys."""
        return self.structures.to_dicts()

    def to_pandas(self) -> DataFrame:
        """Return the distinct structures as a data frame, with the units in its columns.

        Raises
        ------
        MissingDependencyError
            If pandas is not installed.
        """
        return self.structures.to_pandas()

    def plot_trajectory(self) -> Figure:
        """Return a figure of enthalpy against the number of structures."""
        from nucleate.report.trajectory import trajectory_figure

        return trajectory_figure(self._content().told, self._searched(), title=self.formula)

    def plot_energy_volume(self) -> Figure:
        """Return a figure of enthalpy against volume per atom."""
        from nucleate.report.energy_volume import energy_volume_figure

        return energy_volume_figure(self.records, self._searched(), title=self.formula)

    def export(
        self,
        out: str | Path | None = None,
        *,
        best: int = 20,
        cell: str = "given",
        order: str = "likely",
        everything: bool = False,
    ) -> Path:
        """Write tables, structures (CIF, POSCAR, extxyz, ASE, OPTIMADE, AIRSS) and the report page.

        Of a run with more than 10,000 records only the best structures are written, without
        ``results.csv``.

        Parameters
        ----------
        out
            Folder to write to; default the run folder.
        best
            How many distinct structures get files of their own.
        cell
            Of the POSCAR files: ``given``, or symmetrised ``primitive`` or ``conventional``.
        order
            As in :meth:`ranked`.
        everything
            Write everything of a large run, which takes long.

        Returns
        -------
        Path
            The folder.
        """
        export(self.folder, out=out, best=best, cell=cell, order=order, everything=everything)
        return self.folder if out is None else Path(out)

    def export_quickly(self, *, best: int = 20, order: str = "likely") -> Path:
        """Write the table and the files of the best structures only, in about a second.

        Files of :meth:`export` that would speak of an earlier state are removed.

        Parameters
        ----------
        best
            How many distinct structures.
        order
            As in :meth:`ranked`.

        Returns
        -------
        Path
            The folder of the run.
        """
        from nucleate.report.export import export_quickly

        export_quickly(self.folder, best=best, order=checked_order(order))
        return self.folder

    def continue_(
        self, *, trust: bool = False, display: Display | bool = True, **options: Any
    ) -> Run:
        """Continue the search and return this run.

        Parameters
        ----------
        trust
            Use what the stored input imports or executes, whoever began the run.
        display
            As in :func:`nucleate.predict`.
        options
            As in :func:`nucleate.predict`: ``time``, ``core_time``, ``structures``, ``workers``
            and others that do not change what is searched.
        """
        from nucleate.api.searching import search_in

        settings = self._settings(trust=trust or self._trust).to_dict()
        settings["stop"] = stop_of_now(settings["stop"], options)
        place = f" in {self.folder}"
        search_in(self.folder, settings, options, display=display, place=place)
        return self

    def __len__(self) -> int:
        return self._state()[0]

    def __repr__(self) -> str:
        structures = self.structures
        best = repr(structures[0]) if len(structures) else "no structure yet"
        return (
            f"Run({self.formula} in {self.folder}: {len(self)} records, "
            f"{len(structures)} distinct structures, best {best})"
        )

    def _repr_html_(self) -> str:
        from nucleate.report.notebook import run_html

        with Store.read(self.folder) as store:
            return run_html(store, best=SHOWN)

    def _searched(self) -> str:
        from nucleate.report.content import searched_tier

        content = self._content()
        return searched_tier(content) or content.ladder[0]

    def _content(self) -> RunContent:
        """Return what the store holds, read again if it has grown."""
        from nucleate.report.content import read_run

        state = self._state()
        if self._read is None or self._read[0] != state:
            self._read = state, read_run(self.folder)
        return self._read[1]

    def _state(self) -> tuple[int, int]:
        """Return how many records and events there are."""
        with Store.read(self.folder) as store:
            return store.n_records(), sum(1 for _ in store.events())

    def _meta(self) -> dict[str, Any]:
        with Store.read(self.folder) as store:
            return store.meta


def checked_order(order: str) -> str:
    """Return an order of a list; raises InputError if there is no such order."""
    from nucleate.report.ranking import ENERGY, LIKELY

    if order not in (LIKELY, ENERGY):
        raise InputError(f"order = {order!r} is no order. Give {LIKELY!r} or {ENERGY!r}.")
    return order


def export(
    folder: str | Path,
    *,
    out: str | Path | None = None,
    best: int = 20,
    cell: str = "given",
    order: str = "likely",
    everything: bool = False,
) -> str:
    """Write the files of a run as :meth:`Run.export`; return in words what was written.

    Of the folder of :func:`~nucleate.api.relax.relax_files` its own files are written, with the
    structures that are done.
    """
    from nucleate.report.export import export_run
    from nucleate.report.series import export_series

    checked_order(order)
    with Store.read(folder) as store:
        is_series = store.meta.get("kind") == "relax"
    if is_series:
        if cell != "given" or everything:
            raise InputError(
                f"{folder} holds relaxed structures of files: the cell of the exports and --all "
                "are for a search. Leave them out."
            )
        return f"{export_series(folder, out).number} structures"
    return export_run(
        folder, out=out, best=best, cell=cell, order=order, everything=everything
    ).text


def status_of(
    folder: str | Path, *, best: int = SHOWN, order: str = "likely", width: int = 1000
) -> dict[str, Any]:
    """Return the state of a run folder as JSON-ready facts; times in seconds.

    Parameters
    ----------
    folder
        A folder of a search or of relaxed files, which may be in use.
    best
        Number of structures to list.
    order
        As in :meth:`Run.ranked`.
    width
        Characters of a line of the table for people.

    Raises
    ------
    InputError
        If it is not a run folder.
    """
    from nucleate.report.status import read_status

    with Store.read(folder) as store:
        return read_status(store, best=best, order=checked_order(order), width=width)


def open_run(folder: str | Path, *, trust: bool = False) -> Run:
    """Return the run of a folder, finished or not; ``nucleate.open``.

    Parameters
    ----------
    folder
        A run folder.
    trust
        As in :class:`Run`.

    Raises
    ------
    InputError
        If the folder holds no search.
    """
    return Run(folder, trust=trust)
