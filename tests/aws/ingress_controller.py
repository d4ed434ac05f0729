#!/usr/bin/env python3
"""Stand in for the load balancer controller of EKS Auto Mode, so that a cluster behind the emulated AWS has a public entry.

Makes a load balancer in the emulated ELBv2 for each Ingress of a class whose controller is eks.amazonaws.com/alb, with listeners, a target group
and the pods' addresses; writes its address into the Ingress's status; tells what is wrong by events, in the real one's words; and takes the load
balancer away before it lets a deleted Ingress go. There is nothing to visit at that address: front.py answers instead.

Runs until it is ended: ``ingress_controller.py --kubeconfig FILE --cluster NAME``, with the environment of tests/aws/start.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import hashlib
import json
import re
import sys
import time
from typing import Any, Protocol

import boto3
import botocore.exceptions
import kubernetes
import urllib3

Json = dict[str, Any]
CONTROLLER = "eks.amazonaws.com/alb"
FINALIZER = "ingress.eks.amazonaws.com/resources"
PREFIX = "alb.ingress.kubernetes.io/"
GROUP, VERSION, PLURAL = "eks.amazonaws.com", "v1", "ingressclassparams"
# What Auto Mode brings along; of its fields only those that Berth sets, so that any other is refused.
DEFINITION: Json = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"{PLURAL}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "emulated-aws"}},
    "spec": {
        "group": GROUP,
        "scope": "Cluster",
        "names": {"kind": "IngressClassParams", "listKind": "IngressClassParamsList", "plural": PLURAL, "singular": "ingressclassparams"},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "scheme": {"type": "string", "enum": ["internal", "internet-facing"]},
                                    "ipAddressType": {"type": "string", "enum": ["ipv4", "dualstack", "dualstack-without-public-ipv4"]},
                                    "certificateARNs": {"type": "array", "items": {"type": "string"}},
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}


class Trouble(Exception):
    """Why an Ingress has no load balancer: the reason and the message of its event."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Kube(Protocol):
    """What the controller asks of Kubernetes."""

    def ingresses(self) -> list[Json]:
        """Return all Ingresses."""

    def ingress_class(self, name: str) -> Json | None:
        """Return an IngressClass."""

    def parameters(self, name: str) -> Json | None:
        """Return IngressClassParams."""

    def addresses(self, namespace: str, service: str) -> list[tuple[str, int]]:
        """Return the addresses and ports of a Service's ready pods."""

    def patch(self, ingress: Json, body: Json, status: bool = False) -> None:
        """Change an Ingress."""

    def event(self, ingress: Json, kind: str, reason: str, message: str) -> None:
        """Tell something about an Ingress."""


