"""What a secret store is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Union

from hops.featurestore.address import Address
from hops.featurestore.api_key import ApiKey
from hops.featurestore.retries import RetryPolicy
from hops.featurestore.sessions import SessionKey

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True)
class Gateway:
    """Where to log in, for what takes no key from a store."""

    address: Address
    tls: Optional[ssl.SSLContext]
    timeout: float
    retries: Optional[RetryPolicy] = None


@dataclass(frozen=True)
class KeyRequest:
    """`region` None leaves the region to boto3's own rules (environment, profile, instance).

    `scope` and `name` say which secret of Databricks it is, where that is not the usual one.
    """

    project: str
    region: Optional[str] = None
    api_key_file: Optional[str] = None
    gateway: Optional[Gateway] = None
    scope: Optional[str] = None
    name: Optional[str] = None


@dataclass(frozen=True)
class FoundKey:
    key: Union[ApiKey, SessionKey]
    store: str
    name: str

    @property
    def is_stored(self) -> bool:
        return isinstance(self.key, ApiKey)

    @property
    def described(self) -> str:
        return f"the API key from {self.store}: {self.name}" if self.is_stored else f"no stored key, as {self.name}"
