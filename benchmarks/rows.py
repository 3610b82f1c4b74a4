"""Rows of a measurement in a file of JSON lines that grows from session to session.

``benchmarks/rows/`` holds the rows that the pages in docs/measurements/ were made from. A script
that is started again leaves out what has a row, so that long measurements can be made in pieces.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Action = Callable[[argparse.Namespace], None]

KEPT = Path(__file__).with_name("rows")


def rows_of(file: Path) -> list[dict[str, Any]]:
    """Return the rows so far; a line that was cut off is left out."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def append(file: Path, row: dict[str, Any]) -> None:
    """Add a row."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    start = "\n" if text and not text.endswith("\n") else ""
    with file.open("a", encoding="utf-8") as stream:
        stream.write(f"{start}{json.dumps(row)}\n")


def run_and_table(
    doc: str, run: Action, table: Action, file: str
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser, argparse.ArgumentParser]:
    """Return a parser with the sub-commands ``run`` and ``table``, and these two.

    Both have ``--rows``, by default a file of :data:`KEPT`, and set ``action``.
    """
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    found = []
    for name, action in (("run", run), ("table", table)):
        command = commands.add_parser(name)
        command.add_argument("--rows", type=Path, default=KEPT / file)
        command.set_defaults(action=action)
        found.append(command)
    return parser, found[0], found[1]
