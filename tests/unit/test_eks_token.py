"""The exec credential plugin of the kubeconfig that the eks role writes."""

from __future__ import annotations

import base64
import datetime
import importlib.util
import json
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.credentials
import botocore.exceptions
import pytest
from botocore.exceptions import ClientError

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "eks-token"
loader = SourceFileLoader("eks_token", str(SCRIPT))
eks_token = importlib.util.module_from_spec(importlib.util.spec_from_loader("eks_token", loader))
loader.exec_module(eks_token)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with credentials, and without this machine's own."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "KUBERNETES_EXEC_INFO", "AWS_ENDPOINT_URL_STS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
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
    session = eks_token.boto3.Session(region_name="eu-central-1")
    monkeypatch.setattr(session, "get_credentials", lambda: credentials)
    token, ends = eks_token.sign(session, "prod")
    assert ends == soon
    assert parse_qs(decode(token).query)["X-Amz-Security-Token"] == ["token"]


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
        ({"KUBERNETES_EXEC_INFO": "{}"}, ["--region", "eu-central-1"], "is no ExecCredential"),
        ({"KUBERNETES_EXEC_INFO": '{"apiVersion": "v7"}'}, ["--region", "eu-central-1"], "the client wants v7"),
    ],
    ids=["no credentials", "half of the credentials", "no region", "no such profile", "no request", "unknown version"],
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
