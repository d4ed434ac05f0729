"""What Berth's modules for AWS have in common: messages, comparison, tags, waiting and documentation."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.berth.platform.plugins.module_utils.aws import eks, session
from ansible_collections.berth.platform.plugins.module_utils.aws.session import GONE, Refused, Wait, differences, explain, refuse_fixed, tag_changes
from ansible_collections.berth.platform.plugins.modules import eks_info
from botocore import exceptions as boto
from module_run import run

MODULES = [
    "eks_access_entry",
    "eks_addon",
    "eks_cluster",
    "eks_info",
    "eks_node_group",
    "eks_pod_identity_association",
    "eks_upgrade_insights_info",
    "rds_instance_wait",
    "rds_managed_secret",
    "rds_snapshot",
]


# --- Messages --------------------------------------------------------------------------------------------------------


def answered(code: str, message: str = "as AWS says") -> boto.ClientError:
    """Return the error that botocore makes of an answer of AWS."""
    return boto.ClientError({"Error": {"Code": code, "Message": message}}, "CreateCluster")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (answered("ExpiredToken"), "the AWS credentials have expired (ExpiredToken). Log in again, then run the same command again: it continues from here."),
        (answered("InvalidClientTokenId"), "AWS does not accept the credentials (InvalidClientTokenId: as AWS says)."),
        (answered("AccessDeniedException", "x is not authorized to perform: eks:TagResource on resource: y"), "the permission eks:TagResource is missing"),
        (answered("AccessDenied", "no"), "the permission eks:CreateCluster is missing (AccessDenied: no). Add it to the IAM policy"),
        (answered("ThrottlingException"), "AWS still throttles eks:CreateCluster after 7 attempts"),
        (
            answered("ResourceLimitExceededException"),
            "a quota of the account is used up (eks:CreateCluster: as AWS says). Request an increase in Service Quotas",
        ),
        (answered("ServerException", "two\nlines."), "AWS refuses eks:CreateCluster (ServerException): two lines."),
        (boto.NoRegionError(), "no region is set. Give the option region, or AWS_REGION in the environment."),
        (boto.NoCredentialsError(), "no AWS credentials: Unable to locate credentials. Set AWS_PROFILE"),
        (boto.ProfileNotFound(profile="x"), "The config profile (x) could not be found. Correct the option profile or AWS_PROFILE."),
        (boto.UnauthorizedSSOTokenError(), "the AWS credentials cannot be obtained: "),
        (boto.EndpointConnectionError(endpoint_url="https://eks.nowhere"), "AWS does not answer: Could not connect to the endpoint URL"),
        (boto.ReadTimeoutError(endpoint_url="https://eks.nowhere"), "AWS does not answer: Read timeout on endpoint URL"),
        (boto.ParamValidationError(report="Invalid\nlength"), "Parameter validation failed: Invalid length"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_becomes_one_line_that_says_what_to_do(error: Exception, message: str) -> None:
    assert explain(error, "eks").startswith(message)
    assert "\n" not in explain(error, "eks")


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take away every setting for AWS."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "EKS cluster polls: no region is set."),
        ({"region": "eu-central-1"}, "EKS cluster polls in eu-central-1: no AWS credentials: "),
        ({"region": "eu-central-1", "profile": "none"}, "EKS cluster polls: The config profile (none) could not be found."),
        ({"region": "not a region"}, "EKS cluster polls: "),
        ({"region": "eu-central-1", "endpoint_url": "nonsense"}, "EKS cluster polls: the address of AWS is wrong: Invalid endpoint: nonsense."),
    ],
    ids=["no region", "no credentials", "no profile", "no such region", "no address"],
)
def test_without_a_way_to_aws_there_is_one_message_and_no_traceback(options: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = run(eks_info, capsys, name="polls", **options)
    assert answer["msg"].startswith(message)
    assert "Traceback" not in str(answer)


@pytest.mark.usefixtures("nobody")
def test_an_aws_that_does_not_answer_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ATTEMPTS", 1)
    keys = {"access_key": "AKIDEXAMPLE", "secret_key": "wJalrXUtnFEMI"}
    answer = run(eks_info, capsys, name="polls", region="eu-central-1", endpoint_url="http://127.0.0.1:1", **keys)
    assert answer["msg"].startswith("EKS cluster polls in eu-central-1: AWS does not answer: ")
    assert "wJalrXUtnFEMI" not in str(answer)


# --- Comparison ------------------------------------------------------------------------------------------------------


def test_what_is_not_wished_for_is_no_difference() -> None:
    assert differences({"a": 1, "b": 2}, {"a": None, "b": 3, "c": []}) == {"b": (2, 3), "c": (None, [])}


def test_everything_that_cannot_change_is_named_at_once() -> None:
    with pytest.raises(Refused) as refused:
        refuse_fixed({"a": ([], ["x", "y"]), "b": (1, 2), "c": (3, 4)}, {"a": "Do this.", "c": "Do that."})
    assert str(refused.value) == "a cannot be changed: it is none, wanted is x, y. Do this.\nc cannot be changed: it is 3, wanted is 4. Do that."


@pytest.mark.parametrize(
    ("live", "wanted", "purge", "expected"),
    [
        ({"a": "1"}, {"a": 1}, True, ({}, [])),
        ({"a": "true"}, {"a": True}, True, ({}, [])),
        ({"a": "1", "b": "2"}, {"a": "3"}, True, ({"a": "3"}, ["b"])),
        ({"a": "1", "b": "2"}, {"a": "3"}, False, ({"a": "3"}, [])),
        ({"aws:cloudformation:stack-name": "x"}, {}, True, ({}, [])),
    ],
)
def test_tags_are_compared_as_aws_keeps_them(live: dict[str, str], wanted: dict[str, Any], purge: bool, expected: Any) -> None:
    assert tag_changes(live, wanted, purge) == expected


@pytest.mark.parametrize("version", ["1", "1.34.1", "latest", "v1.34", ""])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(Refused, match="is not an EKS version: give major and minor as a string"):
        eks.minor(version)


def test_minor_versions_are_numbers() -> None:
    assert eks.minor("1.9") < eks.minor("1.10") < eks.minor("2.0")


def test_health_issues_become_one_line() -> None:
    issues = [{"code": "A", "message": "One\nthing.", "resourceIds": ["x", "y"]}, {"errorCode": "B", "errorMessage": "Another"}]
    assert eks.reasons(issues) == "A: One thing (x, y); B: Another"


# --- Waiting ---------------------------------------------------------------------------------------------------------


class Clock:
    """A clock that only sleeping moves.

    Args:
        statuses: What is looked at next; the last one stays.
    """

    def __init__(self, *statuses: tuple[str, str]) -> None:
        self.now, self.pauses = 1000.0, list[float]()
        self.statuses: Iterator[tuple[str, str]] = iter(statuses)
        self.status = ("", "")

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.now += seconds

    def look(self) -> tuple[str, str]:
        """Return the next status."""
        self.status = next(self.statuses, self.status)
        return self.status


def waiting(monkeypatch: pytest.MonkeyPatch, *statuses: tuple[str, str]) -> Clock:
    """Return a clock for statuses, the one that waits go by."""
    clock = Clock(*statuses)
    monkeypatch.setattr(session, "time", clock)
    return clock


def test_the_first_look_is_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = waiting(monkeypatch, ("ACTIVE", ""))
    assert Wait(0).until("it", clock.look, ["ACTIVE"], {}) == "ACTIVE"
    assert clock.pauses == []


def test_looks_become_rarer_and_stay_often_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = waiting(monkeypatch, *[("CREATING", "")] * 200, ("ACTIVE", ""))
    Wait(3600).until("it", clock.look, ["ACTIVE"], {})
    assert clock.pauses == sorted(clock.pauses)
    assert (clock.pauses[0], clock.pauses[-1]) == (1, 15)


def test_a_wait_ends_when_its_time_is_over_and_says_what_aws_last_said(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = waiting(monkeypatch, ("CREATING", ""), ("CREATING", "Slow: it is"))
    with pytest.raises(Refused, match=r"it is still CREATING after 60 s \(wait_timeout\): Slow: it is\. AWS is still working on it"):
        Wait(60).until("it", clock.look, ["ACTIVE"], {})
    assert clock.now == 1060


def test_waits_of_one_task_share_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = waiting(monkeypatch, *[("CREATING", "")] * 5, ("ACTIVE", ""))
    wait = Wait(10)
    wait.until("one", clock.look, ["ACTIVE"], {})
    clock.status = ("CREATING", "")
    with pytest.raises(Refused):
        wait.until("two", clock.look, ["ACTIVE"], {})
    assert clock.now == 1010


def test_failure_ends_a_wait_at_once_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = waiting(monkeypatch, ("CREATING", ""), ("FAILED", "Why: therefore"))
    with pytest.raises(Refused, match=r"^it is FAILED: Why: therefore\.$"):
        Wait(600).until("it", clock.look, ["ACTIVE"], {"FAILED": 0})
    assert len(clock.pauses) == 1


def test_what_may_recover_gets_its_grace_again_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses = [("DEGRADED", "")] * 5 + [("UPDATING", "")] + [("DEGRADED", "")] * 5 + [("ACTIVE", "")]
    clock = waiting(monkeypatch, *statuses)
    assert Wait(600).until("it", clock.look, ["ACTIVE"], {"DEGRADED": 8}) == "ACTIVE"


def test_what_does_not_recover_in_its_grace_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = waiting(monkeypatch, ("DEGRADED", "Why: therefore"))
    with pytest.raises(Refused, match="it is DEGRADED: Why: therefore"):
        Wait(600).until("it", clock.look, ["ACTIVE"], {"DEGRADED": 30})
    assert 1030 <= clock.now < 1035


def test_what_vanishes_while_it_is_waited_for_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = waiting(monkeypatch, ("CREATING", ""), (GONE, ""))
    with pytest.raises(Refused, match="it is gone: AWS gives no reason"):
        Wait(600).until("it", clock.look, ["ACTIVE"], {GONE: 0})


class Settling:
    """EKS for a role that it knows ``seconds`` later."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock, self.end = clock, clock.now + seconds

    def create_cluster(self) -> dict[str, Any]:
        """Make a cluster with that role."""
        if self.clock.now < self.end:
            raise answered("InvalidParameterException", "Role with arn: r, could not be assumed because it does not exist")
        return {"cluster": {}}


