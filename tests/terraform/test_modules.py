"""Both examples, applied by Terraform with its mocks: what would be made in an account, resource by resource."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from app.server import _Server, silent_seconds
from app.settings import ServerSettings, Settings
from tests.docs.pages import ROOT, read
from tests.docs.test_docs_agree import _settings
from tests.terraform.applied import ACCOUNT, KEY, REGION, VALUES, Applied, apply
from tests.terraform.command import TerraformError, copy_tree, terraform
from tests.terraform.provider import providers
from tests.world import World

TERRAFORM = ROOT / "terraform"
FILES = sorted(file for file in TERRAFORM.rglob("*.tf") if ".terraform" not in file.parts)
each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(TERRAFORM)))
SETTINGS = {name for name, _ in _settings(Settings, "OAST_")}
ENTRY_POINT = {"OASTHOUSE_PEPPER", "OASTHOUSE_OPERATOR_KEY_SECRET", "AWS_REGION"}
TLS_ONLY = {"Bool": {"aws:SecureTransport": "false"}}


def test_files_are_as_terraform_formats_them() -> None:
    assert terraform("fmt", "-check", "-recursive", directory=TERRAFORM) == ""


def test_the_recorded_schema_notices_what_is_wrong(tmp_path: Path) -> None:
    """That examples are valid is shown wherever one is applied."""
    tree = copy_tree(tmp_path)
    main = tree / "modules/gateway/load_balancer.tf"
    main.write_text(main.read_text().replace("ssl_policy ", "tls_policy "))
    main = tree / "modules/database/main.tf"
    main.write_text(main.read_text().replace("  instance_class = var.instance_class\n", ""))
    directory = tree / "examples/minimal"
    with providers() as found:
        terraform("init", "-backend=false", directory=directory, variables=found)
        with pytest.raises(TerraformError) as caught:
            terraform("validate", "-no-color", directory=directory, variables=found)
    assert '"tls_policy" is not expected here' in str(caught.value)
    assert 'The argument "instance_class" is required' in str(caught.value)


@each_file
def test_settings_in_terraform_are_settings(file: Path) -> None:
    named = set(re.findall(r"\bOAST_[A-Z0-9_]*[A-Z0-9]", file.read_text()))
    assert named <= SETTINGS


@each_file
def test_what_checkov_passes_over_says_why(file: Path) -> None:
    skips = re.findall(r"#checkov:skip=(\S+)", file.read_text())
    assert [skip for skip in skips if not re.fullmatch(r"CKV2?_AWS_\d+:\w+", skip)] == []
    assert all(len(line.split()) > 3 for line in file.read_text().splitlines() if "checkov:skip" in line)


@each_file
def test_nothing_names_a_part_of_aws(file: Path) -> None:
    """Elsewhere than in `aws` such an ARN leads nowhere."""
    assert not re.search(r"\barn:aws[a-z-]*:", file.read_text())


@each_file
def test_nothing_names_an_account_or_a_key(file: Path) -> None:
    text = re.sub(r"123456789012|\(docs/[a-z]+\.md\)", "", file.read_text())
    assert not re.search(r"\b\d{12}\b|AKIA|aws_access_key|BEGIN (RSA|PRIVATE)", text)


@pytest.mark.parametrize("module", sorted(path.name for path in (TERRAFORM / "modules").iterdir()))
def test_variables_and_outputs_are_described(module: str) -> None:
    for file in (TERRAFORM / "modules" / module).rglob("*.tf"):
        if file.name in {"variables.tf", "outputs.tf"}:
            for block in re.findall(
                r'^(?:variable|output) "\w+" \{\n(.*?)^\}', file.read_text(), re.MULTILINE | re.DOTALL
            ):
                assert block.lstrip().startswith("description = "), (file, block)


def test_containers_are_given_settings_that_the_gateway_reads(applied: Applied, monkeypatch: Any) -> None:
    for name, container in applied.containers().items():
        environment = {pair["name"]: pair["value"] for pair in container["environment"]}
        secrets = {pair["name"] for pair in container["secrets"]}
        assert environment.keys() | secrets <= SETTINGS | ENTRY_POINT, name
        assert environment.keys().isdisjoint(secrets)
        with monkeypatch.context() as patch:
            for variable, value in environment.items():
                patch.setenv(variable, value)
            settings = Settings()
        assert settings.server.behind_tls_proxy
        assert settings.warehouse.url.startswith("s3://")
        assert settings.jobs.embedded is ("worker" not in applied.containers())
        assert "sslmode=verify-full" in settings.resolved_database_url


def test_no_container_is_given_a_secret_as_it_is(applied: Applied) -> None:
    for container in applied.containers().values():
        said = {pair["name"] for pair in container["environment"]}
        assert not {name for name in said if re.search(r"PASSWORD|PEPPER|TOKEN|ACCESS_KEY|REMOTE", name)}
        references = {pair["name"]: pair["valueFrom"] for pair in container["secrets"]}
        assert references["OAST_DATABASE_PASSWORD"] == "arn:db-secret:password::"
        assert not re.search(r":[^/@]+@", dict(_pairs(container))["OAST_DATABASE_URL"].partition("://")[2])


def _pairs(container: dict[str, Any]) -> list[tuple[str, str]]:
    return [(pair["name"], pair["value"]) for pair in container["environment"]]


def test_containers_can_write_to_their_volume_and_do_nothing_more(applied: Applied) -> None:
    for container in applied.containers().values():
        assert container["readonlyRootFilesystem"] is True
        assert container["privileged"] is False
        assert container["user"] == "10001:10001"
        assert container["linuxParameters"]["capabilities"] == {"drop": ["ALL"]}
        assert [mount["containerPath"] for mount in container["mountPoints"]] == ["/var/lib/oasthouse"]
        assert "@sha256:" in container["image"]


def test_commands_of_the_containers(applied: Applied, production: Applied) -> None:
    commands = {name: " ".join(container["command"]) for name, container in applied.containers().items()}
    expected = {"gateway": "oast serve", "migrate": "oast db upgrade", "setup": "setup"}
    assert commands == expected | ({"worker": "oast worker"} if "worker" in commands else {})
    assert "worker" in production.containers()
    assert production.containers()["gateway"]["healthCheck"]["command"][-1] in read("Dockerfile")


def test_stopping_takes_as_long_as_the_gateway_does(applied: Applied) -> None:
    graceful = _Server(Settings()).cfg.graceful_timeout
    (group,) = applied.of_type("aws_lb_target_group").values()
    assert group["deregistration_delay"] == str(graceful)
    assert all(graceful < container["stopTimeout"] <= 120 for container in applied.containers().values())


def _of_a_task(applied: Applied, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that the gateway's container is given, read as the gateway reads them."""
    for name, value in _pairs(applied.containers()["gateway"]):
        monkeypatch.setenv(name, value)
    return Settings()


