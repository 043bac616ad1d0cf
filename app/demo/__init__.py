"""`oast demo`: the product against servers of its own, and nothing left behind.

Every part is a process as in real life, on loopback; what they need is passed by environment, the caller's own `OAST_…`
and `AWS_…` variables are kept from them. `local` has its warehouse in a directory, `on_s3` in an object store.
"""

from app.demo.local import run_demo
from app.demo.on_s3 import run_aws_demo
from app.demo.processes import DemoPartFailedError
from app.demo.stage import INTERRUPTED, DemoNotInstalledError

__all__ = ["INTERRUPTED", "DemoNotInstalledError", "DemoPartFailedError", "run_aws_demo", "run_demo"]
