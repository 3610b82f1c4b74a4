"""Mutated binary files and patterns: a result or one sentence, never a traceback."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.db import connect

from nucleate.crystal.formats.structures import Unreadable
from nucleate.errors import InputError
from nucleate.fitting.datasets.loading import load_dataset
from nucleate.library.container import Container
from nucleate.library.sources import read_source
from nucleate.potentials.spp import SppLibrary
from nucleate.powder.measured import read_pattern
from nucleate.powder.radiation import Radiation

LONGEST_S = 2.0
ROOT = Path(SppLibrary.load.__func__.__code__.co_filename).parents[1]
XRAYS = Radiation("CuKa", ((1.5406, 1.0),))


def originals(folder: Path) -> dict[str, bytes]:
    """Return a good file of each kind that can be written here."""
    with connect(folder / "good.db") as database:
        for symbol in ("NaCl", "MgO"):
            database.write(bulk(symbol, "rocksalt", a=5.0), formation_energy_per_atom=-1.0)
    angles = np.linspace(10.0, 60.0, 200)
    rows = "\n".join(f"{a:.3f} {100 + 50 * np.sin(a):.2f}" for a in angles)
    found = {
        "db": (folder / "good.db").read_bytes(),
        "xy": f"# x\n{rows}\n".encode(),
        "npz": _small_npz(folder),
        "nlib": _small_library(folder),
    }
    for module, kind, writer in (("pyarrow", "parquet", _parquet), ("torch", "safetensors", _net)):
        try:
            __import__(module)
            found[kind] = writer(folder)
        except ImportError:
            continue
    return found


def _small_npz(folder: Path) -> bytes:
    path = ROOT / "potentials" / "data" / "spp.npz"
    return path.read_bytes()


def _small_library(folder: Path) -> bytes:
    from nucleate.library.container import write_container

    arrays = {"a": np.arange(300.0).reshape(100, 3), "names": ["x", "y"]}
    write_container(folder / "small.nlib", {"facts": [1, 2]}, arrays)
    return (folder / "small.nlib").read_bytes()


def _parquet(folder: Path) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    lattice, sites = np.eye(3).tolist(), [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    columns = {
        "material_id": ["a", "b"],
        "lattice": [[[4 * x for x in row] for row in lattice]] * 2,
        "species": [["Mg", "O"], ["Na", "Cl"]],
        "frac_coords": [sites, sites],
        "formation_energy_per_atom": [-1.0, -2.0],
    }
    pq.write_table(pa.table(columns), folder / "good.parquet")
    return (folder / "good.parquet").read_bytes()


def _net(folder: Path) -> bytes:
    import torch
    from safetensors.torch import save_file

    save_file({"0.a": torch.zeros(4)}, folder / "x.safetensors", metadata={"nucleate": "{}"})
    return (folder / "x.safetensors").read_bytes()


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Return data with a few bytes changed, cut or doubled, near its ends half of the time."""
    for _ in range(int(rng.integers(1, 4))):
        near = min(len(data), 400) or 1
        place = int(rng.integers(near if rng.random() < 0.5 else max(len(data), 1)))
        place = len(data) - 1 - place if rng.random() < 0.5 else place
        place = max(place, 0)
        match int(rng.integers(4)):
            case 0:
                data = data[:place] + bytes(rng.integers(0, 256, 4, np.uint8)) + data[place + 4 :]
            case 1:
                data = data[:place] + data[place + int(rng.integers(1, 60)) :]
            case 2:
                data = data[:place] + data[place : place + 40] * 3 + data[place + 40 :]
            case _:
                data = data[:place] if rng.random() < 0.3 else data[:place] + b"\xff" + data[place:]
    return data


def read(kind: str, path: Path) -> None:
    """Read a file as the commands do."""
    match kind:
        case "nlib":
            container = Container(path)
            container.array("a")
            container.text("names")
        case "npz":
            SppLibrary.load(path)
        case "xy":
            read_pattern(path, XRAYS)
        case "safetensors":
            from nucleate.networks.graph_network.checkpoint import load_checkpoint

            load_checkpoint(path)
        case _:
            for item in read_source(path):
                if isinstance(item, Unreadable):
                    raise item.error
            load_dataset(path)


def drill(number: int, seed: int, folder: Path) -> tuple[Counter[str], list[str]]:
    """Return counts by kind and outcome, and every failure."""
    rng = np.random.default_rng(seed)
    texts = originals(folder)
    counts: Counter[str] = Counter()
    failures: list[str] = []
    for turn in range(number):
        kind = sorted(texts)[turn % len(texts)]
        path = folder / f"mutant-{turn % 50}.{kind}"
        path.unlink(missing_ok=True)
        path.write_bytes(mutated(texts[kind], rng))
        start = time.process_time()
        try:
            read(kind, path)
            result = "read"
        except InputError as error:
            result = "refused"
            if "\n" in str(error).strip():
                failures.append(f"{kind}: several lines: {str(error)[:300]}")
        except Exception as error:  # noqa: BLE001 - what the drill looks for
            result = "traceback"
            failures.append(f"{kind}: {type(error).__name__}: {str(error)[:300]} ({path})")
        if time.process_time() - start > LONGEST_S:
            failures.append(f"{kind}: {time.process_time() - start:.1f} s ({path})")
        counts[f"{kind} {result}"] += 1
    return counts, failures


def test_mutated_binary_files_end_in_a_sentence(tmp_path: Path) -> None:
    counts, failures = drill(300, 0, tmp_path)
    assert not failures, failures[:3]
    assert counts.total() == 300


@pytest.mark.slow
def test_many_mutated_binary_files(tmp_path: Path) -> None:
    counts, failures = drill(6_000, 1, tmp_path)
    print(dict(sorted(counts.items())))
    assert not failures, failures[:3]


def test_a_database_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE other (a)")
    database.close()
    with pytest.raises(InputError):
        list(read_source(path))
