from datetime import datetime

from sqlalchemy import Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from infra.database.base import Base


class SigningKey(Base):
    """What sessions are signed with, from `active_from` until the next one is. The private key is sealed with the pepper.

    `generation` counts up, so that of two processes that make the next key at once one is refused.
    """

    __tablename__ = "signing_key"

    generation: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kid: Mapped[str] = mapped_column(String(16), unique=True)
    pepper_id: Mapped[str] = mapped_column(String(12))
    sealed: Mapped[bytes] = mapped_column(LargeBinary(128))
    active_from: Mapped[datetime]
    created_at: Mapped[datetime]
