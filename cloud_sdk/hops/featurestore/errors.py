"""Every error the SDK raises.

    FeatureStoreError
    ├── NotConnectedError              call `connect` first
    ├── NotSupportedError              a thing of the original clients that does not exist here (yet)
    ├── InvalidInputError              an argument is wrong; found by the SDK or, as GatewayError, by the gateway
    ├── FeatureStoreNotFoundError      no feature store of that name is visible to the project
    ├── FrameConversionError           the frame cannot become Arrow; names the column
    ├── MissingExtraError              a package is not installed; prints the pip line
    ├── ConnectionFailedError          no answer: network, DNS, TLS, time-out
    ├── AnswerCutError                 the answer ended early; nothing of it was returned
    ├── RunCancelledError              the run that was waited for was cancelled
    ├── RunTimeoutError                the run takes longer than somebody wanted to wait; it goes on
    ├── StatisticsMissingError         this block of the statistics was not computed; says what computes it
    ├── ApiKeyError                    no usable key; one class per cause, in `credentials/errors.py`
    └── GatewayError                   the gateway answered with a problem; one class per `code`, by status otherwise;
                                       those of buckets, imported files and secrets are in `source_errors.py`

The names of the original clients (`FeaturegroupNotFound`, `RestAPIError`, …) are kept as aliases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional


class FeatureStoreError(Exception):
    """`str(error)` says what is wrong, what to do, what was meant, which fields, and the id to quote to an operator."""

    code: str = "feature-store-error"
    retryable: bool = False
    run_id: Optional[str] = None
    """The run in the background that failed with it, if it was one."""

    def __init__(
        self,
        detail: str,
        *,
        hint: Optional[str] = None,
        candidates: Sequence[str] = (),
        errors: Sequence[Mapping[str, Any]] = (),
        request_id: Optional[str] = None,
        status: Optional[int] = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.candidates = tuple(candidates)
        self.errors = tuple(errors)
        self.request_id = request_id
        self.status = status

    def __str__(self) -> str:
        lines = [self.detail]
        lines += [_field_line(error) for error in self.errors]
        if self.candidates:
            lines.append(f"Did you mean: {', '.join(self.candidates)}?")
        if self.hint:
            lines.append(self.hint)
        if self.request_id:
            lines.append(f"(code {self.code}, request {self.request_id})")
        if self.run_id:
            lines.append(f"(code {self.code}, run {self.run_id})")
        return "\n".join(lines)


def _field_line(error: Mapping[str, Any]) -> str:
    line = f"  - {error.get('field', '?')}: {error.get('message', '')}"
    sides = [f"{side} {error[side]}" for side in ("expected", "received") if error.get(side) is not None]
    line = f"{line} ({', '.join(sides)})" if sides else line
    examples = [_example(each) for each in error.get("examples") or ()]
    return f"{line}; such as {', '.join(examples)}" if examples else line


def _example(example: Mapping[str, Any]) -> str:
    where = "" if example.get("row") is None else f" in row {example['row']}"
    value = example.get("value")
    return f"{'null' if value is None else value}{where}"


class NotConnectedError(FeatureStoreError):
    code = "not-connected"


class NotSupportedError(FeatureStoreError):
    code = "not-supported"


class InvalidInputError(FeatureStoreError, ValueError):
    code = "invalid-input"


class FeatureStoreNotFoundError(FeatureStoreError):
    code = "featurestore-not-found"


class FrameConversionError(FeatureStoreError, TypeError):
    code = "frame-conversion"


class MissingExtraError(FeatureStoreError, ImportError):
    code = "package-missing"


class ConnectionFailedError(FeatureStoreError, ConnectionError):
    code = "connection-failed"
    retryable = True


class AnswerCutError(FeatureStoreError, ConnectionError):
    code = "answer-cut"
    retryable = True


class RunCancelledError(FeatureStoreError):
    code = "run-cancelled"


class RunTimeoutError(FeatureStoreError, TimeoutError):
    code = "run-timeout"


class StatisticsMissingError(FeatureStoreError):
    code = "statistics-missing"


class ApiKeyError(FeatureStoreError):
    code = "api-key-unusable"


class UnknownSecretStoreError(ApiKeyError, ValueError):
    code = "secret-store-unknown"


class GatewayError(FeatureStoreError):
    """A problem the gateway answered. `code` is the problem's, `status` the HTTP status, `retryable` what it said."""

    retry_after: Optional[float] = None  # seconds

    def __init__(
        self, detail: str, *, code: Optional[str] = None, retryable: Optional[bool] = None, **extra: Any
    ) -> None:
        super().__init__(detail, **extra)
        # On the instance, because one class also stands for codes that a newer gateway has and this SDK does not.
        self.code = code or type(self).code
        self.retryable = type(self).retryable if retryable is None else retryable


class NotAuthenticatedError(GatewayError):
    code = "not-authenticated"


class NotPermittedError(GatewayError):
    code = "not-permitted"


class ScopeMissingError(NotPermittedError):
    code = "scope-missing"


