"""A search as a job of jobflow, run by its local runner."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

jobflow = pytest.importorskip("jobflow")

from nucleate.integrations.jobflow import PredictMaker  # noqa: E402

OPTIONS = {"max_atoms": 8, "polish": 0, "judge": "off", "seed": 1}


@jobflow.job
def volume(structure) -> float:
    return float(structure.volume / len(structure))


def test_a_search_is_a_part_of_a_flow(tmp_path: Path) -> None:
    search = PredictMaker(best=3, model="spp", structures=4, workers=1, options=OPTIONS).make(
        "NaCl"
    )
    after = volume(search.output["structures"][0])
    stored = jobflow.run_locally(
        jobflow.Flow([search, after]), root_dir=tmp_path, create_folders=True, ensure_success=True
    )
    output = stored[search.uuid][1].output
    assert output["formula"] == "NaCl"
    assert output["status"]["structures"] == 4
    assert 1 <= len(output["structures"]) == len(output["energies"]) <= 3
    assert output["energies"] == sorted(output["energies"])
    assert output["unit"] != "eV"
    assert Path(output["folder"]).is_relative_to(tmp_path)
    first = output["structures"][0]
    assert stored[after.uuid][1].output == pytest.approx(first.volume / len(first))
    assert np.isfinite(output["energies"]).all()


def test_a_maker_travels_as_plain_values() -> None:
    maker = PredictMaker(model="spp", time="10m", options=OPTIONS)
    again = PredictMaker.from_dict(maker.as_dict())
    assert again == maker
