from infra.errors import ConflictError, ErrorKind, InvalidInputError, NotFoundError, NotPermittedError, TooLargeError


class JobNotFoundError(NotFoundError):
    """No such job in a project that the caller sees."""

    code = "job-not-found"
    title = "No such job"


class RunNotFoundError(NotFoundError):
    """No such run in a project that the caller sees."""

    code = "run-not-found"
    title = "No such run"


class JobRunningError(ConflictError):
    """One run of a job at a time."""

    code = "job-running"
    title = "The job runs already"


class JobStaleError(ConflictError):
    """Somebody else changed it since it was read."""

    code = "revision-stale"
    kind = ErrorKind.STALE
    title = "Changed since it was read"


class RunEndedError(ConflictError):
    """What has ended can be started anew, and not be cancelled."""

    code = "run-ended"
    title = "The run has ended"


class RunNotEndedError(ConflictError):
    """What still runs cannot be started again."""

    code = "run-not-ended"
    title = "The run has not ended"


class ProgramNotFoundError(NotFoundError):
    """The operator lists no such program, or not for this project."""

    code = "program-not-found"
    title = "No such program"


class ScheduleNotValidError(InvalidInputError):
    """Not five fields that cron understands, or no such time zone."""

    code = "schedule-not-valid"
    title = "The schedule is not valid"


class RequesterGoneError(NotPermittedError):
    """Who the run was for may no longer do anything here."""

    code = "requester-gone"
    title = "Nobody to run it for"


class AttemptLostError(ConflictError):
    """Another attempt of the run was begun meanwhile, or the run was cancelled; what this one did is taken back."""

    code = "attempt-lost"
    title = "The attempt lost its run"


class RunTooLongError(TooLargeError):
    """Longer than the operator lets a run take."""

    code = "run-too-long"
    title = "The run took too long"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The run was stopped after {seconds:,.0f} seconds.",
            hint="Ask for less, or let the operator raise OAST_JOBS__DEADLINE_SECONDS.",
        )
