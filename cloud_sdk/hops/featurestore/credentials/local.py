"""The key is the first line of a file: laptops, tests, and clusters that mount secrets."""

from __future__ import annotations

import stat
import warnings
from pathlib import Path

from hops.featurestore.api_key import ApiKey
from hops.featurestore.credentials.errors import ApiKeyFileError
from hops.featurestore.credentials.found import FoundKey, KeyRequest


class ReadableKeyFileWarning(UserWarning):
    """Others on this machine can read the key."""


def find_key(request: KeyRequest) -> FoundKey:
    """Warns, but goes on, if others may read the file: mounted secrets often cannot be given other permissions."""
    if not request.api_key_file:
        raise ApiKeyFileError('secrets_store="local" needs api_key_file, a file whose first line is the key.')
    path = Path(request.api_key_file).expanduser()
    try:
        # What is no text becomes a wrong key: a decoding error would carry the file's bytes.
        with path.open(encoding="utf-8", errors="replace") as file:
            key = ApiKey(file.readline().strip())
            mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise ApiKeyFileError(f"The key file {str(path)!r} cannot be read: {error.strerror}.") from error
    if not key.reveal():
        raise ApiKeyFileError(f"The first line of the key file {str(path)!r} is empty.")
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        warnings.warn(
            f"Other users of this machine can read the API key: chmod 600 {path}", ReadableKeyFileWarning, stacklevel=5
        )
    return FoundKey(key, "local file", str(path))
