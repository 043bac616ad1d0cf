"""`terraform validate` with the provider of the registry, where that can be reached; where it cannot, says so aloud.

tests/terraform/test_modules.py does the same against the recorded schema of the provider, anywhere.
"""

import sys
import tempfile
from pathlib import Path

from tests.terraform.command import TerraformError, copy_tree, terraform

EXAMPLES = ("minimal", "production")


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        tree = copy_tree(Path(scratch))
        for example in EXAMPLES:
            directory = tree / "examples" / example
            try:
                terraform("init", "-backend=false", "-input=false", directory=directory)
            except TerraformError as error:
                if "registry" not in str(error):
                    raise
                print(
                    "SKIPPED: terraform validate with the AWS provider: the registry of providers cannot be reached. "
                    "The tests validate against its recorded schema."
                )
                return 0
            terraform("validate", directory=directory)
            print(f"terraform/examples/{example}: valid")
    return 0


if __name__ == "__main__":
    sys.exit(main())
