"""What a vended credential may do, in 10,000 drawn questions and in 500 of them put to a real store."""

import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from infra.errors import InvalidInputError
from infra.ports.vending import Level
from infra.storage.session_policies import MOST_CHARACTERS, Place, partition_of, policy_text, session_policy
from tests.infra.iam import Asked, allows
from tests.lab.seaweedfs import ROLE_ARN, SeaweedFs

TRIPLES, ASKED_OF_A_STORE, CREDENTIALS = 10_000, 500, 40
BUCKETS = ("lake-one", "lake-two")
# As a warehouse's prefix may be, and as none is: IAM gives a meaning to some of these signs.
PREFIXES = ("wh", "wh/deep")
HOSTILE = ("wh*", "w?", "${aws:username}", "a$b", "$", "*", "wh/${*}", 'quo"te', "spa ce", "æøå", "%2F", "wh%2Ft")
OBJECT_ACTIONS = (
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:GetObjectVersion",
    "s3:GetObjectTagging",
    "s3:PutObjectAcl",
    "s3:AbortMultipartUpload",
)
BUCKET_ACTIONS = ("s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketPolicy", "s3:ListBucketMultipartUploads")


@dataclass(frozen=True)
class Question:
    """`prefix` None: a request about a bucket that names none."""

    level: Level
    places: tuple[Place, ...]
    partition: str
    action: str
    bucket: str
    key: str
    prefix: str | None

    @property
    def asked(self) -> Asked:
        arn = f"arn:{self.partition}:s3:::{self.bucket}"
        if self.action in OBJECT_ACTIONS:
            return Asked(self.action, f"{arn}/{self.key}", {})
        return Asked(self.action, arn, {} if self.prefix is None else {"s3:prefix": self.prefix})

    @property
    def is_due(self) -> bool:
        """What the credential is for, said in segments of paths."""
        if self.level is Level.STAGE:
            return self.action in {"s3:PutObject", "s3:AbortMultipartUpload"} and self._is_below(self.key)
        if self.action == "s3:GetObject":
            return self._is_below(self.key)
        return self.action == "s3:ListBucket" and self.prefix is not None and self._is_below(self.prefix)

    def _is_below(self, path: str) -> bool:
        parts = path.split("/")
        owned = [place.key.split("/") for place in self.places if place.bucket == self.bucket]
        return any(len(parts) > len(own) and parts[: len(own)] == own for own in owned)


@cache
def tables(prefix: str) -> list[str]:
    """Keys of three tables each of three projects."""
    draw = random.Random(prefix)
    projects = [UUID(int=draw.getrandbits(128)) for _ in range(3)]
    return [f"{prefix}/{project}/{UUID(int=draw.getrandbits(128))}" for project in projects for _ in range(3)]


def near(key: str) -> list[str]:
    """Paths in and around a table, as many of the one as of the other."""
    inside = [f"{key}/x", f"{key}/_delta_log/0.json", f"{key}/", f"{key}//x", f"{key}/city=New York/p", f"{key}/*"]
    beside = [f"{key}1/x", f"{key}-/x", f"{key[:-1]}/x", f"{key.upper()}/x", f"{key}%2Fx", f"{key}%2F/x", f"{key}?/x"]
    project = key.rpartition("/")[0]
    above = [key, f"{project}/", project, f"{key}x", f"/{key}/x", key.partition("/")[0], ""]
    return [*inside * 2, *beside, *above]


def drawn(
    draw: random.Random, prefixes: tuple[str, ...], level: Level, places: tuple[Place, ...] | None = None
) -> Question:
    known = tables(draw.choice(prefixes))
    if places is None:
        count = draw.choice((0, 1, 1, 1, 2, 3))
        places = tuple(Place(draw.choice(BUCKETS), key) for key in draw.sample(known, count))
    aim, bucket = draw.choice(known), draw.choice(BUCKETS)
    if places and draw.random() < 0.7:
        own = draw.choice(places)
        aim, bucket = own.key, draw.choice((own.bucket, own.bucket, bucket))
    usual = "s3:GetObject" if level is Level.READ else "s3:PutObject"
    action = draw.choice((*OBJECT_ACTIONS, *[usual] * 8, *BUCKET_ACTIONS, *["s3:ListBucket"] * 6))
    prefix_asked = draw.choice([*near(aim), None]) if action in BUCKET_ACTIONS else None
    partition = draw.choice(("aws", "aws-cn", "aws-us-gov"))
    return Question(level, places, partition, action, bucket, draw.choice(near(aim)), prefix_asked)


