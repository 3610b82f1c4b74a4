"""Old names of keys: accepted for one release, with a warning that gives the new name."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, cast

from pydantic import model_validator

if TYPE_CHECKING:
    from collections.abc import Mapping


class RenamedKeyWarning(FutureWarning):
    """An input uses a key by its old name."""


def renamed_keys(names: Mapping[str, str]) -> Any:
    """Return a pydantic validator that lets a settings class accept old names of its keys.

    Put it into the class body; an input that has both names of a key is refused.

    Parameters
    ----------
    names
        New name of each old one.

    Examples
    --------
    >>> import warnings
    >>> from pydantic import BaseModel
    >>> class Tier(BaseModel):
    ...     fmax_ev_per_ang: float = 0.05
    ...     _old_names = renamed_keys({"fmax": "fmax_ev_per_ang"})
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     Tier.model_validate({"fmax": 0.1})
    Tier(fmax_ev_per_ang=0.1)
    """

    def rename(cls: type, data: Any) -> Any:  # noqa: ARG001 - pydantic passes the class
        return with_new_names(data, names)

    return model_validator(mode="before")(cast("Any", classmethod(rename)))


def with_new_names(data: Any, names: Mapping[str, str]) -> Any:
    """Return a table with its old keys renamed; anything but a table is returned unchanged.

    Raises
    ------
    ValueError
        If a table has a key under both names.
    """
    if not isinstance(data, dict) or names.keys().isdisjoint(data):
        return data
    changed: dict[str, Any] = {}
    for key, value in data.items():
        new = names.get(key, key)
        if new != key:
            if new in data:
                raise ValueError(
                    f"{key} is the old name of {new}, and both are given: remove {key}"
                )
            message = f"the key {key} is now called {new}; the old name will not be read any more"
            warnings.warn(f"{message} by the next release", RenamedKeyWarning, stacklevel=4)
        changed[new] = value
    return changed
