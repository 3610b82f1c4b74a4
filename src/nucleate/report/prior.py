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
    """

    def __init__(self, library: Library, known: str) -> None:
        self._library = library
        self._known = known
        self._weights: dict[tuple[bytes, bytes, bytes], float] = {}

    @classmethod
    def of_run(cls, meta: Mapping[str, Any]) -> Prior | None:
        """Return the prior of a run; None where it uses no known structures."""
        from nucleate.library.library import Library

        search = meta.get("input", {}).get("search", {})
        known = search.get("known", "off")
        if known == "off":
            return None
        try:
            return cls(Library.load(tuple(search.get("library", ("shipped",)))), known)
        except InputError:
            return None

    def weight(self, crystal: Crystal) -> float:
        """Return the weight of a crystal's structure type; that of an unknown type is least."""
        key = crystal.numbers.tobytes(), crystal.cell.tobytes(), crystal.scaled.tobytes()
        if key not in self._weights:
            try:
                self._weights[key] = self._library.weight(crystal, known=self._known)
            except (InputError, ValueError):
                self._weights[key] = 0.0
        return self._weights[key]
