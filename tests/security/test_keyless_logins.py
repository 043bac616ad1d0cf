"""Logins that must not be: the corpus of proofs and answers is refused, and AWS was asked nothing but our own question."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.settings import LoginSettings
from infra.identity.sts import AT_ONCE
from infra.storage.location import parse_warehouse
from tenancy.members.service import SetMember
from tenancy.role_bindings.service import BindRole
from tests.keyless import BODY, CONTENT_TYPE, SERVER, signed
from tests.lab.identity import ACCOUNT, ANSWER, running_identity_sts
from tests.security.keyless_proofs import CALLERS, CODES, OUT_OF_FORM, PROOFS, REGIONS, Attack, Ground
from tests.world import make_world

REFUSED = {400, 401, 422}
SENT = {
    "authorization",
    "x-amz-date",
    "x-amz-security-token",
    "x-oast-nonce",
    "x-oast-server-id",
    "content-type",
    "content-length",
    "host",
    "accept",
    "accept-encoding",
    "user-agent",
}


@pytest.fixture(scope="module")
def shared_ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    directory = tmp_path_factory.mktemp("keyless")
    with running_identity_sts() as sts:
        login = LoginSettings(server_id=SERVER, regions="eu-west-1,us-east-1", endpoint_url=sts.endpoint_url)
        world = make_world(directory / "data", None, parse_warehouse(str(directory / "warehouse")), login=login)
        world.projects("football", "venues")
        ground = Ground(world, sts)
        bind(ground, "Notebooks")
        world.container.members.set(world.operator, "football", "leaver", SetMember("data_owner"))
        bind(ground, "Orphans", member="leaver")
        world.container.members.remove(world.operator, "football", "leaver")
        assert ground.send(ground.honest()) == 200, "this login writes down which role it is"
        yield ground
        world.container.database.engine.dispose()


@pytest.fixture
def ground(shared_ground: Ground) -> Iterator[Ground]:
    shared_ground.sts.asked.clear()
    yield shared_ground
    shared_ground.sts.twist = lambda answer: answer
    shared_ground.sts.drip = 0.0
    shared_ground.world.clock.ahead = timedelta()


def bind(ground: Ground, role: str, member: str = "ada", account: str = ACCOUNT) -> None:
    command = BindRole(f"arn:aws:iam::{account}:role/{role}", member=member)
    ground.world.container.role_bindings.bind(ground.world.operator, "football", command)


def require_refused(ground: Ground, body: Any, statuses: set[int] = REFUSED) -> dict[str, Any]:
    answer = ground.world.call("POST", "/login/aws", json=body)
    assert answer.status_code in statuses, answer.get_data(as_text=True)
    assert answer.mimetype == "application/problem+json"
    text = answer.get_data(as_text=True)
    assert "token" not in json.loads(text)
    for secret in (body.get("security_token"), body.get("authorization")):
        assert not (isinstance(secret, str) and len(secret) > 20 and secret in text)
    require_only_our_question(ground)
    return dict(json.loads(text))


def require_only_our_question(ground: Ground) -> None:
    """Whatever came in, what went out is the one literal request."""
    for asked in ground.sts.asked:
        assert (asked.method, asked.path, asked.body.decode()) == ("POST", "/", BODY)
        assert set(asked.headers) == SENT
        assert asked.headers["content-type"] == CONTENT_TYPE
        assert asked.headers["host"] in ("sts.eu-west-1.amazonaws.com", "sts.us-east-1.amazonaws.com")
        assert asked.headers["x-oast-server-id"] == SERVER


def test_the_honest_proof_is_taken(ground: Ground) -> None:
    for region in ("eu-west-1", "us-east-1"):
        answer = ground.world.call("POST", "/login/aws", json=ground.honest(region=region))
        assert answer.status_code == 200
        assert (
            ground.world.client.get("/api/v1/me", headers={"Authorization": f"Bearer {answer.json['token']}"}).json[
                "member"
            ]
            == "ada"
        )
    require_only_our_question(ground)


@pytest.mark.parametrize("name", PROOFS)
def test_a_false_proof_is_refused(ground: Ground, name: str) -> None:
    problem = require_refused(ground, PROOFS[name](ground))
    assert problem["code"] in next(codes for attacks, codes in CODES if name in attacks)


@pytest.mark.parametrize("name", [*OUT_OF_FORM, *REGIONS])
def test_what_is_out_of_form_is_not_even_asked_about(ground: Ground, name: str) -> None:
    require_refused(ground, PROOFS[name](ground))
    assert ground.sts.asked == []


@pytest.mark.parametrize("minutes", [1, 4, 16])
def test_a_used_proof_stays_used(ground: Ground, minutes: int) -> None:
    body = ground.used()
    ground.sts.asked.clear()
    ground.world.clock.ahead = timedelta(minutes=minutes)
    problem = require_refused(ground, body)
    assert problem["code"] == ("login-replayed" if minutes < 5 else "login-out-of-time")
    assert ground.sts.asked == []


def test_a_used_proof_is_remembered_for_longer_than_it_is_good(ground: Ground) -> None:
    body = ground.used()
    ground.world.clock.ahead = timedelta(minutes=4)
    ground.world.container.logins.sweep()
    assert require_refused(ground, body)["code"] == "login-replayed"
    ground.world.clock.ahead = timedelta(minutes=21)
    ground.world.container.logins.sweep()
    assert require_refused(ground, body)["code"] == "login-out-of-time"


def test_a_proof_is_used_up_although_nothing_was_bound(ground: Ground) -> None:
    body = signed(ground.sts.role("Latecomers"))
    assert require_refused(ground, body)["code"] == "role-not-bound"
    bind(ground, "Latecomers")
    assert require_refused(ground, body)["code"] == "login-replayed"
    assert ground.send(signed(ground.sts.role("Latecomers"))) == 200


def test_of_many_at_once_one_gets_through(ground: Ground) -> None:
    body, statuses = ground.honest(), []
    barrier = threading.Barrier(12)

    def send() -> None:
        barrier.wait()
        statuses.append(ground.send(body))

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(statuses) == [200] + [401] * 11


def _answer(text: str | bytes, status: int = 200, kind: str = "text/xml", **headers: str) -> Any:
    """What STS says in place of the truth. `{…}` of the true answer can be used."""
    body = text if isinstance(text, bytes) else text.encode()
    return lambda _: (status, {"Content-Type": kind, **headers}, body)


TRUE = ANSWER.format(
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/Notebooks/ada", user_id="AROAEXAMPLEEXAMPLE000:ada", account=ACCOUNT
)
_LAUGHS = '<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
ANSWERS: dict[str, Any] = {
    "a page": _answer("<html><body>Welcome</body></html>", kind="text/html"),
    "a page said to be XML": _answer("<html><body>Welcome</body></html>"),
    "the truth said to be a page": lambda answer: (200, {"Content-Type": "text/html"}, answer[2]),
    "the truth without a type": lambda answer: (200, {}, answer[2]),
    "JSON": _answer(json.dumps({"GetCallerIdentityResponse": {"Arn": "x"}}), kind="application/json"),
    "JSON with XML in it": _answer(json.dumps({"x": TRUE}), kind="application/json"),
    "a redirect": lambda answer: (307, {"Location": "http://127.0.0.1:1/", **answer[1]}, answer[2]),
    "another redirect": lambda answer: (302, {"Location": "/again", **answer[1]}, answer[2]),
    "created": lambda answer: (201, answer[1], answer[2]),
    "no content": _answer("", status=204),
    "an error with the truth": lambda answer: (500, answer[1], answer[2]),
    "nothing": _answer(""),
    "half": lambda answer: (200, answer[1], answer[2][: len(answer[2]) // 2]),
    "two answers": lambda answer: (200, answer[1], answer[2] + answer[2]),
    "two ARNs": _answer(TRUE.replace("<Arn>", "<Arn>arn:aws:sts::1:assumed-role/x/y</Arn><Arn>")),
    "an ARN elsewhere": _answer(TRUE.replace("<ResponseMetadata>", "<ResponseMetadata><Arn>x</Arn>")),
    "an ARN of another namespace": _answer(TRUE.replace("<UserId>", '<Arn xmlns="urn:evil">x</Arn><UserId>')),
    "two results": _answer(TRUE.replace("<ResponseMetadata>", "<GetCallerIdentityResult/><ResponseMetadata>")),
    "two users": _answer(TRUE.replace("<Account>", "<UserId>AROAEXAMPLEEXAMPLE000:ada</UserId><Account>")),
    "two accounts": _answer(TRUE.replace("<Account>", f"<Account>{ACCOUNT}</Account><Account>")),
    "no account": _answer(TRUE.replace(f"<Account>{ACCOUNT}</Account>", "")),
    "an element in the ARN": _answer(TRUE.replace("<Arn>", "<Arn><b/>")),
    "another namespace": _answer(TRUE.replace("https://sts.amazonaws.com/doc/2011-06-15/", "urn:evil")),
    "no namespace": _answer(TRUE.replace(' xmlns="https://sts.amazonaws.com/doc/2011-06-15/"', "")),
    "the namespace without its slash": _answer(TRUE.replace("06-15/", "06-15")),
    "another root": _answer(TRUE.replace("GetCallerIdentityResponse", "AssumeRoleResponse")),
    "wrapped": _answer(f"<x>{TRUE}</x>"),
    "a document type": lambda answer: (200, answer[1], b"<!DOCTYPE x>" + answer[2]),
    "an entity": _answer(
        '<!DOCTYPE x [<!ENTITY arn SYSTEM "file:///etc/passwd">]>' + TRUE.replace("<Arn>", "<Arn>&arn;")
    ),
    "many entities": _answer(_LAUGHS + TRUE.replace("<Arn>", "<Arn>&b;")),
    "a section": _answer(TRUE.replace("<Arn>", "<Arn><![CDATA[]]>")),
    "a comment": _answer(TRUE.replace("<Arn>", "<Arn><!-- x -->")),
    "an instruction": _answer('<?xml version="1.0"?>' + TRUE.replace("<Arn>", "<Arn><?x y?>")),
    "another encoding": lambda answer: (200, answer[1], answer[2].decode().encode("utf-16")),
    "compressed": lambda answer: (200, {"Content-Encoding": "gzip", **answer[1]}, answer[2]),
    "huge": lambda answer: (200, answer[1], answer[2] + b" " * 100_000),
    "of yesterday": lambda answer: (200, {"Date": "Sat, 01 Jan 2022 00:00:00 GMT", **answer[1]}, answer[2]),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_false_answer_of_sts_is_refused(ground: Ground, name: str) -> None:
    ground.sts.twist = ANSWERS[name]
    problem = require_refused(ground, ground.honest(), {401, 503})
    assert problem["code"] in ("login-unavailable", "login-identity-refused", "login-not-a-role")
    assert len(ground.sts.asked) == 1, "nothing is followed, nothing is asked twice"


@pytest.mark.parametrize("drip", [0.4, 4.0])
def test_an_answer_that_drips_is_given_up(ground: Ground, drip: float) -> None:
    ground.sts.drip = drip
    started = time.monotonic()
    assert require_refused(ground, ground.honest(), {503})["code"] == "login-unavailable"
    assert time.monotonic() - started < 5


def test_logins_do_not_take_every_thread(ground: Ground) -> None:
    turns = ground.world.container.logins._provider._turns  # type: ignore[union-attr]
    for _ in range(AT_ONCE):
        turns.acquire()
    try:
        problem = require_refused(ground, ground.honest(), {503})
    finally:
        for _ in range(AT_ONCE):
            turns.release()
    assert (problem["code"], ground.sts.asked) == ("login-unavailable", [])


@pytest.mark.parametrize("date", ["", "whenever"])
def test_an_answer_without_a_date_is_taken(ground: Ground, date: str) -> None:
    ground.sts.twist = lambda answer: (answer[0], {"Date": date, **answer[1]}, answer[2])
    assert ground.send(ground.honest()) == 200


def test_nobody_answers(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ground.world.container.logins._provider, "_endpoint_url", "http://127.0.0.1:1")
    problem = require_refused(ground, ground.honest(), {503})
    assert (problem["code"], problem["retryable"]) == ("login-unavailable", True)


def test_a_proxy_of_the_environment_is_not_asked(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ground.send(ground.honest()) == 200


def test_refusals_are_of_one_shape_and_tell_of_the_caller_alone(ground: Ground) -> None:
    problems = [require_refused(ground, attack(ground)) for attack in PROOFS.values()]
    shapes = {frozenset(problem) - {"candidates"} for problem in problems if problem["status"] == 401}
    assert len(shapes) == 1
    unbound = [
        problem
        for name in CALLERS
        for problem in [_refusal(ground, CALLERS[name])]
        if problem["code"] == "role-not-bound"
    ]
    assert len(unbound) >= 12
    told = {
        (
            problem["title"],
            problem["status"],
            problem["detail"].count("arn:aws"),
            set(problem) - {"hint"} == set(problem),
        )
        for problem in unbound
    }
    assert len(told) == 1, "a project that is absent, a role never bound, and one made anew answer alike"


def _refusal(ground: Ground, attack: Attack) -> dict[str, Any]:
    return require_refused(ground, attack(ground))


def test_a_project_that_is_no_name_is_not_put_into_a_command(ground: Ground) -> None:
    problem = require_refused(ground, signed(ground.sts.role("Strangers"), project="x; rm -rf ~"))
    assert "rm -rf" not in json.dumps(problem)
    assert "oast role bind <project> arn:aws:iam::" in problem["hint"]


def test_the_corpus_is_large() -> None:
    assert len(PROOFS) + len(ANSWERS) >= 120
