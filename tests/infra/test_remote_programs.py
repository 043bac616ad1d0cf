"""Programs that run elsewhere: Databricks by a workspace of our own, SageMaker by moto."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from infra.crypto import SecretValue
from infra.executors.databricks import DatabricksExecutor, DatabricksKind
from infra.executors.sagemaker import SageMakerExecutor, SageMakerKind
from infra.ports.executors import (
    ExecutorRefusedError,
    ExecutorUnreachableError,
    Launch,
    ProgramsNotValidError,
    ProgramState,
)
from infra.ports.secrets import SecretNotFoundError, SecretRef, SecretRefInvalidError
from tests.infra.fake_server import fake_server
from tests.lab.aws import Moto
from tests.lab.databricks import JOB, TOKEN, Workspace, running_workspace


class Secrets:
    """The operator's, of this test."""

    def __init__(self, value: str = TOKEN) -> None:
        self.value = value
        self.asked = 0

    def require_reference(self, text: str) -> None:
        if SecretRef.parse(text).scheme != "env":
            raise SecretRefInvalidError("No secret store has that name.")

    def resolve(self, text: str) -> SecretValue:
        self.asked += 1
        if not self.value:
            raise SecretNotFoundError(f"No {text}.")
        return SecretValue(self.value)


def launch(*arguments: str, run_id: UUID | None = None) -> Launch:
    return Launch(run_id or uuid4(), 1, "football", "nightly", arguments)


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with running_workspace() as workspace:
        yield workspace


def databricks(address: str, secrets: Secrets | None = None, **fields: Any) -> DatabricksExecutor:
    given = {"host": address, "job_id": JOB, "token": "env:OAST_SECRET_DATABRICKS", **fields}
    return DatabricksKind().open(given, secrets or Secrets())


