"""What a container starts with.

OASTHOUSE_PEPPER, a secret that its platform hands over, is written into the pepper's file, mode 0600, and gone from the
environment before the gateway starts: no setting holds it. The database's password is a setting, OAST_DATABASE_PASSWORD.

In place of a command, `setup` runs `oast init` and `new-operator-key` runs `oast operator create`: the key goes into the secret
OASTHOUSE_OPERATOR_KEY_SECRET and nowhere else, since what is printed stays in a log.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

KEY_MAKERS = {"setup": ["oast", "init"], "new-operator-key": ["oast", "operator", "create"]}


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
    command = sys.argv[1:] or ["oast", "serve"]
    if command[0] in KEY_MAKERS:
        store_key([*KEY_MAKERS[command[0]], *command[1:]], os.environ.pop("OASTHOUSE_OPERATOR_KEY_SECRET"))
    else:
        os.execvp(command[0], command)  # noqa: S606 the command is whoever started the container's


def store_key(command: list[str], secret: str) -> None:
    """What the command says of a failure is printed as it is."""
    import boto3  # noqa: PLC0415 no other command needs it

    made = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, check=False)  # noqa: S603 one of the two above
    if made.returncode:
        raise SystemExit(made.returncode)
    key = json.loads(made.stdout)
    boto3.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=key["key"])
    print(f"The operator key {key['key_id']} is in the secret.")  # noqa: T201


if __name__ == "__main__":
    main()
