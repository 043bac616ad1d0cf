"""The key goes into one header of one kind of request, and shows nowhere else."""

import copy
import io
import logging
import pickle
import traceback

import pytest

from hops.featurestore import errors
from hops.featurestore.api_key import ApiKey, SecretText
from tests.cloud_sdk.gateway import KEY, page, problem

SECRET = KEY.split("_")[-1]
GROUPS = "/projects/football/feature-groups"


def everything_printed(value, depth=6):
    """The reprs of an object, of its attributes, of theirs, and so on."""
    texts, seen, pending = [], set(), [(value, 0)]
    while pending:
        current, level = pending.pop()
        if id(current) in seen or level > depth:
            continue
        seen.add(id(current))
        texts.append(repr(current))
        texts.append(str(current))
        parts = list(vars(current).values()) if hasattr(current, "__dict__") and not isinstance(current, type) else []
        parts += [
            getattr(current, name, None) for name in getattr(type(current), "__slots__", ()) if isinstance(name, str)
        ]
        pending += [(part, level + 1) for part in parts]
    return "\n".join(texts)


def with_locals(error):
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


def chain(error):
    while error is not None:
        yield error
        error = error.__context__ or error.__cause__


def test_the_key_reaches_the_gateway(fs, sdk_gateway):
    assert sdk_gateway.last().headers["Authorization"] == f"ApiKey {KEY}"


def test_nothing_that_hangs_on_a_connection_prints_it(sdk_connection):
    printed = everything_printed(sdk_connection)
    assert "***" in printed
    assert SECRET not in printed
    assert repr(sdk_connection).startswith("Connection(project='football', address='http://127.0.0.1:")


def test_a_key_prints_as_stars_and_has_no_attributes():
    key = ApiKey(KEY)
    assert [repr(key), str(key), f"{key}", f"{key!r}"] == ["***"] * 4
    with pytest.raises(TypeError):
        vars(key)
    assert SECRET not in repr(key._reveal)
    assert key.reveal() == KEY


@pytest.mark.parametrize("action", [pickle.dumps, copy.copy, copy.deepcopy])
def test_neither_key_nor_connection_is_pickled_or_copied(action, sdk_connection):
    with pytest.raises(TypeError, match="cannot be pickled or copied"):
        action(ApiKey(KEY))
    with pytest.raises(TypeError, match="cannot be pickled"):
        action(sdk_connection)


def test_a_header_prints_as_stars_inside_what_holds_it():
    assert repr({"Authorization": SecretText(KEY)}) == "{'Authorization': '***'}"
    assert SecretText(KEY) == KEY


def test_no_traceback_shows_it_even_with_local_variables(sdk_connection, sdk_gateway, sdk_url, sdk_open, sdk_waits):
    sdk_gateway.on("GET", GROUPS, problem(500, "internal-error"))
    caught = []
    for call in (
        sdk_connection.get_featuregroups,
        lambda: sdk_connection.insert_into_featuregroup({"a": [1]}, "absent"),
        lambda: sdk_connection.get_features(["absent"]),
        lambda: sdk_open("http://127.0.0.1", port=1, retries=sdk_waits.policy(attempts=1)),
        lambda: sdk_open("https://" + sdk_url.removeprefix("http://"), retries=sdk_waits.policy(attempts=1)),
        lambda: sdk_open(sdk_url, "venues"),
    ):
        with pytest.raises(errors.FeatureStoreError) as error:
            call()
        caught.append(error.value)
    assert SECRET not in "".join(with_locals(each) for error in caught for each in chain(error))
    assert SECRET not in "".join(everything_printed(error) for error in caught)


def test_an_error_of_the_connection_carries_no_frames_of_the_http_library(sdk_open, sdk_waits):
    with pytest.raises(errors.ConnectionFailedError) as caught:
        sdk_open("http://127.0.0.1", port=1, retries=sdk_waits.policy(attempts=1))
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_logs_at_their_loudest_do_not_have_it(fs, sdk_gateway, sdk_open, sdk_url, capsys):
    loud, heard = logging.getLogger(), io.StringIO()
    handler = logging.StreamHandler(heard)
    level = loud.level
    loud.addHandler(handler)
    loud.setLevel(logging.DEBUG)
    try:
        sdk_gateway.on("GET", GROUPS, problem(503, "unavailable"), page())
        sdk_open(sdk_url, quiet=False)
        fs.get_featuregroups()
    finally:
        loud.removeHandler(handler)
        loud.setLevel(level)
    assert "/api/v1/projects/football/feature-groups" in heard.getvalue()
    assert SECRET not in heard.getvalue() + "".join(capsys.readouterr())
