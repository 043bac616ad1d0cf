"""Proofs that an enemy would send. Each is an honest one with one thing wrong; each must be refused."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from tests.keyless import signed
from tests.lab.identity import ACCOUNT, Caller, IdentitySts, unique_id_of
from tests.world import World

OTHER_ACCOUNT = "210987654321"
Body = dict[str, Any]


@dataclass
class Ground:
    """A gateway on which `Notebooks` is bound to `football`, and whoever AWS vouches for."""

    world: World
    sts: IdentitySts

    def honest(self, **changes: Any) -> Body:
        return signed(self.sts.role("Notebooks"), **changes)

    def used(self) -> Body:
        body = self.honest()
        assert self.send(body) == 200
        return body

    def send(self, body: Body) -> int:
        return self.world.call("POST", "/login/aws", json=body).status_code


Attack = Callable[[Ground], Body]


def changed(**fields: Any) -> Attack:
    """The honest proof with fields of the request replaced afterwards."""

    def attack(ground: Ground) -> Body:
        body = ground.honest()
        return {**body, **{name: make(body) if callable(make) else make for name, make in fields.items()}}

    return attack


def signing(**changes: Any) -> Attack:
    """Something else is signed, correctly."""
    return lambda ground: ground.honest(**changes)


def by(make: Callable[[IdentitySts], Caller], **changes: Any) -> Attack:
    """Somebody else signs, correctly."""
    return lambda ground: signed(make(ground.sts), **changes)


def at(**ago: float) -> Attack:
    return lambda ground: ground.honest(when=datetime.now(UTC) - timedelta(**ago))


def again(**fields: Any) -> Attack:
    """A proof that was used, as it was or with another look."""
    return lambda ground: {**(body := ground.used()), **{name: make(body) for name, make in fields.items()}}


def authorization(old: str, new: str) -> Attack:
    def replaced(body: Body) -> str:
        assert old in body["authorization"]
        return str(body["authorization"].replace(old, new))

    return changed(authorization=replaced)


def _tampered(body: Body) -> str:
    text = str(body["authorization"])
    return text[:-1] + ("0" if text[-1] != "0" else "1")


def _upper_signature(body: Body) -> str:
    head, mark, signature = body["authorization"].rpartition("Signature=")
    return str(head + mark + signature.upper())


def _presigned(ground: Ground) -> Body:
    """The form of EKS's authenticator: what would be a header is in the address."""
    body = ground.honest(headers=dict.fromkeys(("Content-Type", "X-Amz-Security-Token", "X-Oast-Nonce")))
    query = {
        "Action": "GetCallerIdentity",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Date": body["amz_date"],
        "X-Amz-SignedHeaders": "host;x-oast-server-id",
        "X-Amz-Signature": body["authorization"].rpartition("=")[2],
    }
    return {**body, "authorization": urlencode(query)}


def _wrong_secret(sts: IdentitySts) -> Caller:
    caller, other = sts.role("Notebooks"), sts.role("Notebooks")
    caller.credentials.secret_key, key = other.credentials.secret_key, caller.credentials.secret_key
    sts.callers[caller.credentials.access_key] = Caller(
        caller.arn,
        caller.user_id,
        caller.account,
        type(caller.credentials)(caller.credentials.access_key, key, caller.credentials.token),
    )
    return caller


def _unknown_key(sts: IdentitySts) -> Caller:
    caller = sts.role("Notebooks")
    del sts.callers[caller.credentials.access_key]
    return caller


def _foreign_token(ground: Ground) -> Body:
    return {**ground.honest(), "security_token": ground.sts.role("Notebooks", session="eve").credentials.token}