def test_the_load_balancer_waits_for_the_slowest_answer(applied: Applied, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than any client may wait for a first byte, shorter than the gateway keeps a connection that says nothing."""
    settings = _of_a_task(applied, monkeypatch)
    (balancer,) = applied.of_type("aws_lb").values()
    assert silent_seconds(settings) + 30 < balancer["idle_timeout"] < _Server(settings).cfg.keepalive


def test_the_load_balancer_follows_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = {"OAST_ENGINE__WAIT_SECONDS": "30.5", "OAST_ENGINE__DEADLINE_SECONDS": "900"}
    applied = apply("production", tmp_path, {"settings": slow})
    settings = _of_a_task(applied, monkeypatch)
    (balancer,) = applied.of_type("aws_lb").values()
    assert silent_seconds(settings) == 931
    assert 931 + 30 < balancer["idle_timeout"] < _Server(settings).cfg.keepalive


def test_clients_are_told_apart_by_what_the_load_balancer_says(
    applied: Applied, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _of_a_task(applied, monkeypatch)
    (balancer,) = applied.of_type("aws_lb").values()
    subnets = [each for each in applied.of_type("aws_subnet").values() if each["id"] in balancer["subnets"]]
    assert len(subnets) > 1
    assert settings.server.trusted_proxies == ",".join(sorted(each["cidr_block"] for each in subnets))


def test_without_a_proxy_nobody_keeps_a_connection_for_minutes() -> None:
    """Those that are idle take places of clients' own; a proxy has few."""
    alone = _Server(Settings()).cfg.keepalive
    assert alone < 100 < _Server(Settings(server=ServerSettings(behind_tls_proxy=True))).cfg.keepalive


def test_health_is_asked_where_the_gateway_answers(applied: Applied, world: World) -> None:
    (group,) = applied.of_type("aws_lb_target_group").values()
    (check,) = group["health_check"]
    asked = {check["path"], re.search(r"8181(/\w+)'", applied.containers()["gateway"]["healthCheck"]["command"][-1])[1]}
    assert asked == {"/readyz", "/livez"}
    assert asked <= {rule.rule for rule in world.app.url_map.iter_rules()}


def test_the_only_way_in_is_https_from_named_networks(applied: Applied) -> None:
    (listener,) = applied.of_type("aws_lb_listener").values()
    assert (listener["port"], listener["protocol"]) == (443, "HTTPS")
    assert listener["ssl_policy"] == "ELBSecurityPolicy-TLS13-1-2-2021-06"
    rules = applied.of_type("aws_vpc_security_group_ingress_rule").values()
    # What is not given is eight letters of the mock's.
    by_address = [rule for rule in rules if "/" in rule["cidr_ipv4"]]
    assert {rule["cidr_ipv4"] for rule in by_address} == {"10.20.0.0/16", "10.60.0.0/16", "10.61.0.0/16"}
    assert {(rule["from_port"], rule["to_port"], rule["ip_protocol"]) for rule in by_address} == {(443, 443, "tcp")}
    assert not any("::/" in rule["cidr_ipv6"] for rule in rules)


def test_what_is_refused(tmp_path: Path) -> None:
    wrong = {
        "allowed_cidr_blocks": ["0.0.0.0/0"],
        "image": "registry.example.com/oasthouse:latest",
        "availability_zones": ["eu-west-1a"],
        "name": "A name",
    }
    with pytest.raises(TerraformError) as caught:
        apply("minimal", tmp_path, wrong)
    for refusal in (
        "whole internet is none",
        "image by its digest",
        "two to four availability zones",
        "3 to 24 of a-z",
    ):
        assert refusal in str(caught.value)


def test_decisions_of_the_customer_have_no_default() -> None:
    for example in VALUES:
        text = (TERRAFORM / "examples" / example / "variables.tf").read_text()
        blocks = dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL))
        decisions = {"name", "region", "cidr_block", "allowed_cidr_blocks", "bucket", "certificate_arn", "image"}
        assert [name for name in decisions if re.search(r"^\s+default\b", blocks[name], re.MULTILINE)] == []


