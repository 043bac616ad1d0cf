"""What a container starts with: secrets that its platform hands over as variables become what the gateway reads.

No settings, and gone from the environment before the gateway starts:

- OASTHOUSE_PEPPER is written into the pepper's file, mode 0600.
- OASTHOUSE_DATABASE_PASSWORD goes into OAST_DATABASE_URL, which is given without one.

`setup` in place of a command runs `oast init` and puts the operator key into the secret OASTHOUSE_OPERATOR_KEY_SECRET: printed,
it would stay in a log.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote


def main() -> None:
    os.umask(0o077)
    data = Path(os.environ["OAST_DATA_DIR"])
    # A volume comes empty.
    Path(os.environ.get("TMPDIR", data / "tmp")).mkdir(parents=True, exist_ok=True)
    pepper = os.environ.pop("OASTHOUSE_PEPPER", None)
    if pepper is not None:
        path = Path(os.environ.get("OAST_PEPPER_FILE", data / "pepper"))
        path.unlink(missing_ok=True)
        path.write_text(f"{pepper.strip()}\n", encoding="ascii")
    password = os.environ.pop("OASTHOUSE_DATABASE_PASSWORD", None)
    if password is not None:
        os.environ["OAST_DATABASE_URL"] = with_password(os.environ["OAST_DATABASE_URL"], password)
    command = sys.argv[1:] or ["oast", "serve"]
    if command == ["setup"]:
        set_up(os.environ.pop("OASTHOUSE_OPERATOR_KEY_SECRET"))
    else:
        os.execvp(command[0], command)  # noqa: S606 the command is whoever started the container's


def with_password(url: str, password: str) -> str:
    """`url` names a user and no password."""
    scheme, _, rest = url.partition("://")
    user, at, place = rest.partition("@")
    if not at or ":" in user:
        raise SystemExit("error: OAST_DATABASE_URL has to be postgresql://user@host/name, without a password.")
    return f"{scheme}://{user}:{quote(password, safe='')}@{place}"


def set_up(secret: str) -> None:
    """A second time `oast init` fails, and says why."""
    import boto3  # noqa: PLC0415 no other command needs it

    made = subprocess.run(["oast", "init", "--json"], stdout=subprocess.PIPE, check=False)  # noqa: S607 the image's PATH
    if made.returncode:
        raise SystemExit(made.returncode)
    boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=json.loads(made.stdout)["key"])
    print("The first operator key is in the secret.")  # noqa: T201


if __name__ == "__main__":
    main()
