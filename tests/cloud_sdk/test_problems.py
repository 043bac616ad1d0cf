import pytest

from hops.featurestore import errors, source_errors
from hops.featurestore.problems import error_from_answer, error_from_run
from tests.cloud_sdk.gateway import problem


def refusal(reply):
    return error_from_answer(reply.status, reply.headers, reply.body)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "not-authenticated", errors.NotAuthenticatedError),
        (403, "not-permitted", errors.NotPermittedError),
        (403, "scope-missing", errors.ScopeMissingError),
        (404, "project-not-found", errors.ProjectNotFoundError),
        (404, "feature-group-not-found", errors.FeaturegroupNotFound),
        (409, "feature-group-exists", errors.FeatureGroupExistsError),
        (404, "feature-not-found", errors.FeatureNotFound),
        (422, "feature-ambiguous", errors.FeatureNameCollisionError),
        (422, "join-key-not-found", errors.InferJoinKeyError),
        (404, "training-dataset-not-found", errors.TrainingDatasetNotFound),
        (409, "training-dataset-exists", errors.TrainingDatasetExistsError),
        (422, "schema-mismatch", errors.SchemaMismatchError),
        (422, "invalid-input", errors.RefusedInputError),
        (400, "body-truncated", errors.BodyTruncatedError),
        (400, "digest-mismatch", errors.DigestMismatchError),
        (400, "row-count-mismatch", errors.RowCountMismatchError),
        (400, "frame-invalid", errors.FrameInvalidError),
        (413, "body-too-large", errors.TooLargeError),
        (422, "idempotency-key-reused", errors.IdempotencyKeyReusedError),
        (409, "request-in-progress", errors.RequestInProgressError),
        (412, "revision-stale", errors.RevisionStaleError),
        (503, "storage-unavailable", errors.StorageUnavailableError),
        (503, "unavailable", errors.UnavailableError),
        (422, "engine-limit", errors.EngineLimitError),
        (500, "internal-error", errors.InternalError),
        # codes of a newer gateway
        (400, "brand-new", errors.RefusedInputError),
        (401, "brand-new", errors.NotAuthenticatedError),
        (403, "brand-new", errors.NotPermittedError),
        (404, "brand-new", errors.NotFoundError),
        (409, "brand-new", errors.ConflictError),
        (412, "brand-new", errors.RevisionStaleError),
        (413, "brand-new", errors.TooLargeError),
        (422, "brand-new", errors.RefusedInputError),
        (429, "brand-new", errors.TooManyRequestsError),
        (500, "brand-new", errors.InternalError),
        (503, "brand-new", errors.UnavailableError),
        (418, "brand-new", errors.GatewayError),
    ],
)
def test_a_code_becomes_its_class_and_keeps_its_name(status, code, kind):
    error = refusal(problem(status, code))
    assert type(error) is kind
    assert (error.code, error.status, error.request_id) == (code, status, "req-12345678")
    assert isinstance(error, errors.RestAPIError)


OF_SOURCES = [
    (409, "connector-built-in", source_errors.ConnectorBuiltInError, errors.ConflictError),
    (409, "import-target-differs", source_errors.ImportTargetDiffersError, errors.ConflictError),
    (409, "source-file-changed", source_errors.SourceFileChangedError, errors.ConflictError),
    (404, "source-file-not-found", source_errors.SourceFileNotFoundError, errors.NotFoundError),
    (413, "import-too-large", source_errors.ImportTooLargeError, errors.TooLargeError),
    (413, "source-files-too-large", source_errors.SourceFilesTooLargeError, errors.TooLargeError),
    (422, "source-file-invalid", source_errors.SourceFileInvalidError, errors.InvalidInputError),
    (422, "source-address-refused", source_errors.SourceAddressRefusedError, errors.InvalidInputError),
    (422, "bucket-access-refused", source_errors.BucketAccessRefusedError, errors.InvalidInputError),
    (422, "bucket-not-found", source_errors.BucketNotFoundError, errors.InvalidInputError),
    (422, "bucket-reserved", source_errors.BucketReservedError, errors.InvalidInputError),
    (422, "role-not-guarded", source_errors.RoleNotGuardedError, errors.InvalidInputError),
    (422, "secret-reference-invalid", source_errors.ConnectorSecretInvalidError, errors.InvalidInputError),
    (422, "secret-not-found", source_errors.ConnectorSecretNotFoundError, errors.InvalidInputError),
    (422, "secret-access-denied", source_errors.ConnectorSecretDeniedError, errors.InvalidInputError),
    (503, "secret-store-unavailable", source_errors.SecretStoreUnavailableError, errors.UnavailableError),
]


@pytest.mark.parametrize(("status", "code", "kind", "parent"), OF_SOURCES)
def test_what_goes_wrong_at_a_source_has_its_class_in_answers_and_in_runs(status, code, kind, parent):
    assert type(refusal(problem(status, code))) is kind
    of_run = error_from_run("run-1", {"code": code, "detail": "It did not work."})
    assert type(of_run) is kind
    assert isinstance(of_run, parent)
    assert of_run.retryable is (status == 503)


def test_an_error_says_everything_in_lines():
    error = refusal(
        problem(
            422,
            "schema-mismatch",
            "Two columns do not fit.",
            hint="Cast them.",
            candidates=["teams_features"],
            errors=[
                {"field": "score", "message": "has another type", "expected": "BIGINT", "received": "STRING"},
                {"message": "x"},
                5,
            ],
            retryable=True,
        )
    )
    assert str(error).splitlines() == [
        "Two columns do not fit.",
        "  - score: has another type (expected BIGINT, received STRING)",
        "  - ?: x",
        "Did you mean: teams_features?",
        "Cast them.",
        "(code schema-mismatch, request req-12345678)",
    ]
    assert error.retryable is True
    assert error.candidates == ("teams_features",)


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"", b"[]", b'{"detail": 5, "errors": "no"}'])
def test_an_answer_that_is_not_the_gateways(body):
    error = error_from_answer(502, {"Content-Type": "text/html", "X-Request-Id": "req-of-header"}, body)
    assert isinstance(error, errors.UnavailableError)
    assert "text/html" in str(error)
    assert "<html>" not in str(error)
    assert error.request_id == "req-of-header"
    assert error.retryable


def test_invalid_input_is_a_value_error():
    assert isinstance(refusal(problem(422, "invalid-input")), ValueError)