class Controller:
    """Makes the load balancers of Ingresses.

    Args:
        kube: The cluster.
        cluster: Its name in EKS.
        vpc: The VPC that it lies in.
    """

    def __init__(self, kube: Kube, cluster: str, vpc: str) -> None:
        self.kube, self.cluster, self.vpc = kube, cluster, vpc
        self.elb, self.ec2, self.acm = (boto3.client(service) for service in ("elbv2", "ec2", "acm"))
        self.told: dict[str, str] = {}

    def round(self) -> None:
        """Look at every Ingress once."""
        for ingress in self.kube.ingresses():
            kind = self.kube.ingress_class(ingress["spec"].get("ingressClassName") or "")
            held = FINALIZER in (ingress["metadata"].get("finalizers") or [])
            if not held and (not kind or kind["spec"].get("controller") != CONTROLLER):
                continue
            try:
                if ingress["metadata"].get("deletionTimestamp"):
                    self.remove(ingress)
                elif kind:
                    self.provide(ingress, kind)
            except Trouble as trouble:
                self.tell(ingress, "Warning", trouble.reason, str(trouble))
            except botocore.exceptions.ClientError as error:
                self.tell(ingress, "Warning", "FailedDeployModel", f"Failed deploy model due to {error.response['Error']['Code']}: {error}")

    def tell(self, ingress: Json, kind: str, reason: str, message: str) -> None:
        """Tell something that is new."""
        uid = ingress["metadata"]["uid"]
        if self.told.get(uid) != f"{reason}{message}":
            self.told[uid] = f"{reason}{message}"
            self.kube.event(ingress, kind, reason, message)

    # --- Making ------------------------------------------------------------
    def provide(self, ingress: Json, kind: Json) -> None:
        """Make the load balancer as wanted and write its address."""
        metadata, annotations = ingress["metadata"], ingress["metadata"].get("annotations") or {}
        spec = (self.kube.parameters(((kind["spec"].get("parameters") or {}).get("name")) or "") or {}).get("spec") or {}
        finalizers = metadata.get("finalizers") or []
        if FINALIZER not in finalizers:
            self.kube.patch(ingress, {"metadata": {"finalizers": [*finalizers, FINALIZER]}})
        certificates = self.certificates(spec)
        balancer = self.find(ingress) or self.create(ingress, spec)
        targets = self.targets(ingress, annotations)
        self.listen(balancer["LoadBalancerArn"], annotations, certificates, targets)
        self.register(ingress, targets)
        address = [{"hostname": balancer["DNSName"]}]
        if ((ingress.get("status") or {}).get("loadBalancer") or {}).get("ingress") != address:
            self.kube.patch(ingress, {"status": {"loadBalancer": {"ingress": address}}}, status=True)
        self.tell(ingress, "Normal", "SuccessfullyReconciled", "Successfully reconciled")

    def name(self, ingress: Json) -> str:
        """Return the load balancer's name, as the real one makes it up: at most 32 characters."""
        namespace, name = ingress["metadata"]["namespace"], ingress["metadata"]["name"]
        digest = hashlib.sha256(f"{self.cluster}{ingress['metadata']['uid']}".encode()).hexdigest()[:10]
        short = (re.sub(r"[^a-z0-9]", "", part)[:8] for part in (namespace, name))
        return f"k8s-{'-'.join(short)}-{digest}"

    def find(self, ingress: Json) -> Json | None:
        """Return the Ingress's load balancer, None when there is none."""
        try:
            return self.elb.describe_load_balancers(Names=[self.name(ingress)])["LoadBalancers"][0]
        except self.elb.exceptions.LoadBalancerNotFoundException:
            return None

    def certificates(self, spec: Json) -> list[str]:
        """Return the certificates, each looked at."""
        for arn in spec.get("certificateARNs") or []:
            try:
                status = self.acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"]
            except (botocore.exceptions.ClientError, botocore.exceptions.ParamValidationError):
                status = "missing"
            if status != "ISSUED":
                raise Trouble("FailedDeployModel", f"Failed deploy model due to CertificateNotFound: Certificate '{arn}' not found")
        return spec.get("certificateARNs") or []

    def create(self, ingress: Json, spec: Json) -> Json:
        """Make the load balancer, in the subnets that have the tag for it."""
        public = spec.get("scheme") == "internet-facing"
        tag = "kubernetes.io/role/elb" if public else "kubernetes.io/role/internal-elb"
        filters = [{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": f"tag:{tag}", "Values": ["1", ""]}]
        found = self.ec2.describe_subnets(Filters=filters)["Subnets"]
        zones = {subnet["AvailabilityZone"]: subnet["SubnetId"] for subnet in found}
        if len(zones) < 2:
            count = f"({len(zones)} match VPC and tags: [{tag}])"
            raise Trouble("FailedBuildModel", f"Failed build model due to couldn't auto-discover subnets: unable to resolve at least 2 subnets {count}")
        stack = f"{ingress['metadata']['namespace']}/{ingress['metadata']['name']}"
        tags = {"eks:eks-cluster-name": self.cluster, "ingress.eks.amazonaws.com/stack": stack, "ingress.eks.amazonaws.com/resource": "LoadBalancer"}
        return self.elb.create_load_balancer(
            Name=self.name(ingress),
            Type="application",
            Scheme=spec.get("scheme", "internal"),
            IpAddressType=spec.get("ipAddressType", "ipv4"),
            Subnets=sorted(zones.values()),
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )["LoadBalancers"][0]

    def targets(self, ingress: Json, annotations: Json) -> str:
        """Return the target group of the Ingress's Service."""
        try:
            return self.elb.describe_target_groups(Names=[self.name(ingress)])["TargetGroups"][0]["TargetGroupArn"]
        except self.elb.exceptions.TargetGroupNotFoundException:
            pass
        return self.elb.create_target_group(
            Name=self.name(ingress),
            Protocol="HTTP",
            Port=80,
            VpcId=self.vpc,
            TargetType=annotations.get(f"{PREFIX}target-type", "instance"),
            HealthCheckPath=annotations.get(f"{PREFIX}healthcheck-path", "/"),
            Matcher={"HttpCode": annotations.get(f"{PREFIX}success-codes", "200")},
        )["TargetGroups"][0]["TargetGroupArn"]

    def listen(self, balancer: str, annotations: Json, certificates: list[str], targets: str) -> None:
        """Make the listeners; the one of HTTP leads to that of HTTPS."""
        there = {each["Port"]: each for each in self.elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]}
        secure = annotations.get(f"{PREFIX}ssl-redirect")
        for listener in json.loads(annotations.get(f"{PREFIX}listen-ports", '[{"HTTP": 80}]')):
            protocol, port = next(iter(listener.items()))
            action: Json = {"Type": "forward", "TargetGroupArn": targets}
            if secure and protocol == "HTTP":
                action = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": secure, "StatusCode": "HTTP_301"}}
            wanted: Json = {"Protocol": protocol, "Port": port, "DefaultActions": [action]}
            if protocol == "HTTPS":
                if not certificates:
                    raise Trouble("FailedBuildModel", "Failed build model due to no certificate found for host")
                wanted |= {"Certificates": [{"CertificateArn": arn} for arn in certificates]}
                wanted |= {"SslPolicy": annotations.get(f"{PREFIX}ssl-policy", "ELBSecurityPolicy-2016-08")}
            if port not in there:
                self.elb.create_listener(LoadBalancerArn=balancer, **wanted)
            elif protocol == "HTTPS" and there[port]["Certificates"] != wanted["Certificates"]:
                self.elb.delete_listener(ListenerArn=there[port]["ListenerArn"])
                self.elb.create_listener(LoadBalancerArn=balancer, **wanted)

    def register(self, ingress: Json, targets: str) -> None:
        """Register the addresses of the Service's pods, and no others."""
        backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"]
        wanted = set(self.kube.addresses(ingress["metadata"]["namespace"], backend))
        there = {(each["Target"]["Id"], each["Target"]["Port"]) for each in self.elb.describe_target_health(TargetGroupArn=targets)["TargetHealthDescriptions"]}
        for operation, which in ((self.elb.register_targets, wanted - there), (self.elb.deregister_targets, there - wanted)):
            if which:
                operation(TargetGroupArn=targets, Targets=[{"Id": address, "Port": port} for address, port in sorted(which)])

    # --- Removing ----------------------------------------------------------
    def remove(self, ingress: Json) -> None:
        """Take the load balancer away, and let the Ingress go."""
        balancer = self.find(ingress)
        if balancer:
            for listener in self.elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]:
                self.elb.delete_listener(ListenerArn=listener["ListenerArn"])
            self.elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        with contextlib.suppress(self.elb.exceptions.TargetGroupNotFoundException):
            group = self.elb.describe_target_groups(Names=[self.name(ingress)])["TargetGroups"][0]
            self.elb.delete_target_group(TargetGroupArn=group["TargetGroupArn"])
        left = [each for each in ingress["metadata"].get("finalizers") or [] if each != FINALIZER]
        self.kube.patch(ingress, {"metadata": {"finalizers": left}})


