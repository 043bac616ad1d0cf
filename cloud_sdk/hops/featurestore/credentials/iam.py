"""No key at all: AWS says which role this is. A question to AWS is signed for this one gateway, which asks it."""

from __future__ import annotations

import secrets
from typing import Any, Dict, Optional, Tuple

from hops.featurestore.api_key import ApiKey
from hops.featurestore.credentials.aws import aws_session, frozen_credentials, unlogged
from hops.featurestore.credentials.errors import AwsRoleNotFoundError
from hops.featurestore.credentials.found import FoundKey, KeyRequest
from hops.featurestore.errors import FeatureStoreError
from hops.featurestore.extras import require
from hops.featurestore.login_errors import LoginRegionError
from hops.featurestore.retries import RetryPolicy, may_retry
from hops.featurestore.sessions import SessionKey
from hops.featurestore.transport import NO_KEY, Transport, json_request

STORE = "AWS role"
_BODY = "Action=GetCallerIdentity&Version=2011-06-15"
_CONTENT_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
_ANY_REGION = "us-east-1"


def find_key(request: KeyRequest) -> FoundKey:
    """Logs in once, so that what is wrong is said now. Raises ApiKeyError or one of the gateway's refusals."""
    gateway = request.gateway
    assert gateway is not None, "connect() says where to log in"
    once = RetryPolicy(attempts=1)
    transport = Transport(gateway.address, NO_KEY, tls=gateway.tls, timeout=min(gateway.timeout, 30.0), retries=once)
    login = _Login(transport, request.project, request.region, gateway.retries or RetryPolicy())
    key = SessionKey(login.log_in, transport.close)
    try:
        key.header()
    except BaseException:
        transport.close()
        raise
    return FoundKey(key, STORE, login.role_arn)


class _Login:
    """One role of one gateway. boto3 refreshes the role's credentials by itself."""

    def __init__(self, transport: Transport, project: str, region: Optional[str], retries: RetryPolicy) -> None:
        self._transport = transport
        self._project = project
        self._retries = retries
        self._session = aws_session(region)
        self._region: str = self._session.region_name or _ANY_REGION
        self._gave_way = False
        self.role_arn = ""

    def log_in(self) -> Tuple[ApiKey, float]:
        """Each attempt signs anew: a proof is good for one login."""
        started, attempt = self._retries.clock(), 1
        while True:
            answer, failure = self._attempt()
            if answer is not None:
                self.role_arn = answer["role_arn"]
                # By its length: this machine's clock may be minutes off.
                return ApiKey(answer["token"]), float(answer["expires_in"])
            wait = None
            if self._takes_other_region(failure):
                continue
            if may_retry(failure, repeatable=True, sent=True):
                wait = self._retries.wait_before(attempt + 1, getattr(failure, "retry_after", None), started)
            if wait is None:
                raise failure
            self._retries.sleep(wait)
            attempt += 1

    def _attempt(self) -> Tuple[Optional[Dict[str, Any]], FeatureStoreError]:
        body = {"project": self._project, **self._proof()}
        try:
            return self._transport.json(json_request("POST", "/login/aws", body)), _NONE
        except FeatureStoreError as error:
            # The frames it came through hold what was signed.
            failure = error.with_traceback(None)
        return None, failure

    def _proof(self) -> Dict[str, str]:
        credentials = _credentials(self._session)
        auth, awsrequest = require("botocore.auth"), require("botocore.awsrequest")
        server_id, nonce = self._transport.address.host.lower(), secrets.token_hex(16)
        headers = {"Content-Type": _CONTENT_TYPE, "X-Oast-Server-ID": server_id, "X-Oast-Nonce": nonce}
        request = awsrequest.AWSRequest("POST", _sts_url(self._region), headers=headers, data=_BODY)
        with unlogged("botocore.auth"):
            auth.SigV4Auth(credentials, "sts", self._region).add_auth(request)
        return {
            "region": self._region,
            "server_id": server_id,
            "nonce": nonce,
            "amz_date": request.headers["X-Amz-Date"],
            "authorization": request.headers["Authorization"],
            "security_token": credentials.token,
        }

    def _takes_other_region(self, failure: FeatureStoreError) -> bool:
        """Credentials count in every region of their partition: the gateway says where it asks."""
        if not isinstance(failure, LoginRegionError) or self._gave_way:
            return False
        same = [region for region in failure.candidates if _partition(region) == _partition(self._region)]
        if not same:
            return False
        self._region, self._gave_way = same[0], True
        return True


_NONE = FeatureStoreError("none")


def _credentials(session: Any) -> Any:
    frozen = frozen_credentials(session)
    if not frozen.token:
        raise AwsRoleNotFoundError(
            "boto3 found the keys of an IAM user, not those of a role; only roles log in.",
            hint="Run under a role (SageMaker execution role, Databricks instance profile, or sts:AssumeRole), "
            'or use secrets_store="local" with api_key_file.',
        )
    return frozen


def _sts_url(region: str) -> str:
    return f"https://sts.{region}.amazonaws.com" + (".cn/" if region.startswith("cn-") else "/")


def _partition(region: str) -> str:
    return next((start for start in ("cn-", "us-gov-") if region.startswith(start)), "")