def test_tasks_and_database_are_private(applied: Applied) -> None:
    for service in applied.of_type("aws_ecs_service").values():
        (network,) = service["network_configuration"]
        assert network["assign_public_ip"] is False
        assert not service["enable_execute_command"]
    (database,) = applied.of_type("aws_db_instance").values()
    assert database["publicly_accessible"] is False
    assert database["storage_encrypted"] is True
    assert database["manage_master_user_password"] is True
    assert database["password"] is None or "password" not in json.dumps(database["password"])


def test_the_database_asks_for_tls_and_logs_no_values(applied: Applied) -> None:
    (group,) = applied.of_type("aws_db_parameter_group").values()
    parameters = {parameter["name"]: parameter["value"] for parameter in group["parameter"]}
    assert parameters["rds.force_ssl"] == "1"
    assert parameters["log_parameter_max_length"] == "0"


def test_endpoints_of_what_tasks_need(applied: Applied) -> None:
    services = {
        values["service_name"].rpartition("eu-west-1.")[2] for values in applied.of_type("aws_vpc_endpoint").values()
    }
    assert services == {"s3", "sts", "secretsmanager", "ssm", "kms", "ecr.api", "ecr.dkr", "logs"}


def test_buckets_are_closed(applied: Applied) -> None:
    for kind in (
        "public_access_block",
        "versioning",
        "server_side_encryption_configuration",
        "policy",
        "ownership_controls",
    ):
        made = {address.rpartition(".")[2] for address in applied.of_type(f"aws_s3_bucket_{kind}")}
        assert made == {"warehouse", "logs"}, kind
    for values in applied.of_type("aws_s3_bucket_policy").values():
        statements = json.loads(values["policy"])["Statement"]
        assert [s["Action"] for s in statements if s["Effect"] == "Deny" and s["Condition"] == TLS_ONLY] == ["s3:*"]
    block = applied.resources["module.buckets.aws_s3_bucket_public_access_block.warehouse"]
    assert all(
        block[name]
        for name in ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    )