class NotFoundError(GatewayError):
    code = "not-found"


class ProjectNotFoundError(NotFoundError):
    code = "project-not-found"


class FeatureGroupNotFoundError(NotFoundError):
    code = "feature-group-not-found"


class FeatureNotFoundError(NotFoundError):
    code = "feature-not-found"


class TrainingDatasetNotFoundError(NotFoundError):
    code = "training-dataset-not-found"


class JobNotFoundError(NotFoundError):
    code = "job-not-found"


class RunNotFoundError(NotFoundError):
    code = "run-not-found"


class StatisticsNotFoundError(NotFoundError):
    code = "statistics-not-found"


class RequesterGoneError(NotPermittedError):
    code = "requester-gone"


class ConflictError(GatewayError):
    code = "conflict"


class ConnectorNotFoundError(NotFoundError):
    code = "connector-not-found"


class ConnectorExistsError(ConflictError):
    code = "connector-exists"


class ConnectorInUseError(ConflictError):
    code = "connector-in-use"


class FeatureGroupExistsError(ConflictError):
    code = "feature-group-exists"


class FeatureExistsError(ConflictError):
    code = "feature-exists"


class TrainingDatasetExistsError(ConflictError):
    code = "training-dataset-exists"


class TrainingDatasetChangedError(ConflictError):
    code = "training-dataset-changed"


class JobRunningError(ConflictError):
    code = "job-running"


class RunEndedError(ConflictError):
    code = "run-ended"


class RunNotEndedError(ConflictError):
    code = "run-not-ended"


class RequestInProgressError(ConflictError):
    code = "request-in-progress"
    retryable = True


class RevisionStaleError(ConflictError):
    code = "revision-stale"


class RefusedInputError(GatewayError, InvalidInputError):
    code = "invalid-input"


class FeatureNameCollisionError(RefusedInputError):
    code = "feature-ambiguous"


class InferJoinKeyError(RefusedInputError):
    code = "join-key-not-found"


class QueryInvalidError(RefusedInputError):
    code = "query-invalid"


class QueryRefusedError(RefusedInputError):
    code = "query-refused"


class LabelsInvalidError(RefusedInputError):
    code = "labels-invalid"


class SchemaMismatchError(RefusedInputError):
    code = "schema-mismatch"


class NotReproducibleError(RefusedInputError):
    code = "training-dataset-not-reproducible"


class ScheduleNotValidError(RefusedInputError):
    code = "schedule-not-valid"


class ValidationFailedError(RefusedInputError):
    """Rows break rules of their feature group; `errors` has an entry for each, with counts and examples."""

    code = "validation-failed"


class OnDemandFeatureGroupError(RefusedInputError):
    code = "feature-group-on-demand"


class PlainPasswordError(RefusedInputError):
    code = "plain-password-refused"


class SourceLoginRefusedError(RefusedInputError):
    code = "source-login-refused"


class SourceQueryRefusedError(RefusedInputError):
    code = "source-query-refused"


class SourceValueError(RefusedInputError):
    code = "source-value-unfit"


class IdempotencyKeyReusedError(RefusedInputError):
    code = "idempotency-key-reused"


class FrameInvalidError(RefusedInputError):
    code = "frame-invalid"


class BodyTruncatedError(RefusedInputError):
    code = "body-truncated"


class DigestMismatchError(RefusedInputError):
    code = "digest-mismatch"


class RowCountMismatchError(RefusedInputError):
    code = "row-count-mismatch"


class TooLargeError(GatewayError):
    code = "body-too-large"


class RunTooLongError(TooLargeError):
    code = "run-too-long"


class EngineLimitError(GatewayError):
    code = "engine-limit"


class TooManyRequestsError(GatewayError):
    code = "too-many-requests"
    retryable = True


class UnavailableError(GatewayError):
    code = "unavailable"
    retryable = True


class StorageUnavailableError(UnavailableError):
    code = "storage-unavailable"


class SourceUnreachableError(UnavailableError):
    code = "source-unreachable"


class InternalError(GatewayError):
    code = "internal-error"


# The original clients' names; code that catches them keeps working.
RestAPIError = GatewayError
FeaturegroupNotFound = FeatureGroupNotFoundError
FeatureNotFound = FeatureNotFoundError
TrainingDatasetNotFound = TrainingDatasetNotFoundError
FeaturestoreNotFound = FeatureStoreNotFoundError
StorageConnectorNotFound = ConnectorNotFoundError
CannotInsertIntoOnDemandFeatureGroup = OnDemandFeatureGroupError
CouldNotConvertDataframe = FrameConversionError
DescriptiveStatisticsNotComputed = StatisticsMissingError
FeatureCorrelationsNotComputed = StatisticsMissingError
FeatureDistributionsNotComputed = StatisticsMissingError
FeatureClustersNotComputed = StatisticsMissingError
UnknownSecretStorageError = UnknownSecretStoreError
UnkownSecretStorageError = UnknownSecretStoreError  # spelled like this in the original
