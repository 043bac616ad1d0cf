"""Where `connect` goes and with which key: argument, then environment, then profile, then the stores of the platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional, Tuple

from hops.featurestore.address import HTTPS_PORT, Address, parse_address
from hops.featurestore.api_key import ApiKey
from hops.featurestore.credentials import find_key, search_key
from hops.featurestore.credentials.found import FoundKey, Gateway, KeyRequest
from hops.featurestore.credentials.stored import StoredKey
from hops.featurestore.errors import FeatureStoreError
from hops.featurestore.profiles import Preset, from_environment, from_profile, require_host, require_project
from hops.featurestore.transport import Authorization

DEFAULT_REGION = "default"
ORIGINAL_STORE = "parameterstore"


class LeftOut(str):
    """A default that looks as the original clients' does, and yet can be told from the same word written by a person."""

    __slots__ = ()


STORE_LEFT_OUT = LeftOut(ORIGINAL_STORE)


@dataclass(frozen=True)
class Wanted:
    """The arguments of `connect` that can be left out."""

    host: Optional[str] = None
    project: Optional[str] = None
    port: int = HTTPS_PORT
    region_name: str = DEFAULT_REGION
    secrets_store: str = STORE_LEFT_OUT
    api_key_file: Optional[str] = None
    trust_store_path: Optional[str] = None
    secret_scope: Optional[str] = None
    secret_key: Optional[str] = None

    @property
    def store(self) -> Optional[str]:
        return None if isinstance(self.secrets_store, LeftOut) else self.secrets_store


@dataclass(frozen=True)
class Destination:
    wanted: Wanted
    presets: Tuple[Preset, ...]
    address: Address
    project: str
    trust_store_path: Optional[str]
    origins: Tuple[str, ...]
    """`host from OAST_HOST`, for each that was no argument."""

    def find_key(self, gateway: Optional[Gateway] = None) -> FoundKey:
        """Raises an ApiKeyError that says where was looked and what to do."""
        wanted = self.wanted
        if wanted.store is not None:
            return find_key(wanted.store, self._request(gateway))
        if wanted.api_key_file:
            return find_key("local", self._request(gateway))
        for preset in self.presets:
            found = self._preset_key(preset, gateway)
            if found is not None:
                return found
        if wanted.host:
            # As in the original clients, so that a second secret elsewhere changes nothing.
            return find_key(ORIGINAL_STORE, self._request(gateway))
        return search_key(self._request(gateway))

    def authorization(self, found: FoundKey, gateway: Gateway) -> Authorization:
        """What requests go out with: a key that was found in a store is looked for there again when it is refused."""
        if not isinstance(found.key, ApiKey):
            return found.key
        return StoredKey(found.key, lambda: self._key_by_now(gateway))

    def _key_by_now(self, gateway: Gateway) -> Optional[ApiKey]:
        by_now = resolve(self.wanted)
        if (by_now.address, by_now.project) != (self.address, self.project):
            return None  # environment or profile lead elsewhere, and what lies there is not for this gateway
        found = by_now.find_key(gateway)
        if isinstance(found.key, ApiKey):
            return found.key
        found.key.close()
        return None

    def _preset_key(self, preset: Preset, gateway: Optional[Gateway]) -> Optional[FoundKey]:
        if self._is_for_here(preset):
            if preset.api_key is not None:
                return FoundKey(preset.api_key, preset.source, preset.name_of("api_key"))
            if preset.api_key_file:
                return find_key("local", self._request(gateway))
        if preset.secrets_store:
            return find_key(preset.secrets_store, self._request(gateway))
        return None

    def _is_for_here(self, preset: Preset) -> bool:
        """A key that lies beside a host goes to no other one."""
        if preset.host is None or preset.host == self.wanted.host:
            return True
        try:
            return parse_address(preset.host, self.wanted.port) == self.address
        except FeatureStoreError:
            return False

    def _request(self, gateway: Optional[Gateway]) -> KeyRequest:
        region = None if self.wanted.region_name == DEFAULT_REGION else self.wanted.region_name
        keys = [each.api_key_file for each in self.presets if self._is_for_here(each) and each.api_key_file]
        return KeyRequest(
            self.project,
            region or _first(self.presets, "region_name"),
            self.wanted.api_key_file or (keys[0] if keys else None),
            gateway,
            self.wanted.secret_scope or _first(self.presets, "secret_scope"),
            self.wanted.secret_key or _first(self.presets, "secret_key"),
        )


def resolve(wanted: Wanted) -> Destination:
    """Asks nobody. Raises InvalidInputError where host or project is named nowhere, and ProfileError."""
    complete = wanted.host and wanted.project and (wanted.store is not None or wanted.api_key_file)
    # Where nothing is left to be said, a file that is broken is nobody's business.
    presets = () if complete else (from_environment(), from_profile())
    origins: List[str] = []
    host = require_host(_chosen(wanted.host, "host", presets, origins))
    project = require_project(_chosen(wanted.project, "project", presets, origins))
    trust_store_path = wanted.trust_store_path or _first(presets, "trust_store_path")
    return Destination(wanted, presets, parse_address(host, wanted.port), project, trust_store_path, tuple(origins))


def _chosen(argument: Optional[str], name: str, presets: Tuple[Preset, ...], origins: List[str]) -> Optional[str]:
    if argument:
        return argument
    for preset in presets:
        if getattr(preset, name):
            origins.append(f"{name} from {preset.name_of(name)}")
            return str(getattr(preset, name))
    return None


def _first(presets: Tuple[Preset, ...], name: str) -> Any:
    return next((getattr(preset, name) for preset in presets if getattr(preset, name)), None)
