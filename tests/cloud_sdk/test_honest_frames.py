"""What pyarrow or pandas would change in silence is refused or kept."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import pyarrow as pa
import pytest

from hops.featurestore.containers import convert
from hops.featurestore.errors import FrameConversionError, InvalidInputError
from hops.featurestore.frames import to_record_batches
from hops.featurestore.session import Session


@pytest.mark.parametrize("make", [pd.DataFrame, lambda columns: columns])
def test_times_among_dates_do_not_lose_their_time(make: object) -> None:
    columns = {"id": [1, 2], "x": [date(2020, 1, 1), datetime(2020, 1, 1, 5)]}  # noqa: DTZ001 as notebooks have them
    with pytest.raises(FrameConversionError, match="mixes dates and times"):
        to_record_batches(make(columns))  # type: ignore[operator]
    columns["x"] = [date(2020, 1, 1), None]
    assert to_record_batches(make(columns)).read_all()["x"].to_pylist() == [date(2020, 1, 1), None]  # type: ignore[operator]


def test_a_period_is_not_a_number() -> None:
    frame = pd.DataFrame({"month": pd.period_range("2020-01", periods=2, freq="M")})
    with pytest.raises(FrameConversionError) as refused:
        to_record_batches(frame)
    assert "astype(str)" in str(refused.value)


def test_one_column_is_no_frame() -> None:
    with pytest.raises(FrameConversionError, match="one column"):
        to_record_batches(pd.Series([1]))


@pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.int64(), pa.uint16()])
def test_integers_with_nulls_stay_integers(kind: pa.DataType) -> None:
    largest = 2**53 + 1 if kind == pa.int64() else 100
    frame = convert(pa.table({"id": pa.array([largest, None], kind)}), "pandas")
    assert frame["id"][0] == largest
    assert frame["id"].isna().tolist() == [False, True]
    assert pa.Table.from_pandas(frame).schema.field("id").type == kind
    assert str(convert(pa.table({"id": pa.array([1], kind)}), "pandas")["id"].dtype) == str(kind)


def test_a_version_in_the_place_of_a_store_is_told_so() -> None:
    with pytest.raises(InvalidInputError, match="featuregroup_version"):
        Session(None, "football").owner_of(2)  # type: ignore[arg-type]
