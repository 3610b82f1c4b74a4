"""From a search space to a ranked pool of crystals that the graph network found low in energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
) -> tuple[list[Member], Account]:
    """Return the low-energy crystals of all sizes, the best first, and the account of the search.

    The result is a function of the plan's seed, whatever the number of processes.
    """
    account = Account()
    members: list[Member] = []
    sizes = plan.formula_units(space)
    if min(processes, len(sizes)) > 1:
        found = crystals_of_sizes(space, network, plan, sizes, processes=processes, report=report)
        for units in sizes:
            members += found[units][0]
            account.add(found[units][1])
    else:
        for units in sizes:
            members += crystals_of_size(
                space, network, plan, units, account=account, report=_labelled(report, units)
            )
    return sorted(members, key=energy_of), account


def _labelled(report: Report, units: int) -> Report:
    return lambda stage, done, whole: report(f"{units} formula units: {stage}", done, whole)
