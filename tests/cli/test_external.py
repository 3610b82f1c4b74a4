"""``nucleate presets``, and what ``nucleate check`` says of external programs."""

from __future__ import annotations

import time

import pytest
from tests.programs.fakes import fake_vasp, potentials


def run_file(tmp_path, engine):
    path = tmp_path / "run.toml"
    path.write_text(
        "[problem]\nformula = 'MgO'\nmax_atoms = 4\n[run]\nworkers = 1\n"
        f"[[tier]]\nname = 'spp'\nengine = {{kind = 'spp'}}\n[[tier]]\nname = 'dft'\n{engine}"
    )
    return path.name


def test_presets_are_listed_and_shown(nucleate):
    listed = nucleate("presets", "list")
    assert "vasp/paper" in listed.out
    assert "five stages, 220 steps" in listed.out
    shown = nucleate("presets", "show", "vasp/paper")
    assert "EDIFFG = -0.03" in shown.out
    unknown = nucleate("presets", "show", "vasp/papre")
    assert unknown.status == 2
    assert "Did you mean 'vasp/paper'?" in unknown.err


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        ("engine = {kind = 'vasp', preset = 'papr'}", ["preset = 'papr'", "'paper'"]),
        ("engine = {kind = 'vasp', comand = 'x'}", ["tier[1].engine.comand", "'command'"]),
        (
            "[tier.engine]\nkind = 'vasp'\n[[tier.engine.stage]]\nkspacng = 0.3",
            ["stage[0].kspacng", "'kspacing'"],
        ),
        (
            "[tier.engine]\nkind = 'gpaw'\n[[tier.engine.stage]]\nrelax = 'volume'",
            ["stage[0].relax = 'volume'", "positions"],
        ),
    ],
)
def test_wrong_words_name_the_nearest(nucleate, tmp_path, engine, words):
    result = nucleate("check", run_file(tmp_path, engine))
    assert result.status == 2
    assert "Traceback" not in result.err
    for word in words:
        assert word in result.err


def test_what_is_missing_is_found_in_seconds(nucleate, tmp_path, monkeypatch):
    monkeypatch.delenv("VASP_PP_PATH", raising=False)
    started = time.monotonic()
    result = nucleate(
        "check", run_file(tmp_path, "engine = {kind = 'vasp', command = 'vasp_of_nobody'}")
    )
    assert time.monotonic() - started < 20.0
    assert result.status == 1
    assert "command = 'mpirun -n {cores} /path/to/vasp_std'" in result.out
    assert "potentials = '/path/to/potpaw_PBE'" in result.out


def test_a_program_that_is_there_runs_if_asked(nucleate, tmp_path):
    program = fake_vasp(tmp_path)
    folder = potentials(tmp_path / "potpaw_PBE", {"Mg": 200.0, "O": 400.0})
    engine = (
        f"engine = {{kind = 'vasp', command = './{program.name}', potentials = '{folder.name}', "
        "setups = {base = 'minimal'}, environment = {FAKE_MODE = 'silent'}}"
    )
    thorough = nucleate("check", run_file(tmp_path, engine), "--external")
    assert thorough.status == 1
    assert "tier dft: vasp is installed with everything it needs" in thorough.out
    assert "tier dft failed (unreadable)" in thorough.out
