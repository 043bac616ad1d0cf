"""The notebooks cannot run here, so what can be checked without a gateway is: they compile and call what exists."""

import ast
import inspect
import json
import re
from pathlib import Path

import pytest

import hops.featurestore as fs

EXAMPLES = Path(__file__).parents[2] / "examples"


def _code_of(path):
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return "\n".join(cell for cell in code if not cell.startswith("%"))


def _calls(path):
    """(name, call) of every `fs.name(…)`."""
    tree = ast.parse(_code_of(path), filename=path.name)
    return [
        (node.func.attr, node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "fs"
    ]


notebooks = pytest.mark.parametrize(
    "path", [EXAMPLES / "sagemaker.ipynb", EXAMPLES / "databricks.py"], ids=lambda p: p.name
)


@notebooks
def test_a_notebook_connects_first_and_makes_five_calls_more(path):
    names = [name for name, _ in _calls(path)]
    assert names[0] == "connect"
    assert len(names) == 6


@notebooks
def test_a_notebook_uses_public_names_and_arguments_that_exist(path):
    for name, call in _calls(path):
        assert name in fs.__all__
        keywords = {keyword.arg: None for keyword in call.keywords}
        inspect.signature(getattr(fs, name)).bind(*call.args, **keywords)


@notebooks
def test_a_notebook_installs_a_file_and_no_name(path):
    """No index has the SDK: whoever gives a package there its name would run with the notebook's role."""
    [line] = [line for line in path.read_text(encoding="utf-8").splitlines() if "pip install" in line]
    assert re.search(r"install [a-z -]*[./]\S*/oasthouse_cloud_sdk-[\w.]+-py3-none-any\.whl", line), line


def test_the_notebook_is_a_clean_one():
    notebook = json.loads((EXAMPLES / "sagemaker.ipynb").read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert all(re.fullmatch(r"[\w-]{1,64}", cell["id"]) for cell in notebook["cells"])


def test_databricks_reads_the_source_as_a_notebook():
    text = (EXAMPLES / "databricks.py").read_text(encoding="utf-8")
    assert text.startswith("# Databricks notebook source\n")
    for cell in text.split("\n# COMMAND ----------\n")[1:]:
        lines = cell.strip().splitlines()
        magic = [line.startswith("# MAGIC") for line in lines]
        assert all(magic) or not any(magic), "a cell is either code or something else"
