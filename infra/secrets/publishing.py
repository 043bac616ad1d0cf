"""Puts API keys into Secrets Manager and Parameter Store, under the names that the SDK looks for."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, PartialCredentialsError

from infra.crypto import SecretValue
from infra.iam import Place, key_parameter_path, key_secret_name, read_one_parameter, read_one_secret
from infra.ports.publishing import (
    KeyNotPublishedError,
    KeyOptions,
    KeyPlace,
    KeyPublisher,
    KeyPublishingUnknownError,
    PublishedKey,
    is_alias,
)
from infra.secrets.aws import AwsOptions

FIELD = "api-key"
_WRITES = {
    "secretsmanager": "secretsmanager:CreateSecret, DescribeSecret, UpdateSecret and TagResource",
    "ssm": "ssm:PutParameter and AddTagsToResource",
}


def publisher(store: str, options: AwsOptions) -> KeyPublisher:
    return PUBLISHERS[store](options)


class _Aws:
    service: str

    def __init__(self, options: AwsOptions) -> None:
        self._options = options

    def look(self, place: KeyPlace) -> None:
        """Whether AWS knows this shell, and lets it see the secret if there is one."""
        with _translated(self.service):
            _ = self._place
            self._describe(place)

    def _describe(self, place: KeyPlace) -> Mapping[str, Any] | None:
        """What is there; None, too, where only its reader may tell."""
        raise NotImplementedError

    @cached_property
    def _place(self) -> Place:
        arn = str(self._open("sts").get_caller_identity()["Arn"]).split(":")
        return Place(arn[4], str(self._client.meta.region_name), arn[1])

    @cached_property
    def _client(self) -> Any:
        return self._open(self.service)

    def _open(self, service: str) -> Any:
        config = Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=10,
        )
        session: Any = boto3.session.Session()  # its stubs want the name of each service
        region, endpoint = self._options.region, self._options.endpoint_url
        return session.client(service, region_name=region, endpoint_url=endpoint, config=config)

    def _key_arn(self, kms_key: str | None) -> str | None:
        """As a policy names it; None for AWS's own, and for an alias that somebody else gave the secret."""
        if kms_key is None or is_alias(kms_key):
            return None
        return kms_key if kms_key.startswith("arn:") else self._place.arn("kms", f"key/{kms_key}")


class SecretsManagerPublisher(_Aws):
    """Implements `infra.ports.publishing.KeyPublisher`: a JSON object with the field `api-key`."""

    service = "secretsmanager"

    def publish(self, place: KeyPlace, key: SecretValue, options: KeyOptions) -> PublishedKey:
        name, extra = key_secret_name(place.project, place.role), _kms("KmsKeyId", options)
        with _translated(self.service):
            text, where = json.dumps({FIELD: key.reveal()}), self._place
            found = self._describe(place)
            if found is not None:
                self._client.update_secret(SecretId=name, SecretString=text, **extra)
                tagged = _tagged(lambda: self._client.tag_resource(SecretId=name, Tags=_tags(options.tags)))
            else:
                self._client.create_secret(Name=name, SecretString=text, Tags=_tags(options.tags), **extra)
                tagged = True
        policy = read_one_secret(where, name, self._key_arn(options.kms_key or (found or {}).get("KmsKeyId")))
        return PublishedKey("Secrets Manager", name, where.region, policy, tagged)

    def _describe(self, place: KeyPlace) -> Mapping[str, Any] | None:
        try:
            answer: Mapping[str, Any] = self._client.describe_secret(
                SecretId=key_secret_name(place.project, place.role)
            )
        except self._client.exceptions.ResourceNotFoundException:
            return None
        if answer.get("DeletedDate"):
            raise KeyNotPublishedError(
                f"The secret {answer['Name']} waits for its deletion.",
                hint=f"Take it back first: aws secretsmanager restore-secret --secret-id {answer['Name']}",
            )
        return answer


class ParameterStorePublisher(_Aws):
    """Implements `infra.ports.publishing.KeyPublisher`: a SecureString."""

    service = "ssm"

    def publish(self, place: KeyPlace, key: SecretValue, options: KeyOptions) -> PublishedKey:
        name = key_parameter_path(place.project, place.role)
        put = {"Name": name, "Value": key.reveal(), "Type": "SecureString", **_kms("KeyId", options)}
        tags, tagged = _tags(options.tags), True
        with _translated(self.service):
            where = self._place
            try:
                self._client.put_parameter(**put, Tags=tags)
            except self._client.exceptions.ParameterAlreadyExists:
                self._client.put_parameter(**put, Overwrite=True)
                tag = {"ResourceType": "Parameter", "ResourceId": name, "Tags": tags}
                tagged = _tagged(lambda: self._client.add_tags_to_resource(**tag))
        policy = read_one_parameter(where, name, self._key_arn(options.kms_key))
        return PublishedKey("Parameter Store", name, where.region, policy, tagged)

    def _describe(self, place: KeyPlace) -> None:  # noqa: ARG002 looking would need a right that writing does not
        return None


PUBLISHERS: Mapping[str, Callable[[AwsOptions], KeyPublisher]] = {
    "secretsmanager": SecretsManagerPublisher,
    "parameterstore": ParameterStorePublisher,
}


def _kms(argument: str, options: KeyOptions) -> dict[str, str]:
    return {} if options.kms_key is None else {argument: options.kms_key}


def _tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in tags.items()]


def _tagged(tag: Callable[[], object]) -> bool:
    """The key is there already, and worth more than its tags."""
    try:
        tag()
    except (ClientError, BotoCoreError):
        return False
    return True


@contextmanager
def _translated(service: str) -> Iterator[None]:
    """Nothing of boto's error is printed with ours: it can carry the request, and that holds the key."""
    failure: KeyNotPublishedError | KeyPublishingUnknownError | None = None
    try:
        yield
    except ClientError as error:
        failure = _of_answer(error, service)
    except (NoCredentialsError, PartialCredentialsError, NoRegionError) as error:
        failure = KeyNotPublishedError(
            f"boto3 found no usable AWS credentials or region: {type(error).__name__}.",
            hint="Run it where a role may write secrets, and give --region.",
        )
    except BotoCoreError as error:
        failure = KeyPublishingUnknownError(f"AWS does not answer: {type(error).__name__}.")
    if failure is not None:
        # A `with` that is left by an error hangs it onto the next one, however far from its `except` that is raised.
        raise failure from None


def _of_answer(error: ClientError, service: str) -> KeyNotPublishedError | KeyPublishingUnknownError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status >= 500:
        return KeyPublishingUnknownError(f"AWS failed: {code}.")
    return KeyNotPublishedError(
        f"AWS refused to take it: {code}.",
        hint=f"Whoever publishes needs {_WRITES[service]}, and of a KMS key of one's own GenerateDataKey and Decrypt.",
    )
