"""The command line, as in the tests of its own room."""

from tests.cli.conftest import nucleate

__all__ = ["nucleate"]
