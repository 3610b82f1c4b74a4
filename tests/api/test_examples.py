"""What the documentation shows works as it is written."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

import nucleate.api

ROOT = Path(__file__).resolve().parents[2]


def modules() -> list[str]:
    """Return every module of the package that shows examples."""
    source = ROOT / "src"
    with_examples = (
        path for path in sorted(source.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")
    )
    return [".".join(path.relative_to(source).with_suffix("").parts) for path in with_examples]


@pytest.mark.parametrize("name", modules())
def test_doctests(name: str) -> None:
    if ".networks." in name:
        pytest.importorskip("torch")
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """With a quick model, and a compound that it knows."""
    text = (ROOT / "examples" / "first_steps.py").read_text(encoding="utf-8")
    quick = {
        '"chgnet", time="1m"': '"ase.calculators.emt:EMT", structures=4',
        '"chgnet"': '"ase.calculators.emt:EMT"',
        '"SrTiO3"': '"Cu3Au"',
        'bulk("MgO", "rocksalt", 4.2)': 'bulk("Cu")',
    }
    for old, new in quick.items():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "example.py"
    path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("example", path)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.main()
    shown = capsys.readouterr().out
    assert "AuCu3" in shown
    assert shown.count("Relaxed(") == 2
    assert shown.count("Crystal(") == 5
    assert (tmp_path / "srtio3" / "report.html").exists()
    assert (tmp_path / "trajectory.png").exists()


def test_names_in_the_page_on_python_exist() -> None:
    page = (ROOT / "docs" / "how-to" / "use-from-python.md").read_text(encoding="utf-8")
    names = set(re.findall(r"\bnc\.(\w+)", page))
    assert {"predict", "relax", "generate", "open"} <= names
    missing = [name for name in names if not hasattr(nucleate, name)]
    assert not missing
    of_run = set(re.findall(r"\brun\.(\w+)", page))
    assert not [name for name in of_run if not hasattr(nucleate.Run, name)]
