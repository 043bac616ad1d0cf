"""What `oast doctor` says of secrets: whether those that settings and connectors name can be read, and what is missing where not.

No value is kept, compared or shown. References are no secrets.
"""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final

from pydantic import BaseModel, SecretStr
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.bootstrap.own import secret_stores
from app.checks import Check
from app.container import Container
from app.featurestore.connectors.models import StorageConnector
from app.featurestore.connectors.secrets import ProjectSecrets
from app.settings import PREFIX, SecretSettings, Settings
from infra.errors import GatewayError
from infra.ports.sealing import Binding
from infra.ports.secrets import SecretAccessDeniedError, SecretRef, SecretStore, SecretStoreUnavailableError
from infra.registry import Registry
from infra.secrets.aws import AwsOptions
from infra.secrets.needed import needed_for_key, needed_for_secret
from infra.secrets.rotating import RotatingSecrets
from infra.secrets.sealing import KmsKey
from infra.secrets.stores import find_store
from tenancy.projects.models import Project

_LONGEST: Final = 20.0
"""Seconds for the connectors' secrets of one store: what is left by then is counted and not asked for."""

_NAMED: Final = 5
_NOT_ASKED: Final = "its store does not answer, so it was not asked for"


def own_secret_checks(settings: Settings) -> dict[str, Check]:
    """By setting; of those that are references, and of the key of KMS that stored secrets are under."""
    stores = secret_stores(settings.secrets)
    silent: set[str] = set()
    checks = {
        variable: _own_check(variable, text, stores, settings.secrets, silent)
        for variable, text in _secret_settings(settings, PREFIX)
        if any(text.startswith(f"{scheme}:") for scheme in stores)
    }
    if settings.secrets.stored and settings.secrets.kms_key:
        checks[f"{PREFIX}SECRETS__KMS_KEY"] = _key_check(settings.secrets.kms_key, settings.secrets)
    return checks


def connector_secret_checks(container: Container) -> list[Check]:
    """One for each store that a connector's secret is in."""
    settings = container.settings.secrets
    users = RotatingSecrets(secret_stores(settings))
    secrets = ProjectSecrets(users=users, stored=container.stored_secrets, prefix=settings.prefix, local=settings.lent)

    def read(project: str, text: str) -> None:
        ref = secrets.require_own(project, text)
        users.require_known(ref).resolve(ref)

    try:
        found = _connectors(container)
    except (SQLAlchemyError, GatewayError) as error:
        return [Check("secrets", passed=False, detail=type(error).__name__, fix="mend the database first")]
    return [_store_check(scheme, named, read, settings) for scheme, named in sorted(found.items())]


def _secret_settings(model: BaseModel, prefix: str) -> Iterator[tuple[str, str]]:
    for name in type(model).model_fields:
        value, variable = getattr(model, name), f"{prefix}{name.upper()}"
        if isinstance(value, BaseModel):
            yield from _secret_settings(value, f"{variable}__")
        elif isinstance(value, SecretStr):
            yield variable, value.get_secret_value()


def _own_check(
    variable: str, text: str, stores: Registry[SecretStore], settings: SecretSettings, silent: set[str]
) -> Check:
    """`silent` are the stores that did not answer so far: one of them is waited for once."""
    name, scheme = f"secret {variable}", text.partition(":")[0]
    if scheme in silent:
        return Check(name, passed=False, detail=_NOT_ASKED, fix=f"see the other secret of {scheme}")
    shown = f"{scheme}:…"  # what is no name to its store may be the secret itself
    try:
        ref = SecretRef.parse(text)
        store = find_store(stores, ref)
        store.path(ref)
        shown = str(ref)
        store.resolve(ref)
    except GatewayError as error:
        if isinstance(error, SecretStoreUnavailableError):
            silent.add(scheme)
        return Check(name, passed=False, detail=f"{shown}: {error.detail}", fix=_fix(error, text, settings))
    return Check(name, passed=True, detail=f"{shown} can be read")


def _key_check(key: str, settings: SecretSettings) -> Check:
    name, wrapper = f"secret {PREFIX}SECRETS__KMS_KEY", KmsKey(key, _aws(settings))
    binding = Binding("doctor", "doctor", "nowhere")
    try:
        wrapper.unwrap(wrapper.fresh(binding)[1], binding)
    except GatewayError as error:
        is_refusal = isinstance(error, SecretAccessDeniedError)
        fix = _statement(needed_for_key(key, _aws(settings))) if is_refusal else _network_fix(error)
        return Check(name, passed=False, detail=f"{key}: {error.detail}", fix=fix)
    return Check(name, passed=True, detail=f"{key} makes keys, and opens them")


def _connectors(container: Container) -> dict[str, list[tuple[str, str, str]]]:
    """(connector, project, reference) by scheme."""
    wanted = (
        select(Project.name, StorageConnector.name, StorageConnector.secret_ref)
        .join(Project, Project.id == StorageConnector.project_id)
        .where(StorageConnector.secret_ref.is_not(None))
        .order_by(Project.name, StorageConnector.name)
    )
    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    with container.database.read() as session:
        for project, connector, named in session.execute(wanted):
            text = str(named)
            found[text.partition(":")[0]].append((f"{project}/{connector}", project, text))
    return found


def _store_check(
    scheme: str, named: list[tuple[str, str, str]], read: Callable[[str, str], None], settings: SecretSettings
) -> Check:
    until, wrong, asked, fixes = time.monotonic() + _LONGEST, [], 0, []
    for connector, project, text in named:
        if time.monotonic() > until:
            break
        asked += 1
        try:
            read(project, text)
        except GatewayError as error:
            wrong.append(f"{connector} ({text}): {error.detail}")
            fixes.append(_fix(error, text, settings))
            if isinstance(error, SecretStoreUnavailableError):
                break
    left = f"; {len(named) - asked} were not asked for" if asked < len(named) else ""
    if wrong:
        more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        detail = f"{len(wrong)} of {len(named)} cannot be read: {'; '.join(wrong[:_NAMED])}{more}{left}"
        return Check(f"secrets {scheme}", passed=False, detail=detail, fix="\n".join(dict.fromkeys(fixes[:_NAMED])))
    return Check(f"secrets {scheme}", passed=True, detail=f"{asked} of connectors can be read{left}")


def _fix(error: GatewayError, text: str, settings: SecretSettings) -> str:
    """Where AWS refused, the least that the gateway's role needs; what the gateway itself refused has its own hint."""
    if isinstance(error, SecretAccessDeniedError) and error.__cause__ is not None and text.startswith("aws-"):
        return _statement(needed_for_secret(SecretRef.parse(text), _aws(settings), str(error.__cause__)))
    return error.hint or _network_fix(error)


def _network_fix(error: GatewayError) -> str:
    if isinstance(error, SecretStoreUnavailableError):
        return (
            "let this network reach it: a NAT gateway, or an interface endpoint whose security group lets it in at 443; "
            "OAST_SECRETS__AWS_REGION and OAST_SECRETS__AWS_ENDPOINT_URL say where it is"
        )
    return "compare the reference with the store; docs/secrets.md says what there is"


def _statement(statement: dict[str, object]) -> str:
    return "add this statement to the policy of the gateway's role:\n" + json.dumps(statement, indent=2)


def _aws(settings: SecretSettings) -> AwsOptions:
    return AwsOptions(settings.aws_region, settings.aws_endpoint_url)
