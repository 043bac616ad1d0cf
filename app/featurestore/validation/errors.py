from infra.errors import InvalidInputError


class ValidationFailedError(InvalidInputError):
    """Rows break rules of their feature group; `errors` names each rule, with counts and examples."""

    code = "validation-failed"
    title = "The rows break rules of the feature group"
