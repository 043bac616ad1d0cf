import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.crypto import Pepper, PepperUnusableError, SecretValue
from infra.errors import ConflictError
from tenancy.api_keys.authentication import key_mac
from tenancy.api_keys.token import KEY_PATTERN, find_token, mint


def test_a_minted_key_is_found_and_never_printed() -> None:
    token = mint("live")
    text = token.text().reveal()
    assert KEY_PATTERN.fullmatch(text)
    assert find_token(text) == token
    assert token.secret.reveal() not in repr(token)
    assert str(SecretValue("x")) == "***"


@given(st.integers(0, 79), st.sampled_from("0Az_ é\n"))
def test_one_wrong_character_is_noticed(position: int, character: str) -> None:
    text = mint("test").text().reveal()
    changed = text[:position] + character + text[position + 1 :]
    assert find_token(changed) is None or changed == text


@given(st.text())
def test_garbage_is_no_key(text: str) -> None:
    assert find_token(text) is None


def test_keys_differ() -> None:
    texts = {mint("live").text().reveal() for _ in range(1000)}
    assert len(texts) == 1000
    assert all(re.fullmatch(r"oast_live_\w{16}_\w{49}", text) for text in texts)


def test_the_mac_depends_on_pepper_id_and_secret(tmp_path: object) -> None:
    token, other = mint("live"), mint("live")
    pepper = Pepper(b"p" * 32)
    macs = {
        key_mac(pepper, token),
        key_mac(Pepper(b"q" * 32), token),
        key_mac(pepper, other),
        key_mac(pepper, type(token)(token.environment, other.key_id, token.secret)),
    }
    assert len(macs) == 4


class TestPepper:
    def test_is_made_once_with_mode_0600(self, tmp_path) -> None:  # type: ignore[no-untyped-def]
        path = tmp_path / "deep" / "pepper"
        made = Pepper.create(path)
        assert path.stat().st_mode & 0o777 == 0o600
        assert Pepper.load(path).id == made.id
        with pytest.raises(ConflictError):
            Pepper.create(path)
        assert path.read_text().strip() not in repr(made)

    @pytest.mark.parametrize(
        ("mode", "content"), [(0o644, "ab" * 32), (0o600, "ab" * 31), (0o600, "not hex"), (0o640, "ab" * 32)]
    )
    def test_is_refused_when_unsafe(self, tmp_path, mode: int, content: str) -> None:  # type: ignore[no-untyped-def]
        path = tmp_path / "pepper"
        path.write_text(content)
        path.chmod(mode)
        with pytest.raises(PepperUnusableError):
            Pepper.load(path)

    def test_is_refused_when_missing(self, tmp_path) -> None:  # type: ignore[no-untyped-def]
        with pytest.raises(PepperUnusableError):
            Pepper.load(tmp_path / "nothing")