class Cluster:
    """A real cluster.

    Args:
        kubeconfig: Its path.
    """

    def __init__(self, kubeconfig: str) -> None:
        kubernetes.config.load_kube_config(kubeconfig)
        self.networking, self.core = kubernetes.client.NetworkingV1Api(), kubernetes.client.CoreV1Api()
        self.custom, self.slices = kubernetes.client.CustomObjectsApi(), kubernetes.client.DiscoveryV1Api()

    def define(self) -> None:
        """Make the definition of IngressClassParams where there is none."""
        try:
            kubernetes.client.ApiextensionsV1Api().create_custom_resource_definition(DEFINITION)
        except kubernetes.client.ApiException as error:
            if error.status != 409:
                raise

    def plain(self, found: Any) -> Json:
        """Return what the client returns as the API server has it."""
        return self.networking.api_client.sanitize_for_serialization(found)

    def ingresses(self) -> list[Json]:
        """Return all Ingresses."""
        return self.plain(self.networking.list_ingress_for_all_namespaces())["items"]

    def ingress_class(self, name: str) -> Json | None:
        """Return an IngressClass."""
        try:
            return self.plain(self.networking.read_ingress_class(name)) if name else None
        except kubernetes.client.ApiException as error:
            if error.status != 404:
                raise
            return None

    def parameters(self, name: str) -> Json | None:
        """Return IngressClassParams."""
        try:
            return self.custom.get_cluster_custom_object(GROUP, VERSION, PLURAL, name) if name else None
        except kubernetes.client.ApiException as error:
            if error.status != 404:
                raise
            return None

    def addresses(self, namespace: str, service: str) -> list[tuple[str, int]]:
        """Return the addresses and ports of a Service's ready pods."""
        slices = self.slices.list_namespaced_endpoint_slice(namespace, label_selector=f"kubernetes.io/service-name={service}").items
        return [
            (address, each.ports[0].port) for each in slices for endpoint in each.endpoints or [] if endpoint.conditions.ready for address in endpoint.addresses
        ]

    def patch(self, ingress: Json, body: Json, status: bool = False) -> None:
        """Change an Ingress; one that is gone meanwhile needs no change."""
        operation = self.networking.patch_namespaced_ingress_status if status else self.networking.patch_namespaced_ingress
        try:
            # A strategic merge, the client's own choice, takes no finalizer out of a list.
            operation(ingress["metadata"]["name"], ingress["metadata"]["namespace"], body, _content_type="application/merge-patch+json")
        except kubernetes.client.ApiException as error:
            if error.status != 404:
                raise

    def event(self, ingress: Json, kind: str, reason: str, message: str) -> None:
        """Tell something about an Ingress."""
        metadata, now = ingress["metadata"], datetime.datetime.now(datetime.UTC).isoformat()
        involved = {"kind": "Ingress", "apiVersion": "networking.k8s.io/v1"} | {key: metadata[key] for key in ("name", "namespace", "uid")}
        body = {
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
            "involvedObject": involved,
            "type": kind,
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "source": {"component": "ingress"},
        }
        self.core.create_namespaced_event(metadata["namespace"], body)


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", required=True, help="of the cluster")
    parser.add_argument("--cluster", required=True, help="its name in the emulated EKS")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds between two looks")
    given = parser.parse_args()
    cluster = Cluster(given.kubeconfig)
    cluster.define()
    eks, controller = boto3.client("eks"), None
    while True:
        try:
            vpc = eks.describe_cluster(name=given.cluster)["cluster"]["resourcesVpcConfig"]["vpcId"]
            if controller is None or controller.vpc != vpc:  # a cluster that was made again
                controller = Controller(cluster, given.cluster, vpc)
                print(f"Looks after the Ingresses of {given.cluster} in {vpc}.", flush=True)
            controller.round()
        except (kubernetes.client.ApiException, urllib3.exceptions.HTTPError, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            print(" ".join(str(error).split())[:300], file=sys.stderr, flush=True)
        time.sleep(given.interval)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
