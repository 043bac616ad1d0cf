"""A job of Databricks, started with arguments: three routes of Jobs API 2.1, for which an SDK would be one more dependency."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import urllib3
from pydantic import Field, field_validator

from infra.executors.options import Options, Text, read_options
from infra.ports.executors import (
    ExecutorRefusedError,
    ExecutorUnreachableError,
    Launch,
    Look,
    OperatorSecrets,
    ProgramsNotValidError,
    ProgramState,
)
from infra.ports.secrets import SecretRefInvalidError

_API: Final = "/api/2.1/jobs"
_TIMEOUT: Final = urllib3.Timeout(connect=5, read=20)
_MOST_BYTES: Final = 8 << 20
_RETRY_AFTER: Final = 15
_LONGEST_RETRY_AFTER: Final = 120
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,4096}")
_OVER: Final = frozenset({"TERMINATED", "SKIPPED", "INTERNAL_ERROR"})
_NOT_ALLOWED: Final = frozenset({401, 403})


class DatabricksOptions(Options):
    host: Text
    job_id: Annotated[int, Field(ge=1)]
    token: Text
    look_seconds: Annotated[float, Field(gt=0, le=300, strict=False)] = 10.0

    @field_validator("host")
    @classmethod
    def _is_an_origin(cls, host: str) -> str:
        parts = urlsplit(host)
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
        if not is_safe or not parts.hostname or "@" in parts.netloc or parts.path.strip("/") or parts.query:
            raise ValueError("must be https:// and the workspace's host, and nothing more")
        return host.rstrip("/")


class DatabricksKind:
    """Implements `infra.ports.executors.ExecutorKind`."""

    def open(self, fields: Mapping[str, Any], secrets: OperatorSecrets) -> "DatabricksExecutor":
        options = read_options(DatabricksOptions, fields)
        try:
            secrets.require_reference(options.token)
        except SecretRefInvalidError as error:
            wrong: dict[str, object] = {"field": "token", "message": error.detail}
            raise ProgramsNotValidError("Some fields are not valid.", errors=[wrong]) from None
        return DatabricksExecutor(options, secrets)


class _AbsentError(ExecutorRefusedError):
    """Databricks does not know the run."""


class DatabricksExecutor:
    """Implements `infra.ports.executors.Executor`. The token is read with the first request, and again when it is refused."""

    is_remote: Final = True

    def __init__(self, options: DatabricksOptions, secrets: OperatorSecrets) -> None:
        self.look_seconds = options.look_seconds
        self._options = options
        self._secrets = secrets
        self._pool = urllib3.PoolManager(retries=False, timeout=_TIMEOUT, maxsize=4)
        self._token: str | None = None
        self._told: dict[str, str] = {}

    def start(self, launch: Launch) -> str:
        # The token of idempotency is the run's id: however often it is asked for, one run is made.
        wanted: dict[str, Any] = {"job_id": self._options.job_id, "idempotency_token": str(launch.run_id)}
        if launch.arguments:
            wanted["python_params"] = list(launch.arguments)
        return str(_number(self._call("POST", "/run-now", json=wanted), "run_id"))

    def look(self, handle: str) -> Look:
        answer = self._call("GET", "/runs/get", fields={"run_id": handle})
        state = answer.get("state")
        if not isinstance(state, dict):
            raise ExecutorUnreachableError("Databricks answers without a state.", retry_after=_RETRY_AFTER)
        stage, result = str(state.get("life_cycle_state", "")), str(state.get("result_state", ""))
        words = " ".join(word for word in (stage, result, str(state.get("state_message", ""))) if word)[:500]
        lines = self._news(handle, words, str(answer.get("run_page_url", "")))
        if stage not in _OVER:
            return Look(ProgramState.RUNNING, stage, lines)
        return Look(ProgramState.SUCCEEDED if result == "SUCCESS" else ProgramState.FAILED, words, lines)

    def stop(self, handle: str) -> None:
        try:
            self._call("POST", "/runs/cancel", json={"run_id": int(handle)})
        except _AbsentError:
            return
        except ExecutorRefusedError:
            # A run that is over cannot be cancelled; anything else is worth telling.
            if self.look(handle).state is ProgramState.RUNNING:
                raise

    def _news(self, handle: str, words: str, page: str) -> tuple[str, ...]:
        """What has changed since the last look."""
        if self._told.get(handle) == words:
            return ()
        first = (f"Run {handle} of Databricks: {page[:500]}",) if handle not in self._told else ()
        self._told[handle] = words
        return (*first, words)

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        status, headers, body = self._send(method, path, options)
        if status in _NOT_ALLOWED:
            # It may have been replaced since it was read.
            self._token = None
            status, headers, body = self._send(method, path, options)
        if status in (408, 429) or status >= 500:
            raise ExecutorUnreachableError(
                f"Databricks answers {status}.", retry_after=_seconds(headers.get("Retry-After", ""))
            )
        answer = _object(body)
        if status != 200:
            raise self._refusal(status, answer)
        return answer

    def _send(self, method: str, path: str, options: dict[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        headers = {"Authorization": f"Bearer {self._bearer()}", "User-Agent": "oasthouse"}
        try:
            # Redirects are not followed: they would take the token elsewhere.
            answer = self._pool.request(
                method,
                f"{self._options.host}{_API}{path}",
                headers=headers,
                redirect=False,
                preload_content=False,
                **options,
            )
            try:
                return answer.status, answer.headers, answer.read(_MOST_BYTES)
            finally:
                answer.close()
        except urllib3.exceptions.HTTPError as error:
            raise ExecutorUnreachableError(
                f"Databricks does not answer: {type(error).__name__}.", retry_after=_RETRY_AFTER
            ) from error

    def _bearer(self) -> str:
        if self._token is None:
            token = self._secrets.resolve(self._options.token).reveal().strip()
            if not _TOKEN.fullmatch(token):
                # The HTTP library would quote it in its error.
                raise ExecutorRefusedError("The token of Databricks holds characters that no token has.")
            self._token = token
        return self._token

    def _refusal(self, status: int, answer: Mapping[str, Any]) -> ExecutorRefusedError:
        code = str(answer.get("error_code", ""))
        said = f"{code} {answer.get('message', '')}".replace(self._token or "\0", "***").strip()[:300]
        hint = "The operator looks at the program's token and job_id." if status in _NOT_ALLOWED else None
        kind = _AbsentError if status == 404 or code == "RESOURCE_DOES_NOT_EXIST" else ExecutorRefusedError
        return kind(f"Databricks refuses with {status}: {said or 'no reason given'}", hint=hint)


def _seconds(text: str) -> int:
    """Of Retry-After: a run that did as it is told would sleep for as long as anybody writes there."""
    return min(int(text), _LONGEST_RETRY_AFTER) if re.fullmatch(r"[0-9]{1,9}", text) else _RETRY_AFTER


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _number(answer: Mapping[str, Any], field: str) -> int:
    value = answer.get(field)
    if not isinstance(value, int):
        raise ExecutorUnreachableError(f"Databricks answers without {field}.", retry_after=_RETRY_AFTER)
    return value
