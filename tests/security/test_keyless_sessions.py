"""Sessions that nobody was given: every forged, changed, borrowed or outlived one is refused."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.settings import LoginSettings
from infra.storage.location import parse_warehouse
from tenancy.principals import Role
from tenancy.role_bindings.service import BindRole, RoleBindingInfo
from tenancy.scopes import Scope
from tenancy.sessions.keys import Key
from tests.keyless import SERVER, signed
from tests.lab.identity import ACCOUNT, IdentitySts, running_identity_sts
from tests.world import World, make_world


class Ground:
    """A gateway with one session of one bound role."""

    def __init__(self, world: World, sts: IdentitySts) -> None:
        self.world, self.sts = world, sts
        self.binding = self.bind("Notebooks")
        self.token = self.log_in("Notebooks")

    def bind(self, name: str, **options: Any) -> RoleBindingInfo:
        command = BindRole(f"arn:aws:iam::{ACCOUNT}:role/{name}", **{"member": "ada", **options})
        return self.world.container.role_bindings.bind(self.world.operator, "football", command)

    def log_in(self, role: str) -> str:
        answer = self.world.call("POST", "/login/aws", json=signed(self.sts.role(role), when=self.world.clock.now()))
        assert answer.status_code == 200, answer.json
        return str(answer.json["token"])

    @property
    def key(self) -> Key:
        return self.world.container.sessions._tokens.keys.current()

    @property
    def public_pem(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.private.public_key().public_bytes(serialization.Encoding.PEM, form)

    @property
    def public_raw(self) -> bytes:
        return self.key.private.public_key().public_bytes_raw()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Those of the honest session; None takes one away."""
        real = jwt.decode(self.token, options={"verify_signature": False})
        return {name: value for name, value in {**real, **changes}.items() if value is not None}

    def sign(self, claims: dict[str, Any], private: Any = None, **header: Any) -> str:
        """With the gateway's own key unless said: what is refused then is not refused for its signature."""
        names = {"alg": "EdDSA", "typ": "at+jwt", "kid": self.key.kid, **header}
        given = {name: value for name, value in names.items() if value is not None}
        return _by_hand(given, claims, (private or self.key.private).sign)

    def status(self, token: str, scheme: str = "Bearer") -> int:
        headers = {"Authorization": f"{scheme} {token}"}
        return self.world.client.get("/api/v1/me", headers=headers).status_code

    def use(self, token: str, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        return self.world.client.open(f"/api/v1{path}", method=method, headers=headers, **options)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    directory = tmp_path_factory.mktemp("sessions")
    with running_identity_sts() as sts:
        login = LoginSettings(server_id=SERVER, regions="eu-west-1", endpoint_url=sts.endpoint_url)
        world = make_world(directory / "data", None, parse_warehouse(str(directory / "warehouse")), login=login)
        world.projects("football", "venues")
        yield Ground(world, sts)
        world.container.database.engine.dispose()


@pytest.fixture
def ground(shared: Ground) -> Iterator[Ground]:
    shared.world.clock.ahead = timedelta()
    yield shared
    shared.world.clock.ahead = timedelta()


def _b64(part: Any) -> str:
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _by_hand(header: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    text = f"{_b64(header)}.{_b64(claims)}"
    return f"{text}.{_b64(sign(text.encode()))}"


def _hmac(secret: bytes, algorithm: str = "sha256") -> Callable[[bytes], bytes]:
    return lambda text: hmac.new(secret, text, algorithm).digest()


def _resigned(**changes: Any) -> Callable[[Ground], str]:
    """A change that is called is one of the time when it is made: this module is read long before."""
    return lambda ground: ground.sign(
        ground.claims(**{name: change() if callable(change) else change for name, change in changes.items()})
    )


def _headed(**header: Any) -> Callable[[Ground], str]:
    return lambda ground: ground.sign(ground.claims(), **header)


def _tampered(**changes: Any) -> Callable[[Ground], str]:
    def attack(ground: Ground) -> str:
        header, _, signature = ground.token.split(".")
        return f"{header}.{_b64(ground.claims(**changes))}.{signature}"

    return attack


def _unsigned(algorithm: str) -> Callable[[Ground], str]:
    return lambda ground: _by_hand(
        {"alg": algorithm, "typ": "at+jwt", "kid": ground.key.kid}, ground.claims(), lambda _: b""
    )


def _confused(secret: Callable[[Ground], bytes], algorithm: str = "HS256") -> Callable[[Ground], str]:
    return lambda ground: _by_hand(
        {"alg": algorithm, "typ": "at+jwt", "kid": ground.key.kid},
        ground.claims(),
        _hmac(secret(ground), "sha" + algorithm[2:]),
    )


def _own_key(**header: Any) -> Callable[[Ground], str]:
    def attack(ground: Ground) -> str:
        own = Ed25519PrivateKey.generate()
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": _b64(own.public_key().public_bytes_raw())}
        given = {name: jwk if value == "own" else value for name, value in header.items()}
        return ground.sign(ground.claims(), own, **given)

    return attack


def _now(**later: float) -> int:
    return int(time.time() + timedelta(**later).total_seconds())


CLAIMS = ("exp", "iat", "nbf", "iss", "aud", "sub", "jti", "prj", "rid", "scp", "rol", "ver")
FORGED: dict[str, Callable[[Ground], str]] = {
    "no algorithm": _unsigned("none"),
    "no algorithm in capitals": _unsigned("NONE"),
    "no algorithm, mixed": _unsigned("nOnE"),
    "no signature": lambda g: g.token.rpartition(".")[0] + ".",
    "no third part": lambda g: g.token.rpartition(".")[0],
    "signature of another": lambda g: g.token.rpartition(".")[0] + "." + _b64(bytes(64)),
    "HMAC with the public key": _confused(lambda g: g.public_pem),
    "HMAC with the raw public key": _confused(lambda g: g.public_raw),
    "HMAC of 512 bits with the public key": _confused(lambda g: g.public_pem, "HS512"),
    "HMAC with nothing": _confused(lambda _: b""),
    "HMAC with the kid": _confused(lambda g: g.key.kid.encode()),
    "a key of one's own": _own_key(),
    "a key of one's own and its kid": _own_key(kid="0123456789abcdef"),
    "a key of one's own in the header": _own_key(jwk="own"),
    "a key of one's own at an address": _own_key(jku="http://127.0.0.1:1/keys.json"),
    "a certificate at an address": _own_key(x5u="http://127.0.0.1:1/cert.pem"),
    "kid of a file": _headed(kid="../../../../dev/null"),
    "kid of a query": _headed(kid="' OR 1=1 --"),
    "kid of another": _headed(kid="0" * 16),
    "kid that is a number": lambda g: _by_hand(
        {"alg": "EdDSA", "typ": "at+jwt", "kid": 7}, g.claims(), g.key.private.sign
    ),
    "kid that is a list": lambda g: _by_hand(
        {"alg": "EdDSA", "typ": "at+jwt", "kid": [g.key.kid]}, g.claims(), g.key.private.sign
    ),
    "no kid": _headed(kid=None),
    "plain type": _headed(typ="JWT"),
    "no type": lambda g: _by_hand({"alg": "EdDSA", "kid": g.key.kid}, g.claims(), g.key.private.sign),
    "type of another": _headed(typ="application/at+jwt"),
    "address in a header that is signed": _headed(jku="http://127.0.0.1:1/keys.json"),
    "critical header": _headed(crit=["exp"]),
    "content apart": _headed(b64=False),
    "algorithm of another curve": lambda g: _by_hand(
        {"alg": "Ed448", "typ": "at+jwt", "kid": g.key.kid}, g.claims(), g.key.private.sign
    ),
    "expired": _resigned(iat=_now(minutes=-20), nbf=_now(minutes=-20), exp=_now(minutes=-5)),
    "expired a minute ago": _resigned(iat=_now(minutes=-16), nbf=_now(minutes=-16), exp=_now(minutes=-1)),
    "not yet valid": _resigned(nbf=lambda: _now(minutes=5)),
    "made in the future": _resigned(iat=lambda: _now(minutes=5)),
    "for a year": _resigned(exp=_now(days=365)),
    "for an hour": _resigned(exp=_now(hours=1)),
    "expiry as text": _resigned(exp=str(_now(minutes=10))),
    "expiry as a fraction": _resigned(exp=_now(minutes=10) + 0.5),
    "expiry as truth": _resigned(exp=True),
    "expiry without end": _resigned(exp=float("inf")),
    "another audience": _resigned(aud="dev.example.com"),
    "two audiences": _resigned(aud=[SERVER, "dev.example.com"]),
    "audience in a list": _resigned(aud=[SERVER]),
    "audience in capitals": _resigned(aud=SERVER.upper()),
    "another issuer": _resigned(iss="oasthouse/live"),
    "issuer in a list": _resigned(iss=["oasthouse/test"]),
    "another version": _resigned(ver=2),
    "one claim more": _resigned(admin=True),
    "another subject": _resigned(sub=uuid4().hex),
    "subject that is no id": _resigned(sub="ada"),
    "another project": _resigned(prj=uuid4().hex),
    "another role's id": _resigned(rid="AROA" + "Z" * 17),
    "a scope that there is not": _resigned(scp=["everything"]),
    "scopes as a number": _resigned(scp=1),
    "a role that there is not": _resigned(rol="god"),
    "role changed": _tampered(rol="data_owner"),
    "scopes changed": _tampered(scp=["operator"]),
    "expiry changed": _tampered(exp=_now(hours=2)),
    "subject changed": _tampered(sub=uuid4().hex),
    **{f"without {name}": _resigned(**{name: None}) for name in CLAIMS},
    "an API key": lambda g: g.world.key("football"),
    "nothing": lambda _: ".",
    "three nothings": lambda _: "..",
    "huge": lambda g: g.token + "A" * 10_000,
    "two": lambda g: f"{g.token} {g.token}",
    "with a comma": lambda g: f"{g.token},{g.token}",
    "nested": lambda g: g.sign({"token": g.token}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_session_is_refused(ground: Ground, name: str) -> None:
    token = FORGED[name](ground)
    answer = ground.world.client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.get_json()["code"]) == (401, "not-authenticated")
    assert ground.status(ground.token) == 200, "the honest one still is taken"


def test_what_is_signed_like_the_honest_one_is_taken(ground: Ground) -> None:
    """Else the corpus would be refused for how it is made."""
    assert ground.status(ground.sign(ground.claims())) == 200
    header = {"alg": "EdDSA", "typ": "at+jwt", "kid": ground.key.kid}
    assert ground.status(_by_hand(header, ground.claims(), ground.key.private.sign)) == 200


def test_the_corpus_is_large() -> None:
    assert len(FORGED) >= 60


def test_every_refusal_is_the_same(ground: Ground) -> None:
    bodies = set()
    for attack in FORGED.values():
        problem = ground.use(attack(ground), "GET", "/me").get_json()
        bodies.add(json.dumps({name: value for name, value in problem.items() if name != "request_id"}))
    assert len(bodies) == 1


def test_a_session_travels_in_one_header_only(ground: Ground) -> None:
    assert ground.status(ground.token, "bearer") == 200
    for scheme in ("ApiKey", "Basic", "Token", "JWT"):
        assert ground.status(ground.token, scheme) == 401
    for path in (f"/api/v1/me?access_token={ground.token}", f"/api/v1/me?token={ground.token}"):
        assert ground.world.client.get(path).status_code == 401
    ground.world.client.set_cookie("Authorization", f"Bearer {ground.token}")
    assert ground.world.client.get("/api/v1/me").status_code == 401


def test_a_session_of_another_gateway_is_refused(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("other")
    login = LoginSettings(server_id=SERVER, regions="eu-west-1", endpoint_url=ground.sts.endpoint_url)
    world = make_world(directory / "data", None, parse_warehouse(str(directory / "warehouse")), login=login)
    world.project("football")
    other = Ground(world, ground.sts)
    assert (other.status(other.token), ground.status(other.token), other.status(ground.token)) == (200, 401, 401)
    world.container.database.engine.dispose()


def test_a_session_ends_by_itself(ground: Ground) -> None:
    token = ground.log_in("Notebooks")
    ground.world.clock.ahead = timedelta(minutes=14)
    assert ground.status(token) == 200
    ground.world.clock.ahead = timedelta(minutes=16)
    assert ground.status(token) == 401


def test_unbinding_ends_sessions_at_once(ground: Ground) -> None:
    binding, token = ground.bind("Shortlived"), ground.log_in("Shortlived")
    assert ground.status(token) == 200
    ground.world.container.role_bindings.unbind(ground.world.operator, "football", binding.id)
    assert ground.status(token) == 401
    ground.bind("Shortlived")
    assert ground.status(token) == 401, "bound anew it is another binding"


def test_a_session_has_what_its_member_has_now(ground: Ground) -> None:
    world = ground.world
    world.member("football", "sam", Role.DATA_SCIENTIST)
    ground.bind("Sams", member="sam", role="data_owner")
    token = ground.log_in("Sams")
    body = {"name": "g", "features": [{"name": "id", "type": "bigint"}]}
    assert ground.use(token, "GET", "/me").json["role"] == "data_scientist", "never more than the member"
    world.member("football", "sam", Role.VIEWER)
    assert ground.use(token, "POST", "/projects/football/feature-groups", json=body).json["code"] == "role-too-low"
    world.container.members.remove(world.operator, "football", "sam")
    assert ground.status(token) == 401
    world.member("football", "sam", Role.DATA_OWNER)
    assert ground.status(token) == 401, "the same name again revives nothing"


def test_a_session_has_no_more_than_its_binding(ground: Ground) -> None:
    """Also where whoever holds the signing key writes more into it."""
    ground.bind("Readers", role="viewer", scopes=(Scope.FEATURESTORE_READ,))
    reader = ground.log_in("Readers")
    wide = {
        **jwt.decode(reader, options={"verify_signature": False}),
        "rol": "data_owner",
        "scp": [s.value for s in Scope],
    }
    identity = ground.use(ground.sign(wide), "GET", "/me").json
    assert (identity["role"], identity["scopes"], identity["operator"]) == ("viewer", ["featurestore:read"], False)
    narrow = {**jwt.decode(reader, options={"verify_signature": False}), "scp": []}
    assert ground.use(ground.sign(narrow), "GET", "/me").json["scopes"] == []


def test_a_session_makes_neither_keys_nor_bindings(ground: Ground) -> None:
    ground.bind("Owners", role="data_owner", scopes=(Scope.FEATURESTORE, Scope.PROJECT))
    token = ground.log_in("Owners")
    for path, body in (
        ("api-keys", {"name": "kept"}),
        ("role-bindings", {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/Friend"}),
    ):
        answer = ground.use(token, "POST", f"/projects/football/{path}", json=body)
        assert (answer.status_code, answer.json["code"]) == (403, "scope-missing")


def test_a_session_sees_its_project_alone(ground: Ground) -> None:
    assert ground.use(ground.token, "GET", "/projects/venues/feature-groups").json["code"] == "project-not-found"


def test_a_request_that_began_in_time_may_end(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload takes longer than a session lives; it is asked again by whom it was begun, not whether in time."""
    token, groups = ground.log_in("Notebooks"), ground.world.container.feature_groups
    create = groups.create

    def slowly(*arguments: Any, **options: Any) -> Any:
        ground.world.clock.ahead = timedelta(minutes=40)
        return create(*arguments, **options)

    monkeypatch.setattr(type(groups), "create", lambda _self, *a, **o: slowly(*a, **o))
    body = {"name": "slow", "features": [{"name": "id", "type": "bigint"}]}
    assert ground.use(token, "POST", "/projects/football/feature-groups", json=body).status_code == 201
    assert ground.status(token) == 401


def test_an_attacker_with_the_database_signs_nothing(ground: Ground) -> None:
    """A planted key is sealed with nothing, a swapped one under another id."""
    from sqlalchemy import text

    secret = Ed25519PrivateKey.generate()
    engine = ground.world.container.database.engine
    with engine.begin() as connection:
        row = connection.execute(text("select * from signing_key")).mappings().one()
        assert ground.key.private.private_bytes_raw() not in row["sealed"]
        for kid, sealed in (
            ("000000000000000a", b"\0" * 12 + secret.private_bytes_raw()),
            ("000000000000000b", row["sealed"]),
        ):
            values = {
                **row,
                "kid": kid,
                "sealed": sealed,
                "generation": row["generation"] - 1 - (kid == "000000000000000b"),
            }
            names = ", ".join(values)
            connection.execute(
                text(f"insert into signing_key ({names}) values ({', '.join(':' + n for n in values)})"), values
            )
    tokens = ground.world.container.sessions._tokens
    tokens.keys._looked_at = float("-inf")
    assert ground.status(ground.sign(ground.claims(), secret, kid="000000000000000a")) == 401
    assert ground.status(ground.sign(ground.claims(), kid="000000000000000b")) == 401
    assert ground.status(ground.token) == 200
    with engine.begin() as connection:
        connection.execute(text("delete from signing_key where kid in ('000000000000000a', '000000000000000b')"))


def test_the_text_of_a_session_is_kept_nowhere(ground: Ground) -> None:
    from sqlalchemy import text

    signature = ground.token.rpartition(".")[2]
    with ground.world.container.database.engine.connect() as connection:
        rows = [
            str(row)
            for table in ("role_binding", "audit_event", "login_replay", "idempotency_record", "signing_key")
            for row in connection.execute(text(f"select * from {table}"))
        ]
    assert rows
    assert not [row for row in rows if signature in row or ground.token in row]
    assert hashlib.sha256(signature.encode()).hexdigest() not in "".join(rows)


def test_who_did_it_is_recorded(ground: Ground) -> None:
    from sqlalchemy import text

    body = {"name": "recorded", "features": [{"name": "id", "type": "bigint"}]}
    assert ground.use(ground.token, "POST", "/projects/football/feature-groups", json=body).status_code == 201
    with ground.world.container.database.engine.connect() as connection:
        rows = connection.execute(text("select action, key_id, actor from audit_event where actor = 'ada'")).all()
    assert ("feature-group:create", ground.binding.id.hex, "ada") in [tuple(row) for row in rows]
    assert UUID(hex=ground.binding.id.hex) == ground.binding.id
