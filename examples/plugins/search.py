"""New structures, and the best one with its atoms displaced: [search] kind = "search:Rattling"."""

import nucleate as nc


class RattlingSearch(nc.DrawnSearch):
    def __init__(self, settings, context):
        super().__init__(context)
        self.settings = settings

    def draw(self, number, rng):
        best = self.progress.best
        if best is None or number < self.settings.population or rng.random() < 0.5:
            return self.context.generator.generate(rng=rng)
        crystal = best.relaxed.crystal
        displaced = crystal.scaled + rng.normal(0.0, self.settings.scale, crystal.scaled.shape)
        return nc.Candidate(crystal.replace(scaled=displaced), nc.Origin("rattle", (best.number,)))


class Rattling(nc.SearchSettings):
    scale: float = 0.1  # standard deviation of the fractional coordinates

    def build(self, context):
        return RattlingSearch(self, context)
