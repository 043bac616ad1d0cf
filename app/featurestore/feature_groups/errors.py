from infra.errors import ConflictError, ErrorKind, InvalidInputError, NotFoundError


class FeatureGroupNotFoundError(NotFoundError):
    """No such group or version in a project that the caller sees."""

    code = "feature-group-not-found"
    title = "No such feature group"


class FeatureGroupExistsError(ConflictError):
    """Name and version are taken; a version is never replaced."""

    code = "feature-group-exists"
    title = "The feature group exists"


class FeatureExistsError(ConflictError):
    """The group has a feature of that name and another type."""

    code = "feature-exists"
    title = "The feature exists"


class OnDemandFeatureGroupError(InvalidInputError):
    """The group's rows are in another database; what is about rows of ours cannot be done with it."""

    code = "feature-group-on-demand"
    title = "The feature group is on demand"


class SchemaMismatchError(InvalidInputError):
    """A frame's columns do not fit the group; `errors` names every one of them."""

    code = "schema-mismatch"
    title = "The frame does not fit the feature group"


class TypeNotSupportedError(InvalidInputError):
    """A type that has no Hive name, or a Hive name that we cannot store."""

    code = "type-not-supported"
    title = "The type is not supported"


class RevisionStaleError(ConflictError):
    """Somebody else changed the thing since it was read."""

    code = "revision-stale"
    kind = ErrorKind.STALE
    title = "Changed since it was read"


class TagNotFoundError(NotFoundError):
    """The group has no tag of that name."""

    code = "tag-not-found"
    title = "No such tag"
