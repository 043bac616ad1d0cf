"""What is wrong with labels and shows here only: how times were written, what units are meant, what pandas made of a column."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Optional

from hops.featurestore.errors import (
    FeatureGroupNotFoundError,
    FrameConversionError,
    InferJoinKeyError,
    InvalidInputError,
)
from hops.featurestore.expressions import says_a_duration
from hops.featurestore.extras import require
from hops.featurestore.frames import holds_objects, is_frame, is_pandas
from hops.featurestore.label_files import FORMATS

if TYPE_CHECKING:
    import pyarrow as pa


def require_labels(spine: Any) -> None:
    """Whether it is a frame at all."""
    if is_frame(spine):
        return
    if isinstance(spine, list):
        others = [type(row).__name__ for row in spine if not isinstance(row, Mapping)]
        what = f"A list of {others[0]}" if others else "An empty list, which names no column,"
        raise FrameConversionError(
            f"{what} cannot be labels.", hint='A list holds rows, each a dict such as {"team_id": 1, "kickoff": …}.'
        )
    raise FrameConversionError(
        f"{type(spine).__name__} cannot be labels.",
        hint="Give a frame, the name of a feature group, a pathlib.Path of a file, or a RecordBatchReader.",
    )


def require_zones(spine: Any, event_time: Optional[str]) -> None:
    """Of a column in which some times have a zone Arrow takes the others for UTC, or all of them for times without."""
    values = _values(spine, event_time)
    if not holds_objects(values):
        return
    have_zone = {value.tzinfo is not None for value in values if isinstance(value, datetime) and _is_time(value)}
    if len(have_zone) > 1:
        raise InvalidInputError(
            f"The labels' event time {event_time!r} has no time zone in some rows, so that these name no moment.",
            hint="Say which zone they are in:  value.replace(tzinfo=timezone.utc), where that is so.",
        )


def require_units(expression: Mapping[str, Any], schema: pa.Schema, event_time: Optional[str]) -> None:
    if event_time not in schema.names or not says_a_duration(expression):
        return
    if require("pyarrow").types.is_integer(schema.field(event_time).type):
        raise InvalidInputError(
            f"The labels' event time {event_time!r} is a whole number, and how many of its units a timedelta lasts is not known.",
            hint="Give lookback as a number of these units.",
        )


@contextmanager
def hints_for(spine: Any) -> Iterator[None]:
    """To what the gateway refuses, what to do about it in the notebook."""
    try:
        yield
    except FeatureGroupNotFoundError as error:
        if isinstance(spine, str) and Path(spine).suffix in FORMATS:
            error.hint = f'A text is the name of a feature group. A file is spine=pathlib.Path("{spine}").'
        raise
    except InferJoinKeyError as error:
        name = _whole_floats(spine, error.detail)
        if name is not None:
            column = f'labels["{name}"]'
            error.hint = f'pandas keeps whole numbers with gaps as floats:  {column} = {column}.astype("Int64")'
        raise


def _values(spine: Any, event_time: Optional[str]) -> Any:
    """The column of event times as the caller wrote it; None where it is Arrow's, or another's with types of its own."""
    if isinstance(spine, Mapping):
        return spine.get(event_time)
    if isinstance(spine, list):
        return [row.get(event_time) for row in spine]
    if not is_pandas(spine):
        return None
    if event_time in spine.columns:
        return spine[event_time]
    return spine.index.get_level_values(event_time) if event_time in spine.index.names else None


def _is_time(value: datetime) -> bool:
    """Not so of pandas' NaT, which is a datetime, and like no other not equal to itself."""
    return value == value  # noqa: PLR0124 as said above


def _whole_floats(spine: Any, detail: str) -> Optional[str]:
    """The column of a pandas frame that `detail` names, if it holds whole numbers as floats."""
    if not is_pandas(spine):
        return None
    named = [name for name in spine.columns if isinstance(name, str) and repr(name) in detail]
    floats = [name for name in named if getattr(spine[name].dtype, "kind", None) == "f"]
    return next((name for name in floats if (spine[name].dropna() % 1 == 0).all()), None)
