"""The module rds_managed_secret against the emulated RDS and Secrets Manager."""

from __future__ import annotations

import json

from ansible_collections.berth.platform.plugins.modules import rds_managed_secret
from emulated_aws import Emulated


def test_the_password_is_handed_over_once(aws: Emulated) -> None:
    aws.database()
    secret = aws.beats(rds_managed_secret, db_instance_identifier=aws.name)["secret"]
    assert secret["secret_status"] == "active"
    value = json.loads(aws.client("secretsmanager").get_secret_value(SecretId=secret["secret_arn"])["SecretString"])
    assert value["username"] == "polls"
    assert value["password"] != "longenough1"


def test_an_instance_that_is_still_being_made_is_waited_for(aws: Emulated) -> None:
    aws.control(seconds={"rds": 0.5})
    aws.database()
    assert aws.run(rds_managed_secret, db_instance_identifier=aws.name)["secret"]["secret_arn"]


def test_an_unknown_instance_is_named(aws: Emulated) -> None:
    message = aws.refusal(rds_managed_secret, db_instance_identifier=aws.name)
    assert message.startswith(f"RDS instance {aws.name} in eu-central-1: there is no such instance in this region and account.")


def test_before_there_is_an_instance_check_mode_goes_on(aws: Emulated) -> None:
    answer = aws.run(rds_managed_secret, check=True, db_instance_identifier=aws.name)
    assert (answer["changed"], answer["secret"]["secret_arn"]) == (True, "")


def test_the_key_of_the_secret_is_not_changed(aws: Emulated) -> None:
    aws.database()
    aws.run(rds_managed_secret, db_instance_identifier=aws.name)
    message = aws.refusal(rds_managed_secret, db_instance_identifier=aws.name, kms_key_id="arn:aws:kms:eu-central-1:123456789012:key/other")
    assert "kms_key_id cannot be changed" in message
