import pytest


@pytest.fixture
def demo_home(tmp_path, monkeypatch):
    """A temporary directory of the demo's own, which shows what it leaves behind."""
    home = tmp_path / "tmp"
    home.mkdir()
    monkeypatch.setenv("TMPDIR", str(home))
    monkeypatch.setattr("tempfile.tempdir", None)
    return home
