"""Packages that are imported on first use, so that `import hops.featurestore` is quick and AWS stays optional."""

from __future__ import annotations

import importlib
from typing import Any

from hops.featurestore.errors import MissingExtraError

_COMES_WITH = {"botocore": "boto3", "matplotlib": "'oasthouse-cloud-sdk[plots]'"}


def require(package: str) -> Any:
    """The imported package, or MissingExtraError with the line that installs it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        name = package.partition(".")[0]
        raise MissingExtraError(
            f"{package} cannot be imported: {error}.", hint=f"Run:  pip install {_COMES_WITH.get(name, name)}"
        ) from error
