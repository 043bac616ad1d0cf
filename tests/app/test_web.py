"""What surrounds every request: ids, headers, problems, limits, the description, the log."""

import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import structlog
from flask.views import MethodView

from app.api.routes import RESOURCES
from app.bootstrap import build_container
from app.factory import create_app
from app.web.arrow import StreamBrokenOffError
from app.web.blueprint import Blueprint
from app.web.registry import RouteNotRegisteredError
from infra.errors import EngineLimitError, GatewayError, QueryInvalidError, StorageUnavailableError
from infra.observability.logs import configure_logs, redact
from tenancy.api_keys.token import mint
from tests.frames import arrow_bytes, frame_request
from tests.world import World


@pytest.fixture
def football(world: World) -> World:
    world.project("football")
    return world


class TestProblems:
    def test_say_what_where_and_which_request(self, football: World) -> None:
        answer = football.call(
            "GET", "/projects/nowhere", football.key("football"), headers={"X-Request-Id": "my-request-1"}
        )
        assert answer.content_type == "application/problem+json"
        assert answer.json == {
            "type": "/problems/project-not-found",
            "title": "No such project",
            "status": 404,
            "detail": "There is no project 'nowhere' that this API key can see.",
            "instance": "/api/v1/projects/nowhere",
            "code": "project-not-found",
            "request_id": "my-request-1",
            "retryable": False,
        }
        assert answer.headers["X-Request-Id"] == "my-request-1"

    @pytest.mark.parametrize("given", ["short", "x" * 65, "with space 123", "línea-12345", ""])
    def test_have_an_id_of_ours_where_the_given_one_is_unfit(self, football: World, given: str) -> None:
        answer = football.client.get("/api/v1/me", headers={"X-Request-Id": given})
        assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["X-Request-Id"])

    def test_cover_what_flask_itself_refuses(self, football: World) -> None:
        key = football.key("football")
        for method, path, status in (("GET", "/nothing", 404), ("POST", "/me", 405), ("PUT", "/projects", 405)):
            answer = football.call(method, path, key)
            assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
            assert answer.json["request_id"]
        assert football.call("POST", "/me", key).headers["Allow"]

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{", 400),
            (b"", 422),
            (b"[]", 422),
            (b"null", 422),
            (b'{"features": [NaN]}', 400),
            (b'{"features": 1}', 422),
            (b"[" * 100_000, 400),
            (b"\xff", 400),
        ],
    )
    def test_cover_bodies_that_are_no_command(self, football: World, body: bytes, status: int) -> None:
        path = "/projects/football/queries/explain"
        answer = football.call("POST", path, football.key("football"), data=body, content_type="application/json")
        assert answer.status_code == status, answer.json
        assert answer.content_type == "application/problem+json"

    def test_name_every_wrong_field(self, football: World) -> None:
        body = {"features": ["a"], "version": "x", "surprise": 1}
        answer = football.call("POST", "/projects/football/queries", football.key("football"), json=body)
        assert {error["field"] for error in answer.json["errors"]} == {"version", "surprise"}

    def test_refuse_json_that_is_too_large(self, football: World) -> None:
        answer = football.call(
            "POST", "/projects/football/feature-groups", football.key("football"), json={"name": "x" * 1_100_000}
        )
        assert (answer.status_code, answer.json["code"]) == (413, "body-too-large")

    def test_hide_what_went_wrong_inside(self, football: World, caplog: pytest.LogCaptureFixture) -> None:
        football.container.queries._tables = None  # type: ignore[assignment]  # a fault of ours
        football.call(
            "POST",
            "/projects/football/feature-groups",
            football.key("football"),
            json={"name": "g", "features": [{"name": "id", "type": "int"}]},
        )
        with caplog.at_level(logging.ERROR):
            answer = football.call(
                "GET", "/projects/football/feature-groups/g/versions/1/rows", football.key("football")
            )
        assert (answer.status_code, answer.json["code"]) == (500, "internal-error")
        assert "NoneType" not in answer.get_data(as_text=True)
        assert any("NoneType" in str(record.msg) for record in caplog.records)

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (StorageUnavailableError("The bucket is away.", retry_after=7), 503),
            (EngineLimitError("Too much memory."), 413),
        ],
    )
    def test_pass_on_when_to_come_back(self, football: World, error: Exception, status: int) -> None:
        class Broken:
            def version(self, _location: str) -> int:
                raise error

        body = {"name": "g", "features": [{"name": "id", "type": "int"}]}
        football.call("POST", "/projects/football/feature-groups", football.key("football"), json=body)
        football.container.feature_groups._tables = Broken()  # type: ignore[assignment]
        answer = football.call("GET", "/projects/football/feature-groups/g/versions/1", football.key("football"))
        assert (answer.status_code, answer.json["retryable"]) == (status, status == 503)
        assert answer.headers.get("Retry-After") == ("7" if status == 503 else None)


