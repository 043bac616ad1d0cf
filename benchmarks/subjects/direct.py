"""Reading a large feature group in S3: past the gateway, at signed addresses, through the gateway, and with plain pyarrow.

Inserting into one: rows put into S3 against rows sent to the gateway.

The store is SeaweedFS on the same machine, which takes processor time from everybody alike.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import S3FileSystem

from benchmarks.checksums import Checksum
from benchmarks.findings import Column, Figure, Findings, Target
from benchmarks.frames import WrongRowsError
from benchmarks.gateway import PROJECT, Gateway, running_gateway
from benchmarks.histories import EVENT_TIME, GROUPS, KEY, make_parts, schema_of
from benchmarks.measuring import COLUMNS, Comparison, Contender, Options, Outcome, compare
from hops import featurestore as fs
from hops.featurestore.metadata import InsertResult
from infra.clock import SystemClock
from infra.ports.vending import Level, Wanted
from infra.storage.location import Warehouse
from infra.storage.vending import StsMinter
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs, running_seaweedfs

ROWS, REPETITIONS = 20_000_000, 3
_GROUP = GROUPS[0]
_ASKED = 500
_LATENCY = (Column("a credential"), Column("p50 ms"), Column("p99 ms"))
_Keys = dict[str, Any]


def measure(options: Options) -> list[Findings]:
    with running_seaweedfs() as store:
        warehouse = store.new_warehouse()
        with running_gateway(**_settings(store, warehouse)) as gateway:
            _load(gateway, options.rows)
            key_file = gateway.vending_key()
            direct = gateway.connect(key_file)
            gateway.restart()
            files, size = _files(direct)
            outcomes = _outcomes(gateway, direct, partial(_plain, store, files), options)
            latencies = _latencies(direct, store, warehouse)
            inserted = _inserted(gateway, key_file, options)
    table = f"{options.rows:,} rows of 10 columns, {size / 1e9:.2f} GB in {len(files)} files"
    rows = tuple(row for outcome in outcomes.values() for row in outcome.rows)
    targets = (Target("direct: seconds over plain pyarrow", outcomes["direct"].ratio, 1.5),)
    hit = Target("p99 ms of a credential that is there already, over HTTP", float(str(latencies[0]["p99 ms"])), 50)
    return [
        Findings("direct", f"{table}; medians of {options.repetitions} turns", COLUMNS, rows, targets),
        inserted,
        Findings("vending", f"{_ASKED} one after the other", _LATENCY, tuple(latencies), (hit,)),
    ]


def _settings(store: SeaweedFs, warehouse: Warehouse) -> dict[str, str]:
    options = store.options
    return {
        "OAST_WAREHOUSE__URL": warehouse.url,
        "OAST_WAREHOUSE__REGION": options.region or "",
        "OAST_WAREHOUSE__ENDPOINT_URL": options.endpoint_url or "",
        "OAST_WAREHOUSE__ACCESS_KEY_ID": options.access_key_id or "",
        "OAST_WAREHOUSE__SECRET_ACCESS_KEY": options.secret_access_key or "",
        "OAST_VENDING__ROLE": ROLE_ARN,
        "OAST_VENDING__ENDPOINT_URL": store.endpoint_url,
        "OAST_VENDING__FROM_BYTES": "0",
        "OAST_RESULTS__PARTS_FROM_BYTES": "0",
    }


def _load(gateway: Gateway, rows: int) -> None:
    connection = gateway.connect()
    connection.create_featuregroup(None, _GROUP, KEY, event_time=EVENT_TIME, schema=schema_of(_GROUP))
    for part in make_parts(_GROUP, rows):
        connection.insert_into_featuregroup(part, _GROUP)


def _files(connection: fs.Connection) -> tuple[list[str], int]:
    """Keys of the table's files, and their bytes, as the credential's own listing has them."""
    made = connection.get_featuregroup_credentials(_GROUP)
    store = S3FileSystem(
        access_key=made.access_key_id,
        secret_key=made.secret_access_key,
        session_token=made.session_token,
        **_endpoint(made.endpoint_url or "", made.region or ""),
    )
    from pyarrow.fs import FileSelector  # noqa: PLC0415 of this function alone

    found = store.get_file_info(FileSelector(made.uri[len("s3://") :].rstrip("/"), recursive=False))
    data = [each for each in found if each.path.endswith(".parquet")]
    return [each.path for each in data], sum(each.size for each in data)


def _endpoint(url: str, region: str) -> _Keys:
    return {"endpoint_override": urlsplit(url).netloc, "scheme": urlsplit(url).scheme, "region": region}


def _plain(store: SeaweedFs, files: list[str], columns: list[str] | None) -> pa.Table:
    """As somebody reads who has keys of the bucket and knows the files."""
    options = store.options
    keys = {"access_key": options.access_key_id, "secret_key": options.secret_access_key}
    filesystem = S3FileSystem(**keys, **_endpoint(store.endpoint_url, options.region or ""))
    return pq.read_table(files, filesystem=filesystem, columns=columns)


def _outcomes(
    gateway: Gateway, direct: fs.Connection, plain: Callable[[list[str] | None], pa.Table], options: Options
) -> dict[str, Outcome]:
    some = [KEY, "reading_0"] if "reading_0" in schema_of(_GROUP) else list(schema_of(_GROUP))[:2]
    whole = _checked(options.rows, None)
    part = _checked(options.rows, some)
    ways = {"direct": direct, "presigned": gateway.connect(), "stream": _streaming(gateway)}
    comparisons = {}
    for columns, check, suffix in ((None, whole, ""), (some, part, ", 2 columns")):
        for name, connection in ways.items():
            read = partial(connection.get_featuregroup, _GROUP, as_="pyarrow", columns=columns)
            comparisons[f"{name}{suffix}"] = Comparison(
                f"{name}{suffix}",
                Contender("pyarrow", partial(plain, columns), check),
                Contender("gateway", read, check, gateway=gateway),
            )
    return dict(zip(comparisons, compare(list(comparisons.values()), options.repetitions), strict=True))


def _checked(rows: int, columns: list[str] | None) -> Callable[[Any], None]:
    if columns is None:
        schema = next(make_parts(_GROUP, rows)).schema
        expected = Checksum(schema, EVENT_TIME)
        for part in make_parts(_GROUP, rows):
            expected.add(part)
        value = expected.value()

    def check(received: pa.Table) -> None:
        if received.num_rows != rows or (columns is not None and received.column_names != columns):
            raise WrongRowsError(f"{received.num_rows:,} rows of {received.column_names} came back.")
        if columns is None:
            found = Checksum(schema, EVENT_TIME)
            found.add(received)
            if found.value() != value:
                raise WrongRowsError("Other rows came back.")

    return check


def _inserted(gateway: Gateway, key_file: Path, options: Options) -> Findings:
    """A fifth of the rows in one insert, in place of those before."""
    table, direct, sending = (
        next(make_parts(_GROUP, options.rows)),
        gateway.connect(key_file),
        gateway.connect(key_file),
    )
    sending._session.transport.writes_directly = False  # noqa: SLF001 users have no use for it

    def insert(connection: fs.Connection, name: str) -> InsertResult:
        return connection.insert_into_featuregroup(table, name, mode="overwrite")

    def checked(mode: str) -> Callable[[InsertResult], None]:
        def check(result: InsertResult) -> None:
            if result.rows_inserted != table.num_rows or (result.transfer or {}).get("mode") != mode:
                raise WrongRowsError(f"{result.rows_inserted:,} rows were inserted by {result.transfer}.")

        return check

    for name in ("sent", "staged"):
        direct.create_featuregroup(None, name, KEY, event_time=EVENT_TIME, schema=schema_of(_GROUP))
    comparison = Comparison(
        "insert",
        Contender("sent", partial(insert, sending, "sent"), checked("stream"), gateway=gateway),
        Contender("direct", partial(insert, direct, "staged"), checked("direct"), gateway=gateway),
    )
    rows = tuple(row for outcome in compare([comparison], options.repetitions) for row in outcome.rows)
    size = f"{table.num_rows:,} rows of {table.num_columns} columns, {table.nbytes / 1e9:.2f} GB as Arrow"
    return Findings("bulk insert", f"{size}; medians of {options.repetitions} turns", COLUMNS, rows)


def _streaming(gateway: Gateway) -> fs.Connection:
    connection = gateway.connect()
    connection._session.transport.takes_parts = False  # noqa: SLF001 users have no use for it
    return connection


def _latencies(direct: fs.Connection, store: SeaweedFs, warehouse: Warehouse) -> list[dict[str, Figure]]:
    minter = StsMinter(warehouse, role_arn=ROLE_ARN, clock=SystemClock(), endpoint_url=store.endpoint_url)
    ends = SystemClock().now() + timedelta(days=1)

    def mint(number: int) -> None:
        minter.mint(Wanted(("project/table",), Level.READ, PROJECT, f"key{number}", 900, ends), "request")

    asked = {
        "that is there already, over HTTP": lambda _: direct.get_featuregroup_credentials(_GROUP),
        "that is there already, without HTTP, decision and record": lambda _: mint(0),
        "minted by STS": lambda number: mint(number + 1),
    }
    return [_latency(name, ask) for name, ask in asked.items()]


def _latency(name: str, ask: Callable[[int], object]) -> dict[str, Figure]:
    for _ in range(4):  # each of the gateway's processes has its own
        ask(0)
    seconds = []
    for number in range(_ASKED):
        started = time.perf_counter()
        ask(number)
        seconds.append(time.perf_counter() - started)
    cuts = quantiles(seconds, n=100, method="inclusive")
    return dict(zip([column.name for column in _LATENCY], (name, cuts[49] * 1e3, cuts[98] * 1e3), strict=True))
