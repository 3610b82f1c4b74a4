"""The weight that known structure types give to the structures of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nucleate.crystal.crystal import Crystal
    from nucleate.library.library import Library


class Prior:
    """Weights of structures by the libraries of a run, under its hold-out.

    Parameters
    ----------
    library : Library
        The known structures.
    known : str
        Which of them may be used.
    prototypes : frozenset of str
        Labels of the target's protostructures, for ``no-prototype``.
    """

    def __init__(
        self, library: Library, known: str, prototypes: frozenset[str] = frozenset()
    ) -> None:
        self._library = library
        self._known = known
        self._prototypes = prototypes
        self._weights: dict[tuple[bytes, bytes, bytes], float] = {}

    @classmethod
    def of_run(cls, meta: Mapping[str, Any]) -> Prior | None:
        """Return the prior of a run; None where it uses no known structures.

        None too where a library, or the target whose type is held out, cannot be read.
        """
        from nucleate.library.library import Library

        given = meta.get("input", {})
        search = given.get("search", {})
        known = search.get("known", "off")
        if known == "off":
            return None
        target = given.get("stop", {}).get("target") if known == "no-prototype" else None
        try:
            library = Library.load(tuple(search.get("library", ("shipped",))))
            return cls(library, known, _labels(library, target))
        except InputError:
            return None

    def weight(self, crystal: Crystal) -> float:
        """Return the weight of a crystal's structure type; that of an unknown type is least."""
        key = crystal.numbers.tobytes(), crystal.cell.tobytes(), crystal.scaled.tobytes()
        if key not in self._weights:
            try:
                self._weights[key] = self._library.weight(
                    crystal, known=self._known, prototypes=self._prototypes
                )
            except (InputError, ValueError):
                self._weights[key] = 0.0
        return self._weights[key]


def _labels(library: Library, target: str | None) -> frozenset[str]:
    """Return the labels of the structure in a file, none without one."""
    from nucleate.crystal.files import Unreadable, read_structures

    if target is None:
        return frozenset()
    item = read_structures(target)[0]
    if isinstance(item, Unreadable):
        raise item.error
    return library.labels_of(item.crystal)
