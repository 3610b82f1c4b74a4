"""In the kernel of a notebook: the live table, and results that show themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("ipykernel")
nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

QUICKER = {"structures=12": "structures=6", "structures=40": "structures=8"}
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "notebook.ipynb"
NOTEBOOK = """
import nucleate as nc
from ase.build import bulk
from ase.calculators.emt import EMT
%%
run = nc.predict("Cu3Au", max_atoms=4, model="ase.calculators.emt:EMT", structures=6, workers=1)
run
%%
run.structures
%%
run.best.crystal
%%
nc.relax(bulk("Cu"), model=EMT())
%%
run.plot_trajectory()
"""


def html_of(cell) -> str:
    return "".join(output.get("data", {}).get("text/html", "") for output in cell["outputs"])


@pytest.mark.slow
def test_a_notebook_from_top_to_bottom(tmp_path) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(text) for text in NOTEBOOK.split("%%")]
    )
    client = nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": tmp_path}}
    )
    shown: list[str] = []
    client.on_cell_executed = None
    process = client.process_message

    def remember(message, cell, index):
        if message["msg_type"] in ("display_data", "update_display_data"):
            shown.append(message["content"]["data"].get("text/html", ""))
        return process(message, cell, index)

    client.process_message = remember
    client.execute()
    cells = notebook["cells"]
    assert shown[0] == "<p>Starting</p>"
    assert any("loading the energy models" in html for html in shown)
    assert any("<table>" in html and "in flight" in html for html in shown), "the live table"
    assert "6 structures were relaxed" in html_of(cells[1])
    assert "AuCu3" in html_of(cells[2])
    assert "Å³" in html_of(cells[3])
    assert "Relaxed(Cu" in cells[4]["outputs"][0]["data"]["text/plain"]
    assert "image/png" in cells[5]["outputs"][0]["data"]


def test_the_example_notebook(tmp_path) -> None:
    notebook = nbformat.read(EXAMPLE, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook["cells"]), "it is kept without outputs"
    for old, new in QUICKER.items():
        (cell,) = [cell for cell in notebook["cells"] if old in cell["source"]]
        cell["source"] = cell["source"].replace(old, new)
    nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": tmp_path}}
    ).execute()
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    shown = html_of(cells[1])
    assert "6 structures were relaxed" in shown
    assert '<img src="data:image/svg+xml;base64,' in shown
    assert re.search(r"<b>Sr\d?Ti\d?O\d", html_of(cells[2]))
    pictures = [
        "image/png" in output.get("data", {}) for cell in cells for output in cell["outputs"]
    ]
    assert sum(pictures) == 3
    assert (tmp_path / "SrTiO3-files" / "structures.optimade.json").exists()
