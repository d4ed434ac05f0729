"""The module rds_instance_wait against the emulated RDS."""

from __future__ import annotations

import time

from ansible_collections.berth.platform.plugins.modules import rds_instance_wait
from emulated_aws import Emulated


def test_an_instance_that_is_being_made_is_waited_for_and_described(aws: Emulated) -> None:
    aws.control(seconds={"rds": 1.5})
    aws.database()
    answer = aws.run(rds_instance_wait, db_instance_identifier=aws.name)
    (described,) = answer["instances"]
    assert not answer["changed"]
    assert described["db_instance_status"] == "available"
    assert described["endpoint"]["address"]


def test_one_that_works_costs_no_wait(aws: Emulated) -> None:
    aws.database()
    aws.control(outcomes={f"db/{aws.name}": {"status": "storage-optimization"}})
    began = time.monotonic()
    aws.run(rds_instance_wait, db_instance_identifier=aws.name)
    assert time.monotonic() - began < 1


def test_one_that_needs_help_is_not_waited_for_and_the_message_says_where_to_look(aws: Emulated) -> None:
    aws.database()
    aws.control(outcomes={f"db/{aws.name}": {"status": "incompatible-parameters"}})
    message = aws.refusal(rds_instance_wait, db_instance_identifier=aws.name)
    assert message == (
        f"RDS instance {aws.name} is incompatible-parameters: its events in the RDS console say why. Fix what they name, then run the same command again."
    )


def test_one_that_is_gone_will_not_come_and_is_what_absent_waits_for(aws: Emulated) -> None:
    assert aws.refusal(rds_instance_wait, db_instance_identifier=aws.name).startswith(f"RDS instance {aws.name} is gone: ")
    assert aws.run(rds_instance_wait, db_instance_identifier=aws.name, state="absent")["instances"] == []


def test_a_deletion_is_waited_for_until_the_time_is_over(aws: Emulated) -> None:
    aws.database()
    message = aws.refusal(rds_instance_wait, db_instance_identifier=aws.name, state="absent", wait_timeout=1)
    assert message.startswith(f"RDS instance {aws.name} is still available after 1 s (wait_timeout).")
    aws.client("rds").delete_db_instance(DBInstanceIdentifier=aws.name, SkipFinalSnapshot=True)
    assert aws.run(rds_instance_wait, db_instance_identifier=aws.name, state="absent")["instances"] == []


def test_check_mode_waits_for_nothing(aws: Emulated) -> None:
    aws.control(seconds={"rds": 60})
    aws.database()
    (described,) = aws.run(rds_instance_wait, check=True, db_instance_identifier=aws.name)["instances"]
    assert described["db_instance_status"] == "creating"
