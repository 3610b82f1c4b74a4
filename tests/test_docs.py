"""What the documentation shows exists: pages, commands, options, keys of the input, Python."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
ANY_TIER = '[problem]\nformula = "CaTiO3"\n[[tier]]\nname = "any"\n'


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Yield the name of the page and the text of every code block in a language."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            yield page.name, match[1]


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def commands() -> list[tuple[str, list[str]]]:
    """Return every call of nucleate in shell blocks and in the first column of tables."""
    found = []
    for page, text in blocks("sh"):
        for line in text.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|;", line):
                words = shlex.split(part, comments=True)
                names = [k for k, word in enumerate(words) if Path(word).name == "nucleate"]
                if names and words[0] not in ("python", "pip", "source") and "pip" not in part:
                    found.append((page, words[names[0] + 1 :]))
    table = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `nucleate ([^`]*)`", table, re.MULTILINE)
    return found + [("commands.md", row.split()) for row in rows]


def test_every_command_is_in_the_reference() -> None:
    from nucleate.cli import COMMANDS

    named = {words[0] for page, words in commands() if page == "commands.md"}

    assert {"import" if name == "import_results" else name for name in COMMANDS} <= named


@pytest.mark.parametrize(("page", "words"), commands(), ids=lambda value: " ".join(value)[:60])
def test_commands_and_their_options_exist(page: str, words: list[str]) -> None:
    from typer.main import get_command

    from nucleate.cli import build_app

    command: Any = get_command(build_app())
    rest = list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        assert name in command.commands, f"{page}: nucleate {' '.join(words)}"
        command = command.commands[name]
    known = {option for parameter in command.params for option in parameter.opts}
    known |= {option for parameter in command.params for option in parameter.secondary_opts}
    for word in rest:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"{page}: {word}"


@pytest.mark.parametrize(("page", "text"), list(blocks("toml")), ids=lambda value: value[:30])
def test_toml_blocks_are_valid_input(page: str, text: str, tmp_path: Path) -> None:
    from nucleate.mapping.field import field_of
    from nucleate.mapping.settings import MapSettings
    from nucleate.potentials.toml_format import read_force_field
    from nucleate.run.settings import RefinementSettings, RunSettings

    data = tomllib.loads(text)
    if "project" in data or "mypackage" in text:
        return
    if "charges" in data:
        file = tmp_path / "field.toml"
        file.write_text(text, encoding="utf-8")
        assert read_force_field(file).charges
    elif "field" in data:
        assert field_of(MapSettings.from_dict(data)).compositions
    elif "best" in data:
        assert RefinementSettings.from_dict(data).tier
    elif "tier" in data and "name" not in str(data["tier"]):
        engine = "" if "kind" in str(data["tier"]) else '[tier.engine]\nkind = "vasp"\n'
        assert RunSettings.from_dict(tomllib.loads(ANY_TIER + engine + text)).tier
    else:
        assert RunSettings.from_dict({"problem": {"formula": "CaTiO3"}} | data).tier


@pytest.mark.parametrize(("page", "text"), list(blocks("python")), ids=lambda value: value[:30])
def test_python_blocks_can_be_parsed(page: str, text: str) -> None:
    ast.parse(text if not text.startswith("def ") else f"{text.rstrip()}\n    ...\n")


def test_names_of_the_face_exist() -> None:
    import nucleate

    used = {name for _, text in blocks("python") for name in re.findall(r"\bnc\.(\w+)", text)}
    used |= {
        name
        for _, text in blocks("python")
        for line in re.findall(r"^from nucleate import (.*)$", text, re.MULTILINE)
        for name in line.split(", ")
    }

    assert used
    assert not [name for name in sorted(used) if not hasattr(nucleate, name)]
