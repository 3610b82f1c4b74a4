"""What the views of a map of 300 compositions and 30,000 structures cost: opening, page, files.

Makes the map of CaO-SrO-Al2O3-TiO2 with a force field of formal charges and radii, unless the
folder has it already. Each view has a new interpreter; the loading of compiled code counts, and the
import of nucleate does not.

    python benchmarks/map_views.py FOLDER [--structures 30000]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import nucleate as nc
from nucleate.crystal.composition import Composition
from nucleate.exact.pair_models import ionic_field

SYSTEM = "CaO-SrO-Al2O3-TiO2"
ALL_OF_IT = "CaSrAl2TiO7"

VIEWS = {
    "opening": "nc.open(folder)",
    "opening and its view in a notebook": "nc.open(folder)._repr_html_()",
    "opening and all rows with their structure types": "nc.open(folder).rows",
    "status": "nc.open(folder).status()",
    "page": """
from pathlib import Path
from nucleate.mapping.judged import JUDGED
from nucleate.mapping.reading import read_map
from nucleate.report.maps.named import named
from nucleate.report.maps.page import write_map_page
from nucleate.report.maps.rows import map_rows
state = read_map(folder)
rows = named(map_rows(state.energies, state.meta.get(JUDGED)), state)
write_map_page(Path(folder) / "map.html", state, rows)
""",
    "export of everything": "nc.open(folder).export()",
}
"""What is looked at, as code."""

TIMED = """
import sys, time
import nucleate as nc
folder = sys.argv[1]
begun, used = time.monotonic(), time.process_time()
{code}
print(f"{{time.monotonic() - begun:.2f}} s, {{time.process_time() - used:.2f}} s of processor time")
"""


def make(folder: Path, structures: int) -> None:
    """Search the field, or continue."""
    folder.mkdir(parents=True, exist_ok=True)
    nc.map(
        {
            "field": {"system": SYSTEM, "max_atoms_per_formula": 22, "references": []},
            "tier": [
                {
                    "name": "force-field",
                    "engine": {"kind": "force-field", "file": force_field(folder)},
                }
            ],
            "search": {"known": "off", "generators": ["symmetric"], "seed": 0},
            "allocation": {"rule": "equal"},
            "stop": {"structures": structures, "expected_change_mev": 0.0},
            "run": {"workers": 1},
        },
        folder=folder / "map",
        display=False,
    )


def force_field(folder: Path) -> str:
    """Write the force field; return its path."""
    field = ionic_field(Composition.from_formula(ALL_OF_IT))
    lines = ["[charges]", *(f"{symbol} = {charge}" for symbol, charge in field.charges.items())]
    for pair, term in field.buckingham.items():
        lines += ["[[buckingham]]", f"pair = {list(pair)}", f"A_eV = {term.a}"]
        lines.append(f"rho_A = {term.rho}")
    path = folder / "field.toml"
    path.write_text("\n".join(lines).replace("'", '"'), encoding="utf-8")
    return str(path)


def main() -> None:
    """Make the map and measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--structures", type=int, default=30_000)
    options = parser.parse_args()
    make(options.folder, options.structures)
    folder = options.folder / "map"
    status = nc.open(folder).status()
    print({key: status[key] for key in ("compositions", "structures")})
    for name, code in VIEWS.items():
        call = [sys.executable, "-c", TIMED.format(code=code), str(folder)]
        print(f"{name}: {subprocess.check_output(call, text=True).strip()}", flush=True)
    print(f"page: {(folder / 'map.html').stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