OUT_OF_FORM: dict[str, Attack] = {
    "algorithm": authorization("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
    "signature of version 2": changed(authorization="AWS AKIAIOSFODNN7EXAMPLE:c2lnbmF0dXJl"),
    "presigned": _presigned,
    "no authorization": changed(authorization=""),
    "short signature": changed(authorization=lambda body: body["authorization"][:-1]),
    "long signature": changed(authorization=lambda body: body["authorization"] + "0"),
    "no signature": changed(authorization=lambda body: body["authorization"].rpartition("Signature=")[0]),
    "two signatures": changed(authorization=lambda body: body["authorization"] + ", Signature=" + "0" * 64),
    "scope of another service": signing(service="iam"),
    "scope of another region": authorization("/eu-west-1/", "/us-east-1/"),
    "scope of another day": authorization(f"/{datetime.now(UTC):%Y}", "/2020"),
    "server id not signed": signing(headers={"X-Oast-Server-ID": None}),
    "nonce not signed": signing(headers={"X-Oast-Nonce": None}),
    "host not in the list": authorization("content-type;host;", "content-type;"),
    "token not signed": signing(headers={"X-Amz-Security-Token": None}),
    "content type not signed": signing(headers={"Content-Type": None}),
    "one header more": signing(headers={"X-Evil": "yes"}),
    "target header": signing(headers={"X-Amz-Target": "SecretsManager.GetSecretValue"}),
    "content digest header": signing(headers={"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD"}),
    "headers in another order": authorization("content-type;host", "host;content-type"),
    "headers in capitals": authorization("content-type", "Content-Type"),
    "headers twice": authorization("content-type;host", "content-type;host;host"),
    "line break in the authorization": changed(authorization=lambda body: body["authorization"] + "\r\nX-Evil: yes"),
    "line break before the signature": authorization(", Signature", ",\r\n Signature"),
    "tab in the authorization": authorization(", Signature", ",\tSignature"),
    "line break in the date": changed(amz_date=lambda body: body["amz_date"] + "\r\nX-Evil: yes"),
    "line break at the date's end": changed(amz_date=lambda body: body["amz_date"] + "\n"),
    "line break in the token": changed(security_token=lambda body: body["security_token"] + "\r\nX-Evil: yes"),
    "line break in the nonce": changed(nonce=lambda body: body["nonce"] + "\n"),
    "no token": changed(security_token=""),
    "zero byte in the token": changed(security_token=lambda body: body["security_token"] + "\x00"),
    "token beyond ascii": changed(security_token=lambda body: body["security_token"] + "é"),
    "huge token": changed(security_token="A" * 9000),
    "huger token": changed(security_token="A" * 20_000),
    "nonce in capitals": changed(nonce=lambda _: "A" * 32),
    "date in another form": changed(amz_date=lambda _: f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"),
    "date that is none": changed(amz_date=lambda body: body["amz_date"][:8] + "T256199Z"),
    "date of other digits": changed(amz_date=lambda body: body["amz_date"].replace("2", "\uff12")),
    "token as a list": changed(security_token=lambda body: [body["security_token"]]),
    "region as an object": changed(region={"name": "eu-west-1"}),
    "address as a field": changed(url="https://evil.example.com/"),
    "endpoint as a field": changed(endpoint_url="https://evil.example.com/"),
    "body as a field": changed(body="Action=GetSessionToken&Version=2011-06-15"),
    "headers as a field": changed(headers={"Host": "evil.example.com"}),
    "field in capitals": changed(Region="us-east-1"),
}
REGIONS: dict[str, Attack] = {
    f"region {shown}": changed(region=region)
    for shown, region in {
        "with a host": "eu-west-1.evil.com",
        "with a user": "eu-west-1@evil.com",
        "with a fragment": "eu-west-1.amazonaws.com#",
        "with a path": "eu-west-1/../",
        "with a port": "eu-west-1:443",
        "with a line break": "eu-west-1\n",
        "in capitals": "EU-WEST-1",
        "of other digits": "eu-west-\uff11",
        "with a question": "eu-west-1?x=",
        "empty": "",
        "not listed": "ap-south-1",
        "of China": "cn-north-1",
        "of the government": "us-gov-west-1",
    }.items()
}
SERVERS: dict[str, Attack] = {
    "for another gateway": signing(server_id="dev.example.com"),
    "for another gateway, said to be for this": lambda g: {
        **g.honest(server_id="dev.example.com"),
        "server_id": "gateway.example.com",
    },
    "for this gateway, said to be for another": changed(server_id="dev.example.com"),
    "server id in capitals": signing(server_id="GATEWAY.EXAMPLE.COM"),
    "server id with a dot": signing(server_id="gateway.example.com."),
    "server id with a port": signing(server_id="gateway.example.com:443"),
    "server id with a line break": changed(server_id="gateway.example.com\r\nX-Evil: yes"),
    "server id empty": signing(server_id=""),
}
TIMES: dict[str, Attack] = {
    "6 minutes old": at(minutes=6),
    "6 minutes ahead": at(minutes=-6),
    "16 minutes old": at(minutes=16),
    "16 minutes ahead": at(minutes=-16),
    "a day old": at(days=1),
    "a month old": at(days=30),
    "a second moved": changed(amz_date=lambda _: f"{datetime.now(UTC) - timedelta(seconds=3):%Y%m%dT%H%M%SZ}"),
}
REPLAYS: dict[str, Attack] = {
    "sent again": again(),
    "sent again with capitals": again(authorization=_upper_signature),
    "sent again with a space": again(authorization=lambda body: body["authorization"] + " "),
    "sent again for another project": again(project=lambda _: "venues"),
    "sent again with another nonce": again(nonce=lambda _: "0" * 32),
}
SIGNATURES: dict[str, Attack] = {
    "another action": signing(body="Action=GetSessionToken&Version=2011-06-15"),
    "a role assumed": signing(body="Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/Admin&Version=2011-06-15"),
    "action twice": signing(body="Action=GetCallerIdentity&Action=GetSessionToken&Version=2011-06-15"),
    "parameters in another order": signing(body="Version=2011-06-15&Action=GetCallerIdentity"),
    "empty body": signing(body=""),
    "body not signed": signing(payload="UNSIGNED-PAYLOAD"),
    "another host": signing(host="evil.example.com"),
    "host of another region": signing(host="sts.us-east-1.amazonaws.com"),
    "the global host": signing(host="sts.amazonaws.com"),
    "another method": signing(method="GET"),
    "another path": signing(path="/admin"),
    "a query": signing(path="/?Action=GetSessionToken"),
    "another content type": signing(headers={"Content-Type": "application/json"}),
    "signature changed": changed(authorization=_tampered),
    "secret key of another": by(_wrong_secret),
    "access key that nobody has": by(_unknown_key),
    "token of another": _foreign_token,
}
CALLERS: dict[str, Attack] = {
    "a user": by(lambda sts: sts.caller(f"arn:aws:iam::{ACCOUNT}:user/Notebooks", "AIDACKCEVSQ6C2EXAMPLE")),
    "a user of a path": by(
        lambda sts: sts.caller(f"arn:aws:iam::{ACCOUNT}:user/assumed-role/Notebooks", "AIDACKCEVSQ6C2EXAMPLE")
    ),
    "root": by(lambda sts: sts.caller(f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)),
    "a federated user": by(
        lambda sts: sts.caller(f"arn:aws:sts::{ACCOUNT}:federated-user/Notebooks", f"{ACCOUNT}:Notebooks")
    ),
    "a role that is not bound": by(lambda sts: sts.role("Strangers")),
    "the name in another account": by(lambda sts: sts.role("Notebooks", account=OTHER_ACCOUNT)),
    "the name in another account, with the id": by(
        lambda sts: sts.role("Notebooks", account=OTHER_ACCOUNT, unique_id=unique_id_of("Notebooks"))
    ),
    "the name in another partition": by(lambda sts: sts.role("Notebooks", partition="aws-cn")),
    "the role made anew": by(lambda sts: sts.role("Notebooks", unique_id="AROA" + "Z" * 17)),
    "the name in small letters": by(lambda sts: sts.role("notebooks", unique_id=unique_id_of("Notebooks"))),
    "the name with more": by(lambda sts: sts.role("Notebooks2", unique_id=unique_id_of("Notebooks"))),
    "the beginning of the name": by(lambda sts: sts.role("Notebook", unique_id=unique_id_of("Notebooks"))),
    "a session called like the role": by(lambda sts: sts.role("Strangers", session="Notebooks")),
    "a session that looks like a role": by(
        lambda sts: sts.role("Strangers", session=f"x:assumed-role/Notebooks/{unique_id_of('Notebooks')}:ada")
    ),
    "an ARN that ends like the role's": by(
        lambda sts: sts.role("Strangers", session=f"arn:aws:sts::{ACCOUNT}:assumed-role/Notebooks/ada")
    ),
    "a session without a name": by(lambda sts: sts.role("Notebooks", session="")),
    "a wildcard for a role": by(lambda sts: sts.role("*")),
    "an id of another kind": by(lambda sts: sts.role("Notebooks", unique_id="AIDA" + "A" * 17)),
    "an account that is not the ARN's": by(
        lambda sts: sts.caller(
            f"arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/Notebooks/ada", f"{unique_id_of('Notebooks')}:ada"
        )
    ),
    "a role of another project": signing(project="venues"),
    "a project that is not there": signing(project="nowhere"),
    "a wildcard for a project": signing(project="*"),
    "a pattern for a project": signing(project="foot%"),
    "a project in capitals": signing(project="FOOTBALL"),
    "no project": signing(project=""),
    "a role whose member has left": by(lambda sts: sts.role("Orphans")),
}
# A proof that is refused for another reason than its own would prove nothing.
CODES: list[tuple[dict[str, Attack], set[str]]] = [
    (OUT_OF_FORM, {"login-proof-not-valid", "invalid-input"}),
    (REGIONS, {"login-region-not-accepted"}),
    (SERVERS, {"login-for-other-server", "login-identity-refused"}),
    (TIMES, {"login-out-of-time", "login-identity-refused"}),
    (REPLAYS, {"login-replayed", "login-proof-not-valid"}),
    (SIGNATURES, {"login-identity-refused"}),
    (CALLERS, {"role-not-bound", "login-not-a-role"}),
]
PROOFS = {**OUT_OF_FORM, **REGIONS, **SERVERS, **TIMES, **REPLAYS, **SIGNATURES, **CALLERS}
