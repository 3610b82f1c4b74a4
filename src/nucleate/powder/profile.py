"""Pseudo-Voigt profiles on the angles of a measured pattern; import where needed (numba)."""

from __future__ import annotations

import numpy as np
from numba import njit

REACH = 12.0
"""Full widths at half maximum within which a line is drawn, on either side."""


@njit(cache=True, nogil=True)
def add_profiles(angles, centres, areas, widths, mixing, out):
    """Add pseudo-Voigt profiles of unit area times ``areas`` to ``out``.

    All angles in degrees and increasing; ``mixing`` is the Lorentzian share.
    """
    gauss = 2.0 * np.sqrt(np.log(2.0) / np.pi)
    for k in range(centres.shape[0]):
        width = widths[k]
        begin = np.searchsorted(angles, centres[k] - REACH * width)
        end = np.searchsorted(angles, centres[k] + REACH * width)
        lorentzian = mixing * areas[k] * 2.0 / (np.pi * width)
        gaussian = (1.0 - mixing) * areas[k] * gauss / width
        for i in range(begin, end):
            square = ((angles[i] - centres[k]) / width) ** 2
            out[i] += lorentzian / (1.0 + 4.0 * square)
            if square < 8.0:
                out[i] += gaussian * np.exp(-4.0 * np.log(2.0) * square)
