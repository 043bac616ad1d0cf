"""One transaction per use case, committed by an explicit line."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from infra.database.engine import WRITES
from infra.errors import GatewayError, InvalidInputError, UnavailableError


class DatabaseUnavailableError(UnavailableError):
    """The metadata database does not answer, or a lock was held too long."""

    code = "database-unavailable"
    title = "The metadata database does not answer"


class ValueNotStorableError(InvalidInputError):
    """A number or a text that no database column of ours can hold."""

    code = "value-not-storable"
    title = "A value cannot be stored"


class UnitOfWork:
    """A writing transaction; leaving the block without `commit()` rolls back."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def commit(self) -> None:
        self.session.commit()

    def flush_or(self, conflict: GatewayError) -> None:
        """Send what was added; a broken uniqueness or reference becomes `conflict`, because somebody else was first."""
        try:
            self.session.flush()
        except IntegrityError as error:
            raise conflict from error


class Database:
    """Opens transactions; holds no connection while none is open."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing = engine.execution_options(**{WRITES: True})

    @contextmanager
    def read(self) -> Iterator[Session]:
        with _translated(), Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[UnitOfWork]:
        with _translated(), Session(self._writing, expire_on_commit=False) as session:
            yield UnitOfWork(session)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OverflowError, UnicodeEncodeError, DataError) as error:
        raise ValueNotStorableError("A value of the request is outside what can be stored.") from error
    except OperationalError as error:
        raise DatabaseUnavailableError("The metadata database does not answer; try again.", retry_after=2) from error
