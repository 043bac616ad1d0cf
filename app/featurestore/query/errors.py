from infra.errors import InvalidInputError, NotFoundError


class FeatureNotFoundError(NotFoundError):
    """No feature of that name in any feature store that the caller may read."""

    code = "feature-not-found"
    title = "No such feature"


class FeatureAmbiguousError(InvalidInputError):
    """Several groups have the feature and nothing says which is meant; `candidates` are names that would be clear."""

    code = "feature-ambiguous"
    title = "The feature name is ambiguous"


class JoinKeyNotFoundError(InvalidInputError):
    """The groups of the features have no key in common."""

    code = "join-key-not-found"
    title = "The feature groups cannot be joined"


class FeatureStoreNotFoundError(NotFoundError):
    """No feature store of that name that the caller may read."""

    code = "featurestore-not-found"
    title = "No such feature store"


class LabelsInvalidError(InvalidInputError):
    """The labels cannot have features attached as asked."""

    code = "labels-invalid"
    title = "The labels do not fit"
