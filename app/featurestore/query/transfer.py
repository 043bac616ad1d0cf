"""How the rows of an answer travel. Values only."""

from dataclasses import dataclass
from enum import StrEnum


class TransferMode(StrEnum):
    """`direct`: the client reads the files in S3 with a credential. `presigned`: it fetches them at addresses of S3.

    `files`: it fetches them from the gateway. `stream`: the gateway computes rows and sends those.
    """

    DIRECT = "direct"
    PRESIGNED = "presigned"
    FILES = "files"
    STREAM = "stream"


@dataclass(frozen=True)
class Transfer:
    """`why` says what spoke against the ways before it in `TransferMode`, or for this one."""

    mode: TransferMode
    why: str
