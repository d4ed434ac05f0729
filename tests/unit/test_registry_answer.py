"""Whether a host answers as a registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import registry as registries
from ansible_collections.berth.platform.plugins.plugin_utils.preflight import silent_registry
from fake_api import Api, certificate, running


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], str]]:
    """Return a function that has a TLS server answer /v2/ with a status, and returns its host and port."""
    made, key = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made))
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    # One on this machine would be asked without TLS.
    monkeypatch.setattr(registries, "local", lambda host: False)
    with running(Api((made, key))) as server:

        def answer(status: int) -> str:
            server.answers["/v2/"] = (status, {})
            return f"localhost:{server.server_port}"

        yield answer


@pytest.mark.parametrize("status", [200, 401])
@pytest.mark.parametrize("path", ["", "/acme", "/acme/team"])
def test_a_registry_answers_with_or_without_a_login(status: int, path: str, registry: Callable[[int], str]) -> None:
    assert silent_registry(f"{registry(status)}{path}") == ""


def test_a_web_server_is_no_registry(registry: Callable[[int], str]) -> None:
    assert "answers 404" in silent_registry(registry(404))


def test_a_registry_whose_certificate_is_not_trusted_does_not_count(registry: Callable[[int], str], monkeypatch: pytest.MonkeyPatch) -> None:
    host = registry(200)
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "certificate verify failed" in silent_registry(host)


def test_a_port_on_which_nobody_listens_does_not_answer() -> None:
    assert "does not answer" in silent_registry("localhost:1")
