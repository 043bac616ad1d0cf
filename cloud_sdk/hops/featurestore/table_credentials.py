"""Credentials for one table in S3, as the gateway gives them out, and as other programs take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Dict, Optional
from urllib.parse import urlsplit

_SPARK = "fs.s3a.bucket"


@dataclass(frozen=True)
class TableCredentials:
    """They read what lies below `uri`, and nothing else, until `expires_at`. Never shown by printing.

    `endpoint_url` is None for Amazon's own S3; any other store is addressed by path.
    """

    uri: str
    level: str
    region: Optional[str]
    endpoint_url: Optional[str]
    expires_at: datetime
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> TableCredentials:
        known = {name: answer[name] for name in cls.__dataclass_fields__ if name != "expires_at"}
        return cls(expires_at=_time(answer["expires_at"]), **known)

    @property
    def bucket(self) -> str:
        return urlsplit(self.uri).netloc

    @property
    def seconds_left(self) -> float:
        return (self.expires_at - datetime.now(timezone.utc)).total_seconds()

    def storage_options(self) -> Dict[str, str]:
        """For delta-rs and Polars: `polars.read_delta(made.uri, storage_options=made.storage_options())`."""
        options = {
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key,
            "aws_session_token": self.session_token,
            "aws_region": self.region,
            "aws_endpoint_url": self.endpoint_url,
            "aws_allow_http": "true" if self._is_plain else None,
        }
        return {name: value for name, value in options.items() if value is not None}

    def spark_options(self, *, prefix: str = "") -> Dict[str, str]:
        """For the bucket alone, in a plain Spark or on EMR; `prefix` is `spark.hadoop.` where a session is made with them."""
        provider = "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider"
        options = {
            "aws.credentials.provider": provider,
            "access.key": self.access_key_id,
            "secret.key": self.secret_access_key,
            "session.token": self.session_token,
            "endpoint.region": self.region,
            "endpoint": self.endpoint_url,
            "path.style.access": "true" if self.endpoint_url else None,
        }
        return {f"{prefix}{_SPARK}.{self.bucket}.{name}": value for name, value in options.items() if value is not None}

    def environment(self) -> Dict[str, str]:
        """As AWS's own tools read them."""
        names = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
            "AWS_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ALLOW_HTTP": "true" if self._is_plain else None,
        }
        return {name: value for name, value in names.items() if value is not None}

    @property
    def _is_plain(self) -> bool:
        return self.endpoint_url is not None and urlsplit(self.endpoint_url).scheme == "http"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
