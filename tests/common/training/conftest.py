import pytest


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """A folder of its own, on one CPU."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WSSS_DEVICE", "cpu")
    monkeypatch.delenv("WSSS_DEVICES", raising=False)