def test_every_answer_carries_the_safe_headers(football: World) -> None:
    for path in ("/livez", "/readyz", "/api/v1/me", "/nothing", "/api/v1/openapi.json"):
        headers = football.client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert "unsafe" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("failure", "raised", "level"),
    [
        (QueryInvalidError("Could not convert string 'patient 4711' to INT32"), StreamBrokenOffError, "warning"),
        (GatewayError("The query engine failed."), GatewayError, "error"),
        (RuntimeError("A bug."), RuntimeError, "error"),
    ],
)
def test_a_failing_stream_is_broken_off_not_ended(
    football: World, failure: Exception, raised: type[Exception], level: str
) -> None:
    """And what is wrong with a value is logged without it."""
    key = football.key("football")
    football.call(
        "POST", "/projects/football/feature-groups", key, **frame_request(pa.table({"id": [1]}), {"name": "g"})
    )

    class Failing:
        def __enter__(self) -> Any:
            return self

        def chunks(self) -> Iterator[bytes]:
            yield arrow_bytes(pa.table({"id": [1]}))[:-8]
            raise failure

        def __exit__(self, *_: object) -> None:
            return None

    football.container.queries.run = lambda _retrieval, **_: Failing()  # type: ignore[method-assign,assignment,return-value]
    response = football.call("GET", "/projects/football/feature-groups/g/versions/1/rows", key, buffered=False)
    with structlog.testing.capture_logs() as logs, pytest.raises(raised) as caught:
        b"".join(response.iter_encoded())
    (event,) = [each for each in logs if each["event"] == "stream broken off"]
    assert event["log_level"] == level
    assert ("exc_info" in event) is (level == "error")
    assert "4711" not in f"{event}{caught.value}"


class TestHealth:
    def test_is_open_to_all_and_says_little(self, world: World) -> None:
        assert world.client.get("/livez").json == {"status": "alive"}
        assert world.client.get("/readyz").json == {"status": "ready"}

    def test_tells_when_the_warehouse_is_gone(self, world: World) -> None:
        class Away:
            def probe(self) -> None:
                raise StorageUnavailableError("secret-bucket is away")

        object.__setattr__(world.container, "store", Away())
        answer = world.client.get("/readyz")
        assert (answer.status_code, answer.json) == (503, {"status": "not ready"})

    def test_tells_when_the_schema_is_old(self, world: World) -> None:
        with world.container.database.write() as uow:
            uow.session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
            uow.commit()
        assert world.client.get("/readyz").status_code == 503


