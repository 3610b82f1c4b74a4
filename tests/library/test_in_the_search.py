"""Known structures as a source of every run, and the key that holds them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.library.conftest import KNOWN
from typer.testing import CliRunner

from nucleate.cli import build_app
from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.generate.build import build_generators, named
from nucleate.generate.context import GeneratorContext
from nucleate.generate.mix import GeneratorMix
from nucleate.library import library
from nucleate.report.export import export_run
from nucleate.report.live import PAGE
from nucleate.report.status import read_status
from nucleate.run.folder import stored_input
from nucleate.run.known_compounds import known_line
from nucleate.run.paths import with_absolute_paths
from nucleate.run.predict import predict
from nucleate.run.settings import RunSettings
from nucleate.run.store import Store


def space_of(formula: str) -> SearchSpace:
    return SearchSpace.create(Composition.from_formula(formula), max_atoms=20)


def names(mix: GeneratorMix) -> list[str]:
    return [generator.name for generator in mix.generators]


def context(library: Path, formula: str = "BaSnO3", **more: object) -> GeneratorContext:
    return GeneratorContext(space_of(formula), library=(str(library),), **more)  # type: ignore[arg-type]


def drawn(mix: GeneratorMix, number: int, first: int = 0) -> list[tuple[str, bytes]]:
    found = []
    for draw in range(first, first + number):
        candidate = mix.generate(rng=np.random.default_rng([7, draw]))
        assert candidate is not None
        mix.note(candidate.origin)
        found.append((candidate.origin.source, candidate.crystal.scaled.tobytes()))
    return found


def test_the_likely_known_structures_come_first_in_a_default_run(library_path: Path) -> None:
    mix = build_generators([], context(library_path))
    known = mix.generators[0]
    assert known.leads
    expected = min(20, len(known.members))  # type: ignore[attr-defined]
    assert expected >= 1
    assert {source for source, _ in drawn(mix, expected)} == {"prototypes"}
    assert not known.leads


def test_a_run_that_was_interrupted_draws_what_it_would_have_drawn(library_path: Path) -> None:
    whole = build_generators([], context(library_path))
    expected = drawn(whole, 4)
    first = build_generators([], context(library_path))
    second = build_generators([], context(library_path))
    for draw in range(2):
        candidate = first.generate(rng=np.random.default_rng([7, draw]))
        assert candidate is not None
        first.note(candidate.origin)
        second.note(candidate.origin)
    assert drawn(second, 2, first=2) == expected[2:]


def test_the_key_of_the_run_holds_out_and_that_of_the_generator_wins(library_path: Path) -> None:
    assert names(build_generators([], context(library_path, known="off"))) == [
        "symmetric",
        "blocks",
        "wyckoff-language",
    ]
    own = [named("prototypes", known="all"), named("blocks")]
    assert names(build_generators(own, context(library_path, known="off"))) == [
        "prototypes",
        "blocks",
    ]


@pytest.mark.parametrize("known", ["no-formula", "no-prototype"])
def test_the_target_itself_is_held_out(library_path: Path, known: str) -> None:
    around = context(library_path, "SrTiO3", known=known)
    members = build_generators([named("prototypes")], around).generators[0].members  # type: ignore[attr-defined]
    assert all(member.detail.get("reference") != "t-6" for member in members)


def test_the_type_of_a_target_that_the_library_lacks_is_held_out(library_path: Path) -> None:
    target = KNOWN[5].crystal  # SrTiO3
    target = target.replace(
        numbers=np.array([{38: 56, 22: 50, 8: 8}[z] for z in target.numbers.tolist()])
    )
    prototypes = [named("prototypes")]
    free = build_generators(prototypes, context(library_path)).generators[0]
    held = build_generators(
        prototypes, context(library_path, known="no-prototype", target=target)
    ).generators[0]
    cubic = [m for m in free.members if str(m.detail.get("reference")) in ("t-6", "t-7", "t-8")]  # type: ignore[attr-defined]
    assert cubic
    assert not [m for m in held.members if m.detail.get("reference") in ("t-6", "t-7", "t-8")]  # type: ignore[attr-defined]


def test_an_element_without_reference_is_told_and_the_others_serve(library_path: Path) -> None:
    told: list[str] = []
    mix = build_generators([], context(library_path, "PuO2", warn=told.append))
    assert drawn(mix, 2)
    assert told == ["no known structure has Pu. The other generators serve alone."]


def test_a_library_that_was_named_and_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        build_generators([], context(tmp_path / "none.nlib"))


def test_without_the_shipped_library_the_others_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(library, "SHIPPED_PATH", tmp_path / "gone.nlib")
    mix = build_generators([], context(library.SHIPPED, warn=told.append))
    assert names(mix) == ["symmetric", "blocks", "wyckoff-language"]
    assert len(told) == 1
    assert "does not exist" in told[0]


def run_of(formula: str, library: Path, **search: object) -> RunSettings:
    return RunSettings.from_dict(
        {"problem": {"formula": formula}, "search": {"library": [str(library)], **search}}
    )


def test_a_run_says_what_is_known_of_its_formula(library_path: Path) -> None:
    assert known_line(run_of("TiO2", library_path)) == "known: P4_2/mnm, t-9"
    line = known_line(run_of("KCl", library_path, known="no-formula"))
    assert line == "known: Fm-3m, t-2; Pm-3m, t-5 (not used: known = 'no-formula')"
    assert known_line(run_of("BaSnO3", library_path)) == ""
    assert known_line(run_of("TiO2", library_path, known="off")) == ""


def test_status_and_page_repeat_what_a_run_said_is_known(
    library_path: Path, tmp_path: Path
) -> None:
    settings = RunSettings.from_dict(
        {
            "problem": {"formula": "KCl", "max_atoms": 2},
            "search": {"library": [str(library_path)], "known": "no-formula"},
            "tier": [{"name": "spp", "engine": {"kind": "spp"}}],
            "stop": {"structures": 2},
            "final": {"best": 0},
            "run": {"workers": 1},
        }
    )
    predict(settings, tmp_path / "run")
    line = "known: Fm-3m, t-2; Pm-3m, t-5 (not used: known = 'no-formula')"
    with Store.read(tmp_path / "run") as store:
        assert line in read_status(store, best=1)["notes"]
    shown = CliRunner().invoke(build_app(), ["status", str(tmp_path / "run")])
    assert line in shown.stdout.splitlines()
    export_run(tmp_path / "run")
    assert "known: Fm-3m, t-2; Pm-3m, t-5" in (tmp_path / "run" / PAGE).read_text(encoding="utf-8")


def test_wrong_words_are_refused_and_paths_follow_the_input_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"search\.known"):
        run_of("TiO2", tmp_path, known="some")
    data = with_absolute_paths({"search": {"library": ["shipped", "my.nlib"]}}, tmp_path)
    assert data["search"]["library"] == ["shipped", str(tmp_path / "my.nlib")]


def test_a_run_from_before_the_key_continues_without_known_structures() -> None:
    old = stored_input({"input": {"search": {"seed": 1, "generators": []}}})
    assert old["search"]["known"] == "off"
    new = stored_input({"input": {"search": {"generators": [], "known": "all"}}})
    assert new["search"]["known"] == "all"
