"""What the Databricks runtime gives to the code in it. Nothing of it is imported unless this is Databricks."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any


def is_databricks() -> bool:
    """The runtime sets it on clusters, in jobs and on serverless compute."""
    return bool(os.environ.get("DATABRICKS_RUNTIME_VERSION"))


def dbutils(session: Any = None) -> Any:
    """Where Databricks documents it: the notebook's name, `pyspark.dbutils`, `databricks.sdk.runtime`. None elsewhere."""
    found = notebook_name("dbutils")
    if found is not None or not is_databricks():
        return found
    if session is not None:
        try:
            return importlib.import_module("pyspark.dbutils").DBUtils(session)
        except ImportError:
            pass
    try:
        return importlib.import_module("databricks.sdk.runtime").dbutils
    except (ImportError, AttributeError):
        return None


def notebook_name(name: str) -> Any:
    """What the notebook calls so, or the script that was started."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is not None and name in shell.user_ns:
        return shell.user_ns[name]
    return getattr(sys.modules.get("__main__"), name, None)