def test_no_lifecycle_rule_touches_what_the_delta_log_names(applied: Applied) -> None:
    rules = applied.resources["module.buckets.aws_s3_bucket_lifecycle_configuration.warehouse"]["rule"]
    assert [u["days_after_initiation"] for rule in rules for u in rule["abort_incomplete_multipart_upload"]] == [2]
    assert not any(rule["transition"] or rule["noncurrent_version_transition"] for rule in rules)
    expirations = [expiration for rule in rules for expiration in rule["expiration"]]
    assert [expiration["expired_object_delete_marker"] for expiration in expirations] == [True]
    assert re.search(r"days\s+=", (TERRAFORM / "modules/buckets/main.tf").read_text().split("expiration {")[2]) is None


def test_no_value_of_a_secret_is_in_the_state(applied: Applied) -> None:
    assert "0123456789abcdef0123456789abcdef" not in json.dumps(applied.resources)
    (version,) = applied.of_type("aws_secretsmanager_secret_version").values()
    assert version["secret_string_wo"] is None
    names = {values["name"] for values in applied.of_type("aws_secretsmanager_secret").values()}
    assert names == {
        "acme-gateway/pepper",
        "acme-gateway/operator-key",
        "hopsworks/project/football/role/MyNotebookRole",
    }


def test_a_new_password_restarts_every_service(applied: Applied) -> None:
    (machine,) = applied.of_type("aws_sfn_state_machine").values()
    branches = json.loads(machine["definition"])["States"]["Restart"]["Branches"]
    restarted = [state["Parameters"]["Service"] for branch in branches for state in branch["States"].values()]
    assert restarted == [service["name"] for service in applied.of_type("aws_ecs_service").values()]
    (rule,) = applied.of_type("aws_cloudwatch_event_rule").values()
    assert json.loads(rule["event_pattern"])["detail"]["additionalEventData"]["SecretId"] == ["arn:db-secret"]


def test_memory_of_tasks_is_enough_for_their_queries(applied: Applied, monkeypatch: Any) -> None:
    """docs/settings.md: processes times slots times the memory of a query, and that is not all that a task needs."""
    for task in applied.of_type("aws_ecs_task_definition").values():
        (container,) = json.loads(task["container_definitions"])
        if container["name"] not in {"gateway", "worker"}:
            continue
        with monkeypatch.context() as patch:
            for name, value in _pairs(container):
                patch.setenv(name, value)
            settings = Settings()
        gigabytes = int(settings.engine.memory_limit.removesuffix("GB"))
        of_gateway = (
            settings.server.workers * settings.engine.slots * gigabytes if container["name"] == "gateway" else 0
        )
        of_worker = settings.jobs.slots * gigabytes if settings.jobs.embedded or container["name"] == "worker" else 0
        assert (of_gateway + of_worker) * 1000 < int(task["memory"]), container["name"]


def test_alarms_and_dashboard_look_at_what_is_there(applied: Applied) -> None:
    services = {service["name"] for service in applied.of_type("aws_ecs_service").values()}
    alarms = applied.of_type("aws_cloudwatch_metric_alarm").values()
    assert {
        alarm["dimensions"]["ServiceName"] for alarm in alarms if "ServiceName" in (alarm["dimensions"] or {})
    } == services
    assert all(alarm["alarm_actions"] for alarm in alarms)
    (dashboard,) = applied.of_type("aws_cloudwatch_dashboard").values()
    assert all(service in dashboard["dashboard_body"] for service in services)


def test_logs_are_encrypted_and_end(applied: Applied) -> None:
    groups = {group["name"]: group for group in applied.of_type("aws_cloudwatch_log_group").values()}
    assert {"/acme/tasks", "/acme/network", "/aws/ecs/containerinsights/acme/performance"} <= groups.keys()
    assert {group["retention_in_days"] for group in groups.values()} == {365}
    assert {group["kms_key_id"] for group in groups.values()} == {KEY}
    # The key's own policy lets CloudWatch use it for these groups and no others.
    policies = [json.loads(key["policy"]) for key in applied.of_type("aws_kms_key").values()]
    (patterns,) = [
        statement["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
        for policy in policies
        for statement in policy["Statement"]
        if "logs." in str(statement["Principal"])
    ]
    arns = [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}" for name in groups]
    assert [arn for arn in arns if not any(fnmatchcase(arn, pattern) for pattern in patterns)] == []