@pytest.mark.parametrize("level", list(Level))
def test_ten_thousand_questions(level: Level) -> None:
    draw = random.Random(7)
    outcomes: Counter[tuple[bool, bool]] = Counter()
    wrong = []
    for _ in range(TRIPLES):
        question = drawn(draw, PREFIXES + HOSTILE, level)
        policy = json.loads(policy_text(session_policy(question.places, level, question.partition)))
        answer = allows(policy, question.asked)
        outcomes[question.is_due, answer] += 1
        if answer != question.is_due:
            wrong.append(question)
    assert wrong == []
    assert outcomes[True, True] > TRIPLES / 20, outcomes
    assert outcomes[False, False] > TRIPLES / 3, outcomes


def test_a_policy_is_of_its_own_partition_only() -> None:
    place = Place("lake-one", "wh/a/b")
    asked = Asked("s3:GetObject", "arn:aws:s3:::lake-one/wh/a/b/x", {})
    assert allows(session_policy([place], Level.READ), asked)
    assert not allows(session_policy([place], Level.READ, "aws-cn"), asked)


def test_s3_may_decrypt_under_each_name_that_it_may_have_there() -> None:
    names = {"aws": ["amazonaws.com"], "aws-us-gov": ["amazonaws.com"], "aws-cn": ["amazonaws.com", "amazonaws.com.cn"]}
    for partition, domains in names.items():
        policy = session_policy([Place("lake-one", "wh/a")], Level.READ, partition)
        region = {"aws-cn": "cn-north-1"}.get(partition, "eu-west-1")
        for domain in ("amazonaws.com", "amazonaws.com.cn", "example.com"):
            for service in ("s3", "ec2"):
                via = {"kms:ViaService": f"{service}.{region}.{domain}"}
                asked = Asked("kms:Decrypt", f"arn:{partition}:kms:{region}:1:key/k", via)
                assert allows(policy, asked) is (service == "s3" and domain in domains), (partition, domain, service)


@pytest.mark.parametrize(
    ("role", "partition"),
    [
        ("arn:aws:iam::123456789012:role/vend", "aws"),
        ("arn:aws-cn:iam::123456789012:role/path/vend", "aws-cn"),
        ("arn:aws-us-gov:iam::123456789012:role/vend", "aws-us-gov"),
    ],
)
def test_partitions(role: str, partition: str) -> None:
    assert partition_of(role) == partition


@pytest.mark.parametrize(
    "role", ["", "vend", "arn:aws:iam::1:user/vend", "arn:evil:iam::1:role/vend", "arn:aws:s3:::b"]
)
def test_what_is_no_role(role: str) -> None:
    with pytest.raises(InvalidInputError):
        partition_of(role)


@pytest.mark.parametrize("level", list(Level))
def test_nothing_allowed_is_everything_denied(level: Level) -> None:
    policy = session_policy([], level)
    assert policy["Statement"] == [{"Effect": "Deny", "Action": ["*"], "Resource": ["*"]}]
    assert not allows(policy, Asked("s3:GetObject", "arn:aws:s3:::lake-one/x", {}))


@pytest.mark.parametrize("key", ["", "/", "a//b", "a/", "/a", ".", "a/../b"])
def test_no_credential_is_for_a_whole_bucket(key: str) -> None:
    with pytest.raises(InvalidInputError):
        Place("lake-one", key)


@pytest.mark.parametrize("level", list(Level))
def test_a_table_at_a_usual_place_fits_with_room(level: Level) -> None:
    place = Place("b" * 63, f"{'p' * 100}/{UUID(int=1)}/{'s' * 24}{UUID(int=2)}")
    assert len(policy_text(session_policy([place], level, "aws-us-gov"))) < MOST_CHARACTERS / 1.5


