"""The tour on AWS: no stored key, rows read past the gateway, and a training dataset in a bucket of somebody else.

    oast demo --aws                                          # everything on this machine
    python examples/tour_aws.py https://gateway.example.com BUCKET ENDPOINT SECRET

The second asks for what the first prints: new projects football and venues with their keys, a role that is bound to
football with `data:vend`, vending turned on, and a secret that holds keys to BUCKET. It runs under the role.
"""

import sys
from typing import NoReturn

import boto3
import numpy as np
import pandas as pd
from botocore.config import Config
from botocore.exceptions import ClientError
from tour import INPUTS, LABEL, fit, heading, read_by_name, share_attendances, write_feature_groups
from tour_data import TEAMS, compute_features, generate

import hops.featurestore as fs

SIGHTINGS = 2_500_000  # from 32 MiB on a table is read past the gateway, unless the operator says otherwise


def main(gateway: str, bucket: str, endpoint: str, secret: str) -> None:
    heading("Connect: the key comes from Secrets Manager, by the role that this runs as")
    football = fs.connect(gateway, "football", secrets_store="secretsmanager")
    venues = fs.connect(gateway, "venues", secrets_store="parameterstore")

    write_feature_groups(football, venues, compute_features(generate()))
    write_sightings(football)
    share_attendances(football, venues)
    read_by_name(football)

    heading("Connect again, without any key: AWS says which role this is")
    keyless = fs.connect(gateway, "football", secrets_store="iam")

    read_directly(football, keyless)
    refuse_other_tables(keyless)
    train_elsewhere(football, keyless, bucket, endpoint, secret)


def write_sightings(football: fs.Connection) -> None:
    """A large group: where players were seen on the pitch."""
    rng = np.random.default_rng(2019)
    sightings = pd.DataFrame(
        {
            "team_id": rng.integers(1, TEAMS, SIGHTINGS, endpoint=True, dtype="int32"),
            "x": rng.random(SIGHTINGS),
            "y": rng.random(SIGHTINGS),
        }
    )
    print(football.create_featuregroup(sightings, "sightings", primary_key="team_id").title)


def read_directly(football: fs.Connection, keyless: fs.Connection) -> None:
    heading("Read a large group in S3, past the gateway")
    features, groups = ["team_id", "x", "y"], {"sightings": 1}
    for name, connection in (("the key", football), ("the role", keyless)):
        way = connection.explain(features, featuregroups_version_dict=groups).transfer
        print(f"With {name}: {way['mode']} ({way['why']})")
    if way["mode"] != "direct":
        fail("The role does not read past the gateway.")

    rows = keyless.get_features(features, featuregroups_version_dict=groups)
    if len(rows) != SIGHTINGS:
        fail(f"{len(rows):,} rows came back of {SIGHTINGS:,}.")
    print(f"{len(rows):,} rows; on average at x = {rows['x'].mean():.3f}, y = {rows['y'].mean():.3f}")


def refuse_other_tables(keyless: fs.Connection) -> None:
    heading("The credential for that table, tried elsewhere: S3 itself refuses")
    made = keyless.get_featuregroup_credentials("sightings")
    store = boto3.client(
        "s3",
        region_name=made.region,
        endpoint_url=made.endpoint_url,
        aws_access_key_id=made.access_key_id,
        aws_secret_access_key=made.secret_access_key,
        aws_session_token=made.session_token,
        config=Config(s3={"addressing_style": "path" if made.endpoint_url else "auto"}),
    )
    own = place_of(made.uri)
    other = place_of(keyless.get_featuregroup_credentials("teams_features").uri)
    found = store.list_objects_v2(**own)["KeyCount"]
    print(f"Lists its own table: {found} files")
    for what, call, arguments in (
        ("Lists teams_features", store.list_objects_v2, other),
        ("Lists the whole bucket", store.list_objects_v2, {"Bucket": made.bucket}),
        ("Writes to its own table", store.put_object, {"Bucket": made.bucket, "Key": f"{own['Prefix']}mine"}),
    ):
        try:
            call(**arguments)
        except ClientError as error:
            print(f"{what}: {error.response['Error']['Code']}")
        else:
            fail(f"{what}: nobody refused it.")


def train_elsewhere(football: fs.Connection, keyless: fs.Connection, bucket: str, endpoint: str, secret: str) -> None:
    heading("Make a training dataset in a customer's bucket, and fit a model on what is there")
    reference = f"aws-sm:{secret}"
    football.create_s3_connector("lake", bucket, prefix="models", endpoint_url=endpoint, secret=reference)
    made = keyless.create_training_dataset("team_position_prediction", [*INPUTS, LABEL], sink="lake")
    print(made.title)
    print(keyless.get_training_dataset_path("team_position_prediction"))

    data = keyless.get_training_dataset("team_position_prediction")
    if len(data) != TEAMS:
        fail(f"{len(data)} rows came back of {TEAMS}.")
    fit(data)


def place_of(uri: str) -> dict[str, str]:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Prefix": prefix}


def fail(text: str) -> NoReturn:
    """A tour that shows something else than it says has failed."""
    sys.exit(f"This should not be: {text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
