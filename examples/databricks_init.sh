#!/bin/bash
# Init script of a Databricks cluster: installs the SDK from a wheel, and tells every notebook where the gateway is.
# Set OAST_WHEEL, OAST_HOST and OAST_PROJECT as environment variables of the cluster. No key belongs here.
set -euo pipefail

: "${OAST_WHEEL:?path of the wheel, such as /Volumes/main/football/libraries/oasthouse_cloud_sdk-0.1.0-py3-none-any.whl}"
PIP="${OAST_PIP:-/databricks/python/bin/pip}"

# Without dependencies: the runtime's own pandas, pyarrow, urllib3 and boto3 stay as they are.
"$PIP" install --quiet --disable-pip-version-check --no-deps "$OAST_WHEEL"
