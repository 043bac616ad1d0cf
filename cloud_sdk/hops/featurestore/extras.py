"""Packages that are imported on first use, so that `import hops.featurestore` is quick and AWS stays optional."""

from __future__ import annotations

import importlib
from typing import Any

from hops.featurestore.errors import MissingExtraError

_EXTRA_OF = {"boto3": "aws", "botocore": "aws", "polars": "polars"}


def require(package: str) -> Any:
    """The imported package, or MissingExtraError with the line that installs it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        extra = _EXTRA_OF.get(package.partition(".")[0])
        line = f'pip install "oasthouse-cloud-sdk[{extra}]"' if extra else f"pip install {package}"
        raise MissingExtraError(f"{package} cannot be imported: {error}.", hint=f"Run:  {line}") from error
