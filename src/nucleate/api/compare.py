"""Found structures against an experiment."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.api.holding import holds_run
from nucleate.api.run import Run, open_run
from nucleate.api.structures import as_items
from nucleate.crystal.symmetry import SYMPREC_LADDER, space_group
from nucleate.errors import InputError
from nucleate.powder import Bounds, agreement, radiation, read_pattern
from nucleate.report.render import data_frame, write_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs]

    from nucleate.crystal.crystal import Crystal
    from nucleate.powder import Agreement, Pattern, Radiation
    from nucleate.report.columns import Value
    from nucleate.report.figure import ShownFigure

LARGEST_STRAIN, LARGEST_ZERO = 0.2, 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A structure and how well it explains the pattern.

    Attributes
    ----------
    name : str
        Where it is from: the record of a run, or the file.
    crystal : Crystal
        The structure as it was given, unstrained.
    space_group : str
        Symbol at 0.1 Å.
    rank : int or None
        Place in the ranking of the run.
    above_best : float or None
        Enthalpy in eV/atom above the best structure of the run; None with proxy potentials.
    agreement : Agreement
        The fit.
    """

    name: str
    crystal: Crystal
    space_group: str
    rank: int | None
    above_best: float | None
    agreement: Agreement

    def to_dict(self) -> dict[str, Value]:
        """Return the figures with their units in the keys."""
        fit = self.agreement
        return {
            "structure": self.name,
            "formula": self.crystal.reduced_formula,
            "n_atoms": self.crystal.n_atoms,
            "space_group_0p1_angstrom": self.space_group,
            "rank_in_run": self.rank,
            "above_best_ev_per_atom": self.above_best,
            "r_wp_percent": round(fit.r_wp, 3),
            "explained": round(fit.explained, 4),
            "strain_percent": round(100.0 * fit.strain, 3),
            "zero_shift_degrees": round(fit.zero, 4),
            "fwhm_degrees": round(fit.width, 4),
        }


class Comparison:
    """Structures ranked by their agreement with a measured powder pattern, best first."""

    def __init__(self, structures: Iterable[Compared], pattern: Pattern, rays: Radiation) -> None:
        self._structures = tuple(sorted(structures, key=lambda item: item.agreement.r_wp))
        self.pattern = pattern
        self.radiation = rays

    def __len__(self) -> int:
        return len(self._structures)

    def __iter__(self) -> Iterator[Compared]:
        return iter(self._structures)

    def __getitem__(self, place: int) -> Compared:
        return self._structures[place]

    @property
    def conclusion(self) -> str:
        """One sentence: which structure explains the pattern, and how clearly."""
        return _conclusion(self._structures)

    def to_dicts(self) -> list[dict[str, Value]]:
        """Return a dictionary for each structure, with the units in its keys."""
        return [item.to_dict() for item in self]

    def to_pandas(self) -> DataFrame:
        """Return :meth:`to_dicts` as a data frame; raises MissingDependencyError without pandas."""
        return data_frame(self.to_dicts())

    def plot(self, best: int = 3) -> ShownFigure:
        """Return a figure of the measured pattern with those of the best structures."""
        from nucleate.report.powder import powder_figure

        shown = [
            (f"{item.name}  {item.space_group}", item.agreement) for item in self._structures[:best]
        ]
        return powder_figure(self.pattern, shown)

    def export(self, out: str | Path, *, best: int = 3) -> Path:
        """Write ``comparison.csv``, ``comparison.png`` and the fitted curves of the best ones.

        Parameters
        ----------
        out
            Folder; created if necessary.
        best
            How many structures are drawn and get a file ``fit-N.xy`` with the columns 2θ, measured,
            calculated, background and difference.
        """
        from nucleate.report.powder import write_fit
        from nucleate.writing import whole_files

        with whole_files(Path(out)) as folder:
            write_rows(folder / "comparison.csv", self.to_dicts())
            (folder / "comparison.png").write_bytes(self.plot(best).to_png())
            for place, item in enumerate(self._structures[:best], start=1):
                write_fit(folder / f"fit-{place}.xy", self.pattern, item.name, item.agreement)
        return Path(out)

    def __repr__(self) -> str:
        return f"Comparison({len(self)} structures with {self.pattern.name}: {self.conclusion})"


