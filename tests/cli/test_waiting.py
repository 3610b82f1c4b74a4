"""A command that shows nothing for a while says on a terminal that it is at work."""

import io
import time

import pytest

from nucleate.cli import waiting


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("arguments", "stream", "ends", "says"),
    [
        (["export", "run"], Terminal(), False, True),
        (["--quiet", "export"], Terminal(), False, True),
        (["export", "run"], Terminal(), True, False),
        (["--version"], Terminal(), False, False),
        (["export", "run"], io.StringIO(), False, False),
    ],
)
def test_it_says_so_once_on_a_terminal(monkeypatch, arguments, stream, ends, says):
    monkeypatch.setattr(waiting, "AFTER_S", 0.05)
    monkeypatch.setattr("sys.argv", ["nucleate", *arguments])
    monkeypatch.setattr("sys.stderr", stream)
    waiting.begin_waiting()
    if ends:
        waiting.end_waiting()
    time.sleep(0.4)
    waiting.end_waiting()
    assert (
        stream.getvalue() == "nucleate export: loading (longest at the first start) ...\n"
    ) is says


def test_nothing_is_said_where_no_thread_may_be_started(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(waiting.Timer, "start", refuse)
    monkeypatch.setattr("sys.argv", ["nucleate", "export"])
    monkeypatch.setattr("sys.stderr", Terminal())
    waiting.begin_waiting()
    waiting.end_waiting()
