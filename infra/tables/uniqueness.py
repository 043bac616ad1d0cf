"""Refuses uploads whose keys would make an upsert arbitrary."""

from collections.abc import Sequence

import duckdb

from infra.errors import EngineLimitError, GatewayError, InvalidInputError
from infra.ports.tables import BatchFactory
from infra.tables.identifiers import quoted
from infra.tables.source import RowSource

# Only the keys are grouped, and they spill: a large upload costs disk, not the gateway's memory.
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "512MB",
    "threads": "1",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def require_unique_keys(rows: BatchFactory, keys: Sequence[str]) -> None:
    """Raise InvalidInputError, with an example, where a key is null or occurs twice among the rows."""
    source = RowSource(rows, None)
    reader = source.reader()
    unknown = sorted(set(keys) - set(reader.schema.names))
    if unknown or not keys:
        raise InvalidInputError(f"An upsert needs key columns that the rows have; missing: {unknown or 'all'}.")
    try:
        found = _first_unusable(reader, [quoted(key) for key in keys])
    except duckdb.OutOfMemoryException as error:
        raise EngineLimitError("The keys of this upload do not fit; send it in parts.") from error
    except duckdb.Error as error:
        raise source.error or GatewayError("The keys of the rows could not be compared.") from error
    if found is None:
        return
    key = dict(zip(keys, found, strict=True))
    if None in key.values():
        raise InvalidInputError(f"A key is null: {_shown(key)}. Every row of an upsert needs a complete key.")
    raise InvalidInputError(
        f"Key {_shown(key)} occurs more than once in the rows; which one counts is not for us to pick."
    )


def _first_unusable(reader: object, keys: Sequence[str]) -> tuple[object, ...] | None:
    listed = ", ".join(keys)
    # As text: the driver needs a further package to make Python times of zoned ones, and only a message is made of them.
    shown = ", ".join(f"CAST({key} AS VARCHAR)" for key in keys)
    absent = " OR ".join(f"{key} IS NULL" for key in keys)
    with duckdb.connect(":memory:", config=_SETTINGS) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("uploaded", reader)
        return connection.execute(
            f"SELECT {shown} FROM uploaded GROUP BY {listed} HAVING count(*) > 1 OR {absent} LIMIT 1"  # noqa: S608 quoted
        ).fetchone()


def _shown(key: dict[str, object]) -> str:
    return ", ".join(f"{name}={str(value)[:100]}" for name, value in key.items())
