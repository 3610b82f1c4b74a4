"""What was proven, as a file that another program can verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element
from nucleate.errors import InputError
from nucleate.exact.expansion import Cluster, ClusterExpansion
from nucleate.exact.grid import Grid
from nucleate.exact.pair_models import PairModel
from nucleate.exact.superlattices import Sites
from nucleate.potentials.force_field import Buckingham, ForceField

if TYPE_CHECKING:
    from nucleate.potentials.spp import SppLibrary

    Source = ForceField | PairModel | SppLibrary | ClusterExpansion

FORMAT = "nucleate certificate"
VERSION = 1

Vector = tuple[float, float, float]
Shape = tuple[int, int, int]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Term(_Strict):
    """A Buckingham term."""

    pair: tuple[str, str]
    a: float
    rho: float
    c: float
    r_min: float
    r_max: float


class Table(_Strict):
    """Energies in eV of a pair at 0, step, 2 step ..."""

    pair: tuple[str, str]
    values: list[float]


class ClusterTerm(_Strict):
    """Elements at distances from each other, and their energy in eV."""

    elements: tuple[str, ...]
    distances: tuple[float, ...]
    energy: float


class ModelRecord(_Strict):
    """The energy model, complete enough to compute with."""

    kind: Literal["force-field", "pairs", "proxy", "cluster-expansion"]
    name: str = ""
    charges: dict[str, float] = Field(default_factory=dict)
    coulomb_constant: float = 0.0
    buckingham: list[Term] = Field(default_factory=list)
    taper: float = 0.0
    dispersion: Literal["lattice-sum", "cutoff"] = "lattice-sum"
    step: float = 0.0
    tables: list[Table] = Field(default_factory=list)
    digest: str = ""
    elements: tuple[str, ...] = ()
    clusters: list[ClusterTerm] = Field(default_factory=list)
    nearest: float = 0.0
    fitted_to: str = ""
    structures: int = 0
    error: float = Field(default=0.0, description="Cross-validated, in eV per atom.")

    @classmethod
    def of(cls, source: Source) -> ModelRecord:
        """Record a source of energy models."""
        if isinstance(source, ClusterExpansion):
            clusters = [
                ClusterTerm(elements=c.elements, distances=c.distances, energy=c.energy)
                for c in source.clusters
            ]
            return cls(
                kind="cluster-expansion", name=source.name, elements=source.elements,
                clusters=clusters, nearest=source.nearest, fitted_to=source.fitted_to,
                structures=source.structures, error=source.error,
            )  # fmt: skip
        if isinstance(source, ForceField):
            terms = [
                Term(pair=pair, a=t.a, rho=t.rho, c=t.c, r_min=t.r_min, r_max=t.r_max)
                for pair, t in source.buckingham.items()
            ]
            return cls(
                kind="force-field", name=source.name, charges=dict(source.charges),
                coulomb_constant=source.coulomb_constant, buckingham=terms, taper=source.taper,
                dispersion=source.dispersion,
            )  # fmt: skip
        if isinstance(source, PairModel):
            tables = [
                Table(pair=p, values=np.asarray(v).tolist()) for p, v in source.values.items()
            ]
            return cls(
                kind="pairs", name=source.name, charges=dict(source.charges), step=source.step,
                coulomb_constant=source.coulomb_constant, tables=tables,
            )  # fmt: skip
        return cls(kind="proxy", name="proxy potentials", digest=source.digest)

    def source(self) -> Source:
        """Return the source again.

        Raises
        ------
        InputError
            If it was a library of proxy potentials other than the shipped one.
        """
        if self.kind == "force-field":
            terms = {t.pair: Buckingham(t.a, t.rho, t.c, t.r_min, t.r_max) for t in self.buckingham}
            return ForceField(
                self.charges, terms, self.taper, self.dispersion, self.coulomb_constant, self.name
            )
        if self.kind == "pairs":
            values = {table.pair: np.array(table.values) for table in self.tables}
            return PairModel(values, self.charges, self.step, self.coulomb_constant, self.name)
        if self.kind == "cluster-expansion":
            clusters = tuple(Cluster(t.elements, t.distances, t.energy) for t in self.clusters)
            return ClusterExpansion(
                self.elements, clusters, self.nearest, self.name, self.fitted_to, self.structures,
                self.error,
            )  # fmt: skip
        from nucleate.potentials.spp import shipped_library

        library = shipped_library()
        if library.digest != self.digest:
            raise InputError(
                f"certificate: its proxy potentials have the digest {self.digest}, the shipped "
                f"ones {library.digest}. Check it with the version that wrote it."
            )
        return library

    @property
    def unit(self) -> str:
        """Unit of the energies."""
        return "arbitrary" if self.kind == "proxy" else "eV"


class RelaxedRecord(_Strict):
    """An arrangement after relaxation; ``model`` says with what."""

    model: str
    energy: float
    converged: bool
    space_group: str
    cell: tuple[Vector, Vector, Vector]
    symbols: list[str]
    scaled: list[Vector]

    def crystal(self) -> Crystal:
        """Return the relaxed crystal."""
        numbers = np.array([element(symbol).number for symbol in self.symbols], dtype=np.int64)
        return Crystal(numbers, np.array(self.cell), np.array(self.scaled))


class Found(_Strict):
    """An arrangement on the grid.

    ``proven`` means that no arrangement of the grid but those before it in the list, and their
    symmetry images, has a lower energy.
    """

    energy: float
    places: dict[str, list[int]]
    proven: bool
    relaxed: RelaxedRecord | None = None


class Proof(_Strict):
    """What is known of one grid in one cell under one space group; energies per cell."""

    formula_units: int
    space_group: int
    cell: tuple[Vector, Vector, Vector]
    grid: Shape
    counts: dict[str, int]
    orbits: list[list[int]]
    variables: int
    products: int
    status: str
    method: Literal["enumeration", "HiGHS", "none"]
    bound: float | None = Field(
        None, description="No arrangement lies below; None where nothing was proven."
    )
    found: list[Found] = Field(default_factory=list)
    build_s: float = 0.0
    solve_s: float = 0.0
    steps: int = 0

    sites: list[Vector] | None = Field(
        None, description="Fractional coordinates of the places, where they are no grid."
    )

    @property
    def points(self) -> Grid | Sites:
        """The grid, or the sites of a lattice."""
        if self.sites is not None:
            return Sites(np.array(self.cell), np.array(self.sites))
        return Grid(np.array(self.cell), self.grid)

    @property
    def best(self) -> float | None:
        """Lowest energy found on the grid."""
        return min((found.energy for found in self.found), default=None)

    @property
    def gap(self) -> float | None:
        """Best minus bound, where both are known."""
        if self.bound is None or self.best is None:
            return None
        return max(0.0, self.best - self.bound)

    @property
    def is_proven(self) -> bool:
        """Whether the best of the grid is proven, or that there is no arrangement."""
        return self.status in {"optimal", "no arrangement"}


class Certificate(_Strict):
    """Everything that a scan has proven, and what it has not."""

    format: Literal["nucleate certificate"] = FORMAT
    version: Literal[1] = VERSION
    program: str
    solver: str
    formula: str
    model: ModelRecord
    min_distances: dict[str, float] = Field(
        description="Å by pair, such as O-Ti; arrangements with shorter ones are left out."
    )
    proofs: list[Proof]
    not_covered: list[str] = Field(
        description="What the proofs say nothing about, in words for people."
    )

    def save(self, path: Path | str) -> None:
        """Write the certificate as JSON."""
        Path(path).write_text(self.model_dump_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> Certificate:
        """Read a certificate.

        Raises
        ------
        InputError
            If the file is not one.
        """
        try:
            return cls.model_validate_json(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"certificate = {path}: cannot be read ({error}).") from error
        except (ValidationError, UnicodeDecodeError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else {"msg": str(error)}
            place = ".".join(str(part) for part in first.get("loc", ()))
            raise InputError(
                f"certificate = {path}: {place or 'content'}: {first['msg']}. Give a file that "
                "nucleate prove has written."
            ) from error

    def distances(self) -> np.ndarray:
        """Return the minimum distances in Å, indexed by two atomic numbers."""
        table = np.zeros((120, 120))
        for pair, distance in self.min_distances.items():
            a, b = (element(symbol).number for symbol in pair.split("-"))
            table[a, b] = table[b, a] = distance
        return table
