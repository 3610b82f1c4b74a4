"""Calculators that misbehave, each in its own way; the first atom says in which.

A row is a name, what must come of it, and what the calculator does. ``relaxed`` means that the
misbehaviour must leave no trace: the crystal has its energy, and so have those after it.
"""

from __future__ import annotations

import contextlib
import locale
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from types import SimpleNamespace

import numpy as np

FIRST = 10
"""Number of the element of the first row; below it the calculator is well-behaved."""

RELAXED, CALCULATOR, CRASHED = "relaxed", "calculator", "crashed"
NOT_FINITE, TOO_LARGE, TIMEOUT = "not-finite", "too-large", "timeout"


def good(atoms):
    energy = float(np.sin(atoms.get_positions()).sum()) + 0.25
    return SimpleNamespace(energy=energy, forces=np.zeros((len(atoms), 3)), stress=np.zeros(6))


def _raise(error):
    raise error


def _deep(n=0):
    return _deep(n + 1)


def _set(**values):
    """Return a misbehaviour that replaces results; a function is called with the good value."""

    def act(result, _):
        for key, value in values.items():
            setattr(result, key, value(getattr(result, key)) if callable(value) else value)

    return act


def _do(function):
    """Return a misbehaviour that is done for its effects, before good results."""

    def act(_, atoms):
        function(atoms)

    return act


def _fork(_):
    if os.fork() == 0:
        return  # the copy lives on as if it were the worker


def _fork_and_exit(_):
    if os.fork() == 0:
        sys.exit(0)


def _print_much(_):
    for _ in range(40):
        print("x" * 100_000)
        print("y" * 100_000, file=sys.stderr)
    os.write(1, b"\xff\x00\n" * 10_000)


def _hang_deaf(_):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    time.sleep(1000.0)


def _hold(_):
    held = [bytearray(200 << 20) for _ in range(40)]
    raise RuntimeError(f"{len(held)} were given")


def _threads(_):
    for _ in range(8):
        threading.Thread(target=time.sleep, args=(1000.0,), daemon=True).start()


def _leave_child(_):
    subprocess.Popen(["sleep", "300"], start_new_session=True)


def _replace_handlers(_):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)


def _change_atoms(atoms):
    atoms.positions += 0.7
    atoms.cell[:] *= 2.0
    atoms.numbers[:] = 8


class Lying(np.ndarray):
    """An array of the wrong shape that says otherwise."""

    shape = property(lambda _: (2, 3))


class Refuses:
    """Cannot be made into an array."""

    def __array__(self, *_, **__):
        raise RuntimeError("no array")


class BadTextError(Exception):
    """An error without a text."""

    def __str__(self):
        raise RuntimeError("no text")