class TestDatabricks:
    def test_a_run_from_its_start_to_its_end(self, workspace: Workspace) -> None:
        executor = databricks(workspace.address)
        handle = executor.start(wanted := launch("--season", "2019"))
        made = workspace.runs[int(handle)]
        assert made["python_params"] == ["--season", "2019"]
        assert made["idempotency_token"] == str(wanted.run_id)
        first = executor.look(handle)
        assert (first.state, first.detail) == (ProgramState.RUNNING, "RUNNING")
        assert first.lines == (f"Run {handle} of Databricks: {workspace.address}/run/{handle}", "RUNNING In run")
        assert executor.look(handle).lines == ()
        workspace.end(int(handle))
        last = executor.look(handle)
        assert (last.state, last.lines) == (ProgramState.SUCCEEDED, ("TERMINATED SUCCESS",))

    def test_without_arguments_the_job_keeps_its_own(self, workspace: Workspace) -> None:
        handle = databricks(workspace.address).start(launch())
        assert "python_params" not in workspace.runs[int(handle)]

    def test_started_again_it_is_the_same_run(self, workspace: Workspace) -> None:
        run_id = uuid4()
        handles = {databricks(workspace.address).start(launch(run_id=run_id)) for _ in range(2)}
        assert len(handles) == len(workspace.runs) == 1
        databricks(workspace.address).start(launch())
        assert len(workspace.runs) == 2

    def test_a_failure_says_why(self, workspace: Workspace) -> None:
        executor = databricks(workspace.address)
        handle = executor.start(launch())
        workspace.end(int(handle), "FAILED", "Task players failed.")
        look = executor.look(handle)
        assert (look.state, look.detail) == (ProgramState.FAILED, "TERMINATED FAILED Task players failed.")

    def test_stopping(self, workspace: Workspace) -> None:
        executor = databricks(workspace.address)
        handle = executor.start(launch())
        for _ in range(2):
            executor.stop(handle)
        assert "CANCELED" in executor.look(handle).detail
        executor.stop("12345")

    @pytest.mark.parametrize(("status", "after"), [(429, 1), (500, 15), (503, 15)])
    def test_what_may_pass(self, workspace: Workspace, status: int, after: int) -> None:
        executor = databricks(workspace.address)
        workspace.faults = [status]
        with pytest.raises(ExecutorUnreachableError, match=str(status)) as caught:
            executor.start(launch())
        assert caught.value.retry_after == after
        assert executor.start(launch())

    def test_a_bad_token_is_told_without_it(self, workspace: Workspace) -> None:
        secrets = Secrets("dapi-of-somebody-else")
        with pytest.raises(ExecutorRefusedError, match="PERMISSION_DENIED Invalid access token") as caught:
            databricks(workspace.address, secrets).start(launch())
        assert secrets.value not in f"{caught.value!r} {caught.value.detail} {caught.value.__cause__}"
        assert secrets.asked == 2, "it may have been replaced"

    def test_a_token_that_is_replaced_is_read_again(self, workspace: Workspace) -> None:
        secrets = Secrets()
        executor = databricks(workspace.address, secrets)
        handle = executor.start(launch())
        secrets.value = "dapi-new"
        workspace.tokens = {"dapi-new"}
        assert executor.look(handle).state is ProgramState.RUNNING
        assert secrets.asked == 2

    def test_a_token_that_is_none_is_not_shown(self, workspace: Workspace) -> None:
        with pytest.raises(ExecutorRefusedError) as caught:
            databricks(workspace.address, Secrets("dapi secret\nline")).start(launch())
        assert "dapi" not in caught.value.detail
        with pytest.raises(SecretNotFoundError):
            databricks(workspace.address, Secrets("")).start(launch())
        assert workspace.calls == []

    def test_a_redirect_is_not_followed(self, workspace: Workspace) -> None:
        workspace.faults = [302]
        with pytest.raises(ExecutorRefusedError, match="302"):
            databricks(workspace.address).start(launch())
        assert workspace.calls == ["run-now"]

    def test_no_such_job(self, workspace: Workspace) -> None:
        with pytest.raises(ExecutorRefusedError, match="Job 43 does not exist"):
            databricks(workspace.address, job_id=43).start(launch())

    def test_nobody_there(self) -> None:
        with fake_server(lambda connection: connection.close()) as port, pytest.raises(ExecutorUnreachableError):
            databricks(f"http://127.0.0.1:{port}").start(launch())

    @pytest.mark.parametrize(
        ("header", "after"),
        [(b"7", 7), (b"86400", 120), (b"9" * 5_000, 15), (b"soon", 15)],
        ids=["few", "a-day", "digits", "words"],
    )
    def test_how_long_it_asks_to_be_left_alone(self, header: bytes, after: int) -> None:
        """A run would sleep for it: a day, or more digits than Python takes for a number."""
        reply = b"HTTP/1.1 503 Away\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n" % header

        def answer(connection: Any) -> None:
            connection.recv(65_536)
            connection.sendall(reply)

        with fake_server(answer) as port, pytest.raises(ExecutorUnreachableError) as caught:
            databricks(f"http://127.0.0.1:{port}").look("1")
        assert caught.value.retry_after == after

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"run_id": "x"}'])
    def test_nonsense_in_answer(self, body: bytes) -> None:
        reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

        def answer(connection: Any) -> None:
            connection.recv(65_536)
            connection.sendall(reply)

        with fake_server(answer) as port, pytest.raises(ExecutorUnreachableError, match="without"):
            databricks(f"http://127.0.0.1:{port}").look("1")

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"host": "http://dbc.example.com"}, "host"),
            ({"host": "https://token@dbc.example.com"}, "host"),
            ({"host": "https://dbc.example.com/path"}, "host"),
            ({"job_id": "42"}, "job_id"),
            ({"job_id": 0}, "job_id"),
            ({"token": "dapi123"}, "token"),
            ({"token": "vault:x"}, "token"),
            ({"jobid": 1}, "jobid"),
        ],
    )
    def test_fields_that_make_no_sense(self, fields: dict[str, Any], field: str) -> None:
        with pytest.raises(ProgramsNotValidError) as caught:
            databricks("https://dbc.example.com", **fields)
        assert [each["field"] for each in caught.value.errors] == [field]
        assert "dapi123" not in str(caught.value.errors)


FIELDS = {
    "role_arn": "arn:aws:iam::123456789012:role/features",
    "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/features:1",
    "command": ["python", "/opt/ml/code/run.py"],
    "instance_type": "ml.m5.xlarge",
    "region": "us-east-1",
}


