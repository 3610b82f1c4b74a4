"""Errors that nucleate raises on purpose."""

from __future__ import annotations


class NucleateError(Exception):
    """Base of every error that nucleate raises on purpose."""


class InputError(NucleateError):
    """The input cannot be used; the message names the key, the value and the remedy."""


class MissingDependencyError(NucleateError):
    """An optional package is not installed; the message gives the install line."""


class ContractError(NucleateError):
    """A component returned what it must not; the message names the component."""


class ComponentError(NucleateError):
    """The code of a component raised an error; the message names the component."""


REPORTED = (InputError, MissingDependencyError, ContractError, ComponentError)
"""What keeps its class when a worker reports it to its driver."""


def reported(kind: str, message: str) -> NucleateError:
    """Return the error that a worker reported; one of another class is of the input."""
    return {item.__name__: item for item in REPORTED}.get(kind, InputError)(message)