ROWS = [
    # results of a wrong type or shape
    ("2n forces", CALCULATOR, _set(forces=lambda f: np.vstack([f, f]))),
    ("n-1 forces", CALCULATOR, _set(forces=lambda f: f[:-1])),
    ("no forces", CALCULATOR, _set(forces=None)),
    ("empty forces", CALCULATOR, _set(forces=np.zeros((0, 3)))),
    ("flat forces", CALCULATOR, _set(forces=lambda f: f.ravel())),
    ("transposed forces", CALCULATOR, _set(forces=lambda f: f.T)),
    ("forces in four dimensions", CALCULATOR, _set(forces=lambda f: np.zeros((len(f), 4)))),
    ("forces with an extra axis", CALCULATOR, _set(forces=lambda f: f[None])),
    ("ragged forces", CALCULATOR, _set(forces=[[0.0, 0.0, 0.0], [0.0]])),
    ("one force for all", CALCULATOR, _set(forces=np.zeros(3))),
    ("complex forces", CALCULATOR, _set(forces=lambda f: f + 0j)),
    ("forces of strings", CALCULATOR, _set(forces=lambda f: f.astype(str))),
    ("forces of objects", CALCULATOR, _set(forces=lambda f: f.astype(object))),
    ("forces of booleans", CALCULATOR, _set(forces=lambda f: f.astype(bool))),
    ("forces as dates", CALCULATOR, _set(forces=lambda f: f.astype("M8[s]"))),
    ("forces that refuse", CALCULATOR, _set(forces=Refuses())),
    ("forces as a dict", CALCULATOR, _set(forces={})),
    ("forces as a generator", CALCULATOR, _set(forces=iter([[0, 0, 0]]))),
    ("structured forces", CALCULATOR, _set(forces=np.zeros(2, dtype=[("x", float)]))),
    ("lists of integers", RELAXED, _set(forces=[[0, 0, 0], [0, 0, 0]])),
    ("float32 forces", RELAXED, _set(forces=lambda f: f.astype(np.float32))),
    ("read-only forces", RELAXED, _set(forces=lambda f: f.setflags(write=False) or f)),
    ("big-endian forces", RELAXED, _set(forces=lambda f: f.astype(">f8"))),
    ("NaN forces", NOT_FINITE, _set(forces=lambda f: f * np.nan)),
    ("infinite forces", NOT_FINITE, _set(forces=lambda f: f + np.inf)),
    ("huge forces", NOT_FINITE, _set(forces=lambda f: f + 1e308)),
    ("NaN energy", NOT_FINITE, _set(energy=float("nan"))),
    ("infinite energy", NOT_FINITE, _set(energy=float("-inf"))),
    ("complex energy", CALCULATOR, _set(energy=1 + 2j)),
    ("energy as a string", CALCULATOR, _set(energy="-1.5 eV")),
    ("energy as a number in a string", CALCULATOR, _set(energy="-1.5")),
    ("no energy", CALCULATOR, _set(energy=None)),
    ("energy as a boolean", CALCULATOR, _set(energy=True)),
    ("energy as an array", CALCULATOR, _set(energy=np.zeros(3))),
    ("energy of 400 digits", CALCULATOR, _set(energy=10**400)),
    ("NaN stress", NOT_FINITE, _set(stress=lambda s: s * np.nan)),
    ("stress of five", CALCULATOR, _set(stress=lambda s: s[:5])),
    ("stress of nine", CALCULATOR, _set(stress=np.zeros(9))),
    ("no stress", CALCULATOR, _set(stress=None)),
    ("complex stress", CALCULATOR, _set(stress=lambda s: s + 1j)),
    # errors of every kind
    ("raises", CALCULATOR, _do(lambda _: _raise(RuntimeError("bad day")))),
    ("raises without a text", CALCULATOR, _do(lambda _: _raise(BadTextError()))),
    ("raises an empty error", CALCULATOR, _do(lambda _: _raise(ValueError()))),
    ("raises a surrogate", CALCULATOR, _do(lambda _: _raise(ValueError("\ud800 \x1b[2J")))),
    ("raises 20 MB", CALCULATOR, _do(lambda _: _raise(ValueError("z" * (20 << 20))))),
    ("raises bytes", CALCULATOR, _do(lambda _: _raise(ValueError(b"\xff\xfe")))),
    ("raises a group", CALCULATOR, _do(lambda _: _raise(ExceptionGroup("g", [ValueError()])))),
    ("raises StopIteration", CALCULATOR, _do(lambda _: _raise(StopIteration()))),
    ("raises a warning", CALCULATOR, _do(lambda _: _raise(UserWarning("w")))),
    ("divides by zero", CALCULATOR, _do(lambda _: 1 / 0)),
    ("fails an assertion", CALCULATOR, _do(lambda _: _raise(AssertionError()))),
    ("raises KeyboardInterrupt", CRASHED, _do(lambda _: _raise(KeyboardInterrupt()))),
    ("raises GeneratorExit", CALCULATOR, _do(lambda _: _raise(GeneratorExit()))),
    ("raises a BaseException", CRASHED, _do(lambda _: _raise(BaseException("base")))),
    ("recurses without end", CALCULATOR, _do(lambda _: _deep())),
    ("imports what is missing", CALCULATOR, _do(lambda _: __import__("no_such_module_at_all"))),
    ("needs a file that is missing", CALCULATOR, _do(lambda _: open("/no/such/file"))),  # noqa: PTH123, SIM115
    ("raises MemoryError", TOO_LARGE, _do(lambda _: _raise(MemoryError()))),
    ("takes memory to the limit", TOO_LARGE, _do(_hold)),
    # ends of the process
    ("sys.exit(0)", CALCULATOR, _do(lambda _: sys.exit(0))),
    ("sys.exit with a text", CALCULATOR, _do(lambda _: sys.exit("bye"))),
    ("os._exit(0)", CRASHED, _do(lambda _: os._exit(0))),
    ("aborts", CRASHED, _do(lambda _: os.abort())),
    ("segmentation fault", CRASHED, _do(lambda _: os.kill(os.getpid(), signal.SIGSEGV))),
    ("hangs", TIMEOUT, _do(lambda _: time.sleep(1000.0))),
    ("hangs and is deaf", TIMEOUT, _do(_hang_deaf)),
    # what it does to the process
    ("forks", RELAXED, _do(_fork)),
    ("forks and the copy exits", RELAXED, _do(_fork_and_exit)),
    ("closes all descriptors", CRASHED, _do(lambda _: os.closerange(0, 256))),
    ("reads standard input", RELAXED, _do(lambda _: sys.stdin.read())),
    ("prints megabytes", RELAXED, _do(_print_much)),
    ("changes the folder", RELAXED, _do(lambda _: os.chdir("/"))),
    ("changes the atoms", RELAXED, _do(_change_atoms)),
    ("leaves threads", RELAXED, _do(_threads)),
    ("leaves a child", RELAXED, _do(_leave_child)),
    ("replaces signal handlers", RELAXED, _do(_replace_handlers)),
    ("makes warnings errors", RELAXED, _do(lambda _: warnings.simplefilter("error"))),
    ("makes numpy raise", RELAXED, _do(lambda _: np.seterr(all="raise"))),
    ("changes the locale", RELAXED, _do(lambda _: locale.setlocale(locale.LC_ALL, "C"))),
    ("seeds the generators", RELAXED, _do(lambda _: np.random.seed(0))),  # noqa: NPY002
    ("empties the environment", RELAXED, _do(lambda _: os.environ.clear())),
    ("empties the path", RELAXED, _do(lambda _: sys.path.clear())),
    ("closes sys.stdout", RELAXED, _do(lambda _: sys.stdout.close())),
    ("lowers the recursion limit", RELAXED, _do(lambda _: sys.setrecursionlimit(120))),
]


class Calculator:
    """As much of an ASE calculator as a model asks for."""

    def get_potential_energy(self, atoms=None, **_):
        number = int(atoms.numbers[0])
        self._result = good(atoms)
        if number >= FIRST:
            ROWS[number - FIRST][2](self._result, atoms)
        return self._result.energy

    def get_forces(self, atoms=None, **_):
        return self._result.forces

    def get_stress(self, atoms=None, **_):
        with contextlib.suppress(AttributeError):
            return self._result.stress.copy()
        return self._result.stress