def compare(
    source: Any,
    *,
    xrd: str | Path,
    wavelength: str | float = "CuKa",
    max_strain: float = 0.03,
    max_zero_deg: float = 0.2,
    best: int = 50,
) -> Comparison:
    """Rank structures by their agreement with a measured powder pattern.

    For each structure a scale, a background, an isotropic strain of the cell, a zero shift and the
    widths of the lines are fitted; the atoms stay where they are. The result tells which structure
    the sample may have; it is not a refinement.

    Parameters
    ----------
    source
        A :class:`Run`, its folder, structure files, or structures of any kind.
    xrd
        Measured pattern: text with the columns 2θ in degrees, intensity and, optionally, its
        standard deviation.
    wavelength
        ``CuKa`` (both lines), ``CuKa1``, ``MoKa`` and so on, or a wavelength in Å.
    max_strain
        Largest isotropic strain of the cell, as a fraction. Computed cells are often 1 to 2 % off.
    max_zero_deg
        Largest zero shift in degrees of 2θ.
    best
        Of a run: how many of the best structures are compared.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If the pattern, the wavelength, a bound or a structure cannot be used.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np, nucleate as nc
    >>> from ase.build import bulk
    >>> from nucleate.powder import calculated_pattern, radiation
    >>> salt = nc.Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
    >>> angles = np.arange(20.0, 90.0, 0.05)
    >>> y = 50 + 10 * calculated_pattern(salt, radiation("CuKa"), two_theta=angles)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "salt.xy"
    >>> np.savetxt(path, np.column_stack([angles, y]))
    >>> other = nc.Crystal.from_ase(bulk("NaCl", "zincblende", a=6.2))
    >>> found = nc.compare([other, salt], xrd=path)
    >>> found[0].crystal == salt
    True
    """
    _check("max_strain", max_strain, LARGEST_STRAIN)
    _check("max_zero_deg", max_zero_deg, LARGEST_ZERO)
    rays = radiation(wavelength)
    pattern = read_pattern(xrd, rays)
    bounds = Bounds(float(max_strain), float(max_zero_deg))
    compared: list[Compared] = []
    entries = _entries(source, best)
    for number, (name, crystal, rank, above) in enumerate(entries, start=1):
        fit = agreement(crystal, pattern, rays, bounds)
        symbol = space_group(crystal, SYMPREC_LADDER[0])[1]
        compared.append(Compared(name, crystal, symbol, rank, above, fit))
        _log.info("%d of %d: %s, R_wp %.1f %%", number, len(entries), name, fit.r_wp)
    if not compared:
        raise InputError("There is no structure to compare. Continue the run, or give files.")
    return Comparison(compared, pattern, rays)


def _entries(source: Any, best: int) -> list[tuple[str, Crystal, int | None, float | None]]:
    """Return name, crystal, rank and enthalpy above the best of everything to compare."""
    if isinstance(source, str | Path) and holds_run(source):
        source = open_run(source)
    if isinstance(source, Run):
        return [
            (
                f"record {item.record.number}",
                item.crystal,
                item.rank,
                item.above_best if item.relaxed.level.unit == "eV" else None,
            )
            for item in source.structures[:best]
        ]
    found: list[tuple[str, Crystal, int | None, float | None]] = []
    for item in as_items(source)[0]:
        if isinstance(item.crystal, InputError):
            _log.warning("%s is left out: %s", item.name, item.crystal)
            continue
        found.append((item.name, item.crystal, None, None))
    return found


def _check(key: str, value: float, largest: float) -> None:
    if not 0.0 <= value <= largest:
        raise InputError(f"{key} = {value} is not between 0 and {largest}.")


def _conclusion(ranked: tuple[Compared, ...]) -> str:
    first = ranked[0]
    fit = first.agreement
    name = f"{first.name} ({first.space_group})"
    if fit.explained < 0.5:
        return (
            f"no structure explains the pattern; the best, {name}, explains "
            f"{100 * fit.explained:.0f} % of what lies above the background"
        )
    text = f"{name} agrees best, R_wp {fit.r_wp:.1f} %"
    if len(ranked) == 1:
        return text
    second = ranked[1]
    close = second.agreement.r_wp < 1.05 * fit.r_wp
    how = "hardly better than" if close else "before"
    return f"{text}, {how} {second.name} ({second.space_group}) with {second.agreement.r_wp:.1f} %"
