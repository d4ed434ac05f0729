"""The stand-in for the load balancer controller, against the emulated AWS and a cluster of plain objects."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.modules import acm_certificate
from emulated_aws import Emulated
from emulated_entry import Entry
from ingress_controller import CONTROLLER, FINALIZER, Controller

Json = dict[str, Any]
HOSTS = "polls.example"


class FakeKube:
    """A cluster with one Ingress, its class and the class's parameters."""

    def __init__(self, arn: str) -> None:
        path = {"backend": {"service": {"name": "polls", "port": {"name": "http"}}}}
        prefix = "alb.ingress.kubernetes.io/"
        annotations = {
            f"{prefix}listen-ports": '[{"HTTP": 80}, {"HTTPS": 443}]',
            f"{prefix}ssl-redirect": "443",
            f"{prefix}target-type": "ip",
            f"{prefix}healthcheck-path": "/readyz",
            f"{prefix}ssl-policy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        }
        self.ingress: Json | None = {
            "metadata": {"name": "polls", "namespace": "polls-test", "uid": f"u-{arn[-8:]}", "annotations": annotations},
            "spec": {"ingressClassName": "polls", "rules": [{"host": HOSTS, "http": {"paths": [path]}}]},
        }
        self.kind: Json | None = {"spec": {"controller": CONTROLLER, "parameters": {"name": "polls"}}}
        self.spec: Json = {"scheme": "internet-facing", "certificateARNs": [arn]}
        self.pods = [("10.90.0.7", 8000)]
        self.events: list[tuple[str, str, str]] = []

    def ingresses(self) -> list[Json]:
        """Return the Ingress."""
        return [copy.deepcopy(self.ingress)] if self.ingress else []

    def ingress_class(self, name: str) -> Json | None:
        """Return its class."""
        return self.kind if name == "polls" else None

    def parameters(self, name: str) -> Json | None:
        """Return the class's parameters."""
        return {"spec": self.spec} if name == "polls" else None

    def addresses(self, _namespace: str, _service: str) -> list[tuple[str, int]]:
        """Return the pods' addresses."""
        return self.pods

    def patch(self, _ingress: Json, body: Json, status: bool = False) -> None:
        """Change the Ingress, and drop it when it was deleted and nothing holds it."""
        assert self.ingress
        assert set(body) == ({"status"} if status else {"metadata"})
        for key, value in body.items():
            self.ingress[key] = {**self.ingress.get(key, {}), **value}
        if self.ingress["metadata"].get("deletionTimestamp") and not self.ingress["metadata"]["finalizers"]:
            self.ingress = None

    def event(self, _ingress: Json, kind: str, reason: str, message: str) -> None:
        """Remember an event."""
        self.events.append((kind, reason, message))

    @property
    def address(self) -> str:
        """The address in the Ingress's status."""
        assert self.ingress
        return self.ingress["status"]["loadBalancer"]["ingress"][0]["hostname"]


@pytest.fixture
def entry(aws: Emulated) -> Entry:
    """Return the emulated AWS with a zone."""
    return Entry(aws)


@pytest.fixture
def kube(entry: Entry) -> FakeKube:
    """Return a cluster whose Ingress has a certificate that is issued."""
    return FakeKube(entry.aws.run(acm_certificate, **entry.certificate())["arn"])


def tagged_vpc(entry: Entry, zones: str) -> str:
    """Make a VPC with a public subnet in each zone, and return it."""
    ec2 = entry.aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.91.0.0/16")["Vpc"]["VpcId"]
    for number, zone in enumerate(zones):
        tags = [{"ResourceType": "subnet", "Tags": [{"Key": "kubernetes.io/role/elb", "Value": "1"}]}]
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.91.{number}.0/24", AvailabilityZone=f"eu-central-1{zone}", TagSpecifications=tags)
    return vpc


def test_an_ingress_gets_a_load_balancer_once_and_its_address(entry: Entry, kube: FakeKube) -> None:
    controller = Controller(kube, entry.aws.name, tagged_vpc(entry, "ab"))
    controller.round()
    controller.round()
    found = [each for each in entry.elb.describe_load_balancers()["LoadBalancers"] if each["DNSName"] == kube.address]
    assert len(found) == 1 and found[0]["Scheme"] == "internet-facing"
    assert kube.ingress and FINALIZER in kube.ingress["metadata"]["finalizers"]
    listeners = {each["Port"]: each for each in entry.elb.describe_listeners(LoadBalancerArn=found[0]["LoadBalancerArn"])["Listeners"]}
    assert listeners[80]["DefaultActions"][0]["RedirectConfig"]["Protocol"] == "HTTPS"
    assert listeners[443]["Certificates"] == [{"CertificateArn": kube.spec["certificateARNs"][0]}]
    tags = entry.elb.describe_tags(ResourceArns=[found[0]["LoadBalancerArn"]])["TagDescriptions"][0]["Tags"]
    assert {"Key": "eks:eks-cluster-name", "Value": entry.aws.name} in tags
    assert kube.events == [("Normal", "SuccessfullyReconciled", "Successfully reconciled")]


def test_the_pods_are_its_targets_as_they_come_and_go(entry: Entry, kube: FakeKube) -> None:
    controller = Controller(kube, entry.aws.name, tagged_vpc(entry, "ab"))
    controller.round()
    kube.pods = [("10.90.0.8", 8000), ("10.90.0.9", 8000)]
    controller.round()
    group = next(each for each in entry.elb.describe_target_groups()["TargetGroups"] if kube.address.startswith(each["TargetGroupName"]))
    targets = entry.elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    assert {each["Target"]["Id"] for each in targets} == {"10.90.0.8", "10.90.0.9"}
    assert group["HealthCheckPath"] == "/readyz"


def test_another_certificate_takes_the_place_of_the_first(entry: Entry, kube: FakeKube) -> None:
    controller = Controller(kube, entry.aws.name, tagged_vpc(entry, "ab"))
    controller.round()
    second = entry.aws.run(acm_certificate, **entry.certificate(host=f"two.{entry.domain}"))["arn"]
    kube.spec = {**kube.spec, "certificateARNs": [second]}
    controller.round()
    assert entry.acm.describe_certificate(CertificateArn=second)["Certificate"]["InUseBy"]
    answer = entry.aws.run(acm_certificate, **entry.owner(state="absent", keep=second, wait_timeout=1))
    assert len(answer["removed"]) == 1  # the first is used no more


def test_a_deleted_ingress_goes_after_its_load_balancer(entry: Entry, kube: FakeKube) -> None:
    controller = Controller(kube, entry.aws.name, tagged_vpc(entry, "ab"))
    controller.round()
    address = kube.address
    assert kube.ingress
    kube.ingress["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    kube.kind = None  # its class may be gone already
    controller.round()
    assert kube.ingress is None
    assert address not in [each["DNSName"] for each in entry.elb.describe_load_balancers()["LoadBalancers"]]
    assert not entry.acm.describe_certificate(CertificateArn=kube.spec["certificateARNs"][0])["Certificate"]["InUseBy"]


def test_a_deletion_that_aws_refuses_holds_the_ingress_and_is_told(entry: Entry, kube: FakeKube) -> None:
    controller = Controller(kube, entry.aws.name, tagged_vpc(entry, "ab"))
    controller.round()
    assert kube.ingress
    kube.ingress["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    fault = {"service": "elasticloadbalancing", "action": "DeleteLoadBalancer", "code": "AccessDenied", "status": 403, "message": "no", "count": 1}
    entry.aws.control(faults=[fault])
    controller.round()
    assert kube.ingress is not None and kube.events[-1][1] == "FailedDeployModel" and "AccessDenied" in kube.events[-1][2]
    controller.round()
    assert kube.ingress is None


@pytest.mark.parametrize(
    ("zones", "arn", "reason", "words"),
    [
        ("a", "", "FailedBuildModel", "couldn't auto-discover subnets"),
        ("ab", "arn:aws:acm:eu-central-1:123456789012:certificate/none", "FailedDeployModel", "CertificateNotFound"),
    ],
)
def test_what_is_wrong_is_told_once_in_the_real_ones_words(entry: Entry, kube: FakeKube, zones: str, arn: str, reason: str, words: str) -> None:
    kube.spec = {**kube.spec, "certificateARNs": [arn] if arn else kube.spec["certificateARNs"]}
    controller = Controller(kube, entry.aws.name, tagged_vpc(entry, zones))
    controller.round()
    controller.round()
    assert [(kind, told) for kind, told, _ in kube.events] == [("Warning", reason)] and words in kube.events[0][2]


def test_an_ingress_of_another_class_is_left_alone(entry: Entry, kube: FakeKube) -> None:
    kube.kind = {"spec": {"controller": "k8s.io/ingress-nginx"}}
    before = json.dumps(kube.ingress)
    Controller(kube, entry.aws.name, tagged_vpc(entry, "ab")).round()
    assert json.dumps(kube.ingress) == before and kube.events == []
