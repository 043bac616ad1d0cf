"""A processing job of SageMaker: three calls of boto3, which is here already; the SageMaker SDK brings pandas and much else."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Annotated, Any, ClassVar, Final

import boto3
from botocore import exceptions as botocore
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field

from infra.executors.options import Options, Text, Texts, Words, read_options
from infra.ports.executors import (
    ExecutorRefusedError,
    ExecutorUnreachableError,
    Launch,
    Look,
    OperatorSecrets,
    ProgramState,
)

_RETRY_AFTER: Final = 15
_RUNNING: Final = frozenset({"InProgress", "Stopping"})
_PASSING: Final = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestTimeout"})
_ARN: Final = re.compile(r"\barn:[^\s\"',;)\]]+")
_LOGS: Final = "/aws/sagemaker/ProcessingJobs"


class SageMakerOptions(Options):
    role_arn: Text
    image: Text
    command: Words
    instance_type: Text
    region: Text
    instance_count: Annotated[int, Field(ge=1, le=100)] = 1
    volume_gb: Annotated[int, Field(ge=1, le=16_384)] = 30
    max_seconds: Annotated[int, Field(ge=1, le=604_800)] = 86_400
    subnets: Texts = ()
    security_groups: Texts = ()
    endpoint_url: Text | None = None
    look_seconds: Annotated[float, Field(gt=0, le=300, strict=False)] = 15.0


class SageMakerKind:
    """Implements `infra.ports.executors.ExecutorKind`. Who runs is the worker's own role."""

    def open(self, fields: Mapping[str, Any], secrets: OperatorSecrets) -> "SageMakerExecutor":  # noqa: ARG002 the port's signature
        return SageMakerExecutor(read_options(SageMakerOptions, fields))


class SageMakerExecutor:
    """Implements `infra.ports.executors.Executor`. A handle is the job's name, which is made of the run's id."""

    is_remote: ClassVar[bool] = True

    def __init__(self, options: SageMakerOptions) -> None:
        self.look_seconds = options.look_seconds
        self._options = options
        self._told: dict[str, str] = {}

    def start(self, launch: Launch) -> str:
        name = f"oast-{launch.run_id}"
        try:
            with _translated():
                self._client.create_processing_job(ProcessingJobName=name, **self._request(launch))
        except ExecutorRefusedError as error:
            # Names are taken once and for all: an earlier attempt of this run has started it.
            if _code(error) != "ResourceInUse":
                raise
        return name

    def look(self, handle: str) -> Look:
        with _translated():
            answer = self._client.describe_processing_job(ProcessingJobName=handle)
        status = answer["ProcessingJobStatus"]
        said = (status, answer.get("FailureReason", ""), answer.get("ExitMessage", ""))
        words = _without_names(" ".join(word for word in said if word))[:500]
        lines = self._news(handle, words)
        if status in _RUNNING:
            return Look(ProgramState.RUNNING, status, lines)
        return Look(ProgramState.SUCCEEDED if status == "Completed" else ProgramState.FAILED, words, lines)

    def stop(self, handle: str) -> None:
        try:
            with _translated():
                self._client.stop_processing_job(ProcessingJobName=handle)
        except ExecutorRefusedError as error:
            if not self._is_over(handle, error):
                raise

    def _is_over(self, handle: str, refusal: ExecutorRefusedError) -> bool:
        """A job that is over, or that is not there, cannot be stopped."""
        if _code(refusal) not in ("ValidationException", "ResourceNotFound"):
            return False
        try:
            return self.look(handle).state is not ProgramState.RUNNING
        except ExecutorRefusedError as error:
            return _code(error) in ("ValidationException", "ResourceNotFound")

    def _news(self, handle: str, words: str) -> tuple[str, ...]:
        """What has changed since the last look."""
        if self._told.get(handle) == words:
            return ()
        place = f"Processing job {handle} of SageMaker; its output is in CloudWatch Logs, {_LOGS}, {handle}/…"
        first = (place,) if handle not in self._told else ()
        self._told[handle] = words
        return (*first, words)

    def _request(self, launch: Launch) -> dict[str, Any]:
        options = self._options
        container = {"ImageUri": options.image, "ContainerEntrypoint": list(options.command)}
        cluster = {"InstanceCount": options.instance_count, "InstanceType": options.instance_type}
        request: dict[str, Any] = {
            "RoleArn": options.role_arn,
            "AppSpecification": {
                **container,
                **({"ContainerArguments": list(launch.arguments)} if launch.arguments else {}),
            },
            "ProcessingResources": {"ClusterConfig": {**cluster, "VolumeSizeInGB": options.volume_gb}},
            "StoppingCondition": {"MaxRuntimeInSeconds": options.max_seconds},
            "Environment": launch.variables,
            "Tags": [{"Key": "oasthouse:project", "Value": launch.project}],
        }
        if options.subnets:
            network = {"Subnets": list(options.subnets), "SecurityGroupIds": list(options.security_groups)}
            request["NetworkConfig"] = {"VpcConfig": network}
        return request

    @cached_property
    def _client(self) -> Any:
        # botocore waits 60 s and 60 s by itself, five times over.
        config = Config(
            connect_timeout=5,
            read_timeout=20,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=10,
        )
        with _translated():
            return boto3.session.Session().client(
                "sagemaker", region_name=self._options.region, endpoint_url=self._options.endpoint_url, config=config
            )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code, status = _code_of(error), int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _PASSING or status >= 500:
            raise ExecutorUnreachableError(f"SageMaker answers {code}.", retry_after=_RETRY_AFTER) from error
        said = _without_names(str(error.response.get("Error", {}).get("Message", "")))[:300]
        raise ExecutorRefusedError(
            f"SageMaker refuses with {code}: {said}",
            hint="The operator looks at the program's fields, and at what the worker's role may do.",
        ) from error
    except (botocore.HTTPClientError, botocore.ConnectionError) as error:
        raise ExecutorUnreachableError(
            f"SageMaker does not answer: {type(error).__name__}.", retry_after=_RETRY_AFTER
        ) from error
    except BotoCoreError as error:
        raise ExecutorRefusedError(
            f"SageMaker was not asked: {type(error).__name__}.",
            hint="The operator looks at the worker's AWS credentials, and at the program's fields.",
        ) from error


def _without_names(text: str) -> str:
    """AWS quotes roles and accounts, which are the operator's own business, where members of a project read it."""
    return _ARN.sub("arn:…", text)


def _code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _code(refusal: ExecutorRefusedError) -> str:
    """AWS's own word for it."""
    return _code_of(refusal.__cause__) if isinstance(refusal.__cause__, ClientError) else ""
