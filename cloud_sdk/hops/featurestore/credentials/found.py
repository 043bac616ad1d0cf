"""What a secret store is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from hops.featurestore.api_key import ApiKey


@dataclass(frozen=True)
class KeyRequest:
    """`region` None leaves the region to boto3's own rules (environment, profile, instance).

    `scope` and `name` say which secret of Databricks it is, where that is not the usual one.
    """

    project: str
    region: Optional[str] = None
    api_key_file: Optional[str] = None
    scope: Optional[str] = None
    name: Optional[str] = None


@dataclass(frozen=True)
class FoundKey:
    key: ApiKey
    store: str
    name: str
