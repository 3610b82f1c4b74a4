"""The element of a site from its type symbol or label; never from a first letter alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nucleate.crystal.elements import is_element
from nucleate.crystal.formats.structures import shortened
from nucleate.errors import InputError

DEUTERIUM = "deuterium is read as hydrogen"
"""Note for a file with the symbol D."""

_CHARGED = re.compile(
    r"(?P<word>[A-Za-z]{1,2})"
    r"(\d*|\d*\.?\d*[+-]|[+-]\d*\.?\d*|[+-]?0(\.0*)?)"  # a number of the site, or a charge
)
_VALENCE = {"Cval": "C", "Siva": "Si", "Sival": "Si", "Siv": "Si"}  # scattering factors
_MEANINGS = {
    "wat": "water",
    "w": "tungsten or water",
    "oh": "a hydroxyl group",
    "ow": "the oxygen of water",
    "oh2": "water",
    "nh": "ammonium",
    "nh4": "ammonium",
    "am": "americium or ammonium",
    "vac": "a vacancy",
    "va": "a vacancy",
    "dum": "a dummy site",
    "du": "a dummy site",
    "t": "tritium or a tetrahedral site",
    "m": "a metal site",
    "x": "an unknown atom",
}
_MOLECULES = ("CO", "NO", "HO")


@dataclass(frozen=True, slots=True)
class Labelling:
    """What the whole file says of its symbols.

    Attributes
    ----------
    formula : frozenset of str
        Elements of the formula sum; empty where it is not given.
    capitals : bool
        Whether no symbol of the file has a small second letter.
    """

    formula: frozenset[str] = frozenset()
    capitals: bool = False

    @classmethod
    def of(cls, words: list[str], formula: dict[str, float] | None) -> Labelling:
        """Return the labelling of a file with these type symbols or labels."""
        capitals = not any(is_element(word[:2]) and word[1:2].islower() for word in words)
        return cls(frozenset(formula or ()), capitals)


def element_of_type(kind: str, label: str) -> str:
    """Return the element of a type symbol such as ``Fe3+``, ``O2-``, ``FE``; H for D.

    Raises
    ------
    InputError
        If it is no element: a mixed site, a molecule, a vacancy.
    """
    if kind in _VALENCE:
        return _VALENCE[kind]
    match = _CHARGED.fullmatch(kind)
    symbol = None if match is None else _spelt(match["word"])
    if symbol is None or symbol == "T":
        raise _no_element(kind, label)
    return "H" if symbol == "D" else symbol


def element_of_label(label: str, labelling: Labelling) -> str:
    """Return the element of a label such as ``Ca1``, ``CaM1``, ``FE2``, ``O1a``.

    A label that is an element symbol, then a number, is that element. Of a longer word the
    beginning counts only where the formula sum has that element, and no other reading is
    possible.

    Raises
    ------
    InputError
        If it is no element or could be two.
    """
    match = re.match(r"[A-Za-z]+", label)
    word = match[0] if match else ""
    if not word or "/" in label or "," in label or re.match(r"[A-Za-z]+0?\.\d", label):
        raise _no_element(label, label)
    if word in ("D", "H"):
        return "H"
    exact = _exact(word, labelling)
    capitals = len(word) == 2 and word.isupper()
    if exact is None or (capitals and labelling.formula and exact not in labelling.formula):
        return _by_formula(word, label, labelling)
    return exact


def _exact(word: str, labelling: Labelling) -> str | None:
    """Return the element that a whole word spells, or None."""
    if word == "T":
        return None
    if is_element(word):
        return word
    if len(word) == 2 and word.isupper() and is_element(word.capitalize()):
        symbol = word.capitalize()
        known = symbol in labelling.formula
        if known or word not in _MOLECULES or labelling.capitals:
            return symbol
    return None


def _by_formula(word: str, label: str, labelling: Labelling) -> str:
    """Return the only element of the formula with which a longer word can begin."""
    two, one = word[:2].capitalize(), word[0]
    proper = len(word) > 1 and word[1].islower()
    readings = []
    if len(word) > 1 and is_element(two):
        readings.append((two, word[2:]))
    if one.isupper() and not proper and is_element(one):
        readings.append((one, word[1:]))
    known = [
        symbol
        for symbol, rest in readings
        if _may_stand_alone(symbol, rest, labelling, proper=proper)
    ]
    if len(known) != 1:
        raise _no_element(label, label)
    return known[0]


def _may_stand_alone(symbol: str, rest: str, labelling: Labelling, *, proper: bool) -> bool:
    """Return whether a label of a symbol and more letters can mean that element alone."""
    others = {rest[:2].capitalize() if len(rest) > 1 else "", rest[:1].upper()} - {""}
    if labelling.formula:
        return symbol in labelling.formula and not others & (labelling.formula - {symbol})
    # Without a formula sum: a symbol of two letters in its usual spelling, then a site's name
    # that is no element (CaM1); a first letter of a longer word never counts.
    return proper and len(symbol) == 2 and not any(is_element(item) for item in others)


def _spelt(word: str) -> str | None:
    """Return the element that a type symbol spells, in any case of its letters, or None."""
    if word in ("D", "T"):
        return word
    for spelling in (word, word.capitalize()):
        if is_element(spelling):
            return spelling
    return None


def _no_element(text: str, label: str) -> InputError:
    word = re.match(r"[A-Za-z]*", text)
    low = word[0].lower() if word else ""
    where = f"site {shortened(label)}: " if text != label else "the label "
    what = f"{where}{shortened(text)} is not an element"
    if low in _MEANINGS:
        what += f" ({_MEANINGS[low]}?)"
    elif low == "h" or re.fullmatch(r"H\d*\.\d+", text):
        what += " (a pseudo-hydrogen)"
    elif len(parts := elements_in(text)) > 1:
        what += f" but a mixed site or a group of {' and '.join(parts)}"
    return InputError(
        f"{what}. Give each site one element in _atom_site_type_symbol, and one atom or none."
    )


def elements_in(text: str) -> list[str]:
    """Return the distinct element symbols that a text such as ``Mg,Fe`` or ``NH4`` consists of."""
    parts = [part for part in re.findall(r"[A-Z][a-z]?", text[:200]) if is_element(part)]
    return list(dict.fromkeys(parts))[:4]
