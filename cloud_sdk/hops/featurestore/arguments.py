"""What callers give, looked at before anything is asked of the gateway: names, versions, and what JSON can hold."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Dict, Optional, Union
from urllib.parse import quote

from hops.featurestore.errors import InvalidInputError

# Of a request's first line, which servers take 4 KiB of: the rest is for the address itself.
_MOST_OF_AN_ADDRESS = 3_500
# A path's own signs: what is called like that cannot be addressed, so the gateway could not even say that it is not there.
_NO_NAMES = frozenset({"", ".", ".."})


def plain(value: Any) -> Any:
    """A whole number or a truth value of numpy as Python's own; everything else as it is."""
    numpy = sys.modules.get("numpy")  # where it was not imported there is none of these
    if numpy is None or not isinstance(value, (numpy.integer, numpy.bool_)) or isinstance(value, numpy.timedelta64):
        return value
    return value.item()


def is_whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def kind_of(value: Any) -> str:
    """How a message calls it."""
    return "None" if value is None else f"a {type(value).__name__}"


def checked_name(name: Any, what: str) -> str:
    """`what` it is the name of. Whether there is such a thing is for the gateway to say."""
    if isinstance(name, str) and name not in _NO_NAMES and "/" not in name:
        return name
    raise InvalidInputError(
        f"{shown(name)} is no name of a {what}.", hint='Names are text without slashes, such as "teams_features".'
    )


def checked_version(version: Any, argument: str = "featuregroup_version") -> int:
    number = plain(version)
    if isinstance(number, str) and number.isascii() and number.isdecimal():
        number = int(number)
    if is_whole(number) and number >= 0:
        return int(number)
    raise InvalidInputError(
        f"{argument}={shown(version)} is no version: these are whole numbers from 1 on.",
        hint="fs.get_latest_featuregroup_version(…) and fs.get_latest_training_dataset_version(…) tell the latest.",
    )


def column_list(columns: Union[str, Sequence[str]]) -> str:
    """As an address has them; raises InvalidInputError for more than go into one."""
    text = columns if isinstance(columns, str) else ",".join(columns)
    if len(quote(text)) > _MOST_OF_AN_ADDRESS:
        raise InvalidInputError(
            f"columns= names {text.count(',') + 1:,} columns, which are more than fit into an address.",
            hint="Leave out columns=, and choose from the frame.",
        )
    return text


def types_by_name(types: Any, argument: str) -> Dict[str, str]:
    """Feature → Hive type."""
    if not isinstance(types, Mapping):
        raise InvalidInputError(
            f"{argument}= is {kind_of(types)} and not a dict of names with their types.",
            hint=f'Such as {argument}={{"wins": "INT"}}.',
        )
    for name, kind in types.items():
        if not isinstance(name, str) or not isinstance(kind, str):
            raise InvalidInputError(
                f"{argument}= holds {shown(name)}: {shown(kind)}; names and types are text.",
                hint=f'Such as {argument}={{"wins": "INT"}}.',
            )
    return dict(types)


def as_json(body: Optional[Mapping[str, Any]]) -> str:
    return json.dumps(body, default=_as_json)


def shown(value: Any) -> str:
    """For a message; nobody wants a whole frame in it."""
    text = repr(value)
    return text if len(text) <= 80 and "\n" not in text else kind_of(value)


def _as_json(value: Any) -> Any:
    found = plain(value)
    if found is value:
        raise InvalidInputError(f"{shown(value)} is nothing that an argument can hold.")
    return found
