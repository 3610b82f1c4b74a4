"""Data sets of crystals with formation energies, from the files that users have."""

from nucleate.fitting.datasets.dataset import Dataset, DatasetReport
from nucleate.fitting.datasets.loading import load_dataset

__all__ = ["Dataset", "DatasetReport", "load_dataset"]
