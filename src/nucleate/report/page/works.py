"""The works to cite for a run, as BibTeX."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.plugins import find

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALWAYS = ("nucleate", "collins2024")
"""This package, and the work that it re-implements."""


def works_of(
    meta: Mapping[str, Any], sources: Iterable[str] = (), engines: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """Return key and BibTeX entry of every work that a run builds on.

    Parameters
    ----------
    meta
        What describes the run; its components say which works they come from.
    sources
        Generators that its structures come from.
    engines
        Kinds of the models and programs of tiers that are not in its input.
    """
    known = _by_key(_shipped().split("\n\n"))
    keys: list[str] = list(ALWAYS)
    used = [work for source in sources for work in _works(source, "generators")]
    used += [work for kind in engines for work in _works(kind, "models", "programs")]
    for work in [*_of_components(meta.get("input", {})), *used]:
        if work.startswith("@"):
            known |= _by_key([work])
        keys.append(_key(work) if work.startswith("@") else work)
    return [(key, known[key]) for key in dict.fromkeys(keys) if key in known]


def _of_components(given: Any) -> Iterable[str]:
    """Yield the works of all components that an input names."""
    if not isinstance(given, dict):
        return
    search = given.get("search") or {}
    policy = search.get("policy") or {}
    kinds: list[tuple[Any, ...]] = [(search.get("kind"), "searches")]
    kinds.append((policy.get("kind") if isinstance(policy, dict) else policy, "policies"))
    kinds.append(((search.get("policy") or {}).get("kind"), "policies"))
    kinds += [(item.get("kind"), "generators") for item in search.get("generators") or ()]
    for tier in given.get("tier") or ():
        kinds.append(((tier.get("engine") or {}).get("kind"), "models", "programs"))
    for kind, *groups in kinds:
        if isinstance(kind, str):
            yield from _works(kind, *groups)


def _works(kind: str, *groups: str) -> tuple[str, ...]:
    if ":" in kind:  # code of others is not imported for its works
        return ()
    try:
        return find(kind, *groups).works
    except InputError:  # a plug-in that is no longer installed
        return ()


def _shipped() -> str:
    return (files("nucleate.report.page") / "assets" / "works.bib").read_text(encoding="utf-8")


def _by_key(entries: Iterable[str]) -> dict[str, str]:
    return {_key(entry): entry.strip() for entry in entries if entry.strip()}


def _key(entry: str) -> str:
    return entry.partition("{")[2].partition(",")[0].strip()
