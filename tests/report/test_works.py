"""The works to cite: every entry is BibTeX, every component names one that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.report.runs import EV, FCC, MadeRun, record, relaxed, write
from tests.report.test_page_facts import page_in

from nucleate.plugins import GROUPS, Component, kinds
from nucleate.report.page import works
from nucleate.report.page.works import ALWAYS, works_of
from nucleate.run.store import Store
from nucleate.search.polished import JUDGED
from nucleate.search.record import SearchUpdate

NEEDED = {"article": {"author", "title", "journal", "year", "doi"},
          "misc": {"author", "title", "year", "eprint", "archiveprefix"},
          "software": {"author", "title", "year"}}  # fmt: skip
SHIPPED = works._by_key(works._shipped().split("\n\n"))


def parsed(text: str) -> dict[str, dict[str, str]]:
    """Return entries as another reader of BibTeX has them."""
    bibtexparser = pytest.importorskip("bibtexparser")
    from bibtexparser.bparser import BibTexParser

    parser = BibTexParser(ignore_nonstandard_types=False, common_strings=True)
    return bibtexparser.loads(text, parser=parser).entries_dict


def test_every_shipped_entry_is_complete_bibtex() -> None:
    entries = parsed(works._shipped())
    assert set(entries) == set(SHIPPED)
    assert len(entries) == works._shipped().count("\n@") + works._shipped().startswith("@")
    for key, entry in entries.items():
        assert set(entry) >= NEEDED[entry["ENTRYTYPE"]], key
        assert key.endswith(entry["year"]) or key == "nucleate"
        assert re.fullmatch(r"(19|20)\d\d", entry["year"])
        if "doi" in entry:
            assert re.fullmatch(r"10\.\d{4,9}/\S+", entry["doi"])
        if "eprint" in entry:
            assert re.fullmatch(r"\d{4}\.\d{5}", entry["eprint"])
        if entry["ENTRYTYPE"] == "article" and "pages" in entry and "--" in entry["pages"]:
            first, last = entry["pages"].split("--")
            assert int(first) < int(last)


def shipped_components() -> list[tuple[str, str]]:
    return [
        (group, kind.name)
        for group in GROUPS
        for kind in kinds()[group].values()
        if kind.source == "nucleate"
    ]


@pytest.mark.parametrize(("group", "name"), shipped_components())
def test_components_name_works_that_are_there(group: str, name: str) -> None:
    found = kinds()[group][name].load().works
    assert set(found) <= set(SHIPPED)
    given = {
        "generators": {"search": {"generators": [{"kind": name}]}},
        "searches": {"search": {"kind": name}},
        "policies": {"search": {"policy": {"kind": name}}},
    }.get(group, {"tier": [{"engine": {"kind": name}}]})
    if group not in ("moves", "executors"):
        assert {key for key, _ in works_of({"input": given})} == {*ALWAYS, *found}


def test_every_shipped_work_belongs_to_a_component() -> None:
    named = {
        key for group, name in shipped_components() for key in kinds()[group][name].load().works
    }
    assert set(SHIPPED) == {*ALWAYS, *named}


def test_generators_of_structures_are_cited_and_nothing_twice() -> None:
    given = {"search": {"generators": [{"kind": "prototypes"}]}}
    keys = [key for key, _ in works_of({"input": given}, ["prototypes", "lattice", "symmetric"])]
    assert keys[:2] == list(ALWAYS)
    assert len(keys) == len(set(keys))
    assert {"jain2013", "gusev2023"} <= set(keys)


class Quoting(Component):
    """A plug-in that brings its own work."""

    works = ("@article{own2026,\n  title = {Own},\n  year = {2026}\n}", "deng2023", "unknown1999")


def test_plug_ins_bring_entries_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(works, "find", lambda kind, *groups: Quoting)
    found = dict(works_of({"input": {"search": {"kind": "quoting"}}}))
    assert found["own2026"].startswith("@article{own2026")
    assert found["deng2023"] == SHIPPED["deng2023"]
    assert "unknown1999" not in found


@pytest.mark.parametrize(
    "meta",
    [{}, {"input": {}}, {"input": None}, {"input": {"search": None, "tier": None}},
     {"input": {"search": {"kind": "gone"}, "tier": [{"engine": None}, {"engine": {"kind": 3}}]}},
     {"input": {"search": {"kind": "os:system"}}}],
)  # fmt: skip
def test_inputs_that_name_nothing_cite_the_package_alone(meta) -> None:
    assert tuple(key for key, _ in works_of(meta, ["move:swap", "no-such", "os:system"])) == ALWAYS


def test_tiers_that_were_added_and_the_second_model_are_cited(tmp_path: Path) -> None:
    told = [(record(0, ("low", relaxed(FCC, -1.0))), SearchUpdate())]
    write(tmp_path, MadeRun(told, ladder=("low",)))
    with Store.append_to(tmp_path) as store:
        for name, kind in (("pbe", "vasp"), (JUDGED[0], "sevennet")):
            data = {"source": "refine", "settings": {"engine": {"kind": kind}}}
            store.add_tier(1.0, name, data)
        store.add_tier(1.0, "other", {"source": "import", "level": {}, "settings": None})
        store.append_outcome(0, "pbe", relaxed(FCC, -2.0, level=EV))
        store.commit()
    page, facts = page_in(tmp_path)
    assert sorted(facts.engines) == ["sevennet", "vasp"]
    cited = page[page.index('<pre id="works">') :]
    assert {"nucleate", "collins2024", "collins2017", "kresse1996", "park2024"} == set(
        re.findall(r"@\w+\{(\w+),", cited[: cited.index("</pre>")])
    )
