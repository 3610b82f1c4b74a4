"""The trained language in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.generate.trained import Trained, TrainedKind
from nucleate.generate.wyckoff_language.settings import LanguageSettings

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.generate.trained import Arrays
    from nucleate.generate.wyckoff_language.forward import ForwardNetwork


def _make(settings: LanguageSettings, state: Arrays) -> ForwardNetwork:
    from nucleate.generate.wyckoff_language.forward import ForwardNetwork

    return ForwardNetwork(settings, state)


LANGUAGE = TrainedKind(
    name="wyckoff-language",
    what="language of Wyckoff positions",
    version=1,
    shipped="mp",
    settings=LanguageSettings,
    make=_make,
)


def load_language(source: str | Path = LANGUAGE.shipped) -> Trained:
    """Read a language by the name of the shipped one or by path; see :meth:`TrainedKind.load`."""
    return LANGUAGE.load(source)
