"""The training loops of the examples, where their frameworks are installed; each in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.world import World

EXAMPLES = Path(__file__).parents[2] / "examples"
ROWS = 600
BUDGETS = np.random.default_rng(2).normal(0, 1, ROWS)
TABLE = pa.table(
    {"budget": BUDGETS, "won": BUDGETS > 0, "city": [None if n % 5 == 0 else f"city {n}" for n in range(ROWS)]}
)
CONNECT = """
import sys
import numpy as np
import hops.featurestore as fs
from hops.featurestore import default
from hops.featurestore.connection import open_connection

default.use_connection(open_connection(sys.argv[1], "football", secrets_store="local", api_key_file=sys.argv[2], quiet=True))
"""
TORCH = """
import torch
import train_with_torch

torch.manual_seed(1)
batches = fs.iter_training_dataset("results", columns=["budget", "won"], batch_rows=50, as_="numpy")
assert sum(len(expected) for _, expected in train_with_torch.FeatureRows(batches, ["budget"], "won")) == 600
rows = fs.get_training_dataset("results")
inputs = torch.tensor(rows[["budget"]].to_numpy()).float()
for workers in (0, 2):
    model = train_with_torch.train(batches, ["budget"], "won", workers=workers)
    with torch.no_grad():
        guessed = model(inputs).numpy() > 0
    assert (guessed == rows["won"]).mean() > 0.9
"""
TENSORFLOW = """
import train_with_tensorflow

rows = fs.get_training_dataset("results")
batches = list(train_with_tensorflow.streamed(fs.iter_training_dataset("results", batch_rows=50, as_="numpy")))
assert np.concatenate([batch["budget"].numpy() for batch in batches]).tolist() == rows["budget"].tolist()
assert batches[0]["city"].numpy()[:2].tolist() == [b"", b"city 1"]
path = fs.get_training_dataset_path("records")
files = [f"{path}/{file['path']}" for file in fs.get_training_dataset_manifest("records")["files"]]
schema = fs.get_training_dataset_tf_record_schema("records")
records = list(train_with_tensorflow.from_records(files, schema))
assert [record["won"].numpy() for record in records] == [int(won) for won in rows["won"]]
assert np.allclose([record["budget"].numpy() for record in records], rows["budget"].astype("float32"))
"""


@pytest.fixture
def run(live_world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.setattr("app.featurestore.training_datasets.files.ROWS_PER_PART", 150)
    live_world.project("football")
    with live_world.connect("football") as connection:
        connection.create_training_dataset("results", TABLE)
        connection.create_training_dataset("records", TABLE.select(["budget", "won"]), data_format="tfrecords")
    key = live_world.directory / "examples.key"
    key.touch(mode=0o600)
    key.write_text(live_world.key("football"))

    def script(code: str) -> None:
        found = os.pathsep.join([str(EXAMPLES), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, "-c", CONNECT + code, live_world.address, str(key)],
            env={**os.environ, "PYTHONPATH": found},
            check=False,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr[-3000:]

    return script


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_torch_learns_from_batches(run: Callable[[str], None]) -> None:
    run(TORCH)


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_tensorflow_gets_the_same_rows_either_way(run: Callable[[str], None]) -> None:
    run(TENSORFLOW)
