"""The one form that a signed GetCallerIdentity may have, to the letter.

A proof is taken apart here and put together again by the gateway: whatever is not expected has no place to be in.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from infra.ports.identity import (
    LoginForOtherServerError,
    LoginOutOfTimeError,
    LoginProof,
    LoginProofInvalidError,
    LoginRegionNotAcceptedError,
)

BODY: Final = "Action=GetCallerIdentity&Version=2011-06-15"
CONTENT_TYPE: Final = "application/x-www-form-urlencoded; charset=utf-8"
SIGNED_HEADERS: Final = "content-type;host;x-amz-date;x-amz-security-token;x-oast-nonce;x-oast-server-id"
WINDOW: Final = timedelta(minutes=5)
REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d", re.ASCII)
_DATE: Final = re.compile(r"\d{8}T\d{6}Z", re.ASCII)
_NONCE: Final = re.compile(r"[0-9a-f]{32}")
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,8192}")
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[A-Z0-9]{16,128}/(?P<day>\d{8})/(?P<region>[a-z0-9-]{1,32})/sts/aws4_request, "
    rf"SignedHeaders={SIGNED_HEADERS}, Signature=(?P<signature>[0-9a-f]{{64}})",
    re.ASCII,
)


def checked_signature(proof: LoginProof, *, server_id: str, regions: frozenset[str], now: datetime) -> str:
    """The signature of a proof that may be asked about; raises a subclass of NotAuthenticatedError."""
    if not REGION.fullmatch(proof.region) or proof.region not in regions:
        raise LoginRegionNotAcceptedError(
            "This gateway has logins checked in other regions.",
            hint="Sign for one of the regions that are named.",
            candidates=sorted(regions),
        )
    if proof.server_id != server_id:
        raise LoginForOtherServerError(
            "The proof was signed for a gateway of another name.", hint=f"Connect to this gateway as {server_id!r}."
        )
    found = _AUTHORIZATION.fullmatch(proof.authorization)
    well_formed = _DATE.fullmatch(proof.amz_date) and _NONCE.fullmatch(proof.nonce)
    if found is None or not well_formed or not _TOKEN.fullmatch(proof.security_token):
        raise _not_valid()
    if (found["region"], found["day"]) != (proof.region, proof.amz_date[:8]):
        raise _not_valid()
    _require_of_now(proof.amz_date, now)
    return found["signature"]


def _require_of_now(amz_date: str, now: datetime) -> None:
    try:
        signed = datetime.strptime(amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise _not_valid() from None
    if abs(signed - now) > WINDOW:
        raise LoginOutOfTimeError(
            f"The proof was signed at {signed:%Y-%m-%d %H:%M:%S} UTC; here it is {now:%Y-%m-%d %H:%M:%S} UTC.",
            hint=f"Set the clock of the machine that signs; {WINDOW.seconds // 60} minutes of difference are allowed.",
        )


def _not_valid() -> LoginProofInvalidError:
    return LoginProofInvalidError(
        "The proof is no signed GetCallerIdentity of the one form that is taken.",
        hint='Let the SDK make it: fs.connect(…, secrets_store="iam").',
    )
