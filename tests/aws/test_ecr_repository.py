"""The module ecr_repository against the emulated ECR."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.modules import ecr_repository
from emulated_aws import KEY, Emulated


def test_a_repository_is_made_once_immutable_and_scanned(aws: Emulated) -> None:
    made = aws.beats(ecr_repository, name=aws.name, tags={"team": "web"})
    found = aws.client("ecr").describe_repositories(repositoryNames=[aws.name])["repositories"][0]
    assert (found["imageTagMutability"], found["imageScanningConfiguration"]) == ("IMMUTABLE", {"scanOnPush": True})
    assert made["arn"] == found["repositoryArn"]
    assert found["repositoryUri"] == f"{made['host']}/{aws.name}"


@pytest.mark.parametrize("then", [{"immutable": False}, {"scan_on_push": False}, {"keep": 0}, {"keep_untagged_days": 3}, {"tags": {"b": "2"}}])
def test_every_setting_but_the_key_can_be_changed(aws: Emulated, then: dict[str, Any]) -> None:
    aws.run(ecr_repository, name=aws.name, tags={"a": "1"})
    aws.beats(ecr_repository, **{"name": aws.name, "tags": {"a": "1"}, **then})


def test_another_key_is_refused(aws: Emulated) -> None:
    aws.run(ecr_repository, name=aws.name)
    assert "kms_key cannot be changed" in aws.refusal(ecr_repository, name=aws.name, kms_key=KEY + "1")


def test_a_repository_is_removed_once(aws: Emulated) -> None:
    aws.run(ecr_repository, name=aws.name)
    aws.beats(ecr_repository, name=aws.name, state="absent")


def test_the_login_is_there_before_the_repository(aws: Emulated) -> None:
    answer = aws.run(ecr_repository, check=True, name=aws.name, login=True)
    assert answer["username"] == "AWS" and answer["password"] and answer["host"].startswith("localhost:")
    assert not answer["exists"]
