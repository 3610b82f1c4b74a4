"""Particle swarm: starts follow the best structures of their own and of the swarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from nucleate.crystal.candidate import MOVE, Candidate, Origin
from nucleate.moves.move import Child, MoveContext, first_allowed
from nucleate.search.drawn import DrawnSearch
from nucleate.search.settings import SearchSettings
from nucleate.search.swarming.attractors import Attractors
from nucleate.search.swarming.particle import stepped
from nucleate.search.swarming.swarm import Particles

if TYPE_CHECKING:
    from nucleate.search.book import Noted
    from nucleate.search.context import SearchContext
    from nucleate.search.record import Record
    from nucleate.search.search import Trial
    from nucleate.search.swarming.particle import Particle

STEP = f"{MOVE}swarm-step"
"""Source of the steps of particles."""

PARTICLES_TRIED = 4
"""Particles that one draw tries, those that have waited longest: one may find no allowed step."""

PARTICLE = "particle"
"""Key in the detail of a step: the record with which its particle began."""


class Swarm(SearchSettings):
    """Starts follow the best structures of their own particle and of the swarm, as in CALYPSO.

    Cells and positions move by the rule of a particle swarm. There are no generations: a particle
    takes its next step when the last one is relaxed. Methods: Y. Wang et al., Phys. Rev. B 82,
    094116 (2010); Comput. Phys. Commun. 183, 2063 (2012).
    """

    works: ClassVar[tuple[str, ...]] = ("wang2010", "wang2012")
    keeps_motif: ClassVar[bool] = False
    keeps_space_groups: ClassVar[bool] = False

    particles: int = Field(20, ge=1, le=10_000, description="Largest number of particles.")
    swarm_fraction: float = Field(
        0.6,
        ge=0.0,
        le=1.0,
        description="Fraction of steps of particles after the population; the rest are new "
        "structures from the generators, as is every trial while all particles have one.",
    )
    topology: Literal["global", "local"] = Field(
        "local",
        description="What attracts a particle: the lowest structure of its size, or of the few "
        "lowest the one most like its own best.",
    )
    attractors: int = Field(
        4, ge=2, le=1000, description="Lowest distinct structures of each size in a local swarm."
    )
    diversity: float = Field(
        0.1,
        ge=0.0,
        lt=2.0,
        description="Least fingerprint distance between two particles, and between two attractors.",
    )
    inertia: tuple[float, float] = Field(
        (0.9, 0.4), description="Inertia of a particle at its first step and after its last."
    )
    steps: int = Field(20, ge=1, description="Steps over which the inertia of a particle declines.")
    own_pull: float = Field(
        2.0, ge=0.0, le=10.0, description="Weight of the particle's own best structure."
    )
    shared_pull: float = Field(
        2.0, ge=0.0, le=10.0, description="Weight of the structure that attracts it."
    )
    patience: int = Field(
        8, ge=1, description="Steps without a lower structure after which a particle leaves."
    )

    @field_validator("inertia")
    @classmethod
    def _declines(cls, given: tuple[float, float]) -> tuple[float, float]:
        first, last = given
        if not 0.0 <= last <= first <= 2.0:
            raise ValueError(
                f"inertia = [{first:g}, {last:g}] does not decline; give two numbers from 2 to 0, "
                "the larger one first"
            )
        return given

    @model_validator(mode="after")
    def _no_key_without_effect(self) -> Swarm:
        if self.topology == "global" and self.attractors != 4:
            raise ValueError("attractors has no effect where topology = 'global'; leave it out")
        return self

    def build(self, context: SearchContext) -> SwarmSearch:
        """Return the search."""
        return SwarmSearch(self, context)


class SwarmSearch(DrawnSearch):
    """Asks for new structures, and for the next starts of the particles.

    Parameters
    ----------
    settings : Swarm
        Seed, population, particles.
    context : SearchContext
        What the run gives.
    """

    def __init__(self, settings: Swarm, context: SearchContext) -> None:
        super().__init__(context, settings.seed)
        self.settings = settings
        self._units = context.space.formula_units
        self._particles = Particles(settings.particles, settings.patience, settings.diversity)
        self._attractors = Attractors(settings.attractors, settings.diversity)
        self._limits = MoveContext(context.space, lambda _units, _rng: None)

    def begin(self, trial: Trial) -> None:
        """Take note of the next start of a particle."""
        name = _particle_of(trial.candidate)
        if name is not None:
            self._particles.begin(name, trial.candidate.crystal)

    def draw(self, number: int, rng: np.random.Generator) -> Candidate | None:
        """Return the next start of a particle, or a new structure."""
        leads = bool(getattr(self.context.generator, "leads", False))
        is_settled = number >= self.settings.population and not leads
        if is_settled and rng.random() < self.settings.swarm_fraction:
            for turn in self._particles.waiting()[:PARTICLES_TRIED]:
                child = self._step(*turn, rng)
                if child is not None:
                    return child
        most_units = int(rng.choice(self._units))
        return self.context.generator.generate(rng=rng, max_formula_units=most_units)

    def pass_over(self, record: Record) -> None:
        """End the step of a particle as one that came to nothing."""
        name = _particle_of(record.candidate)
        if name is not None:
            self._particles.end(name, None, None)

    def accept(self, record: Record, noted: Noted) -> bool:
        """Return whether a structure is the best of its particle, or becomes a particle."""
        relaxed, tier = record.relaxed, record.tier
        place = None
        if relaxed is not None and tier is not None:
            tier_rank = -self.context.tiers.index(tier)
            place = tier_rank, relaxed.enthalpy_per_atom, record.number
            if noted.duplicate_of is None:
                self._attractors.add(relaxed.crystal, place)
        name = _particle_of(record.candidate)
        if name is not None:
            return self._particles.end(name, relaxed.crystal if relaxed else None, place)
        if relaxed is None or place is None or noted.duplicate_of is not None:
            return False
        start = record.candidate.crystal
        if start.n_atoms != relaxed.crystal.n_atoms:
            return False
        stream = np.random.SeedSequence([self.settings.seed, record.number, 2])
        rng = np.random.default_rng(stream)
        return self._particles.join(record.number, start, relaxed.crystal, place, rng=rng)

    def repeat(self, record: Record, known: int) -> bool:
        """Take note that the start of a particle is known."""
        del known
        name = _particle_of(record.candidate)
        if name is not None:
            self._particles.end(name, None, None)
        return False

    def state(self) -> dict[str, Any]:
        """Return the lowest structure."""
        best = self._book.best
        return {"current": None if best is None else best.number}

    def _step(self, name: int, particle: Particle, rng: np.random.Generator) -> Candidate | None:
        """Return the next start of a particle; None if none is allowed."""
        settings = self.settings
        if settings.topology == "local":
            found = self._attractors.nearest(particle.best)
        else:
            found = self._attractors.lowest(particle.best.n_atoms)
        if found is None:
            return None
        number, attractor = found
        first, last = settings.inertia
        done = min(particle.generation / settings.steps, 1.0)
        inertia = first + (last - first) * done

        def draw() -> Child | None:
            crystal = stepped(
                particle,
                attractor,
                inertia=inertia,
                own=settings.own_pull,
                shared=settings.shared_pull,
                rng=rng,
            )
            return None if crystal is None else Child(crystal, {"inertia": round(inertia, 3)})

        child = first_allowed(draw, particle.position, self._limits)
        if child is None:
            return None
        detail = {**child.detail, PARTICLE: name, "step": particle.generation + 1}
        own = particle.place[2]
        family = (own,) if number == own or settings.shared_pull == 0.0 else (own, number)
        return Candidate(child.crystal, Origin(STEP, family, detail))


def _particle_of(candidate: Candidate) -> int | None:
    name = candidate.origin.detail.get(PARTICLE)
    return None if name is None else int(name)
