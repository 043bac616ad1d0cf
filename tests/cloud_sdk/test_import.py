"""`import hops.featurestore` is quick and drags nothing in."""

import subprocess
import sys

import pytest

HEAVY = ("pandas", "pyarrow", "boto3", "botocore", "polars", "numpy", "urllib3", "matplotlib")


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_loads_none_of_the_heavy_packages():
    assert run(f"import sys, hops.featurestore; print([m for m in {HEAVY} if m in sys.modules])").strip() == "[]"


def test_importing_takes_less_than_200_milliseconds():
    code = "import time; start = time.process_time(); import hops.featurestore; print(time.process_time() - start)"
    assert min(float(run(code)) for _ in range(5)) < 0.2


@pytest.mark.parametrize("imported", ["app", "tenancy", "infra"])
def test_importing_loads_nothing_of_the_gateway(imported):
    code = f"import sys, hops.featurestore; print([m for m in sys.modules if m.split('.')[0] == {imported!r}])"
    assert run(code).strip() == "[]"