@pytest.mark.parametrize(("seconds", "made"), [(110, True), (130, False)])
def test_a_role_is_waited_for_as_long_as_terraform_waits_for_one(seconds: int, made: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two minutes: propagationTimeout in github.com/hashicorp/terraform-provider-aws, internal/service/eks."""
    aws = object.__new__(session.Aws)
    aws.subject, aws.check, aws.client = "EKS cluster polls", False, Settling(waiting(monkeypatch), seconds)
    if made:
        assert aws.change("create_cluster") == {"cluster": {}}
    else:
        with pytest.raises(boto.ClientError, match="could not be assumed"):
            aws.change("create_cluster")


# --- Documentation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODULES)
def test_a_module_documents_the_options_that_it_has(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.berth.platform.plugins.modules.{name}")
    documented = yaml.safe_load(module.DOCUMENTATION)
    assert documented["module"] == name
    assert compared(documented["options"], "suboptions") == compared({k: v for k, v in module.OPTIONS.items() if k not in session.TAG_OPTIONS}, "options")
    assert ("amazon.aws.tags" in documented["extends_documentation_fragment"]) == ("tags" in module.OPTIONS)


def compared(options: dict[str, Any], inner: str) -> dict[str, Any]:
    """Return what documentation and argument specification have to agree on."""
    keys = ("type", "elements", "choices", "default", "required")
    return {
        name: {key: option[key] for key in keys if key in option} | ({"options": compared(option[inner], inner)} if inner in option else {})
        for name, option in options.items()
    }


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_fit_its_options(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.berth.platform.plugins.modules.{name}")
    tasks = yaml.safe_load(module.EXAMPLES)
    assert any(f"berth.platform.{name}" in task for task in tasks)
    for task in tasks:
        assert set(task.get(f"berth.platform.{name}", {})) <= set(module.OPTIONS)
    assert yaml.safe_load(module.RETURN)


@pytest.mark.parametrize(
    "message",
    [
        "The following supplied instance types do not exist: ['m6i.big']",
        "The subnet ID 'subnet-1' does not exist",
        "Unsupported Kubernetes minor version update from 1.33 to 1.35",
        "Subnets specified must be in at least two different AZs",
        "The security group 'sg-role' does not exist",
        "Addon version specified is not supported: coredns v1",
    ],
)
def test_what_no_waiting_mends_is_not_waited_for(message: str) -> None:
    assert not session.NOT_YET.search(f"An error occurred (InvalidParameterException) when calling the CreateCluster operation: {message}")
