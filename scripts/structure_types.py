"""Names of structure types: labels, symbols and minerals of the AFLOW prototypes, as facts.

    python scripts/structure_types.py src/nucleate/library/data/structure_types.csv

Reads the table of AFLOW prototypes that pymatgen carries (MIT) and writes for each the
protostructure label, the names, and the entry of the shipped library that is nearest to it. No
coordinates are kept.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pymatgen.analysis.prototypes
from pymatgen.core import Structure

from nucleate.crystal.crystal import Crystal
from nucleate.library.geometry import describe
from nucleate.library.library import Library
from nucleate.library.names import _members, _nearest

HEADER = """\
# Names of structure types. AFLOW labels, Strukturbericht symbols and mineral names: from the AFLOW
# Library of Crystallographic Prototypes (M. J. Mehl et al., Comput. Mater. Sci. 136, S1, 2017;
# D. Hicks et al., 161, S1, 2019) as listed in pymatgen (MIT), and six further types. Protostructure
# labels and the nearest entry of the shipped library are computed (scripts/structure_types.py); no
# coordinates are copied.
"""
FARTHEST = 0.2
FURTHER = [
    ("A2B2C7_cF88_227_c_d_af", "Y2Ti2O7", "Pyrochlore", "", "", "mp-5373"),
    ("A3B5C12_cI160_230_c_ad_h", "Y3Al5O12", "Garnet", "", "", ""),
    ("AB2C2_tI10_139_a_d_e", "ThCr2Si2", "", "", "A2B2C_tI10_139_d_e_a", "mp-5400"),
    ("AB2C4_oP28_62_c_ac_2cd", "Mg2SiO4", "Olivine", "S1_2", "A2B4C_oP28_62_ac_2cd_c", "mp-21856"),
    ("ABC2_hR4_166_a_b_c", "CuFeO2", "Delafossite", "", "", "mp-510625"),
    ("ABC4_tI24_88_a_b_f", "CaWO4", "Scheelite", "H0_4", "AB4C_tI24_88_b_f_a", "mp-19330"),
]
"""Types that the table of pymatgen lacks, in the order of the columns."""

COLUMNS = ("label", "formula", "mineral", "strukturbericht", "aflow", "example")


def tables() -> list[dict[str, str]]:
    """Return the rows of the table."""
    library = Library.load()
    path = Path(pymatgen.analysis.prototypes.__file__).with_name("aflow_prototypes.json.gz")
    rows = []
    for item in json.loads(gzip.decompress(path.read_bytes())):
        tags = item["tags"]
        structure = Structure.from_dict(item["snl"])
        crystal = Crystal.from_pymatgen(structure)
        found = describe(crystal, (0.01, 0.001))
        if found is None:
            continue
        example = ""
        members = _members(library, found)
        if members is not None:
            first, elements = members
            numbers = list(range(first, first + len(elements)))
            same = [n for n in numbers if set(library.entry(n).elements) == set(crystal.numbers)]
            for some in (same, numbers):
                near, distance = _nearest(library, found, some[:3000])
                if near is not None and distance < FARTHEST:
                    example = library.entry(near).name
                    break
        symbol = tags["strukturbericht"] if tags["strukturbericht"] not in ("None", None) else ""
        mineral = tags["mineral"] if tags["mineral"] not in ("None", None) else ""
        formula = structure.composition.reduced_formula
        rows.append(
            {
                "label": found.proto.label,
                "formula": formula,
                "mineral": mineral if mineral != formula else "",
                "strukturbericht": symbol.replace("$", ""),
                "aflow": tags["aflow"],
                "example": example,
            }
        )
    rows += [dict(zip(COLUMNS, row, strict=True)) for row in FURTHER]
    return sorted(rows, key=lambda row: (row["label"], row["aflow"], row["formula"]))


def main() -> None:
    """Write the table."""
    np.seterr(all="ignore")
    rows = tables()
    with Path(sys.argv[1]).open("w", encoding="utf-8", newline="") as stream:
        stream.write(HEADER)
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(len(rows), "types,", sum(bool(row["example"]) for row in rows), "with an example")


if __name__ == "__main__":
    main()
