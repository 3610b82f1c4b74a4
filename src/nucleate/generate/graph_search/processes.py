"""The sizes of a pool, searched in processes of their own."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.generate.graph_search.pool import Account, Plan, crystals_of_size
from nucleate.processes import HAS_SESSIONS, starting

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.graph_search.parts import Parts
    from nucleate.generate.graph_search.pool import Report
    from nucleate.generate.pool import Member
    from nucleate.networks.graph_network.network import GraphNetwork

DESCENT_COST = 50
"""Processor time of the descent of a crystal over that of finding and judging one."""

_START = f"from {__name__} import serve; serve()"


class PoolProcessError(NucleateError):
    """A process that searched crystals has ended before it was done."""


def crystals_of_sizes(
    space: SearchSpace,
    network: GraphNetwork,
    plan: Plan,
    sizes: tuple[int, ...],
    *,
    processes: int,
    report: Report,
    parts: Parts,
) -> dict[int, tuple[list[Member], Account]]:
    """Return the refined crystals of each number of formula units with their accounts.

    The same as :func:`crystals_of_size` one after the other. The processes end with this one,
    whatever ends it.

    Parameters
    ----------
    space, network, plan
        As for :func:`nucleate.generate.graph_search.sizes.make_pool`.
    sizes
        Numbers of formula units.
    processes
        How many at a time.
    report
        Called with (what, percent, 100), all sizes together.
    parts
        Where each size is kept as soon as it is finished.

    Raises
    ------
    PoolProcessError
        If a process ends before it is done, for lack of memory for example.
    """
    waiting = sorted(sizes)  # the last, which take longest, first
    found: dict[int, tuple[list[Member], Account]] = {}
    shares: dict[tuple[int, str], float] = {}
    weights = {"crystals": plan.number, "descent": DESCENT_COST * plan.refined}
    busy: dict[Connection, tuple[subprocess.Popen[bytes], int]] = {}
    shown = 0
    try:
        for _ in range(min(processes, len(waiting))):
            process, pipe = _started()
            busy[pipe] = process, waiting.pop()
            with suppress(BrokenPipeError):  # noticed when it is read from
                # not by `send`, for which torch would share the tensors' memory
                pipe.send_bytes(pickle.dumps((space, network.checkpoint, plan)))
                pipe.send(busy[pipe][1])
        while busy:
            ready = connection.wait(list(busy))
            for pipe in [pipe for pipe in busy if pipe in ready]:
                process, units = busy[pipe]
                message = _received(pipe, process, units)
                if "stage" in message:
                    stage, done, whole = message["stage"]
                    shares[units, stage] = weights[stage] * done / whole
                else:
                    found[units] = parts.keep(units, message["members"]), message["account"]
                    shares |= {(units, stage): weight for stage, weight in weights.items()}
                    if waiting:
                        busy[pipe] = process, waiting.pop()
                        pipe.send(busy[pipe][1])
                    else:
                        _end(pipe, busy.pop(pipe)[0])
                share = sum(shares.values()) / (len(sizes) * sum(weights.values()))
                if int(100 * share) != shown:
                    shown = int(100 * share)
                    report(f"pool of {len(sizes)} sizes, percent", shown, 100)
    finally:
        for pipe, (process, _) in busy.items():
            _end(pipe, process)
    return found


def serve() -> None:
    """Search the sizes that come through the pipe until there are no more: a child's whole life."""
    from nucleate.networks.graph_network.network import GraphNetwork

    pipe: connection.Connection = connection.Connection(int(sys.argv[1]))
    with suppress(EOFError, OSError):  # the parent is gone
        space, checkpoint, plan = pipe.recv()
        network = GraphNetwork(checkpoint)
        while True:
            units = pipe.recv()
            account = Account()
            members = crystals_of_size(
                space,
                network,
                plan,
                units,
                account=account,
                report=lambda stage, done, whole: pipe.send({"stage": (stage, done, whole)}),
            )
            pipe.send({"members": members, "account": account})


def _started() -> tuple[subprocess.Popen[bytes], Connection]:
    ours, theirs = connection.Pipe()
    paths = os.pathsep.join(path for path in sys.path if path)
    with starting():
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            start_new_session=HAS_SESSIONS,
        )
    theirs.close()
    return process, ours


def _end(pipe: Connection, process: subprocess.Popen[bytes]) -> None:
    pipe.close()
    process.kill()
    process.wait()


def _received(pipe: Connection, process: subprocess.Popen[bytes], units: int) -> dict[str, Any]:
    try:
        return pipe.recv()
    except (EOFError, ConnectionResetError) as error:
        raise PoolProcessError(
            f"graph-search: the process that searched cells of {units} formula units has ended "
            f"(exit code {process.wait()}). Start again with fewer workers or a smaller number."
        ) from error
