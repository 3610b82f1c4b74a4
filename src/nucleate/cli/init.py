"""``nucleate init``: a commented input file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.errors import InputError

if TYPE_CHECKING:
    from typer import Typer

TEMPLATE = """\
# Input of `nucleate predict`. Lines that start with # show defaults or examples.
# Check it with `nucleate check {file}`, run it with `nucleate predict {file}`.

[problem]                       # what is searched
formula = "{formula}"
# oxidation_states = {{ Ca = 2, Ti = 4, O = -2 }}   # of every element; guessed without this key
# max_atoms = 50                # maximum number of atoms in a cell
# formula_units = [1, 2, 4]     # in a cell; all that fit where left out
# pressure_gpa = 0.0
# volume_window = [0.5, 3.0]    # volume per atom relative to the expected one
# contact_scale = 1.0           # factor on the tabulated minimum distances
# min_distances = {{ "O-O" = 2.0 }}                # minimum distances in Å

[search]                        # how
seed = 0
# population = 25               # new structures before the first move
# kind = "lowest-minima"        # or basin-hopping (the walk of FUSE), evolution, swarm, random
# new_fraction = 0.6            # of new structures after that; default of lowest-minima
# moves = {{ "double" = 2.0, "renew" = 0.0 }}       # weights; those not named are 1

# [[search.generators]]         # sources of new structures; repeat to mix
# kind = "symmetric"            # random crystals in random space groups
# weight = 1.0
# [[search.generators]]
# kind = "blocks"               # layers of sub-modules, as in FUSE
# weight = 1.0
# [[search.generators]]
# kind = "seeds"                # your own structures
# files = ["known/*.cif"]
# [[search.generators]]
# kind = "graph-search"         # the best of thousands by a graph network and an optimiser
# number = 5000                 # valid crystals for each number of formula units up to 8
# [[search.generators]]
# kind = "pool"                 # a ready pool of another program, the best first
# files = ["generated/*.cif"]

[stop]                          # when; the first rule that holds ends the run
# structures = 500              # relaxed structures
# without_improvement = 1000    # structures since the last new best one
# time = "1h"                   # of each start
# target = "known.cif"          # this structure is found

[[tier]]                        # energy models, cheapest first; repeat for a ladder
name = "chgnet"
engine = {{ kind = "chgnet" }}
# fmax_ev_per_ang = 0.05        # largest force at the end
# max_stress_gpa = 0.5
# max_steps = 500
# wall_s = 600                  # seconds per crystal

[final]                         # what is done with the best when the run ends
# best = 20                     # distinct structures that are relaxed tightly; 0: none
# budget = "2m"                 # processor time for that
# judge = "auto"                # a second model; "off": none

[run]                           # where
# workers = 2                   # default one per processor core
# threads = 1                   # of each worker
# python = "/path/to/python"    # of another environment
"""

MAP_TEMPLATE = """\
# Input of `nucleate map`. Lines that start with # show defaults or examples.
# Check it with `nucleate map {file} --dry-run`, run it with `nucleate map {file}`.

[field]                         # which compositions
system = "{system}"
# oxidation_states = {{ Sn = [2, 4] }}              # of some; the others have their usual ones
# neutral = true                # whether charges must add up to 0; true where there are anions
# windows = ["0.1 < x(Li) < 0.4"]                 # limits of the grid
# lines = ["SrO-TiO2"]          # lines whose compositions are added
# points = ["Y2SrTiO6"]         # compositions that are added
# max_ratio = 6                 # largest ratio of two counts in a formula
# max_atoms_per_formula = 20    # largest formula unit of the grid; by the size of the grid
# max_atoms = 24                # maximum number of atoms in a cell
# references = ["shipped", "known/"]              # libraries, folders of structures, JSON of the MP
# pressure_gpa = 0.0

[search]                        # how at each composition; more keys: `nucleate init SrTiO3`
seed = 0
# known = "all"                 # known structures that may be used; or no-formula, off

[allocation]                    # which composition next
# rule = "hull"                 # or equal, random
# first = 5                     # structures of the first visit of a composition
# slice = 10                    # structures of a later visit

[stop]                          # when; the first rule that holds ends the map
# time = "2h"                   # of each start
# structures = 5000             # of all compositions
# expected_change_mev = 1.0     # of the hull, mean over the field, in meV/atom

[[tier]]                        # energy models, cheapest first; repeat for a ladder
name = "chgnet"
engine = {{ kind = "chgnet" }}
# fmax_ev_per_ang = 0.05        # largest force at the end

[final]                         # what is done at the end near the hull
# best = 0                      # structures of each composition that are relaxed tightly
# judge = "off"                 # a second model, such as "sevennet"

[run]                           # where
# workers = 2                   # default one per processor core
"""


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(init)


def init(
    formula: Annotated[
        str, typer.Argument(help="Composition, or a phase field such as Sr-Ti-O.")
    ] = "Ca3Ti2O7",
    file: Annotated[
        Path | None,
        typer.Option(help="File to write. [default: run.toml, of a field field.toml]"),
    ] = None,
) -> None:
    """Write a commented input file: of `nucleate predict`, or for a field of `nucleate map`."""
    is_field = "-" in formula
    path = file or Path("field.toml" if is_field else "run.toml")
    text = _of_field(formula, path) if is_field else _of_run(formula, path)
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise InputError(f"{path} exists already. Choose another name with --file.") from None
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}). Choose another place with --file."
        ) from error
    check = f"nucleate map {path} --dry-run" if is_field else f"nucleate check {path}"
    typer.echo(f"Wrote {path}. Now: {check}")


def _of_run(formula: str, path: Path) -> str:
    from nucleate.api.inputs import reduced_formula

    return TEMPLATE.format(formula=reduced_formula(formula), file=path)


def _of_field(system: str, path: Path) -> str:
    from nucleate.api.map import system_of

    return MAP_TEMPLATE.format(system=system_of(system), file=path)
