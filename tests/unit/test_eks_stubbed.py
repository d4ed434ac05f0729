"""What the emulators of AWS do not know, against answers of AWS that are written down here (botocore checks them and what is asked)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from ansible_collections.berth.platform.plugins.module_utils.aws import session
from ansible_collections.berth.platform.plugins.modules import eks_addon, eks_pod_identity_association
from botocore.stub import Stubber
from module_run import run

ARN = "arn:aws:eks:eu-central-1:123456789012:podidentityassociation/polls/"
ROLE, OTHER = (f"arn:aws:iam::123456789012:role/{name}" for name in ("one", "two"))
ADDON = {"clusterName": "polls", "addonName": "aws-ebs-csi-driver"}
Call = tuple[str, dict[str, Any], dict[str, Any]]
Stub = Callable[..., Stubber]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    """Return a function that takes the calls to expect, in their order: operation, parameters, answer."""

    def expect(service: str, *calls: Call) -> Stubber:
        client = boto3.client(service, region_name="eu-central-1", aws_access_key_id="AKIDEXAMPLE", aws_secret_access_key="none")
        stubber = Stubber(client)
        for operation, parameters, answer in calls:
            stubber.add_response(operation, answer, parameters)
        stubber.activate()
        monkeypatch.setattr(session, "connect", lambda module, name: client)
        return stubber

    return expect


def addon(**more: Any) -> dict[str, Any]:
    """Return a described add-on."""
    return {"addon": {**ADDON, "addonVersion": "v1", "status": "ACTIVE", "addonArn": "arn", "tags": {}, **more}}


def associations(*roles: tuple[str, str]) -> list[Call]:
    """Return the calls that read the roles of an add-on's service accounts."""
    return [
        (
            "describe_pod_identity_association",
            {"clusterName": "polls", "associationId": f"a-{account}"},
            {"association": {"serviceAccount": account, "roleArn": role}},
        )
        for account, role in roles
    ]


def ask(module: Any, capsys: pytest.CaptureFixture[str], stubber: Stubber, check: bool = False, **options: Any) -> dict[str, Any]:
    """Return what a module answers, when it made all the calls."""
    answer = run(module, capsys, check, **options)
    stubber.assert_no_pending_responses()
    return answer


# --- An add-on's roles by Pod Identity -------------------------------------------------------------------------------
OPTIONS = {"cluster_name": "polls", "name": "aws-ebs-csi-driver"}
WANTED = {**OPTIONS, "pod_identity_associations": [{"service_account": "csi", "role_arn": OTHER}]}


def test_an_addon_is_made_with_the_roles_of_its_service_accounts(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    stubber = stub("eks")
    stubber.add_client_error("describe_addon", "ResourceNotFoundException", expected_params=ADDON)
    request = {**ADDON, "resolveConflicts": "NONE", "podIdentityAssociations": [{"serviceAccount": "csi", "roleArn": OTHER}]}
    stubber.add_response("create_addon", addon(status="CREATING"), request)
    assert ask(eks_addon, capsys, stubber, **WANTED, wait=False)["changed"]


def test_the_role_of_an_addons_service_account_is_changed(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    live = addon(podIdentityAssociations=[f"{ARN}a-csi"])
    stubber = stub("eks", ("describe_addon", ADDON, live), *associations(("csi", ROLE)))
    answer = ask(eks_addon, capsys, stubber_with(stubber, ("describe_addon", ADDON, live)), check=True, **WANTED)
    assert answer["diff"]["before"] == {"pod_identity_associations": [{"service_account": "csi", "role_arn": ROLE}]}
    request = {**ADDON, "resolveConflicts": "NONE", "addonVersion": "v1", "podIdentityAssociations": [{"serviceAccount": "csi", "roleArn": OTHER}]}
    update = {"update": {"id": "u-1", "type": "AddonUpdate", "status": "InProgress"}}
    done = {"update": {"id": "u-1", "type": "AddonUpdate", "status": "Successful"}}
    stubber = stub(
        "eks",
        ("describe_addon", ADDON, live),
        *associations(("csi", ROLE)),
        *[("describe_addon", ADDON, live)] * 2,
        ("update_addon", request, update),
        ("describe_addon", ADDON, live),
        ("describe_update", {"name": "polls", "addonName": "aws-ebs-csi-driver", "updateId": "u-1"}, done),
        *[("describe_addon", ADDON, live)] * 2,
    )
    assert ask(eks_addon, capsys, stubber, **WANTED)["changed"]


def stubber_with(stubber: Stubber, *calls: Call) -> Stubber:
    """Return the stubber with more calls to expect."""
    for operation, parameters, answer in calls:
        stubber.add_response(operation, answer, parameters)
    return stubber


@pytest.mark.parametrize("check", [True, False])
def test_roles_that_are_as_wanted_are_left_alone(stub: Stub, capsys: pytest.CaptureFixture[str], check: bool) -> None:
    live = addon(podIdentityAssociations=[f"{ARN}a-csi"])
    stubber = stub("eks", ("describe_addon", ADDON, live), *associations(("csi", OTHER)), *[("describe_addon", ADDON, live)] * (1 if check else 3))
    assert ask(eks_addon, capsys, stubber, check, **WANTED)["changed"] is False


def test_settings_that_somebody_wrote_in_yaml_are_no_failure(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    live = addon(configurationValues="replicaCount: 3\n")
    stubber = stub("eks", *[("describe_addon", ADDON, live)] * 2)
    answer = ask(eks_addon, capsys, stubber, True, **OPTIONS, configuration_values={"replicaCount": 3})
    assert answer["diff"] == {"before": {"configuration_values": "replicaCount: 3\n"}, "after": {"configuration_values": {"replicaCount": 3}}}


# --- An association that an add-on owns ------------------------------------------------------------------------------


def test_an_association_of_an_addon_is_not_taken_from_it(stub: Stub, capsys: pytest.CaptureFixture[str]) -> None:
    key = {"clusterName": "polls", "namespace": "kube-system", "serviceAccount": "csi"}
    owned = {"association": {**key, "associationId": "a-1", "associationArn": f"{ARN}a-1", "roleArn": ROLE, "ownerArn": "arn:of:the:addon"}}
    stubber = stub(
        "eks",
        ("list_pod_identity_associations", key, {"associations": [{**key, "associationId": "a-1"}]}),
        ("describe_pod_identity_association", {"clusterName": "polls", "associationId": "a-1"}, owned),
    )
    options = {"cluster_name": "polls", "namespace": "kube-system", "service_account": "csi", "role_arn": OTHER}
    answer = ask(eks_pod_identity_association, capsys, stubber, **options)
    assert "it belongs to the add-on arn:of:the:addon. Change it with pod_identity_associations of eks_addon." in answer["msg"]
