"""Data sets of crystals with formation energies, from the files that users have."""

from nucleate.fitting.datasets.dataset import Dataset, DatasetReport
from nucleate.fitting.datasets.loading import load_dataset
from nucleate.fitting.datasets.splits import (
    check_sides,
    reduced_formulas,
    training_crystals,
)

__all__ = [
    "Dataset",
    "DatasetReport",
    "check_sides",
    "load_dataset",
    "reduced_formulas",
    "training_crystals",
]
