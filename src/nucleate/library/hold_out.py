"""Which entries of a library a run may use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from nucleate.errors import InputError
from nucleate.library.labels import mirror_image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.composition import Composition

KnownUse = Literal["all", "no-formula", "no-relatives", "no-prototype", "off"]
"""What of the library may be used for a target composition."""

HOLD_OUTS: tuple[str, ...] = get_args(KnownUse)


@dataclass(frozen=True, slots=True)
class HoldOut:
    """A filter on the entries of a library for one target composition.

    ``all`` uses everything; ``no-formula`` leaves out the target's own formula; ``no-relatives``
    also every compound, of whatever stoichiometry, that shares all but one element with it (for
    an element, that is everything); ``no-prototype`` leaves out the target's formula and every
    compound of its protostructures and of their mirror images; ``off`` leaves out everything.

    Attributes
    ----------
    use : str
        One of the above.
    elements, counts : tuple of int
        The target's atomic numbers and their counts in the reduced formula.
    prototypes : frozenset of str
        Labels of the target's protostructures and of their mirror images, for ``no-prototype``.
    """

    use: KnownUse
    elements: tuple[int, ...] = ()
    counts: tuple[int, ...] = ()
    prototypes: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(
        cls,
        use: str,
        composition: Composition,
        prototypes: frozenset[str] = frozenset(),
    ) -> HoldOut:
        """Build the filter for a composition.

        Parameters
        ----------
        use
            One of the five.
        composition
            The target.
        prototypes
            Labels of its protostructures; those of their mirror images are added.

        Raises
        ------
        InputError
            If ``use`` is none of the five.
        """
        if use not in get_args(KnownUse):
            raise InputError(
                f"known = {use!r} is not one of {', '.join(map(repr, get_args(KnownUse)))}."
            )
        counts = tuple(count for _, count in composition.items)
        both = prototypes | {mirror_image(label) for label in prototypes}
        return cls(use, composition.elements, counts, both)  # type: ignore[arg-type]

    def allowed(
        self, label: str, counts: tuple[int, ...], elements: NDArray[np.integer]
    ) -> NDArray[np.bool_]:
        """Return which entries of a prototype may be used.

        Parameters
        ----------
        label, counts
            Its label and the counts of its slots in the reduced formula.
        elements
            Elements of its entries, shape (n_entries, n_slots).
        """
        everything = np.ones(len(elements), dtype=bool)
        if self.use == "all":
            return everything
        if self.use == "off" or (self.use == "no-prototype" and label in self.prototypes):
            return ~everything
        free = ~self._own_formula(counts, elements)
        if self.use == "no-relatives":
            shared = np.isin(elements, self.elements).sum(axis=1)
            free &= shared < len(self.elements) - 1
        return free

    def _own_formula(
        self, counts: tuple[int, ...], elements: NDArray[np.integer]
    ) -> NDArray[np.bool_]:
        if sorted(counts) != sorted(self.counts):
            return np.zeros(len(elements), dtype=bool)
        wanted = dict(zip(self.elements, self.counts, strict=True))
        target = np.array([[wanted.get(int(z), 0) for z in range(256)]])[0]
        return np.all(target[elements] == np.array(counts), axis=1)
