"""What rows must be like, and whether they are."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from hops.featurestore.default import default_connection
from hops.featurestore.validations import Expectations, Validation


def set_expectations(
    featuregroup: str, rules: Any, *, policy: str = "strict", featuregroup_version: int = 1,
    featurestore: Optional[str] = None,
) -> Expectations:  # fmt: skip
    """Hold every later insert against `rules`, in the place of those that there are.

    - `rules`: a list such as `[{"rule": "range", "column": "age", "min": 0, "max": 120}]`, a pandera DataFrameSchema or
      DataFrameModel, or a suite of Great Expectations (its object, dict or JSON). What of them has no counterpart here is an
      InvalidInputError that names it.
    - `policy`: "strict" rejects an insert that breaks a rule, with a ValidationFailedError; "report" writes it, and what is
      wrong is in `get_validations`.
    """
    return default_connection().set_expectations(
        featuregroup, rules, policy=policy, featuregroup_version=featuregroup_version, featurestore=featurestore
    )


def get_expectations(
    featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None
) -> Expectations:  # fmt: skip
    """The policy and the rules; no rules where nothing is expected."""
    return default_connection().get_expectations(featuregroup, featuregroup_version, featurestore)


def remove_expectations(featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None) -> None:
    """Expect nothing any more. The validations so far are kept."""
    default_connection().remove_expectations(featuregroup, featuregroup_version, featurestore)


def get_validations(
    featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None
) -> List[Validation]:  # fmt: skip
    """What was found of inserts and of the table, the latest first, rejected inserts included: counts and a few examples."""
    return default_connection().get_validations(featuregroup, featuregroup_version, featurestore)


def validate_featuregroup(
    featuregroup: str, featuregroup_version: int = 1, featurestore: Optional[str] = None
) -> Dict[str, Any]:  # fmt: skip
    """Have the rows that are in the table held against the rules, in the background; answers the run.

    The run fails with the code `validation-failed` where a rule is broken. Either way `get_validations` has a report.
    """
    return default_connection().validate_featuregroup(featuregroup, featuregroup_version, featurestore)