class TestDescription:
    def test_is_valid_and_whole(self, world: World) -> None:
        from openapi_spec_validator import validate

        document = world.client.get("/api/v1/openapi.json").json
        validate(document)
        described = {
            (method.upper(), path)
            for path, item in document["paths"].items()
            for method in item
            if method != "parameters"
        }
        routes = {
            (route.method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route.rule))
            for route in world.app.extensions["oasthouse.routes"]
        }
        assert described == routes | {("POST", "/api/v1/login/aws")}, "the login asks for no action"
        text = json.dumps(document)
        assert "application/problem+json" in text
        assert "application/vnd.apache.arrow.stream" in text
        insert = document["paths"]["/api/v1/projects/{project}/feature-groups/{name}/versions/{version}/rows"]["post"]
        create = document["paths"]["/api/v1/projects/{project}/feature-groups"]["post"]["requestBody"]["content"]
        assert create["application/json"]["schema"] == {"$ref": "#/components/schemas/FeatureGroupCreate"}
        assert set(create) > set(insert["requestBody"]["content"])
        assert set(insert["requestBody"]["content"]) == {
            "application/vnd.apache.arrow.stream",
            "application/vnd.apache.parquet",
        }

    def test_is_shown_from_our_own_files(self, world: World) -> None:
        with world.client.get("/api/v1/docs") as page:
            assert page.status_code == 200
            links = re.findall(r'(?:src|href)="([^"]+)"', page.get_data(as_text=True))
        assert len(links) == 4
        for link in links:
            assert not link.startswith(("http", "//"))
            with world.client.get(f"/api/v1/{link}") as file:
                assert file.status_code == 200
            assert "unsafe" not in page.headers["Content-Security-Policy"]
        for outside in ("../documentation.py", "%2e%2e/documentation.py", "nothing.js"):
            assert world.client.get(f"/api/v1/static/{outside}").status_code == 404


def test_a_route_without_an_action_does_not_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgotten(MethodView):
        def get(self) -> str:
            return "anyone"

    class Resource:
        blp = Blueprint("forgotten", __name__)

    Resource.blp.route("/forgotten")(Forgotten)
    monkeypatch.setattr("app.api.routes.RESOURCES", (*RESOURCES, Resource))
    with pytest.raises(RouteNotRegisteredError, match="GET /api/v1/forgotten"):
        create_app(container=world.container)


class TestLogs:
    def test_never_hold_a_secret(self) -> None:
        key = mint("live").text().reveal()
        text = redact(f"key {key} at postgresql://user:pass@host/db and AKIAABCDEFGHIJKLMNOP")
        assert key not in text
        assert "pass" not in text
        assert key.split("_")[2] in text, "which key it was still shows"
        session, signature = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl-_", "0123456789abcdef" * 4
        text = redact(f"Bearer {session} by ASIAABCDEFGHIJKLMNOP, Signature={signature}")
        assert text == "Bearer *** by ***, Signature=***"

    def test_are_json_where_nobody_watches(self) -> None:
        import structlog

        stream = io.StringIO()
        configure_logs("info", stream)
        key = mint("live").text().reveal()
        structlog.get_logger("test").info("hello", authorization=f"ApiKey {key}", note=key, count=1)
        try:
            int(key)
        except ValueError:
            logging.getLogger("other").exception("failed with %s", key)
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        configure_logs("error")
        assert (lines[0]["event"], lines[0]["count"], lines[0]["authorization"]) == ("hello", 1, "***")
        assert "Traceback" in lines[1]["exception"]
        assert key.split("_")[3] not in stream.getvalue()

    def test_are_readable_in_a_terminal(self) -> None:
        import structlog

        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        stream = Terminal()
        configure_logs("info", stream)
        structlog.get_logger("test").info("hello")
        configure_logs("error")
        assert "hello" in stream.getvalue()
        assert not stream.getvalue().startswith("{")

    def test_of_a_request_name_key_and_project(self, football: World) -> None:
        stream = io.StringIO()
        configure_logs("info", stream)
        key = football.key("football")
        football.call("GET", f"/me?secret={key}", key)
        configure_logs("error")
        line = json.loads(stream.getvalue().splitlines()[-1])
        assert (line["path"], line["status"], line["project"], line["key_id"]) == (
            "/api/v1/me",
            200,
            "football",
            football.key_id(key),
        )
        assert key not in stream.getvalue()


def test_two_gateways_with_different_peppers_do_not_share_keys(football: World, tmp_path: Path) -> None:
    from infra.crypto import Pepper

    key = football.key("football")
    other = tmp_path / "other-pepper"
    Pepper.create(other)
    container = build_container(football.container.settings.model_copy(update={"pepper_file": other}))
    answer = create_app(container=container).test_client().get("/api/v1/me", headers={"Authorization": f"ApiKey {key}"})
    container.database.engine.dispose()
    assert answer.status_code == 401
