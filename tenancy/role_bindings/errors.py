from infra.errors import ConflictError, InvalidInputError, NotAuthenticatedError, NotFoundError


class RoleBindingNotFoundError(NotFoundError):
    """No such role binding in the project."""

    code = "role-binding-not-found"
    title = "No such role binding"


class RoleBindingExistsError(ConflictError):
    """A role is bound to a project once."""

    code = "role-binding-exists"
    title = "The role is bound"


class RoleArnNotValidError(InvalidInputError):
    """Not the ARN of one role."""

    code = "role-arn-not-valid"
    title = "That is no role's ARN"


class RoleUniqueIdNotValidError(InvalidInputError):
    """Not what AWS calls a role's id."""

    code = "role-unique-id-not-valid"
    title = "That is no role's unique id"


class LoginNotEnabledError(NotFoundError):
    """The operator has not named the gateway, so nobody can log in to it."""

    code = "login-not-enabled"
    title = "Roles cannot log in here"


class LoginReplayedError(NotAuthenticatedError):
    """A proof is good for one login."""

    code = "login-replayed"
    title = "The login proof was used"


class LoginNotRoleError(NotAuthenticatedError):
    """AWS vouches for somebody who is no role."""

    code = "login-not-a-role"
    title = "Only roles log in"


class RoleNotBoundError(NotAuthenticatedError):
    """AWS vouches for the role, and the project knows nothing of it; or there is no such project."""

    code = "role-not-bound"
    title = "The role is not bound to the project"
