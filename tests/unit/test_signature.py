"""Signing an image with cosign, of which a stand-in writes down how it is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.image import signature
from ansible_collections.berth.platform.plugins.module_utils.image.registry import ImageError, Registry
from ansible_collections.berth.platform.plugins.modules import image_sign
from ansible_collections.berth.platform.plugins.plugin_utils.inventory import supply
from module_run import run

DIGEST = f"sha256:{'1' * 64}"
NAME = f"ghcr.example/acme/polls@{DIGEST}"
KEY = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nmade up\n"
COSIGN = """#!/bin/sh
echo "$@" >>"{home}/asked"
case "$1" in
version) echo '{{"gitVersion": "v{version}"}}' ;;
sign) echo "$COSIGN_PASSWORD" >"{home}/password"; read -r line <"$DOCKER_CONFIG/config.json"; echo "$line" >"{home}/login"
      echo "Error: {error} $COSIGN_PASSWORD" >&2; echo "error during command execution: {error}" >&2; exit {code} ;;
esac
"""


class Signer:
    """A machine with cosign and a key, and a registry."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home, self.capsys = home, capsys
        self.has, self.record, self.key = False, home / "made" / "content-1.signed", home / "cosign.key"
        self.key.write_text(KEY)

    def cosign(self, version: str = "3.0.4", code: int = 0, error: str = "") -> None:
        """Install it."""
        (self.home / "cosign").write_text(COSIGN.format(home=self.home, version=version, code=code, error=error))
        (self.home / "cosign").chmod(0o755)

    def sign(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """Return what the module answers."""
        given = {"registry": "ghcr.example/acme", "username": "robot", "password": "t0ken", "repository": "polls", "digest": DIGEST, "key": str(self.key)}
        answer = run(image_sign, self.capsys, check=check, **{**given, "key_password": "s3cret", "record": str(self.record), **options})
        assert not any(secret in json.dumps(answer) for secret in ("s3cret", "t0ken"))
        return answer

    def asked(self) -> list[str]:
        """Return how cosign was called since the last look."""
        file = self.home / "asked"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines


@pytest.fixture
def signer(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Signer:
    """Return one, whose cosign is to be installed."""
    made = Signer(tmp_path, capsys)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("COSIGN_PASSWORD", raising=False)
    monkeypatch.setattr(Registry, "has_signature", lambda *_: made.has)
    return made


def test_the_digest_is_signed_and_secrets_are_on_no_command_line_and_in_no_output(signer: Signer) -> None:
    signer.cosign("2.6.1")
    assert signer.sign()["changed"]
    assert signer.asked() == ["version", f"sign --yes --key {signer.key} --tlog-upload=false {NAME}"]
    assert (signer.home / "password").read_text() == "s3cret\n"
    assert json.loads((signer.home / "login").read_text()) == {"auths": {"ghcr.example": {"auth": "cm9ib3Q6dDBrZW4="}}}


def test_a_newer_cosign_asks_none_of_sigstores_services_either(signer: Signer) -> None:
    """It would write the image's name into their public log, and wait for their keys."""
    signer.cosign("3.0.4")
    signer.sign()
    version, configuration, root, sign = signer.asked()
    assert version == "version"
    services, keys = configuration.removeprefix("signing-config create --out "), root.removeprefix("trusted-root create --out ")
    assert sign == f"sign --yes --key {signer.key} --signing-config {services} --trusted-root {keys} {NAME}"
    assert not Path(services).exists() and not Path(keys).exists()


def test_what_is_signed_is_not_signed_again_until_the_key_or_the_registry_is_another(signer: Signer) -> None:
    signer.cosign()
    signer.sign()
    signer.has = True
    signer.asked()
    assert (signer.sign()["changed"], signer.asked()) == (False, [])
    assert (signer.sign(check=True, digest=f"sha256:{'2' * 64}")["changed"], signer.asked()) == (True, [])
    signer.key.write_text(f"{KEY}another\n")
    assert signer.sign()["changed"]
    signer.has = False
    assert signer.sign()["changed"], "the registry lost it"


def test_a_signature_that_fails_is_told_without_the_password_and_done_by_the_next_run(signer: Signer) -> None:
    signer.cosign(code=1, error="no such image")
    answer = signer.sign()
    assert answer["failed"]
    assert answer["msg"] == f"{NAME} is not signed, so it is not released: cosign sign ended with exit code 1. Its last lines:\nError: no such image ********"
    signer.cosign()
    assert signer.sign()["changed"]


def test_a_wrong_password_is_told_with_the_variable_that_has_it(signer: Signer) -> None:
    signer.cosign(code=1, error="signing digest: getting signer: reading key: decrypt: encrypted: decryption failed")
    assert signer.sign()["msg"].endswith("correct berth_image_signing_password, or the environment variable COSIGN_PASSWORD.")


def test_in_check_mode_nothing_is_signed_nor_asked_of_an_image_that_is_not_built(signer: Signer) -> None:
    assert signer.sign(check=True, digest="")["msg"] == "the image will be signed once it is pushed"
    assert signer.sign(check=True)["changed"]
    assert not signer.record.exists()


@pytest.mark.parametrize(
    ("there", "referring", "found"),
    [
        ({f"sha256-{'1' * 64}.sig"}, b"", True),
        ({f"sha256-{'1' * 64}"}, b"", True),
        (set(), b'{"manifests": [{"digest": "sha256:3"}]}', True),
        (set(), b'{"manifests": []}', False),
        (set(), b"<html>", False),
        (set(), b"[]", False),
    ],
)
def test_a_signature_is_found_wherever_a_version_of_cosign_puts_it(monkeypatch: pytest.MonkeyPatch, there: set[str], referring: bytes, found: bool) -> None:
    monkeypatch.setattr(Registry, "digest", lambda _, repository, tag: "sha256:2" if tag in there else None)
    monkeypatch.setattr(Registry, "_request", lambda _, method, path: (200 if path == f"polls/referrers/{DIGEST}" else 404, {}, referring))
    assert Registry("ghcr.example").has_signature("polls", DIGEST) is found


# --- Preflight ----------------------------------------------------------------------
def said(registry: str = "external", **values: Any) -> dict[str, str]:
    """Return what is wrong with the variables, by name."""
    defaults = {"berth_scan": "none", "berth_image_signing_key": "", "berth_image_signing_password": "made-up"}
    return {problem.name: problem.text for problem in supply.problems({**defaults, **values}.get, registry, set())}


def test_preflight_refuses_a_key_that_could_not_sign(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    variable, key = "berth_image_signing_key", str(signer.key)
    assert said(berth_image_signing_key=key)[variable].startswith("needs cosign, which this machine does not have; install it")
    signer.cosign()
    assert said(berth_image_signing_key=key) == said() == {}
    assert "No such file" in said(berth_image_signing_key="/nowhere/key")[variable]
    signer.key.write_text("-----BEGIN PUBLIC KEY-----")
    assert "is not a cosign private key; create one with cosign generate-key-pair" in said(berth_image_signing_key=key)[variable]
    signer.key.write_text(KEY)
    without = {"berth_image_signing_key": key, "berth_image_signing_password": None}
    assert "set one of them" in said(**without)["berth_image_signing_password"]
    monkeypatch.setenv("COSIGN_PASSWORD", "")
    assert said(**without) == {}


def test_images_that_do_not_leave_this_machine_need_no_cosign(signer: Signer) -> None:
    assert {registry: said(registry, berth_image_signing_key="/nowhere/key") for registry in ("loopback", "minikube")} == {"loopback": {}, "minikube": {}}


def test_a_cosign_that_cannot_be_run_is_told(signer: Signer) -> None:
    with pytest.raises(ImageError, match="cosign version failed"):
        signature.sign(Registry("ghcr.example"), "polls", DIGEST, str(signer.key), "", signer.record)
