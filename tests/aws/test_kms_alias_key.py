"""The module kms_alias_key against the emulated KMS: there is never a second key of an environment."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.modules import kms_alias_key
from emulated_aws import Emulated


def keys(aws: Emulated) -> list[str]:
    """Return the keys that the test has made."""
    kms = aws.client("kms")
    found = [key["KeyId"] for key in kms.list_keys(Limit=1000)["Keys"]]
    return [key for key in found if {"TagKey": "owner", "TagValue": aws.name} in kms.list_resource_tags(KeyId=key)["Tags"]]


def test_a_key_is_made_with_its_alias_once(aws: Emulated) -> None:
    aws.beats(kms_alias_key, alias=aws.name, description="of a try", tags={"owner": aws.name})
    assert len(keys(aws)) == 1


def test_a_run_whose_permission_by_tags_is_still_settling_makes_no_second_key(aws: Emulated) -> None:
    """docs.aws.amazon.com/kms/latest/developerguide/tag-authorization.html: a tag counts within five minutes."""
    denied = {"service": "kms", "code": "AccessDeniedException", "status": 400, "message": "no identity-based policy allows it", "count": 99}
    aws.control(faults=[{**denied, "action": "^(ListGrants|GetKeyPolicy|ListKeyPolicies|ListResourceTags|GetKeyRotationStatus)$"}])
    answers = [aws.run(kms_alias_key, alias=aws.name, tags={"owner": aws.name}) for _ in range(2)]
    assert [answer["changed"] for answer in answers] == [True, False]
    assert answers[0]["key_arn"] == answers[1]["key_arn"]
    aws.control()
    assert len(keys(aws)) == 1


def test_a_key_that_not_all_of_kms_knows_yet_is_given_its_alias_all_the_same(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.control(faults=[{"service": "kms", "action": "^CreateAlias$", "code": "NotFoundException", "status": 400, "message": "not found", "count": 2}])
    monkeypatch.setattr("ansible_collections.berth.platform.plugins.module_utils.aws.session.PATIENCE", 60.0)
    monkeypatch.setattr("ansible_collections.berth.platform.plugins.module_utils.aws.session.PAUSE", 0.0)
    assert aws.run(kms_alias_key, alias=aws.name, tags={"owner": aws.name})["changed"]
    assert len(keys(aws)) == 1


def test_a_key_that_was_made_because_kms_did_not_show_the_alias_is_named(aws: Emulated) -> None:
    """docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html: aliases are eventually consistent."""
    first = aws.run(kms_alias_key, alias=aws.name, tags={"owner": aws.name})["key_arn"]
    aws.control(faults=[{"service": "kms", "action": "^DescribeKey$", "code": "NotFoundException", "status": 400, "message": "not found", "count": 1}])
    refusal = aws.refusal(kms_alias_key, alias=aws.name, tags={"owner": aws.name})
    (vain,) = (key for key in keys(aws) if key not in first)
    assert refusal == (
        f"key alias/{aws.name} in eu-central-1: KMS did not show the alias a moment ago, and has it. "
        f"The key {vain} was made in vain: schedule its deletion, then run the same command again."
    )


def test_an_alias_whose_making_was_not_answered_is_taken(aws: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(module: Any, alias: str, key: str) -> None:
        module.client.create_alias(AliasName=alias, TargetKeyId=key)
        name(module, alias, key)

    name = kms_alias_key.name
    monkeypatch.setattr(kms_alias_key, "name", twice)
    assert aws.run(kms_alias_key, alias=aws.name, tags={"owner": aws.name})["changed"]
    assert len(keys(aws)) == 1
