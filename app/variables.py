"""Variables of the environment that look like settings and are none."""

import os

from app.settings import PREFIX, Settings

# Read by the SDK, which may run on the same machine.
_OF_THE_SDK = frozenset(
    {
        "OAST_ALLOW_UNVERIFIED_TLS",
        "OAST_API_KEY",
        "OAST_API_KEY_FILE",
        "OAST_DATABRICKS_KEY",
        "OAST_DATABRICKS_SCOPE",
        "OAST_HOST",
        "OAST_PROFILE",
        "OAST_PROGRESS",
        "OAST_REGION",
        "OAST_SECRETS_STORE",
        "OAST_TRUST_STORE_PATH",
    }
)


# Given to programs that jobs run, which may call `oast`.
_OF_PROGRAMS = frozenset({"OAST_RUN_ID", "OAST_JOB", "OAST_PROJECT", "OAST_ATTEMPT"})


# Values that `env:` references name; not settings.
_SECRETS = f"{PREFIX}SECRET_"


def unknown_variables() -> list[str]:
    """`OAST_…` variables that name no setting: a typing error there would otherwise pass in silence."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | _OF_THE_SDK | _OF_PROGRAMS
    names = (name.upper() for name in os.environ if name.upper().startswith(PREFIX))
    return sorted(name for name in names if name.partition("__")[0] not in known and not name.startswith(_SECRETS))
