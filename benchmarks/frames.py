"""The frame that is measured with, and the proof that what comes back is it."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

FEATURES = {
    "customer_id": "bigint",
    "event_time": "timestamp",
    **{f"reading_{index}": "double" for index in range(5)},
    "visits": "int",
    "segment": "string",
    "active": "boolean",
}
_SEED = 20_240_229
_START = 1_700_000_000_000_000  # microseconds since 1970
_CUSTOMERS = 100_000
_SEGMENTS = 200


class WrongRowsError(AssertionError):
    """A measurement that lost, doubled or changed rows is no measurement."""


def make_frame(rows: int) -> pa.Table:
    """The same rows in every run; `event_time` is unique, doubles are incompressible, which is the hard case."""
    random = np.random.default_rng(_SEED)
    times = _START + random.permutation(rows).astype(np.int64) * 1_000
    segments = pa.DictionaryArray.from_arrays(
        pa.array(random.integers(0, _SEGMENTS, rows, dtype=np.int32)),
        pa.array([f"segment-{index:03}" for index in range(_SEGMENTS)]),
    )
    return pa.table(
        {
            "customer_id": random.integers(0, _CUSTOMERS, rows, dtype=np.int64),
            "event_time": pa.array(times, pa.timestamp("us", tz="UTC")),
            **{f"reading_{index}": random.standard_normal(rows) for index in range(5)},
            "visits": random.integers(0, 1_000, rows, dtype=np.int32),
            "segment": segments.dictionary_decode(),
            "active": random.integers(0, 2, rows).astype(bool),
        }
    )


def require_same_rows(received: Any, sent: pa.Table) -> None:
    """Raise WrongRowsError unless `received`, a table or a pandas frame, has the columns and rows of `sent` in any order."""
    table = received if isinstance(received, pa.Table) else pa.Table.from_pandas(received, preserve_index=False)
    if table.num_rows != sent.num_rows:
        raise WrongRowsError(f"{table.num_rows:,} rows came back of {sent.num_rows:,}.")
    if table.column_names != sent.column_names:
        raise WrongRowsError(f"Columns {table.column_names} came back for {sent.column_names}.")
    # Engines differ in how they lay a string out, never in what it says.
    table = table.cast(sent.schema)
    if table.equals(sent):
        return
    by_time, sent_by_time = (rows.take(pc.sort_indices(rows["event_time"])) for rows in (table, sent))
    changed = [name for name in sent.column_names if not by_time[name].equals(sent_by_time[name])]
    if changed:
        raise WrongRowsError(f"Came back changed: {', '.join(changed)}.")
