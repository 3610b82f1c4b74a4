"""A surrogate in a table of searches, and one that begins with what a whole table has learned."""

from __future__ import annotations

import pytest
from tests.run.test_learning import EMT, an_input, rows

import nucleate as nc
from nucleate.api.many import predict_many
from nucleate.errors import InputError


@pytest.mark.slow
def test_a_table_of_compositions_learns_for_each(tmp_path):
    (tmp_path / "many.csv").write_text("problem,structures\nCu3Au,30\nNi3Al,30\n")
    runs = predict_many(
        tmp_path / "many.csv",
        folder=tmp_path / "out",
        model=f"ase={EMT['calculator']}", max_atoms=8, seed=3, workers=1, known="off",
        polish=0, judge="off", learn=True,
    )  # fmt: skip
    for name in ("Cu3Au", "Ni3Al"):
        status = runs[name].status()
        assert status["structures"] == 30
        assert status["surrogate"]["fits"]
        assert status["surrogate"]["considered"] > 0
    with pytest.raises(InputError, match=r"holds 2 runs: give one, such as .*Cu3Au"):
        nc.open(runs.folder).status()
    both = an_input(formula="CuNi", structures=2, learn_from=str(runs.folder))
    nc.predict(both, folder=tmp_path / "both", display=False)
    taught = [
        rows(runs.folder / name, "SELECT count(DISTINCT candidate) FROM frames")[0][0]
        for name in ("Cu3Au", "Ni3Al")
    ]
    begun = rows(
        tmp_path / "both", "SELECT count(DISTINCT candidate) FROM frames WHERE candidate < 0"
    )
    assert begun[0][0] == sum(taught) > 0
