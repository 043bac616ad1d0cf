"""What the original clients can be asked for and this one cannot, told apart from what makes no difference."""

from __future__ import annotations

from typing import Any

from hops.featurestore.errors import NotSupportedError


class _UntouchedFormat(str):
    """Equal to the original default, yet recognisable as nobody's choice."""

    __slots__ = ()


UNTOUCHED_FORMAT = _UntouchedFormat("tfrecords")


def chosen_format(data_format: str) -> str:
    """`parquet` where the caller left the original default `tfrecords` alone."""
    return "parquet" if data_format is UNTOUCHED_FORMAT else data_format


def refuse_online(online: Any) -> None:
    if online:
        raise NotSupportedError(
            "online=True: there is no online feature store yet.", hint="Read offline: leave out online=True."
        )


def refuse_online_in_place_of(dataframe_type: Any) -> Any:
    """The cloud client has `online` where the cluster's client has `dataframe_type`: a bool there means online."""
    if isinstance(dataframe_type, bool):
        refuse_online(dataframe_type)
        return "pandas"
    return dataframe_type


def refuse_given(**arguments: Any) -> None:
    for name, value in arguments.items():
        if value:
            raise NotSupportedError(f"{name}= is not supported yet.", hint=f"Leave out {name}=.")


def require_offline(offline: Any) -> None:
    if not offline:
        raise NotSupportedError("offline=False: rows are always kept offline.", hint="Leave out offline=False.")
