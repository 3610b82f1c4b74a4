"""Which description of a kept part an assignment of the other elements stands beside."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from nucleate.generate.wyckoff_language.descriptions import changes
from nucleate.generate.wyckoff_language.sentence import changed, is_same

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.generate.wyckoff_language.assignments import Assignment
    from nucleate.generate.wyckoff_language.places import PlaceWriter
    from nucleate.generate.wyckoff_language.sentence import Sentence


class KeptImages:
    """Places assignments beside the equally good descriptions of a kept part.

    Beside a fixed part another origin of the group is another crystal. Each assignment is therefore
    tried beside every description of the part. Those that differ by a change which leaves the
    assignment as it is are one crystal; their likelihoods are added.

    Parameters
    ----------
    images : sequence of Sentence
        The descriptions, all with the same letters.
    """

    def __init__(self, images: Sequence[Sentence]) -> None:
        self._images = images

    @cached_property
    def _links(self) -> NDArray[np.bool_]:
        """Whether a change takes an image to another one, shape (n_changes, n_images, n_images)."""
        n = len(self._images)
        found = np.zeros((len(changes(self._images[0].group).axes), n, n), np.bool_)
        for own, image in enumerate(self._images):
            for change, made in enumerate(changed(image)):
                found[change, own] = [
                    any(is_same(item, other) for item in made) for other in self._images
                ]
        return found

    def placed(
        self, assignments: Sequence[Assignment], writer: PlaceWriter
    ) -> list[tuple[float, Assignment]]:
        """Return what each assignment gives with the part, and the log-density of the part there.

        Where a part is so close to fixed atoms that no crystal can be made, nothing is returned.
        """
        n = len(self._images)
        every = [replace(item, image=k) for item in assignments for k in range(n)]
        densities = writer.log_given(every).reshape(-1, n)
        found = []
        for item, row in zip(assignments, densities, strict=True):
            for members in self._classes(item):
                best = members[int(np.argmax(row[members]))]
                if np.isfinite(row[best]):
                    log = float(np.logaddexp.reduce(row[members]))
                    found.append((log, replace(item, image=int(best))))
        return found

    def _classes(self, assignment: Assignment) -> list[NDArray[np.int64]]:
        """Return the images that make one crystal with an assignment, class by class."""
        kinds = np.array(assignment.kinds)
        own = np.sort(kinds * 64 + np.array(assignment.positions))
        moved = changes(assignment.group).positions[:, list(assignment.positions)]
        same = np.all(np.sort(kinds * 64 + moved, axis=1) == own, axis=1)
        reach = self._links[same].any(axis=0) | np.eye(len(self._images), dtype=np.bool_)
        reach |= reach.T
        for _ in range(len(reach).bit_length()):
            reach = reach @ reach
        first = reach.argmax(axis=1)
        return [np.flatnonzero(first == place) for place in np.unique(first)]
