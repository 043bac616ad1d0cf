"""Whether the clocks that have to agree do: this machine's, AWS's, and the database's."""

import os
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.checks import Check
from app.container import Container
from app.featurestore.jobs.queue import LEASE
from app.settings import Settings
from infra.errors import GatewayError
from infra.secrets.aws import AwsOptions
from infra.secrets.aws import open_client as open_secrets_client
from infra.storage.location import S3Options
from infra.storage.s3 import open_client as open_s3_client

_AWS: Final = "clock of AWS"
_SECONDS: Final = 5.0
_MOST_FROM_AWS: Final = timedelta(minutes=1)
"""AWS refuses what is signed five minutes off; a clock that drifts gets there."""

_MOST_FROM_DATABASE: Final = LEASE / 3
"""Workers compare leases that others wrote with their own clocks."""

_FIX: Final = "let NTP set this machine's clock (chrony; on EC2 169.254.169.123)"


def aws_clock_checks(settings: Settings) -> list[Check]:
    """None where nothing of this gateway is in AWS."""
    try:
        place = next(_endpoints(settings), None)
    except (GatewayError, ValueError) as error:
        # No region, or an address that is none; boto3 itself would say the same of every call.
        return [Check(_AWS, passed=False, detail=str(error), fix="set region and endpoint_url of what is in AWS")]
    return [] if place is None else [_aws_check(place)]


def database_clock_checks(container: Container) -> list[Check]:
    """None where the database is a file of this machine."""
    engine = container.database.engine
    if engine.dialect.name == "sqlite":
        return []
    try:
        with engine.connect() as connection:
            started = time.monotonic()
            there = connection.execute(select(func.clock_timestamp())).scalar_one()
            here = container.clock.now() - timedelta(seconds=(time.monotonic() - started) / 2)
    except SQLAlchemyError as error:
        return [
            Check("clock of the database", passed=False, detail=type(error).__name__, fix="mend the database first")
        ]
    return [_judged("clock of the database", here - there, _MOST_FROM_DATABASE, "leases of runs end early or late")]


def _endpoints(settings: Settings) -> Iterator[str]:
    """Of the services that the settings name, as boto3 reaches them."""
    warehouse = settings.warehouse
    if settings.resolved_warehouse_url.startswith("s3://"):
        yield open_s3_client(S3Options(warehouse.region, warehouse.endpoint_url)).meta.endpoint_url
    of_database = (settings.database_url, settings.database_password)
    of_others = (settings.pepper, settings.spark.remote, settings.secrets.key, settings.secrets.old_key)
    named = [text.get_secret_value() for text in (*of_database, *of_others) if text is not None]
    if settings.secrets.kms_key or any(text.startswith("aws-") for text in named):
        place = AwsOptions(settings.secrets.aws_region, settings.secrets.aws_endpoint_url)
        yield open_secrets_client("secretsmanager", place).meta.endpoint_url
    for region in sorted(settings.login.listed_regions):
        yield settings.login.endpoint_url or f"https://sts.{region}.amazonaws.com"


def _aws_check(place: str) -> Check:
    try:
        said = _date_of(place)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Check(
            _AWS,
            passed=False,
            detail=f"{place} does not answer: {reason}",
            fix="let this network reach it: a NAT gateway or an endpoint in the VPC; HTTPS_PROXY where there is a proxy",
        )
    if said is None:
        return Check(_AWS, passed=True, detail=f"{place} says no time")
    return _judged(_AWS, datetime.now(UTC) - said, _MOST_FROM_AWS, "AWS refuses what is signed so")


def _date_of(place: str) -> datetime | None:
    """Without a signature, which a clock that is off would spoil: a refusal has the time as well."""
    context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)
    request = Request(place, method="HEAD")  # noqa: S310 an operator's own setting, or AWS's name
    try:
        with build_opener(HTTPSHandler(context=context), _StayHere).open(request, timeout=_SECONDS) as answer:
            date = answer.headers["Date"]
    except HTTPError as refusal:
        with refusal:
            date = refusal.headers["Date"]
    return parsedate_to_datetime(date).astimezone(UTC) if date else None


class _StayHere(HTTPRedirectHandler):
    """S3 sends whoever asks without a bucket to a page for people, which a private network does not reach."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _judged(name: str, off: timedelta, most: timedelta, what: str) -> Check:
    said = f"this machine is {off.total_seconds():+.1f} s off"
    if abs(off) > most:
        return Check(name, passed=False, detail=f"{said}: {what}", fix=_FIX)
    return Check(name, passed=True, detail=said)
