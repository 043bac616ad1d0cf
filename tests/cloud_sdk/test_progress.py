"""How far a download is, shown where somebody looks and nowhere else."""

import io
import json
import os
import pty
import sys
import threading

import pyarrow as pa
import pytest

import hops.featurestore.progress as progress_module
from hops.featurestore.progress import Progress, begin_progress, notebook_display, terminal_display
from tests.cloud_sdk.gateway import Reply, arrow_reply, serving
from tests.cloud_sdk.store import PARTS, ROWS, Parts, Store

SCHEMA = pa.schema([("id", pa.int64())])
TABLE = pa.table({"id": list(range(1000))}, SCHEMA)


class Clock:
    """Moves as it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lines():
    return []


@pytest.fixture
def progress(clock, lines):
    return Progress(lambda line, is_last: lines.append((line, is_last)), clock=clock)


def test_what_is_quick_is_not_shown(progress, clock, lines):
    clock.now = 0.9
    progress.add(rows=10, bytes_=1000)
    progress.close()
    assert lines == []


def test_rows_bytes_and_rate(progress, clock, lines):
    progress.add(bytes_=500_000)
    clock.now = 2.0
    progress.add(rows=12_345, bytes_=1_500_000)
    assert lines == [("12,345 rows, 2.0 MB, 1.0 MB/s", False)]
    clock.now = 4.0
    progress.close()
    assert lines[1:] == [("12,345 rows, 2.0 MB, 500 kB/s", True)]


def test_of_how_many_where_that_is_known(progress, clock, lines):
    progress.expect(rows=20_000_000, bytes_=2_500_000_000)
    clock.now = 10.0
    progress.add(rows=1_000_000, bytes_=250_000_000)
    assert lines == [("1,000,000 of 20,000,000 rows, 250 MB of 2.5 GB, 25.0 MB/s", False)]


def test_it_is_not_shown_more_often_than_anybody_reads(progress, clock, lines):
    for _ in range(1000):
        clock.now += 0.01
        progress.add(rows=1)
    assert 40 <= len(lines) <= 50
    progress.close()
    progress.close()
    progress.add(rows=1)
    assert [is_last for _, is_last in lines].count(True) == 1
    assert lines[-1][0].startswith("1,000 rows")


def test_a_display_that_fails_does_not_fail_the_download(clock):
    shown = []

    def broken(line, is_last):
        shown.append(line)
        raise BrokenPipeError

    progress = Progress(broken, clock=clock)
    for clock.now in (2.0, 4.0):
        progress.add(rows=1)
    progress.close()
    assert len(shown) == 1
    assert progress.rows == 2


def test_threads_count_together(progress):
    threads = [threading.Thread(target=lambda: [progress.add(rows=1, bytes_=2) for _ in range(1000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (progress.rows, progress.bytes) == (4000, 8000)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_949, "99.9 kB"), (99_950, "100 kB"), (999_499, "999 kB"),
     (999_500, "1.0 MB"), (1_234_567_890_123, "1.2 TB"), (5e16, "50000 TB")],
)  # fmt: skip
def test_sizes(progress, clock, lines, size, text):
    clock.now = 1e9
    progress.add(bytes_=int(size))
    assert lines[0][0].split(", ")[1] == text


# On a terminal


@pytest.fixture
def terminal(monkeypatch):
    """Makes standard error a real one, from within the test: pytest has its own way with it before. Gives what was sent."""
    opened = []

    def attach():
        ours, theirs = pty.openpty()
        stream = os.fdopen(theirs, "w")
        opened.append((ours, stream))
        monkeypatch.setattr(sys, "stderr", stream)

        def shown() -> str:
            stream.write("\0")  # it hands on what it was sent a moment later: read up to here
            stream.flush()
            text = ""
            while not text.endswith("\0"):
                text += os.read(ours, 1 << 20).decode()
            return text[:-1]

        return shown

    yield attach
    monkeypatch.undo()
    for ours, stream in opened:
        stream.close()
        os.close(ours)


@pytest.fixture
def at_once(monkeypatch):
    """Shown from the first byte on."""
    monkeypatch.setattr(progress_module, "_SILENT", 0.0)
    monkeypatch.setattr(progress_module, "_BETWEEN", 0.0)


def test_a_terminal_shows_one_line_in_place_of_the_last(terminal, monkeypatch):
    shown = terminal()
    monkeypatch.setenv("COLUMNS", "30")
    show = terminal_display(sys.stderr)
    show("first, which is a longer line than the terminal", False)
    show("last", True)
    assert shown() == "\rfirst, which is a longer line\rlast" + " " * 25 + "\r\n"


@pytest.fixture
def read(fs, sdk_gateway):
    def read_(**options):
        sdk_gateway.on("GET", ROWS, arrow_reply(TABLE))
        assert len(fs.get_featuregroup("g", **options)) == 1000

    return read_


def test_reading_is_shown_on_a_terminal_unless_quiet(terminal, at_once, fs, read, monkeypatch):
    shown = terminal()
    read()
    assert shown() == ""  # the fixture connects with quiet=True
    fs.set_progress()
    read()
    text = shown()
    assert "\r1,000 rows, " in text
    assert text.endswith("\r\n")
    fs.set_progress(shown=False)
    read()
    fs.set_progress(shown=True)
    monkeypatch.setenv("OAST_PROGRESS", "0")
    read()
    assert shown() == ""


def test_parts_are_shown_with_what_is_due(terminal, at_once, fs, sdk_gateway):
    shown = terminal()
    store = Store()
    fs.set_progress()
    with serving(store) as port:
        parts = Parts(store, f"http://127.0.0.1:{port}", SCHEMA)
        parts.add(TABLE)
        sdk_gateway.on("GET", ROWS, Reply(200, json.dumps(parts.manifest()).encode(), {"Content-Type": PARTS}))
        assert fs.get_featuregroup("g", as_="pyarrow").equals(TABLE)
    assert "1,000 of 1,000 rows" in shown()


def test_nothing_is_shown_where_errors_are_redirected(at_once, fs, read, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    fs.set_progress()
    read()
    assert stream.getvalue() == ""
    monkeypatch.setattr(sys, "stderr", None)
    read()


def test_what_breaks_off_leaves_its_line_ended(terminal, at_once):
    shown = terminal()
    progress = begin_progress(True)
    progress.add(rows=5)
    progress.close()
    assert shown().endswith("\r\n")


# In a notebook


@pytest.fixture
def notebook(monkeypatch, tmp_path):
    """IPython as it runs in a kernel; gives what is published to the page."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    from IPython.core.displaypub import CapturingDisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    shell = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    monkeypatch.setattr(shell, "display_pub", CapturingDisplayPublisher())
    monkeypatch.setattr(shell, "kernel", object(), raising=False)  # ipykernel's shell has one
    yield shell
    InteractiveShell.clear_instance()


def test_a_notebook_updates_one_output(notebook, at_once, fs, read, terminal):
    shown = terminal()
    fs.set_progress()
    read()
    published = notebook.display_pub.outputs
    assert len(published) >= 2
    assert "text/html" in published[0]["data"]
    assert "1,000 rows" in published[-1]["data"]["text/plain"]
    assert [output["update"] for output in published] == [False] + [True] * (len(published) - 1)
    assert len({output["transient"]["display_id"] for output in published}) == 1
    assert shown() == ""


def test_what_is_shown_in_a_notebook_is_text(notebook):
    from IPython.display import display

    notebook_display(display)("<b>&", False)
    assert notebook.display_pub.outputs[0]["data"] == {"text/plain": "<b>&", "text/html": "<code>&lt;b&gt;&amp;</code>"}


def test_ipython_on_a_terminal_is_a_terminal(notebook, at_once, fs, read, terminal, monkeypatch):
    shown = terminal()
    monkeypatch.delattr(notebook, "kernel")
    fs.set_progress()
    read()
    assert "1,000 rows" in shown()
    assert notebook.display_pub.outputs == []