def test_what_is_staged_may_be_under_a_key_of_the_owners() -> None:
    """S3 makes a data key for each object, and opens it again to put the parts of one together; nobody else may."""
    policy = session_policy([Place("lake-one", "wh/p/staged-1")], Level.STAGE)
    [of_key] = [statement for statement in policy["Statement"] if "kms:ViaService" in str(statement)]
    assert of_key["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert of_key["Condition"] == {"StringLike": {"kms:ViaService": ["s3.*.amazonaws.com"]}}


class Store:
    """The tables of `PREFIXES` and what is near them, as objects whose bytes are their own keys."""

    def __init__(self, seaweedfs: SeaweedFs) -> None:
        self._seaweedfs = seaweedfs
        self._sts = seaweedfs.client("sts")
        self._clients: dict[str, Any] = {}
        admin = seaweedfs.client()
        for bucket in BUCKETS:
            admin.create_bucket(Bucket=bucket)
            for key in self.objects():
                admin.put_object(Bucket=bucket, Key=key, Body=f"{bucket}/{key}".encode())

    @staticmethod
    def objects() -> Iterator[str]:
        for prefix in PREFIXES:
            for table in tables(prefix):
                yield from (f"{table}/x", f"{table}/_delta_log/0.json", f"{table}1/x", f"{table}%2F/x")

    def client(self, policy: str) -> Any:
        if policy not in self._clients:
            made = self._sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="triples", Policy=policy)
            self._clients[policy] = self._seaweedfs.client_with(made["Credentials"], retries={"max_attempts": 0})
        return self._clients[policy]

    def lets_through(self, question: Question) -> bool:
        client = self.client(policy_text(session_policy(question.places, question.level)))
        try:
            answer = self._call(client, question)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            assert code in {"AccessDenied", "NoSuchKey", "NoSuchBucketPolicy", "404", "403"}, (code, question)
            return code not in {"AccessDenied", "403"}
        assert not answer or question.level is Level.READ, question
        for key in answer:
            within = [f"{place.bucket}/{place.key}/" for place in question.places]
            assert any(key.startswith(own) for own in within), (key, question)
        return True

    @staticmethod
    def _call(client: Any, question: Question) -> list[str]:
        """What was read: names of objects, or bytes, which are names here."""
        where = {"Bucket": question.bucket, "Key": question.key}
        if question.action == "s3:GetObject":
            return [client.get_object(**where)["Body"].read().decode()]
        if question.action == "s3:PutObject":
            client.put_object(**where, Body=f"{question.bucket}/{question.key}".encode())
        elif question.action == "s3:DeleteObject":
            client.delete_object(**where)
        elif question.action == "s3:GetObjectTagging":
            client.get_object_tagging(**where)
        else:
            prefix: Mapping[str, str] = {} if question.prefix is None else {"Prefix": question.prefix}
            listed = client.list_objects_v2(Bucket=question.bucket, MaxKeys=20, **prefix)
            return [f"{question.bucket}/{entry['Key']}" for entry in listed.get("Contents", [])]
        return []


def _can_be_asked(question: Question) -> bool:
    """SeaweedFS takes capitals for their small letters in policies, and folds slashes: `test_vending` looks at these apart."""
    if question.action not in {
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:GetObjectTagging",
        "s3:ListBucket",
    }:
        return False
    path = question.prefix if question.action == "s3:ListBucket" else question.key
    if path is None:
        return True
    is_plain = path.lower() == path.replace("New York", "new york").replace("%2F", "%2f")
    has_name = question.action == "s3:ListBucket" or not path.endswith("/")
    return is_plain and has_name and path != "" and "//" not in path and not path.startswith("/")


@pytest.fixture(scope="module")
def store(seaweedfs: SeaweedFs) -> Store:
    return Store(seaweedfs)


@pytest.mark.parametrize("level", list(Level))
def test_five_hundred_of_them_put_to_a_store(store: Store, level: Level) -> None:
    draw = random.Random(11)
    outcomes: Counter[tuple[bool, bool]] = Counter()
    wrong = []
    # Credentials are dearer than requests.
    credentials = [drawn(draw, PREFIXES, level).places for _ in range(CREDENTIALS)]
    while outcomes.total() < ASKED_OF_A_STORE:
        question = drawn(draw, PREFIXES, level, draw.choice(credentials))
        if not _can_be_asked(question):
            continue
        answer = store.lets_through(question)
        outcomes[question.is_due, answer] += 1
        if answer != question.is_due:
            wrong.append(question)
    assert wrong == []
    assert min(outcomes[True, True], outcomes[False, False]) > 50, outcomes
