"""Mutated inputs of every reader: no traceback, no hang, no more memory than a limit."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from nucleate.crystal.cif import format_cif
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import ReadStructure, Unreadable, _items, write_extxyz, write_poscar
from nucleate.crystal.formats.structures import impossible
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import space_group
from nucleate.errors import InputError
from nucleate.potentials.gulp_format import parse_gulp_library
from nucleate.potentials.toml_format import read_force_field

DATA = Path(__file__).parent / "data"
LONGEST_S = 2.0
MOST_MB = 500
KINDS = ("cif", "vasp", "extxyz", "res", "toml", "gulp", "formula")
PIECES = [
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", "²".encode(), "\u2028".encode(), b"\r", b"\f", b"'",
    b'"', b";\n", b"\n;", b"\nloop_\n", b"\ndata_x\n", b"?", b".", b"nan", b"inf", b"-1",
    b"1e308", b"1e-308", b"9" * 400, b"1/0", b"0.5/2", b"((((", b"))))", b"[" * 300, b"T F", b"#",
    b"-", b" ", b"\t", b"=", b"_atom_site_occupancy 0.5\n", b"x,y,z", b"x+1/0,y,z", b"1000000000",
    b"Direct\n", b"0", b"0 0 0\n", b"Lattice=", b":R:3", b"$(touch x)", b"%s", b"{}",
    "é".encode("latin-1"), b"A" * 300, b"Wat1", b"Mg,Fe",
]  # fmt: skip
FORCE_FIELD = b"""name = "x"
r_max_A = 10.0
[charges]
Na = 1.0
Cl = -1.0
[[buckingham]]
pair = ["Na", "Cl"]
A_eV = 1000.0
rho_A = 0.3
C_eV_A6 = 1.0
"""
GULP = b"""species
Mg core 2.0
O core -2.0
buck kcal
Mg core O core 1428.5 0.2945 0.0 0.0 10.0
O core O core 22764.0 0.149 27.879 &
 0.0 12.0 0 0 0
