"""The page's example, run as it is written; only the address and the key are this test's own."""

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import hops.featurestore as fs
from hops.featurestore import default
from tests.docs.pages import ROOT, fences, read, table
from tests.world import World

PAGE = read("docs/point-in-time.md")
CONNECT = 'fs.connect("http://127.0.0.1:8181", "football", secrets_store="local", api_key_file="football.key")\n'


@pytest.fixture
def example(live_world: World) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the page's code prints, and the names it leaves."""
    live_world.project("football")
    connection = live_world.connect("football")
    default.use_connection(connection)
    (code,) = fences(PAGE, "python")
    assert CONNECT in code
    names: dict[str, Any] = {}
    with redirect_stdout(io.StringIO()) as printed:
        exec(code.replace(CONNECT, ""), names)
    yield printed.getvalue(), names
    default.forget_connection()
    connection.close()


def test_the_example_prints_what_the_page_says(example: tuple[str, dict[str, Any]]) -> None:
    printed, names = example
    answer, explained = fences(PAGE, "text")
    assert printed == answer
    options = {"spine": names["labels"], "event_time": "kickoff", "lookback": names["lookback"]}
    told = fs.explain(names["names"], **options).text.partition("\n\n")[0]
    assert _without_sizes(told) == _without_sizes(explained.rstrip("\n"))
    words = {row["Line"].strip("`") for row in table("docs/point-in-time.md", "Reading `explain`")}
    assert {line[5:13].strip() for line in told.splitlines() if line[5:13].strip()} >= words - {"allowed"} | {"rows"}


def test_the_drawing_is_of_the_example() -> None:
    drawing = ET.parse(ROOT / "docs" / "point-in-time.svg")
    texts = [node.text for node in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert {"10", "12", "13", "15", "8,100", "22,400", "lookback 2 days", "with as_known: budget 13"} <= set(texts)
    assert drawing.find("{http://www.w3.org/2000/svg}title") is not None
    assert drawing.find("{http://www.w3.org/2000/svg}desc") is not None


def _without_sizes(text: str) -> list[str]:
    """How many bytes a file has is up to the writer's version."""
    return [line.partition(", about ")[0] for line in text.splitlines()]
