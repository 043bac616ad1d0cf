"""States of tables as people write them. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from app.featurestore.query.expression import AsOf, CatalogGroup
from infra.errors import InvalidInputError

_LONGEST_VERSION = 18


def parse_as_of(text: str) -> AsOf:
    """A version of the table, or an RFC 3339 time with its zone; raises InvalidInputError."""
    if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_VERSION:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(
            f"as_of={text[:60]!r} is neither a version of the table nor a time.",
            hint="Give a version from the commit list, such as 3, or a time such as 2026-03-01T12:00:00Z. In an address, "
            "a + is written %2B.",
        ) from error
    if moment.tzinfo is None:
        raise InvalidInputError(
            f"as_of={text[:60]!r} has no time zone.",
            hint=f"Write {moment.isoformat()}Z for UTC, or the offset of the zone that is meant.",
        )
    return moment


def states_by_group(asked: AsOf | Mapping[str, AsOf] | None, groups: Sequence[CatalogGroup]) -> dict[str, AsOf]:
    """By label of the group: the state at which it is read, where that is not the present one."""
    if asked is None:
        return {}
    if isinstance(asked, Mapping):
        return _named_states(asked, groups)
    labels = list(dict.fromkeys(group.label for group in groups))
    if isinstance(asked, int) and len(labels) > 1:
        raise InvalidInputError(
            f"as_of={asked} is a version of one table, and {len(labels)} feature groups are read.",
            candidates=labels,
            hint="Give a time, or a version for each group by name.",
        )
    return dict.fromkeys(labels, asked)


def _named_states(asked: Mapping[str, AsOf], groups: Sequence[CatalogGroup]) -> dict[str, AsOf]:
    states: dict[str, AsOf] = {}
    for name, state in asked.items():
        meant = {group.label for group in groups if group.is_called(name)}
        if not meant:
            raise InvalidInputError(
                f"as_of names {name[:120]!r}, which is none of the groups read.",
                candidates=list(dict.fromkeys(group.label for group in groups)),
            )
        twice = sorted(meant & states.keys())
        if twice:
            raise InvalidInputError(f"as_of names {twice[0]} twice.", hint="Call it by one name.")
        states.update(dict.fromkeys(meant, state))
    return states