cutp 12.0 1.0
"""
RES = b"""TITL x 0 1 2
CELL 1.0 4.2 4.2 4.2 90 90 90
LATT -1
SYMM -x,-y,-z
SFAC Mg O
Mg 1 0 0 0 1.0
O 2 0.5 0.5 0.5 1.0
END
"""
FORMULAS = [b"Ca3Ti2O7", b"Ca(OH)2", b"Si6Al6B3Fe3NaO30F", b"[Fe(CN)6]3", b"MgO"]


def originals(tmp_path: Path) -> dict[str, list[bytes]]:
    """Return good and odd inputs of every kind, to be mutated."""
    salt = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
    found: dict[str, list[bytes]] = {kind: [] for kind in KINDS}
    found["cif"] += [format_cif(salt).encode(), format_cif(salt, symprec=0.01).encode()]
    write_poscar(tmp_path / "POSCAR", salt)
    write_extxyz(tmp_path / "a.xyz", [("one", salt, {"energy": -1.0}), ("two", salt)])
    found["vasp"].append((tmp_path / "POSCAR").read_bytes())
    found["extxyz"].append((tmp_path / "a.xyz").read_bytes())
    for path in sorted((DATA / "cases").iterdir()) + sorted((DATA / "hostile").iterdir()):
        kind = {"cif": "cif", "mcif": "cif", "xyz": "extxyz", "extxyz": "extxyz"}
        found[kind.get(path.suffix[1:], "vasp")].append(path.read_bytes())
    found["res"], found["toml"], found["gulp"] = [RES], [FORCE_FIELD], [GULP]
    found["formula"] = FORMULAS
    return found


def mutated(text: bytes, rng: np.random.Generator) -> bytes:
    """Return a text with a few insertions, deletions, doublings and swaps."""
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        place, other = sorted(int(k) for k in rng.integers(0, len(text) + 1, 2))
        other = min(other, place + 40)
        match int(rng.integers(0, 13)) // 2:
            case 0:
                text = text[:place] + PIECES[int(rng.integers(len(PIECES)))] + text[place:]
            case 1:
                text = text[:place] + text[other:]
            case 2:
                text = (
                    text[:other]
                    + text[place:other] * int(rng.choice([0, 2, 3, 500]))
                    + text[other:]
                )
            case 3:
                text = text[:place] + bytes([int(rng.integers(256))]) + text[place + 1 :]
            case 4:
                lines = text.split(b"\n")
                first, second = (int(k) for k in rng.integers(0, len(lines), 2))
                lines[first], lines[second] = lines[second], lines[first]
                text = b"\n".join(lines)
            case 5:
                words = text.split(b" ")
                piece = PIECES[int(rng.integers(len(PIECES)))]
                words[int(rng.integers(len(words)))] = piece
                text = b" ".join(words)
            case _:
                text = text[:place]
    return text[:200_000]


def outcome(kind: str, text: bytes, tmp_path: Path) -> str:
    """Return ``read`` or ``refused``; anything else is raised."""
    readers: dict[str, Callable[[], object]] = {
        "toml": lambda: force_field(text, tmp_path),
        "gulp": lambda: parse_gulp_library(text.decode("utf-8", "replace"), "x.lib"),
        "formula": lambda: space(text.decode("utf-8", "replace")),
    }
    if kind in readers:
        try:
            readers[kind]()
        except InputError as error:
            return "refused" if "\n" not in str(error).strip() else "several lines"
        return "read"
    results = set()
    for item in _items(text, kind, "x", "x"):
        if isinstance(item, Unreadable):
            assert "Error:" not in str(item.error), f"a guarded fault: {item.error}"
            results.add("refused")
        else:
            assert isinstance(item, ReadStructure)
            assert impossible(item.crystal) is None
            if item.crystal.n_atoms < 200:
                space_group(item.crystal)
            results.add("read")
    return "read" if results == {"read"} else "refused"


def force_field(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "field.toml"
    path.write_bytes(text)
    read_force_field(path)


def space(formula: str) -> None:
    composition = Composition.from_formula(formula)
    _ = composition.oxidation_states, composition.volume_per_atom, composition.submodule_size
    SearchSpace.create(composition)


def drill(number: int, seed: int, tmp_path: Path) -> tuple[Counter[str], list[str]]:
    """Return counts by kind and outcome of mutated inputs, and every failure."""
    rng = np.random.default_rng(seed)
    texts = originals(tmp_path)
    counts: Counter[str] = Counter()
    failures: list[str] = []
    for _ in range(number):
        kind = KINDS[int(rng.integers(len(KINDS)))]
        some = texts[kind][:2] if rng.random() < 0.5 else texts[kind]  # the good ones come first
        text = mutated(some[int(rng.integers(len(some)))], rng)
        start = time.process_time()
        try:
            result = outcome(kind, text, tmp_path)
        except Exception as error:  # noqa: BLE001 - what the drill looks for
            result = "traceback"
            failures.append(f"{kind}: {type(error).__name__}: {error}: {text[:2000]!r}")
        if time.process_time() - start > LONGEST_S:
            failures.append(f"{kind}: {time.process_time() - start:.1f} s: {text[:2000]!r}")
        if result == "several lines":
            failures.append(f"{kind}: a message of several lines: {text[:2000]!r}")
        counts[f"{kind} {result}"] += 1
    return counts, failures


def test_mutated_inputs_end_in_a_crystal_or_a_sentence(tmp_path: Path) -> None:
    drill(200, 0, tmp_path)  # compiles
    counts, failures = drill(1_000, 1, tmp_path)
    assert not failures, failures[:3]
    assert counts.total() == 1_000


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_hundred_thousand_mutated_inputs(tmp_path: Path) -> None:
    drill(200, 0, tmp_path)  # imports and compiles
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counts, failures = drill(100_000, 2, tmp_path)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(dict(sorted(counts.items())), f"{grown:.0f} MB more")
    assert not failures, failures[:3]
    assert grown < MOST_MB
