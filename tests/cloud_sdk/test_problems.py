import pytest

from hops.featurestore import errors
from hops.featurestore.problems import error_from_answer
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
