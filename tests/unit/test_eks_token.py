"""The exec credential plugin of the kubeconfig that the eks role writes."""

from __future__ import annotations

import base64
import datetime
import importlib.util
import json
import os
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.credentials
import botocore.exceptions
import pytest
from botocore.exceptions import ClientError

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "eks-token"
loader = SourceFileLoader("eks_token", str(SCRIPT))
eks_token = importlib.util.module_from_spec(importlib.util.spec_from_loader("eks_token", loader))
loader.exec_module(eks_token)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment with credentials, and without this machine's own."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "KUBERNETES_EXEC_INFO", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Return exit code, output and errors of the plugin."""
    code = eks_token.main(["--cluster", "prod", *arguments])
    out, error = capsys.readouterr()
    return code, out, error


def decode(token: str) -> Any:
    """Return the URL in a token."""
    text = token.removeprefix("k8s-aws-v1.")
    return urlsplit(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())


def test_the_token_is_a_signed_question_to_the_regions_sts_that_names_the_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ask(capsys, "--region", "eu-central-1")
    answer = json.loads(out)
    url = decode(answer["status"]["token"])
    query = parse_qs(url.query)
    assert code == 0
    assert (answer["apiVersion"], answer["kind"]) == ("client.authentication.k8s.io/v1", "ExecCredential")
    assert (url.scheme, url.netloc) == ("https", "sts.eu-central-1.amazonaws.com")
    assert query["Action"] == ["GetCallerIdentity"]
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert "=" not in answer["status"]["token"]


