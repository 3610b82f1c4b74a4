"""From a search space to a ranked pool of crystals that the graph network found low in energy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from nucleate.generate.graph_search.parts import Parts
from nucleate.generate.graph_search.pool import Account, Plan, crystals_of_size, energy_of
from nucleate.generate.graph_search.processes import crystals_of_sizes

if TYPE_CHECKING:
    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.graph_search.pool import Report
    from nucleate.generate.pool import Member
    from nucleate.networks.graph_network.network import GraphNetwork


def make_pool(
    space: SearchSpace,
    network: GraphNetwork,
    plan: Plan,
    *,
    processes: int = 1,
    report: Report = lambda *_: None,
    parts: Parts | None = None,
) -> tuple[list[Member], Account]:
    """Return the low-energy crystals of all sizes, the best first, and the account of the search.

    The result is a function of the plan's seed, whatever the number of processes.

    Parameters
    ----------
    space, network, plan
        What is searched, with what, and how.
    processes
        Processes that search sizes side by side.
    report
        Called with what is being done, how much of it is done, how much there is.
    parts
        Where sizes are kept as soon as they are finished; those there are not searched again.
    """
    account, parts = Account(), parts or Parts()
    sizes = plan.formula_units(space)
    of_size = {units: members for units in sizes if (members := parts.read(units)) is not None}
    left = tuple(units for units in sizes if units not in of_size)
    if min(processes, len(left)) > 1:
        compile_everything(space, network, plan, left[0])
        found = crystals_of_sizes(
            space, network, plan, left, processes=processes, report=report, parts=parts
        )
        for units in left:
            of_size[units] = found[units][0]
            account.add(found[units][1])
    else:
        for units in left:
            made = crystals_of_size(
                space, network, plan, units, account=account, report=_labelled(report, units)
            )
            of_size[units] = parts.keep(units, made)
    members = [member for units in sizes for member in of_size[units]]
    return sorted(members, key=energy_of), account


def compile_everything(space: SearchSpace, network: GraphNetwork, plan: Plan, units: int) -> None:
    """Search a few crystals of a size, so that several processes do not compile the same."""
    few = replace(plan, number=2, refined=1, descent_steps=min(1, plan.descent_steps))
    crystals_of_size(space, network, few, units, account=Account())


def _labelled(report: Report, units: int) -> Report:
    return lambda stage, done, whole: report(f"{units} formula units: {stage}", done, whole)
