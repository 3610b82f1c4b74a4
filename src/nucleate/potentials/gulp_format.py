"""Reader of GULP library files: ``species`` and ``buck`` blocks of rigid-ion models."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from math import isfinite

from nucleate.crystal.elements import is_element
from nucleate.crystal.formats.structures import shortened
from nucleate.errors import InputError
from nucleate.potentials.force_field import Buckingham, ForceField, pair_key
from nucleate.units import (
    BOLTZMANN_EV_PER_K,
    EV_PER_HARTREE,
    EV_PER_KCAL_MOL,
    EV_PER_KJ_MOL,
)

_UNITS = {
    "ev": 1.0,
    "kcal": EV_PER_KCAL_MOL,
    "kjmol": EV_PER_KJ_MOL,
    "au": EV_PER_HARTREE,
    "k": BOLTZMANN_EV_PER_K,
}
_IGNORED = {
    "accu", "bsm", "cova", "dist", "dump", "eigh", "form", "gdcr", "gmax", "ioni", "iter", "keyw",
    "libr", "lowe", "mass", "maxc", "name", "outp", "pote", "prin", "rspe", "slow", "step", "stop",
    "swit", "temp", "time", "vdw", "xtol", "ftol", "gtol",
}  # fmt: skip
_BLOCKS = {"titl", "elem"}  # skipped up to "end"
_UNSUPPORTED = {
    "spri": "core-shell springs", "spli": "tabulated splines", "three": "three-body terms",
    "four": "four-body terms", "mors": "Morse terms", "lenn": "Lennard-Jones terms",
    "harm": "harmonic bonds", "many": "many-body terms", "axil": "Axilrod-Teller terms",
    "tors": "torsions", "coul": "Coulomb subtraction", "buff": "buffered 14-7 terms",
    "gene": "general potentials", "poly": "polynomials", "bond": "bond charges",
    "cosh": "cosh springs", "bcro": "cross terms", "tsun": "Tsuneyuki terms", "damp": "damping",
    "dzug": "dispersion damping", "eam": "embedded atoms", "qeq": "charge equilibration",
    "outo": "out-of-plane terms", "inve": "inversion terms", "ureb": "Urey-Bradley terms",
    "stil": "Stillinger-Weber terms", "sw2": "Stillinger-Weber terms",
    "sw3": "Stillinger-Weber terms", "ljbu": "Lennard-Jones-Buckingham terms",
}  # fmt: skip
_NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d{1,4})?$", re.ASCII)


@dataclass(slots=True)
class _Library:
    name: str
    charges: dict[str, float] = field(default_factory=dict)
    terms: dict[tuple[str, str], tuple[Buckingham, int]] = field(default_factory=dict)
    label_of: dict[str, str] = field(default_factory=dict)
    cutoff: float = 12.0
    taper: float = 0.0

    def fail(self, number: int, line: str, problem: str) -> InputError:
        return InputError(f"{self.name}, line {number}: {problem}: {shortened(line.strip(), 100)}.")

    def symbol(self, label: str, number: int, line: str) -> str:
        symbol = re.sub(r"[\d_*'+-].*$", "", label).capitalize()
        if not is_element(symbol):
            raise self.fail(number, line, f"{label!r} is not an element")
        known = self.label_of.setdefault(symbol, label)
        if known != label:
            raise self.fail(
                number, line, f"{symbol} has two kinds of atoms, {known} and {label}; only one "
                "kind of each element can be told apart",
            )  # fmt: skip
        return symbol


def parse_gulp_library(text: str, name: str) -> ForceField:
    """Return the force field in the text of a GULP library.

    Rigid ions only: ``species`` (cores), ``buck`` (with ``kcal``/``kjmol`` units, limits and
    fitting flags; ``inter`` is the same as nothing here, ``intra`` needs molecules and is
    refused), ``cutp`` with its taper, comments, continued lines. Settings of the run are ignored;
    other potentials are refused, since leaving them out would give wrong energies.

    Raises
    ------
    InputError
        On a malformed or unsupported line, with its number.
    """
    library = _Library(name)
    mode, factor, skipping = "", 1.0, False
    for number, line in _lines(text):
        words = line.split()
        key = words[0].lower()
        if skipping:
            skipping = key != "end"
            continue
        entry = len(words) > 1 and words[1].lower() in {"core", "shel", "shell"}
        command = "" if mode and entry else _command(key)
        if mode and not command:
            if mode == "species":
                _species(library, words, number, line)
            else:
                _buckingham(library, words, factor, number, line)
            continue
        mode = ""
        if command == "species":
            mode = "species"
        elif command == "buck":
            mode, factor = "buck", _options(library, words[1:], number, line)
        elif command == "cutp":
            _cutoff(library, words[1:], number, line)
        elif command == "skip":
            skipping = True
        elif command == "unsupported":
            what = _UNSUPPORTED.get(key[:5], _UNSUPPORTED.get(key[:4], "these terms"))
            raise library.fail(number, line, f"{what} are not supported")
        elif command != "ignored":
            raise library.fail(number, line, f"unknown keyword {words[0]!r}")
    if not library.terms and not library.charges:
        raise InputError(f"{name}: no species and no potentials were found in this GULP library.")
    terms = {pair: _capped(term, library.cutoff) for pair, (term, _) in library.terms.items()}
    return ForceField(library.charges, terms, taper=library.taper, name=name)


def _lines(text: str) -> list[tuple[int, str]]:
    out: list[tuple[int, str]] = []
    pending, start = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#", 1)[0].rstrip()
        if not pending:
            start = number
        if line.endswith("&"):
            pending += line[:-1] + " "
            continue
        joined = (pending + line).strip()
        pending = ""
        if joined:
            out.append((start, joined))
    if pending.strip():
        out.append((start, pending.strip()))
    return out


def _command(key: str) -> str:
    if is_element(key.capitalize()) or _is_number(key) or re.match(r"^[a-z]{1,2}\d", key):
        return ""
    short = key[:4]
    if short == "spec":
        return "species"
    if short in {"buck", "cutp"}:
        return short
    if short in _BLOCKS:
        return "skip"
    if short in _UNSUPPORTED or key[:5] in _UNSUPPORTED:
        return "unsupported"
    return "ignored" if short in _IGNORED or key in _IGNORED or key == "end" else "unknown"


def _options(library: _Library, words: list[str], number: int, line: str) -> float:
    factor = 1.0
    for word in words:
        option = word.lower()
        if option in _UNITS:
            factor = _UNITS[option]
        elif option in {"intra", "bond", "molmec", "x12", "x13", "x14", "mol"}:
            raise library.fail(
                number, line, f"{option!r} needs molecules, which crystals here have not"
            )
        elif option not in {"inter", "regi", "all"}:
            raise library.fail(number, line, f"unknown option {word!r} of buck")
    return factor


def _species(library: _Library, words: list[str], number: int, line: str) -> None:
    if words[0].isdigit() and len(words) == 1:
        return
    rest = words[1:]
    if rest and rest[0].lower() in {"core", "c"}:
        rest = rest[1:]
    elif rest and rest[0].lower().startswith("s"):
        raise library.fail(number, line, "shells (polarisable ions) are not supported")
    if not rest or not _is_number(rest[0]):
        raise library.fail(number, line, "expected 'symbol core charge'")
    symbol = library.symbol(words[0], number, line)
    charge = _number(rest[0])
    if library.charges.get(symbol, charge) != charge:
        raise library.fail(number, line, f"{symbol} has two charges")
    library.charges[symbol] = charge


def _buckingham(library: _Library, words: list[str], factor: float, number: int, line: str) -> None:
    labels: list[str] = []
    rest = list(words)
    while rest and len(labels) < 2 and not _is_number(rest[0]):
        labels.append(rest.pop(0))
        if rest and rest[0].lower() in {"core", "c"}:
            rest.pop(0)
        elif rest and rest[0].lower() in {"shel", "shell", "s"} and len(rest) > 3:
            raise library.fail(number, line, "shells (polarisable ions) are not supported")
    bad = [word for word in rest if not _is_number(word)]
    if len(labels) != 2 or bad or not 3 <= len(rest) <= 8:
        detail = f" ({bad[0]!r} is not a number)" if bad else ""
        raise library.fail(
            number, line, f"expected 'atom core atom core A rho C [r_min] r_max'{detail}"
        )
    a, rho, c = (_number(word) for word in rest[:3])
    limits = rest[3:]
    if len(limits) >= 3 and all(word in {"0", "1"} for word in limits[-3:]):
        limits = limits[:-3]
    if len(limits) > 2:
        raise library.fail(number, line, "too many numbers")
    r_min, r_max = 0.0, library.cutoff
    if limits:
        r_max = _number(limits[-1])
        r_min = _number(limits[0]) if len(limits) == 2 else 0.0
    if rho <= 0.0 or r_max <= r_min or a < 0.0 or c < 0.0:
        raise library.fail(number, line, "need A >= 0, rho > 0, C >= 0 and r_max > r_min")
    pair = pair_key(*(library.symbol(label, number, line) for label in labels))
    term = Buckingham(a * factor, rho, c * factor, r_min, r_max)
    if pair in library.terms:
        earlier = library.terms[pair][1]
        problem = f"the pair {pair[0]}-{pair[1]} already has a term on line {earlier}"
        raise library.fail(number, line, problem)
    library.terms[pair] = (term, number)


def _cutoff(library: _Library, words: list[str], number: int, line: str) -> None:
    numbers = [word for word in words if _is_number(word)]
    kinds = {word.lower() for word in words} - {word.lower() for word in numbers}
    if not numbers or len(numbers) > 2 or kinds - {"poly", "ang", "polynomial"}:
        raise library.fail(number, line, "expected 'cutp r_max [taper width]'")
    library.cutoff = _number(numbers[0])
    library.taper = _number(numbers[1]) if len(numbers) == 2 else 0.0
    if not 0.0 < library.cutoff <= 30.0 or not 0.0 <= library.taper < library.cutoff:
        raise library.fail(number, line, "need 0 < r_max <= 30 Å and a taper below it")


def _capped(term: Buckingham, cutoff: float) -> Buckingham:
    return replace(term, r_max=min(term.r_max, cutoff))


def _is_number(word: str) -> bool:
    """Return whether a word is a finite number."""
    return len(word) < 60 and _NUMBER.match(word) is not None and isfinite(_number(word))


def _number(word: str) -> float:
    return float(re.sub("[dD]", "e", word))
