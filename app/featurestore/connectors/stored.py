"""Secrets that are kept here, where the operator allows it: sealed for one connector and the place that it leads to."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.featurestore.connectors.errors import ConnectorStaleError
from app.featurestore.connectors.kinds import Options
from app.featurestore.connectors.models import StorageConnector, StoredSecret
from infra.clock import Clock
from infra.crypto import Pepper, SecretValue
from infra.database.unit_of_work import Database
from infra.ports.sealing import Binding, Sealed, SecretSealer, StoredSecretsOffError, StoredSecretUnusableError


def binding_of(project_id: UUID, connector_id: UUID, kind: str, options: Options) -> Binding:
    """All options: a secret follows to no other host, port, database, user, bucket or encryption."""
    place = json.dumps([kind, options], sort_keys=True, separators=(",", ":"))
    return Binding(str(project_id), str(connector_id), place)


def binding(connector: StorageConnector) -> Binding:
    return binding_of(connector.project_id, connector.id, connector.kind, connector.options)


@dataclass(frozen=True)
class Bound:
    """A sealed secret before its connector is written."""

    binding: Binding
    sealed: Sealed
    fingerprint: str


class StoredSecrets:
    """`sealer` is None where the operator keeps no secrets here."""

    def __init__(self, *, database: Database, sealer: SecretSealer | None, pepper: Pepper, clock: Clock) -> None:
        self._database = database
        self._sealer = sealer
        self._pepper = pepper
        self._clock = clock

    def seal(self, value: SecretValue | None, bound: Callable[[Session], Binding]) -> Bound | None:
        """None for None. `bound` asks who may, and says what for; the key service is asked outside its transaction."""
        if value is None:
            return None
        with self._database.read() as session:
            found = bound(session)
        sealed = self._require_sealer().seal(value, found)
        mac = self._pepper.mac("stored-secret", found.project, found.connector, value.reveal())
        return Bound(found, sealed, mac.hex()[:8])

    def attach(self, connector: StorageConnector, bound: Bound) -> None:
        """Raises ConnectorStaleError where the connector leads elsewhere by now."""
        if bound.binding != binding(connector):
            raise ConnectorStaleError("Somebody else changed the storage connector meanwhile; read it again.")
        row = connector.stored_secret or StoredSecret(connector_id=connector.id)
        row.key_id, row.wrapped_key = bound.sealed.key_id, bound.sealed.wrapped_key
        row.nonce, row.text = bound.sealed.nonce, bound.sealed.text
        row.fingerprint, row.created_at = bound.fingerprint, self._clock.now()
        connector.stored_secret = row

    def open(self, sealed: Sealed, bound: Binding) -> SecretValue:
        return self._require_sealer().open(sealed, bound)

    def rewrap(self) -> tuple[int, list[str]]:
        """How many secrets were put under the key in use, and the connectors whose secrets cannot be opened any more."""
        sealer, done, lost = self._require_sealer(), 0, []
        with self._database.read() as session:
            rows = session.scalars(select(StorageConnector).where(StorageConnector.stored_secret.has())).unique()
            found = [
                (f"{row.project.name}/{row.name}", row.id, row.stored_secret.sealed, binding(row))
                for row in rows
                if row.stored_secret is not None
            ]
        for name, connector_id, sealed, bound in found:
            try:
                changed = sealer.rewrapped(sealed, bound)
            except StoredSecretUnusableError:
                lost.append(name)
                continue
            done += self._replace(connector_id, sealed, changed) if changed is not None else 0
        return done, lost

    def _replace(self, connector_id: UUID, old: Sealed, new: Sealed) -> int:
        """Only what was read: somebody may have given another secret meanwhile."""
        with self._database.write() as uow:
            changed = uow.session.execute(
                update(StoredSecret)
                .where(StoredSecret.connector_id == connector_id, StoredSecret.nonce == old.nonce)
                .values(key_id=new.key_id, wrapped_key=new.wrapped_key)
            )
            uow.commit()
        return int(changed.rowcount)  # type: ignore[attr-defined]  # of an update

    def _require_sealer(self) -> SecretSealer:
        if self._sealer is None:
            raise StoredSecretsOffError
        return self._sealer
