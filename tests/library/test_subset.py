"""Libraries made from a part of another one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.library.conftest import KNOWN

from nucleate.errors import InputError
from nucleate.library.build import write_library
from nucleate.library.container import Container
from nucleate.library.subset import write_subset

ARRAYS = ("orbits", "starts", "elements", "above_hull", "in_icsd", "cells", "points", "shared",
          "swap_same", "swap_total")  # fmt: skip
OXYGEN = 8


def test_a_subset_is_the_library_of_the_entries_that_are_kept(
    tmp_path: Path, library_path: Path
) -> None:
    header = write_subset(
        library_path,
        tmp_path / "part.nlib",
        lambda _, rows: ~(rows == OXYGEN).any(axis=1),
        provenance={"subset": "no oxygen"},
    )
    kept = [item for item in KNOWN if OXYGEN not in item.crystal.numbers]
    write_library(iter(kept), tmp_path / "whole.nlib", {})
    part, whole = Container(tmp_path / "part.nlib"), Container(tmp_path / "whole.nlib")
    assert header["entries"] == len(kept)
    assert (header["source"], header["subset"]) == ("textbooks", "no oxygen")
    assert part.text("names") == whole.text("names")
    assert part.text("labels") == whole.text("labels")
    for name in ARRAYS:
        assert np.array_equal(part.array(name), whole.array(name)), name


def test_nothing_kept_and_a_wrong_name_are_refused(tmp_path: Path, library_path: Path) -> None:
    with pytest.raises(InputError, match="no entry"):
        write_subset(
            library_path,
            tmp_path / "none.nlib",
            lambda _, rows: np.zeros(len(rows), dtype=bool),
            provenance={},
        )
    with pytest.raises(InputError, match=r"ends in \.nlib"):
        write_subset(
            library_path,
            tmp_path / "part.zip",
            lambda _, rows: np.ones(len(rows), dtype=bool),
            provenance={},
        )
