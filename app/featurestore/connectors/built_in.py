"""The connectors that every project has. They are said, not stored: there is nothing in them to change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.featurestore.connectors.errors import ConnectorBuiltInError
from infra.database.paging import Page, PageRequest, T

# No cursor of a keyset begins so: those are JSON lists in Base64.
_CURSOR = "-"


@dataclass(frozen=True)
class BuiltInConnector:
    """`kind` says what it is shown as. All that can be reached through one is the project's own part of the warehouse."""

    name: str
    kind: str
    description: str
    options: dict[str, Any]


def built_in_connectors(project: str) -> tuple[BuiltInConnector, ...]:
    """By name as the original made them, and in the order of names."""
    store, datasets = f"{project}_featurestore", f"{project}_Training_Datasets"
    return (
        BuiltInConnector(project, "JDBC", "The project's own data.", {"database": project}),
        BuiltInConnector(datasets, "HOPSFS", "The project's own training datasets.", {"dataset_name": datasets}),
        BuiltInConnector(store, "JDBC", "The project's own feature store.", {"database": store}),
    )


def find_built_in(project: str, name: str) -> BuiltInConnector | None:
    """Whatever the case of its letters: nothing may look like one that is built in and be another."""
    return next((each for each in built_in_connectors(project) if each.name.lower() == name.lower()), None)


def refusal(name: str) -> ConnectorBuiltInError:
    return ConnectorBuiltInError(
        f"{name!r} is built into every project: it is neither changed nor deleted, and no feature group reads through it.",
        hint="Run the query as SQL over the project's feature groups, fs.sql(…), and insert what it gives where it shall be "
        "kept; for another place create a connector.",
    )


def page_after_built_in(first: Sequence[T], request: PageRequest, rest: Callable[[PageRequest], Page[T]]) -> Page[T]:
    """One page of `first`, which stand before all others, and then of `rest`."""
    start = _start(request.cursor, len(first))
    if start is None:
        return rest(request)
    shown = list(first[start : start + request.limit])
    left = request.limit - len(shown)
    if left > 0:
        page = rest(PageRequest(left))
        return Page([*shown, *page.items], page.next_cursor)
    end = start + len(shown)
    is_last = end == len(first) and not rest(PageRequest(1)).items
    return Page(shown, None if is_last else f"{_CURSOR}{end}")


def _start(cursor: str | None, count: int) -> int | None:
    if not cursor:
        return 0
    number = cursor.removeprefix(_CURSOR)
    return int(number) if cursor.startswith(_CURSOR) and number in {str(each) for each in range(1, count + 1)} else None