def test_the_token_leads_to_aws_even_where_boto3_is_led_to_an_emulator(capsys: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    _, out, _ = ask(capsys, "--region", "us-east-1")
    assert decode(json.loads(out)["status"]["token"]).netloc == "sts.us-east-1.amazonaws.com"


def test_the_token_is_made_anew_before_eks_refuses_it(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = ask(capsys, "--region", "eu-central-1")
    ends = datetime.datetime.fromisoformat(json.loads(out)["status"]["expirationTimestamp"])
    left = ends - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(minutes=13) < left <= datetime.timedelta(minutes=14)


def test_the_token_ends_with_the_credentials_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=12)
    given = {"access_key": "key", "secret_key": "secret", "token": "token", "expiry_time": soon.isoformat()}
    credentials = botocore.credentials.RefreshableCredentials.create_from_metadata(given, refresh_using=lambda: given, method="test")
    session = boto3.Session(region_name="eu-central-1")
    monkeypatch.setattr(session, "get_credentials", lambda: credentials)
    token, ends = eks_token.sign(session, "prod")
    assert ends == soon
    assert parse_qs(decode(token).query)["X-Amz-Security-Token"] == ["token"]


def token(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the token that the plugin prints."""
    return json.loads(ask(capsys, "--region", "eu-central-1", *arguments)[1])["status"]["token"]


@pytest.fixture
def made(environment: pytest.MonkeyPatch) -> list[str]:
    """Have the plugin make tokens that are only numbered, and tell which."""
    tokens: list[str] = []

    def make(_given: Any) -> tuple[str, datetime.datetime]:
        tokens.append(f"token {len(tokens)}")
        return tokens[-1], datetime.datetime.now(datetime.UTC) + eks_token.LIFETIME

    environment.setattr(eks_token, "make", make)
    return tokens


def test_a_token_is_made_once_until_it_ends_and_read_by_nobody_else(capsys: pytest.CaptureFixture[str], made: list[str], tmp_path: Path) -> None:
    assert [token(capsys), token(capsys)] == ["token 0", "token 0"]
    (path,) = (tmp_path / "cache" / "berth" / "tokens").iterdir()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=50)
    path.write_text(f"token 0\n{soon.isoformat()}")
    assert [token(capsys), token(capsys)] == ["token 1", "token 1"]


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN"])
def test_another_login_has_a_token_of_its_own(capsys: pytest.CaptureFixture[str], made: list[str], environment: pytest.MonkeyPatch, name: str) -> None:
    token(capsys)
    environment.setenv(name, "another")
    assert token(capsys) == "token 1"
    environment.delenv(name)
    assert token(capsys) == ("token 2" if name == "AWS_ACCESS_KEY_ID" else "token 0")


@pytest.mark.parametrize("name", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_changed_file_of_aws_is_another_login(
    capsys: pytest.CaptureFixture[str], made: list[str], environment: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    environment.setenv(name, str(tmp_path / "file"))
    token(capsys)
    (tmp_path / "file").touch()
    assert token(capsys) == "token 1"


@pytest.mark.parametrize("arguments", [["--role-arn", "r"], ["--profile", "p"], ["--region", "us-east-1"], ["--cluster", "dev"]])
def test_another_question_has_a_token_of_its_own(capsys: pytest.CaptureFixture[str], made: list[str], arguments: list[str]) -> None:
    token(capsys)
    assert token(capsys, *arguments) == "token 1"


@pytest.mark.parametrize("state", ["read by others", "a link", "damaged", "a time without its zone", "a directory"])
def test_a_kept_token_that_cannot_be_trusted_is_not_used(capsys: pytest.CaptureFixture[str], made: list[str], tmp_path: Path, state: str) -> None:
    token(capsys)
    (path,) = (tmp_path / "cache" / "berth" / "tokens").iterdir()
    content = path.read_text()
    if state == "read by others":
        path.chmod(0o640)
    else:
        path.unlink()
        if state == "a link":
            (tmp_path / "elsewhere").write_text(content)
            (tmp_path / "elsewhere").chmod(0o600)
            path.symlink_to(tmp_path / "elsewhere")
        elif state == "a time without its zone":
            path.touch(0o600)
            path.write_text("token 0\n2999-01-01T00:00:00")
        elif state == "a directory":
            path.mkdir()
        else:
            path.touch(0o600)
    assert token(capsys) == "token 1"


def test_tokens_that_have_ended_are_removed(capsys: pytest.CaptureFixture[str], made: list[str], tmp_path: Path) -> None:
    token(capsys)
    (old,) = (tmp_path / "cache" / "berth" / "tokens").iterdir()
    os.utime(old, (0, 0))
    token(capsys, "--cluster", "dev")
    assert not old.exists()


def test_where_nothing_can_be_kept_there_is_a_token_all_the_same(capsys: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert token(capsys).startswith("k8s-aws-v1.")


def test_a_client_that_asks_for_v1beta1_gets_it(capsys: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch) -> None:
    environment.setenv("KUBERNETES_EXEC_INFO", '{"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "spec": {}}')
    assert json.loads(ask(capsys, "--region", "eu-central-1")[1])["apiVersion"] == "client.authentication.k8s.io/v1beta1"


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, ["--region", "eu-central-1"], "no AWS credentials. Set AWS_PROFILE"),
        ({"AWS_SECRET_ACCESS_KEY": None}, ["--region", "eu-central-1"], "Partial credentials found in env"),
        ({}, [], "no region is set. Give --region"),
        ({}, ["--region", "eu-central-1", "--profile", "nobody"], "nobody) could not be found. Correct AWS_PROFILE"),
        ({}, ["--region", "eu-central-1", "--profile", "no\x1b[2Jbody"], r"no\x1b[2Jbody) could not be found"),
        ({"KUBERNETES_EXEC_INFO": "{}"}, ["--region", "eu-central-1"], "is not an ExecCredential"),
        ({"KUBERNETES_EXEC_INFO": '{"apiVersion": "v7"}'}, ["--region", "eu-central-1"], "the client wants v7"),
    ],
    ids=["no credentials", "half of the credentials", "no region", "no such profile", "control characters", "no request", "unknown version"],
)
def test_what_is_wrong_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], environment: pytest.MonkeyPatch, change: dict[str, str | None], arguments: list[str], words: str
) -> None:
    for name, value in change.items():
        environment.delenv(name) if value is None else environment.setenv(name, value)
    code, out, error = ask(capsys, *arguments)
    assert (code, out) == (1, "")
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ClientError({"Error": {"Code": "ExpiredToken", "Message": "gone"}}, "AssumeRole"), "have expired. Log in again"),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "AssumeRole"), "AWS refuses the role (AccessDenied): not you"),
        (botocore.exceptions.UnauthorizedSSOTokenError(), "Log in again"),
        (botocore.exceptions.CredentialRetrievalError(provider="sso", error_msg="over"), "Log in again"),
    ],
)
def test_expired_credentials_are_told_from_a_role_that_is_refused(error: Exception, words: str) -> None:
    assert words in eks_token.explain(error)
