"""Key-set paging: pages stay stable while rows come and go, and cost the same however deep."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from infra.errors import InvalidInputError

T = TypeVar("T")
U = TypeVar("U")

DEFAULT_LIMIT = 100
MAX_LIMIT = 500


@dataclass(frozen=True)
class PageRequest:
    limit: int = DEFAULT_LIMIT
    cursor: str | None = None


@dataclass(frozen=True)
class Page(Generic[T]):
    items: Sequence[T]
    next_cursor: str | None = None

    def map(self, convert: Callable[[T], U]) -> "Page[U]":
        return Page([convert(item) for item in self.items], self.next_cursor)


def paginate(
    session: Session, query: Select[Any], request: PageRequest, by: Sequence[InstrumentedAttribute[Any]]
) -> Page[T]:
    """One page of `query`, ordered by the columns `by`, which together must be unique and hold only text and integers."""
    if request.cursor:
        query = query.where(tuple_(*by) > tuple_(*_decode(request.cursor, len(by))))
    rows: Sequence[T] = session.scalars(query.order_by(*by).limit(request.limit + 1)).unique().all()
    if len(rows) <= request.limit:
        return Page(rows)
    last = rows[request.limit - 1]
    return Page(rows[: request.limit], _encode([getattr(last, column.key) for column in by]))


def paginate_latest(
    session: Session, query: Select[Any], request: PageRequest, by: InstrumentedAttribute[UUID]
) -> Page[T]:
    """One page of `query`, the latest first, by a column of ids that sort by the time they were made."""
    if request.cursor:
        query = query.where(by < _id_of(request.cursor))
    rows: Sequence[T] = session.scalars(query.order_by(by.desc()).limit(request.limit + 1)).unique().all()
    if len(rows) <= request.limit:
        return Page(rows)
    return Page(rows[: request.limit], _encode([str(getattr(rows[request.limit - 1], by.key))]))


def _id_of(cursor: str) -> UUID:
    try:
        return UUID(str(_decode(cursor, 1)[0]))
    except ValueError as error:
        raise _bad_cursor() from error


def _encode(values: Sequence[object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def _decode(cursor: str, width: int) -> list[str | int]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError, binascii.Error) as error:
        raise _bad_cursor() from error
    if not isinstance(values, list) or len(values) != width or not all(type(v) in (str, int) for v in values):
        raise _bad_cursor()
    return values


def _bad_cursor() -> InvalidInputError:
    return InvalidInputError("The cursor is not one this list answered.", hint="Start again without a cursor.")