@pytest.fixture
def aws(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Moto:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    moto.reset()
    return moto


def sagemaker(aws: Moto, **fields: Any) -> SageMakerExecutor:
    return SageMakerKind().open({**FIELDS, "endpoint_url": aws.endpoint_url, **fields}, Secrets())


def set_status(handle: str, status: str) -> None:
    """Moto has every job completed from its beginning."""
    from moto.sagemaker.models import sagemaker_backends

    job = sagemaker_backends["123456789012"]["us-east-1"].processing_jobs[handle]
    job.processing_job_status = status


class TestSageMaker:
    def test_a_job_from_its_start_to_its_end(self, aws: Moto) -> None:
        executor = sagemaker(aws, subnets=["subnet-1"], security_groups=["sg-1"])
        handle = executor.start(wanted := launch("--season", "2019"))
        assert handle == f"oast-{wanted.run_id}"
        made = aws.client("sagemaker").describe_processing_job(ProcessingJobName=handle)
        assert made["AppSpecification"] == {
            "ImageUri": FIELDS["image"],
            "ContainerEntrypoint": FIELDS["command"],
            "ContainerArguments": ["--season", "2019"],
        }
        assert made["RoleArn"] == FIELDS["role_arn"]
        assert made["StoppingCondition"] == {"MaxRuntimeInSeconds": 86_400}
        assert made["NetworkConfig"]["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
        set_status(handle, "InProgress")
        look = executor.look(handle)
        assert (look.state, look.lines[1:]) == (ProgramState.RUNNING, ("InProgress",))
        assert handle in look.lines[0]
        assert executor.look(handle).lines == ()
        set_status(handle, "Completed")
        assert executor.look(handle).state is ProgramState.SUCCEEDED

    def test_started_again_it_is_the_same_job(self, aws: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
        from moto.sagemaker.exceptions import ResourceInUseException
        from moto.sagemaker.models import SageMakerModelBackend

        executor, wanted = sagemaker(aws), launch()
        handle = executor.start(wanted)

        def refuse(*_: Any, **__: Any) -> None:
            raise ResourceInUseException("Processing job already exists")

        # SageMaker refuses a name that was ever used; moto forgets the first job.
        monkeypatch.setattr(SageMakerModelBackend, "create_processing_job", refuse)
        assert executor.start(wanted) == handle

    def test_a_failure(self, aws: Moto) -> None:
        executor = sagemaker(aws)
        handle = executor.start(launch())
        set_status(handle, "Failed")
        assert executor.look(handle).state is ProgramState.FAILED

    def test_stopping(self, aws: Moto) -> None:
        executor = sagemaker(aws)
        handle = executor.start(launch())
        set_status(handle, "InProgress")
        executor.stop(handle)
        look = executor.look(handle)
        assert (look.state, look.detail) == (ProgramState.FAILED, "Stopped")
        executor.stop(f"oast-{uuid4()}")

    def test_a_job_that_is_not_there(self, aws: Moto) -> None:
        with pytest.raises(ExecutorRefusedError, match="Could not find"):
            sagemaker(aws).look("oast-nothing")

    def test_nobody_there(self, aws: Moto) -> None:
        with pytest.raises(ExecutorUnreachableError, match="does not answer"):
            sagemaker(aws, endpoint_url="http://127.0.0.1:1").start(launch())

    def test_whose_roles_and_accounts_they_are_is_not_told(self, aws: Moto) -> None:
        """AWS names them in its refusals, which members of the project read in the run's error."""
        said = (
            "User: arn:aws:sts::123456789012:assumed-role/gateway/i-0abc is not authorized to perform: "
            "sagemaker:CreateProcessingJob on resource: arn:aws:sagemaker:us-east-1:123456789012:processing-job/oast-1"
        )
        body = json.dumps({"__type": "AccessDeniedException", "message": said}).encode()
        reply = b"HTTP/1.1 400 Bad\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n%s"

        def answer(connection: Any) -> None:
            connection.recv(65_536)
            connection.sendall(reply % (len(body), body))

        with fake_server(answer) as port, pytest.raises(ExecutorRefusedError) as caught:
            sagemaker(aws, endpoint_url=f"http://127.0.0.1:{port}").look("oast-1")
        assert caught.value.detail == (
            "SageMaker refuses with AccessDeniedException: User: arn:… is not authorized to perform: "
            "sagemaker:CreateProcessingJob on resource: arn:…"
        )

    def test_no_credentials(self, aws: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with pytest.raises(ExecutorRefusedError, match="NoCredentials"):
            sagemaker(aws).start(launch())

    def test_fields_that_make_no_sense(self) -> None:
        with pytest.raises(ProgramsNotValidError) as caught:
            SageMakerKind().open({**FIELDS, "command": [], "volume_gb": "30", "gpu": True}, Secrets())
        assert {each["field"] for each in caught.value.errors} == {"command", "volume_gb", "gpu"}
