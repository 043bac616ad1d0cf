"""Point-in-time joins as plainly as they can be said: every label looks at every row."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Label:
    """`time` in microseconds since 1970, or a number."""

    key: tuple[object, ...]
    time: int | None


@dataclass(frozen=True)
class Row:
    """`time` as in a label, and None in a group without event time. Of two rows the one with the larger `order` was
    written later; `written` and `removed` in microseconds since 1970."""

    key: tuple[object, ...]
    time: int | None
    order: int
    written: int | None = None
    removed: int | None = None


def matches(  # noqa: C901 the rules, one after the other
    labels: Sequence[Label], rows: Sequence[Row], *, timed: bool, lookback: int | None = None, as_known: bool = False
) -> list[Row | None]:
    """For each label the row that it gets."""
    answer = []
    for label in labels:
        best = None
        for row in rows:
            if None in label.key or row.key != label.key:
                continue
            if timed and (label.time is None or row.time is None or row.time > label.time):
                continue
            if timed and lookback is not None and label.time - row.time > lookback:
                continue
            if as_known and (label.time is None or row.written is None or row.written > label.time):
                continue
            if as_known and row.removed is not None and row.removed <= label.time:
                continue
            if best is None or (timed and row.time > best.time) or (row.order > best.order and row.time == best.time):
                best = row
        answer.append(best)
    return answer
