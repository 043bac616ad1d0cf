"""Setting rules for rows, and seeing whether rows keep to them."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from hops.featurestore.errors import InvalidInputError
from hops.featurestore.expectation_rules import rules_of
from hops.featurestore.metadata import from_json
from hops.featurestore.session import Operations
from hops.featurestore.upload import new_idempotency_key
from hops.featurestore.validations import Expectations, Validation

POLICIES = ("strict", "report")


class ExpectationOperations(Operations):
    def set_expectations(
        self,
        featuregroup: str,
        rules: Any,
        *,
        policy: str = "strict",
        featuregroup_version: int = 1,
        featurestore: Optional[str] = None,
    ) -> Expectations:
        if policy not in POLICIES:
            raise InvalidInputError(f"{policy!r} is no policy.", candidates=POLICIES)
        body = {"policy": policy, "rules": rules_of(rules)}
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore, "expectations")
        return from_json(Expectations, self._session.send("PUT", path, body))

    def get_expectations(
        self, featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None
    ) -> Expectations:
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore, "expectations")
        return from_json(Expectations, self._session.get(path))

    def remove_expectations(
        self, featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None
    ) -> None:
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore, "expectations")
        self._session.send("DELETE", path)

    def get_validations(
        self, featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None
    ) -> List[Validation]:
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore, "validations")
        return [Validation.from_json(each) for each in self._session.pages(path)]

    def validate_featuregroup(
        self, featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None
    ) -> Dict[str, Any]:
        path = self._session.group_path(featuregroup, featuregroup_version, featurestore, "validations")
        run: Dict[str, Any] = self._session.send("POST", path, headers={"Idempotency-Key": new_idempotency_key()})
        return run
