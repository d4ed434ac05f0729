"""MiniStack with what EKS has on AWS and MiniStack lacks: states that take time, every update, and AWS's refusals.

MiniStack answers for EKS, ECR, IAM and STS; subnets and security groups are asked of the emulator that ``AWS_ENDPOINT_URL_EC2`` names.
``EKS_ENDPOINT_OVERRIDE`` and ``EKS_CA_FILE`` put a real API server behind every cluster, ``EKS_WEBHOOK_TOKEN`` fixes the end of
the token webhook's URL. Messages and codes are those of the EKS API reference (docs.aws.amazon.com/eks/latest/APIReference).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import calls
import control
import lag
import ministack.core.iam_evaluator as iam_evaluator
import ministack.services.eks as eks
from ministack.services import ecr, iam

SUPPORTED = [f"1.{minor}" for minor in range(32, 37)]
STANDARD = SUPPORTED[-3:]  # the others are in extended support
ADDONS = {
    "aws-ebs-csi-driver": "v1.52.1-eksbuild.1",
    "coredns": "v1.12.4-eksbuild.1",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.1",
    "kube-proxy": "v1.34.1-eksbuild.2",
    "metrics-server": "v0.8.0-eksbuild.2",
    "vpc-cni": "v1.20.4-eksbuild.2",
}
OLDER = {name: re.sub(r"(\d+)-eksbuild.\d+$", "0-eksbuild.1", version) for name, version in ADDONS.items()}
UPDATES: dict[str, dict[str, Any]] = {}
# docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html
ACCESS_POLICY = re.compile(r"arn:aws:eks::aws:cluster-access-policy/Amazon(EKS|ARCRegionSwitch|AIOps|Sagemaker)[A-Za-z]*Policy")
MODES = ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"]

eks._docker_available = False  # the API server is given, or there is none
_handle, _describe_cluster, _delete_cluster = eks._handle_request_sync, eks._describe_cluster, eks._delete_cluster
Answer = tuple[int, dict[str, str], bytes]


class Refusal(Exception):
    """What AWS refuses, with its code and message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def invalid(message: str) -> Refusal:
    """Return an InvalidParameterException."""
    return Refusal("InvalidParameterException", message)


def missing(message: str) -> Refusal:
    """Return a ResourceNotFoundException."""
    return Refusal("ResourceNotFoundException", message, 404)


def in_use(message: str) -> Refusal:
    """Return a ResourceInUseException."""
    return Refusal("ResourceInUseException", message, 409)


def ec2() -> Any:
    """Return a client of the emulator that keeps subnets and security groups."""
    return boto3.client("ec2", region_name=os.environ["MINISTACK_REGION"], aws_access_key_id="test", aws_secret_access_key="test")


def cluster_of(name: str) -> dict[str, Any]:
    """Return a cluster's record; what is being deleted is gone when its time is over."""
    record = eks._clusters.get(name)
    if record is not None and record.get("_gone_at", float("inf")) <= time.time():
        forget(name)
        record = None
    if record is None:
        raise missing(f"No cluster found for name: {name}.")
    settle(record, f"cluster/{name}")
    return record


def settle(record: dict[str, Any], name: str) -> None:
    """Give a record the status that its time, its running update and the test's ``outcome`` make of it."""
    now = time.time()
    wanted = control.outcome(name)
    if record.get("_gone_at"):
        record["status"] = "DELETING"
    elif now < record.get("_ready_at", 0):
        record["status"] = "CREATING"
    elif any(u["_until"] > now for u in UPDATES.values() if u["_of"] == name):
        record["status"] = "UPDATING"
    elif wanted:
        record["status"] = wanted["status"]
        record["health"] = {"issues": wanted.get("issues", [])}
    else:
        record["status"] = "ACTIVE"
        record["health"] = {"issues": []}


def forget(name: str) -> None:
    """Take away a cluster and the security group that came with it."""
    group = eks._clusters[name]["resourcesVpcConfig"]["clusterSecurityGroupId"]
    _delete_cluster(name)
    try:
        ec2().delete_security_group(GroupId=group)
    except botocore.exceptions.ClientError as error:
        # As on AWS: a group that something still refers to stays, and is in the way of the VPC's removal.
        print(f"cluster security group {group} stays: {error}", flush=True)


def update(name: str, kind: str, parameters: dict[str, Any], before: tuple[dict[str, Any], dict[str, Any]] | None = None) -> Answer:
    """Begin an update of ``name`` (``kind/name``); ``before`` is a record, and what of it a failure puts back."""
    now = time.time()
    if any(u["_until"] > now for u in UPDATES.values() if u["_of"] == name):
        raise in_use(f"{name.split('/', 1)[1]} currently has update in progress")
    record = {
        "id": str(uuid.uuid4()),
        "status": "InProgress",
        "type": kind,
        "params": [{"type": key, "value": json.dumps(value)} for key, value in parameters.items()],
        "createdAt": now,
        "errors": [],
        "_of": name,
        "_before": before,
        "_until": now + control.seconds("eks"),
    }
    UPDATES[record["id"]] = record
    return ok({"update": shown(record)})


def shown(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without what is the emulator's own; an update with its status of now."""
    if "_until" in record and record["_until"] <= time.time() and record["status"] == "InProgress":
        failed = control.outcome(f"update/{record['type']}")
        record["status"] = failed.get("status", "Successful")
        record["errors"] = failed.get("errors", [])
        if failed and record["_before"]:
            changed, old = record["_before"]
            changed.update(old)
    return {key: value for key, value in record.items() if not key.startswith("_")}


def ok(body: dict[str, Any]) -> Answer:
    """Return a body as an answer."""
    return eks._json_resp(200, body)


def check_role(arn: str, words: str = "Role with arn: {}, could not be assumed because it does not exist or the trusted entity is not correct") -> None:
    """Refuse a role that IAM does not have, or EKS does not know yet."""
    name = arn.rsplit("/", 1)[-1]
    if name not in iam._roles or lag.used("role for EKS", name):
        raise invalid(words.format(arn))


def check_subnets(ids: list[str]) -> list[dict[str, Any]]:
    """Return the subnets; refuse those that are not there or lie in one zone."""
    try:
        subnets = ec2().describe_subnets(SubnetIds=ids)["Subnets"] if ids else []
    except botocore.exceptions.ClientError as error:
        raise invalid(error.response["Error"]["Message"]) from error
    if len({s["AvailabilityZone"] for s in subnets}) < 2:
        raise invalid("Subnets specified must be in at least two different AZs")
    return subnets


def check_auto_mode(body: dict[str, Any], current: dict[str, Any]) -> None:
    """Refuse compute, load balancing and block storage that are not all on or all off."""
    chosen = {
        (body.get("computeConfig") or current.get("computeConfig") or {}).get("enabled", False),
        ((body.get("kubernetesNetworkConfig") or current.get("kubernetesNetworkConfig") or {}).get("elasticLoadBalancing") or {}).get("enabled", False),
        ((body.get("storageConfig") or current.get("storageConfig") or {}).get("blockStorage") or {}).get("enabled", False),
    }
    if len(chosen) > 1:
        raise invalid("For EKS Auto Mode, please ensure that all required configs, including computeConfig, kubernetesNetworkConfig, "
                      "and blockStorage are all either fully enabled or fully disabled.")  # fmt: skip


def create_cluster(body: dict[str, Any], call: Callable[[], Answer]) -> Answer:
    """CreateCluster."""
    name, network = body["name"], body.get("resourcesVpcConfig") or {}
    if not re.fullmatch(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}", name):
        raise invalid("The cluster name is not valid")
    try:
        cluster_of(name)
    except Refusal:
        pass
    else:
        raise in_use(f"Cluster already exists with name: {name}")
    body["version"] = body.get("version") or SUPPORTED[-2]
    if body["version"] not in SUPPORTED:
        raise invalid("unsupported Kubernetes version")
    check_role(body["roleArn"])
    subnets = check_subnets(network.get("subnetIds", []))
    check_auto_mode(body, {})
    if (body.get("computeConfig") or {}).get("enabled") and body.get("bootstrapSelfManagedAddons", True):
        raise invalid("When Auto Mode is enabled, bootstrapSelfManagedAddons must be set to false")
    if network.get("endpointPublicAccess") is False and not network.get("endpointPrivateAccess"):
        raise invalid("Private and public endpoint access cannot both be disabled")
    answer = call()
    if answer[0] != 200:
        return answer
    record, vpc = eks._clusters[name], subnets[0]["VpcId"]
    group = ec2().create_security_group(
        GroupName=f"eks-cluster-sg-{name}-{int(hashlib.sha256(record['arn'].encode()).hexdigest()[:8], 16)}",
        Description="EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.",
        VpcId=vpc,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": [
            {"Key": f"kubernetes.io/cluster/{name}", "Value": "owned"}, {"Key": "aws:eks:cluster-name", "Value": name}]}],
    )["GroupId"]  # fmt: skip
    record["resourcesVpcConfig"].update(vpcId=vpc, clusterSecurityGroupId=group)
    if os.environ.get("EKS_WEBHOOK_TOKEN"):
        record["_auth_token"] = os.environ["EKS_WEBHOOK_TOKEN"]
    authority = os.environ.get("EKS_CA_FILE")
    record["certificateAuthority"] = {"data": base64.b64encode(Path(authority).read_bytes() if authority else b"NO-AUTHORITY").decode()}
    record["endpoint"] = os.environ.get("EKS_ENDPOINT_OVERRIDE") or record["endpoint"]
    kubernetes_network = body.get("kubernetesNetworkConfig") or {}
    record.update(
        version=body["version"],
        accessConfig={"authenticationMode": (body.get("accessConfig") or {}).get("authenticationMode", "CONFIG_MAP")},
        upgradePolicy=body.get("upgradePolicy") or {"supportType": "EXTENDED"},
        deletionProtection=body.get("deletionProtection", False),
        zonalShiftConfig=body.get("zonalShiftConfig") or {"enabled": False},
        computeConfig=body.get("computeConfig") or {"enabled": False},
        storageConfig=body.get("storageConfig") or {"blockStorage": {"enabled": False}},
        kubernetesNetworkConfig={
            "serviceIpv4Cidr": kubernetes_network.get("serviceIpv4Cidr", "172.20.0.0/16"),
            "ipFamily": kubernetes_network.get("ipFamily", "ipv4"),
            "elasticLoadBalancing": kubernetes_network.get("elasticLoadBalancing") or {"enabled": False},
        },
        health={"issues": []},
        _bootstrapped=body.get("bootstrapSelfManagedAddons", True),
        _ready_at=time.time() + control.seconds("eks"),
    )
    record["logging"] = full_logging(body.get("logging"))
    hold_role(name, record["computeConfig"])
    settle(record, f"cluster/{name}")
    return ok({"cluster": early(record)})


def profile_of(name: str) -> str:
    """Return the name of Auto Mode's instance profile."""
    return f"eks-{os.environ['MINISTACK_REGION']}-{name}-{int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)}"


def hold_role(name: str, compute: dict[str, Any]) -> None:
    """Let Auto Mode hold the nodes' role in an instance profile, which may outlive the cluster (github.com/aws/containers-roadmap/issues/2531)."""
    profile = profile_of(name)
    if compute.get("enabled") and compute.get("nodeRoleArn") and profile not in iam._instance_profiles:
        iam._instance_profiles[profile] = {
            "InstanceProfileName": profile, "InstanceProfileId": iam._gen_id("AIPA"), "Arn": iam.instance_profile_arn(profile), "Path": "/",
            "CreateDate": iam._now(), "Roles": [compute["nodeRoleArn"].rsplit("/", 1)[-1]], "Tags": [{"Key": "eks:eks-cluster-name", "Value": name}],
        }  # fmt: skip


def early(record: dict[str, Any]) -> dict[str, Any]:
    """Return a cluster's record; one that is being created has no endpoint and no authority yet."""
    hidden = ("endpoint", "certificateAuthority") if record["status"] == "CREATING" else ()
    return {key: value for key, value in eks._sanitize(record).items() if key not in hidden}


def full_logging(wanted: dict[str, Any] | None) -> dict[str, Any]:
    """Return the log types as DescribeCluster shows them: those that are on, then those that are off."""
    types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
    enabled = {t for setup in (wanted or {}).get("clusterLogging", []) if setup.get("enabled") for t in setup.get("types", [])}
    groups = [([t for t in types if t in enabled], True), ([t for t in types if t not in enabled], False)]
    return {"clusterLogging": [{"types": chosen, "enabled": on} for chosen, on in groups if chosen]}


def update_cluster(name: str, body: dict[str, Any]) -> Answer:
    """UpdateClusterConfig: one kind of change a call, as AWS has it, and none that changes nothing."""
    record = cluster_of(name)
    if record["status"] != "ACTIVE":
        raise in_use(f"Cluster {name} is in status {record['status']}")
    network = body.get("resourcesVpcConfig") or {}
    endpoint = {k: network[k] for k in ("endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs") if k in network}
    place = {k: network[k] for k in ("subnetIds", "securityGroupIds") if k in network}
    auto_mode = {k: body[k] for k in ("computeConfig", "storageConfig", "kubernetesNetworkConfig") if body.get(k)}
    kinds = {
        "EndpointAccessUpdate": endpoint,
        "VpcConfigUpdate": place,
        "LoggingUpdate": body.get("logging"),
        "AccessConfigUpdate": body.get("accessConfig"),
        "UpgradePolicyUpdate": body.get("upgradePolicy"),
        "ZonalShiftConfigUpdate": body.get("zonalShiftConfig"),
        "AutoModeUpdate": auto_mode,
        "DeletionProtectionUpdate": {"deletionProtection": body["deletionProtection"]} if body.get("deletionProtection") is not None else None,
    }
    chosen = [kind for kind, value in kinds.items() if value]
    if len(chosen) != 1:
        raise invalid("Only one type of update can be allowed.")
    kind = chosen[0]
    if kind in ("EndpointAccessUpdate", "VpcConfigUpdate"):
        wanted = {**record["resourcesVpcConfig"], **endpoint, **place}
        if wanted == record["resourcesVpcConfig"]:
            raise invalid("Cluster is already at the desired configuration")
        if not wanted["endpointPublicAccess"] and not wanted["endpointPrivateAccess"]:
            raise invalid("Private and public endpoint access cannot both be disabled")
        if place.get("subnetIds"):
            # docs.aws.amazon.com/eks/latest/userguide/network-reqs.html
            zones, made = ({one["AvailabilityZone"] for one in check_subnets(ids)} for ids in (place["subnetIds"], record["resourcesVpcConfig"]["subnetIds"]))
            if zones != made:
                raise invalid(f"Provided subnets belong to the AZs {sorted(zones)}, and those of the cluster are {sorted(made)}")
        record["resourcesVpcConfig"] = wanted
    elif kind == "LoggingUpdate":
        types = {t: setup["enabled"] for setup in record["logging"]["clusterLogging"] for t in setup["types"]}
        wanted = types | {t: setup.get("enabled", False) for setup in body["logging"]["clusterLogging"] for t in setup.get("types", [])}
        if wanted == types:
            raise invalid("No changes needed for the logging config provided")
        record["logging"] = full_logging({"clusterLogging": [{"types": [t for t, on in wanted.items() if on], "enabled": True}]})
    elif kind == "AccessConfigUpdate":
        was, mode = record["accessConfig"]["authenticationMode"], body["accessConfig"]["authenticationMode"]
        if MODES.index(mode) < MODES.index(was):
            raise invalid(f"Unsupported authentication mode update from {was} to {mode}")
        if mode == was:
            raise invalid("Cluster is already at the desired configuration")
        record["accessConfig"]["authenticationMode"] = mode
    elif kind == "AutoModeUpdate":
        check_auto_mode(body, record)
        for key, value in auto_mode.items():
            record[key] = {**record[key], **value}
        hold_role(name, record["computeConfig"])
    else:
        key = {"UpgradePolicyUpdate": "upgradePolicy", "ZonalShiftConfigUpdate": "zonalShiftConfig", "DeletionProtectionUpdate": "deletionProtection"}[kind]
        if record[key] == body[key]:
            raise invalid("Cluster is already at the desired configuration")
        record[key] = body[key]
    return update(f"cluster/{name}", kind, kinds[kind] or {})


def update_version(name: str, body: dict[str, Any]) -> Answer:
    """UpdateClusterVersion: one minor version up."""
    record = cluster_of(name)
    wanted, was = body["version"], record["version"]
    if wanted not in SUPPORTED or int(wanted.split(".")[1]) != int(was.split(".")[1]) + 1:
        raise invalid(f"Unsupported Kubernetes minor version update from {was} to {wanted}")
    if any(i["status"] == "ERROR" for i in insights(wanted)) and not body.get("force"):
        raise Refusal("InvalidStateException", "Cluster has upgrade insights with status ERROR; resolve them or use force")
    record["version"] = wanted
    return update(f"cluster/{name}", "VersionUpdate", {"Version": wanted, "PlatformVersion": "eks.1"})


def encrypt(name: str, body: dict[str, Any]) -> Answer:
    """AssociateEncryptionConfig: once, for good."""
    record = cluster_of(name)
    if record["encryptionConfig"]:
        raise invalid("Encryption is already enabled for the cluster")
    record["encryptionConfig"] = body["encryptionConfig"]
    return update(f"cluster/{name}", "AssociateEncryptionConfig", {"EncryptionConfig": body["encryptionConfig"]})


def delete_cluster(name: str) -> Answer:
    """DeleteCluster: not while it is protected or has node groups."""
    record = cluster_of(name)
    if record["deletionProtection"]:
        raise Refusal("InvalidRequestException", f"Cluster {name} can't be deleted because deletion protection is enabled. Disable it and try again.")
    if any(key.startswith(f"{name}/") for key in eks._nodegroups):
        raise in_use("Cluster has nodegroups attached")
    for key in [key for key in eks._addons if key.startswith(f"{name}/")]:
        eks._tags.pop(eks._addons.pop(key)["addonArn"], None)
    record["_gone_at"] = time.time() + control.seconds("eks")
    if profile := iam._instance_profiles.get(profile_of(name)):
        profile["_gone_at"] = record["_gone_at"] + control.seconds("profile")
    settle(record, f"cluster/{name}")
    answer = ok({"cluster": eks._sanitize(record)})
    if record["_gone_at"] <= time.time():
        forget(name)
    return answer


def nodegroup_of(name: str, group: str) -> dict[str, Any]:
    """Return a node group's record."""
    cluster_of(name)
    record = eks._nodegroups.get(f"{name}/{group}")
    if record is not None and record.get("_gone_at", float("inf")) <= time.time():
        eks._delete_nodegroup(name, group)
        record = None
    if record is None:
        raise missing(f"No node group found for name: {group}.")
    settle(record, f"nodegroup/{group}")
    if record["status"] == "ACTIVE" and not networked(name):
        record["status"] = "CREATE_FAILED"
        record["health"] = {"issues": [{"code": "NodeCreationFailure", "message": "Unhealthy nodes in the kubernetes cluster", "resourceIds": []}]}
    return record


def networked(name: str) -> bool:
    """Whether nodes of a cluster become ready: they do with the network's add-ons, or with what EKS puts into a cluster unmanaged."""
    addons = all(f"{name}/{addon}" in eks._addons for addon in ("vpc-cni", "kube-proxy"))
    return addons or eks._clusters[name]["_bootstrapped"]


def check_scaling(scaling: dict[str, int]) -> None:
    """Refuse sizes out of order."""
    if not scaling.get("minSize", 0) <= scaling.get("desiredSize", 1) <= scaling.get("maxSize", 1):
        raise invalid("Minimum capacity can't be greater than desired size, nor desired size than maximum capacity")


def create_nodegroup(name: str, body: dict[str, Any], call: Callable[[], Answer]) -> Answer:
    """CreateNodegroup."""
    record = cluster_of(name)
    if record["status"] not in ("ACTIVE", "UPDATING"):
        raise Refusal("InvalidRequestException", f"Cluster '{name}' is not in ACTIVE status")
    check_role(body["nodeRole"])
    check_scaling(body.get("scalingConfig") or {})
    for subnet in body["subnets"]:
        try:
            ec2().describe_subnets(SubnetIds=[subnet])
        except botocore.exceptions.ClientError as error:
            raise invalid(error.response["Error"]["Message"]) from error
    if any(not re.fullmatch(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", t) or t.startswith("zz") for t in body.get("instanceTypes") or []):
        raise invalid(f"The following supplied instance types do not exist: {body['instanceTypes']}")
    answer = call()
    if answer[0] != 200:
        return answer
    group = eks._nodegroups[f"{name}/{body['nodegroupName']}"]
    group["updateConfig"] = body.get("updateConfig") or {"maxUnavailable": 1}
    group["amiType"] = body.get("amiType") or "AL2023_x86_64_STANDARD"
    group["version"] = body.get("version") or record["version"]
    group["releaseVersion"] = body.get("releaseVersion") or f"{group['version']}.0-20261101"
    group["_ready_at"] = time.time() + control.seconds("eks") / 4
    for key in ("launchTemplate", "nodeRepairConfig"):
        if body.get(key):
            group[key] = body[key]
    if body.get("launchTemplate"):
        group.pop("diskSize", None)
    return ok({"nodegroup": shown(nodegroup_of(name, body["nodegroupName"]))})


def update_nodegroup(name: str, group: str, body: dict[str, Any]) -> Answer:
    """UpdateNodegroupConfig."""
    record = nodegroup_of(name, group)
    scaling = {**record["scalingConfig"], **(body.get("scalingConfig") or {})}
    check_scaling(scaling)
    record["scalingConfig"] = scaling
    for key in ("updateConfig", "nodeRepairConfig"):
        if body.get(key):
            record[key] = body[key]
    labels = body.get("labels") or {}
    record["labels"] = {k: v for k, v in {**record["labels"], **(labels.get("addOrUpdateLabels") or {})}.items() if k not in (labels.get("removeLabels") or [])}
    taints = body.get("taints") or {}
    gone = {(t["key"], t["effect"]) for t in [*(taints.get("removeTaints") or []), *(taints.get("addOrUpdateTaints") or [])]}
    record["taints"] = [t for t in record["taints"] if (t["key"], t["effect"]) not in gone] + (taints.get("addOrUpdateTaints") or [])
    return update(f"nodegroup/{group}", "ConfigUpdate", body)


def update_nodegroup_version(name: str, group: str, body: dict[str, Any]) -> Answer:
    """UpdateNodegroupVersion."""
    record = nodegroup_of(name, group)
    wanted = body.get("version") or record["version"]
    if wanted not in SUPPORTED or SUPPORTED.index(wanted) > SUPPORTED.index(cluster_of(name)["version"]):
        raise invalid(f"Nodegroup Kubernetes version {wanted} should be equal to or less than the cluster's")
    before = {key: record[key] for key in ("version", "releaseVersion")}
    record["version"] = wanted
    record["releaseVersion"] = body.get("releaseVersion") or f"{wanted}.0-20261101"
    if body.get("launchTemplate"):
        record["launchTemplate"] = {**record.get("launchTemplate", {}), **body["launchTemplate"]}
    return update(f"nodegroup/{group}", "VersionUpdate", body, (record, before))


def delete_nodegroup(name: str, group: str) -> Answer:
    """DeleteNodegroup."""
    record = nodegroup_of(name, group)
    record["_gone_at"] = time.time() + control.seconds("eks") / 4
    settle(record, f"nodegroup/{group}")
    answer = ok({"nodegroup": shown(record)})
    if record["_gone_at"] <= time.time():
        eks._delete_nodegroup(name, group)
    return answer


def check_addon(name: str, body: dict[str, Any], addon: str) -> None:
    """Refuse an add-on or a version that EKS does not have."""
    if addon not in ADDONS:
        raise invalid(f"Addon {addon} specified is not supported in {cluster_of(name)['version']} kubernetes version")
    more = [version for versions in control.content().get("addons", {}).values() for version in versions.get(addon, [])]
    if body.get("addonVersion") and body["addonVersion"] not in (ADDONS[addon], OLDER[addon], *more):
        raise invalid(f"Addon version specified is not supported: {addon} {body['addonVersion']}")


def create_addon(name: str, body: dict[str, Any], call: Callable[[], Answer]) -> Answer:
    """CreateAddon."""
    cluster_of(name)
    check_addon(name, body, body["addonName"])
    answer = call()
    if answer[0] != 200:
        return answer
    record = eks._addons[f"{name}/{body['addonName']}"]
    record["addonVersion"] = record["addonVersion"] or ADDONS[body["addonName"]]
    for key in ("serviceAccountRoleArn", "configurationValues"):
        if not record[key]:
            del record[key]
    record["podIdentityAssociations"] = []
    record["_ready_at"] = time.time() + control.seconds("eks") / 8
    settle(record, f"addon/{body['addonName']}")
    return ok({"addon": shown(record)})


def addon_of(name: str, addon: str) -> dict[str, Any]:
    """Return an add-on's record."""
    cluster_of(name)
    record = eks._addons.get(f"{name}/{addon}")
    if record is None:
        raise missing(f"No addon: {addon} found in cluster: {name}")
    settle(record, f"addon/{addon}")
    return record


def update_addon(name: str, addon: str, body: dict[str, Any]) -> Answer:
    """UpdateAddon."""
    record = addon_of(name, addon)
    check_addon(name, body, addon)
    record.update({k: body[k] for k in ("addonVersion", "serviceAccountRoleArn", "configurationValues") if k in body})
    return update(f"addon/{addon}", "AddonUpdate", {k: v for k, v in body.items() if k != "clientRequestToken"})


def addon_versions(query: dict[str, str]) -> Answer:
    """DescribeAddonVersions."""
    versions = [query["kubernetesVersion"]] if query.get("kubernetesVersion") else SUPPORTED
    found = []
    for name in [name for name in ADDONS if query.get("addonName") in (None, name)]:
        # By add-on version, the clusters' versions that it runs with; the first of a cluster's is its default.
        fits: dict[str, list[dict[str, Any]]] = {}
        for cluster in versions:
            for number, version in enumerate(control.content().get("addons", {}).get(cluster, {}).get(name, [ADDONS[name], OLDER[name]])):
                fits.setdefault(version, []).append({"clusterVersion": cluster, "platformVersions": ["*"], "defaultVersion": number == 0})
        offered = [{"addonVersion": version, "compatibilities": clusters} for version, clusters in fits.items()]
        found.append({"addonName": name, "type": "networking", "publisher": "eks", "owner": "aws", "addonVersions": offered})
    return ok({"addons": found})


def cluster_versions() -> Answer:
    """DescribeClusterVersions."""
    return ok({"clusterVersions": [
        {"clusterVersion": version, "clusterType": "eks", "defaultVersion": version == SUPPORTED[-2], "defaultPlatformVersion": "eks.1",
         "status": "standard-support" if version in STANDARD else "extended-support",
         "versionStatus": "STANDARD_SUPPORT" if version in STANDARD else "EXTENDED_SUPPORT"}
        for version in reversed(SUPPORTED)]})  # fmt: skip


def insights(version: str) -> list[dict[str, Any]]:
    """Return the upgrade insights that a test wants, or one that passes."""
    wanted = control.content().get("insights") or [{"name": "Deprecated APIs", "status": "PASSING", "reason": "No deprecated API usage detected."}]
    return [
        {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, item["name"])),
            "name": item["name"],
            "category": "UPGRADE_READINESS",
            "kubernetesVersion": item.get("version", version),
            "lastRefreshTime": time.time(),
            "lastTransitionTime": time.time(),
            "description": item["name"],
            "insightStatus": {"status": item["status"], "reason": item["reason"]},
            "status": item["status"],
            "recommendation": item.get("recommendation", ""),
            "resources": item.get("resources", []),
        }
        for item in wanted
    ]


def list_insights(name: str, body: dict[str, Any]) -> Answer:
    """ListInsights."""
    record = cluster_of(name)
    wanted = (body.get("filter") or {}).get("kubernetesVersions") or [f"1.{int(record['version'].split('.')[1]) + 1}"]
    hidden = ("status", "recommendation", "resources")
    return ok({"insights": [{k: v for k, v in item.items() if k not in hidden} for item in insights(wanted[0]) if item["kubernetesVersion"] in wanted]})


def describe_insight(name: str, number: str) -> Answer:
    """DescribeInsight."""
    record = cluster_of(name)
    for item in insights(f"1.{int(record['version'].split('.')[1]) + 1}"):
        if item["id"] == number:
            return ok({"insight": {k: v for k, v in item.items() if k != "status"}})
    raise missing(f"No insight found with ID: {number}")


def check_principal(arn: str) -> None:
    """Refuse an access entry for a user or role that IAM does not have."""
    found = re.fullmatch(r"arn:aws[\w-]*:iam::\d{12}:(user|role)/(?:.*/)?([^/]+)", arn)
    if not found or found[2] not in (iam._users if found[1] == "user" else iam._roles) or lag.used("role for EKS", found[2]):
        raise invalid("The specified principalArn is invalid: invalid principal.")


def list_updates(name: str) -> Answer:
    """ListUpdates."""
    cluster_of(name)
    return ok({"updateIds": list(UPDATES)})


def describe_update(number: str) -> Answer:
    """DescribeUpdate."""
    if number not in UPDATES:
        raise missing(f"No update found for ID: {number}")
    return ok({"update": shown(UPDATES[number])})


def answer(method: str, path: str, body: dict[str, Any], query: dict[str, str], call: Callable[[], Answer]) -> Answer:
    """Answer one call; ``call`` is MiniStack's own answer to it."""
    if path == "/clusters" and method == "GET":
        for name in list(eks._clusters):
            try:
                cluster_of(name)
            except Refusal:
                continue
        return call()
    cluster = r"/clusters/(?P<name>[\w-]+)"
    routes: list[tuple[str, str, Callable[..., Answer]]] = [
        ("GET", r"/addons/supported-versions", lambda: addon_versions(query)),
        ("GET", r"/cluster-versions", cluster_versions),
        ("POST", r"/clusters", lambda: create_cluster(body, call)),
        ("GET", cluster, lambda name: ok({"cluster": early(cluster_of(name))})),
        ("DELETE", cluster, delete_cluster),
        ("POST", cluster + r"/update-config", lambda name: update_cluster(name, body)),
        ("POST", cluster + r"/updates", lambda name: update_version(name, body)),
        ("GET", cluster + r"/updates", list_updates),
        ("GET", cluster + r"/updates/(?P<number>[\w-]+)", lambda name, number: describe_update(number)),
        ("POST", cluster + r"/encryption-config/associate", lambda name: encrypt(name, body)),
        ("POST", cluster + r"/insights", lambda name: list_insights(name, body)),
        ("GET", cluster + r"/insights/(?P<number>[\w-]+)", describe_insight),
        ("POST", cluster + r"/node-groups", lambda name: create_nodegroup(name, body, call)),
        ("GET", cluster + r"/node-groups/(?P<group>[\w-]+)", lambda name, group: ok({"nodegroup": shown(nodegroup_of(name, group))})),
        ("DELETE", cluster + r"/node-groups/(?P<group>[\w-]+)", delete_nodegroup),
        ("POST", cluster + r"/node-groups/(?P<group>[\w-]+)/update-config", lambda name, group: update_nodegroup(name, group, body)),
        ("POST", cluster + r"/node-groups/(?P<group>[\w-]+)/update-version", lambda name, group: update_nodegroup_version(name, group, body)),
        ("POST", cluster + r"/addons", lambda name: create_addon(name, body, call)),
        ("GET", cluster + r"/addons/(?P<addon>[\w.-]+)", lambda name, addon: ok({"addon": shown(addon_of(name, addon))})),
        ("POST", cluster + r"/addons/(?P<addon>[\w.-]+)/update", lambda name, addon: update_addon(name, addon, body)),
    ]
    for wanted, pattern, handler in routes:
        found = re.fullmatch(pattern, path)
        if found and wanted == method:
            return handler(**found.groupdict())
    found = re.match(cluster + r"/", path)
    if found:
        name = found["name"]
        cluster_of(name)
        for group in [key.split("/", 1)[1] for key in list(eks._nodegroups) if key.startswith(f"{name}/")]:
            try:
                nodegroup_of(name, group)
            except Refusal:
                continue
        if method == "POST" and re.fullmatch(cluster + r"/access-entries", path):
            check_principal(body.get("principalArn", ""))
        if method == "POST" and path.endswith("/access-policies") and not ACCESS_POLICY.fullmatch(body.get("policyArn", "")):
            raise invalid("The policyArn parameter format is not valid")
        if method == "POST" and re.fullmatch(cluster + r"/pod-identity-associations", path):
            check_role(body.get("roleArn", ""), "Role provided in the request does not exist.")
    return call()


_resolve_tagged = eks._resolve_tag_resource_arn


def resolve_tagged(arn: str) -> tuple[str | None, Answer | None]:
    """Return the ARN of what tags are for, or a refusal; Pod Identity associations have tags too."""
    if any(record["associationArn"] == arn for record in eks._pod_identity_associations.values()):
        return arn, None
    return _resolve_tagged(arn)


eks._resolve_tag_resource_arn = resolve_tagged


def describe_tags() -> None:
    """Let what is described have the tags of TagResource and UntagResource; MiniStack keeps them apart."""
    stores = {
        "arn": eks._clusters, "nodegroupArn": eks._nodegroups, "addonArn": eks._addons, "accessEntryArn": eks._access_entries,
        "associationArn": eks._pod_identity_associations,
    }  # fmt: skip
    for key, store in stores.items():
        for record in store.values():
            record["tags"] = dict(eks._tags.get(record[key], {}))


def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Answer:
    """Answer one call to EKS."""
    injected = control.fault("eks", f"{method} {path}")
    if injected:
        return eks._error(injected["status"], injected["code"], injected["message"])
    try:
        parsed = json.loads(body) if body else {}
    except ValueError:
        parsed = {}
    flat = {key: (value[0] if isinstance(value, list) else value) for key, value in query.items()}

    def call() -> Answer:
        return _handle(method, path, headers, json.dumps(parsed).encode() if path.startswith("/clusters") and parsed else body, query)

    try:
        found = answer(method, path, parsed, flat, call)
        describe_tags()
        return found
    except Refusal as refusal:
        return eks._error(refusal.status, refusal.code, refusal.message)


eks._handle_request_sync = handle


# --- Access policies: groups that mean the same on every cluster, so that a rehearsal binds them once ---------------------------
def access_group(cluster: str, principal: str, policy: str) -> str:
    """Return the group that an access policy becomes: that of Kubernetes' own administrators, or one named after the policy and where it holds."""
    association = eks._access_policies.get(eks._ap_key(cluster, principal, policy)) or {}
    scope, short = association.get("accessScope", {}), policy.rsplit("/", 1)[-1]
    if scope.get("type") == "cluster" and short == "AmazonEKSClusterAdminPolicy":
        return "system:masters"
    return ":".join(["eks-access", short, *scope.get("namespaces", [])])


eks._access_policy_group = access_group


# --- ECR: an immutable tag is not pushed again, and the registry wants to know who asks --------------------------------------
_registry, _put_manifest = ecr.handle_registry_request, ecr._v2_put_manifest


def put_manifest(name: str, ref: str, headers: dict[str, str], body: bytes) -> Answer:
    """Push a manifest; a tag of an immutable repository that leads to something else is refused."""
    repository = ecr._repositories.get(name) or {}
    existing = ecr._resolve_manifest(name, ref)[0]
    if repository.get("imageTagMutability") == "IMMUTABLE" and not ref.startswith("sha256:") and existing not in (None, ecr._content_digest(body)):
        return ecr._registry_error(400, "TAG_INVALID", f"The image tag '{ref}' already exists in the '{name}' repository and cannot be overwritten "
                                                       "because the tag is immutable.")  # fmt: skip
    return _put_manifest(name, ref, headers, body)


def authorization_token(data: dict[str, Any]) -> Answer:
    """GetAuthorizationToken: the registry is this program."""
    token = base64.b64encode(f"AWS:{uuid.uuid4().hex}".encode()).decode()
    host = f"localhost:{os.environ['GATEWAY_PORT']}"
    return ecr.json_response({"authorizationData": [{"authorizationToken": token, "expiresAt": int(time.time()) + 43200, "proxyEndpoint": f"http://{host}"}]})


async def registry(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Answer:
    """Answer a call to the registry; only who logs in with the user name ``AWS`` and a token writes.

    On AWS nobody reads without a token either; here the nodes do, for they have no EC2 role that would get them one.
    """
    if method in ("GET", "HEAD") and path.rstrip("/") != "/v2":  # by which clients learn that they have to log in
        return await _registry(method, path, headers, body, query)
    try:
        user = base64.b64decode(headers.get("authorization", "").removeprefix("Basic ")).decode().split(":")[0]
    except ValueError:
        user = ""
    if user != "AWS":
        status, answered, text = ecr._registry_error(401, "UNAUTHORIZED", "Not Authorized")
        return status, {**answered, "WWW-Authenticate": f'Basic realm="http://{os.environ["MINISTACK_HOST"]}/",service="ecr.amazonaws.com"'}, text
    return await _registry(method, path, headers, body, query)


ecr._repo_uri = lambda name: f"localhost:{os.environ['GATEWAY_PORT']}/{name}"
ecr._get_authorization_token = authorization_token
ecr._v2_put_manifest = put_manifest
ecr.handle_registry_request = registry


# --- IAM: what EKS lets go of by and by ------------------------------------------------------------------------------------
def letting_go(handler: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
    """Return a handler before which the instance profiles go whose time has come."""

    def handle_profiles(parameters: dict[str, Any]) -> Answer:
        for profile, record in list(iam._instance_profiles.items()):
            if record.get("_gone_at", float("inf")) <= time.time():
                iam._instance_profiles.pop(profile)
        return handler(parameters)

    return handle_profiles


for operation in ("ListInstanceProfilesForRole", "RemoveRoleFromInstanceProfile", "DeleteRole"):
    iam._IAM_HANDLERS[operation] = letting_go(iam._IAM_HANDLERS[operation])


# --- IAM: a simulation with the context that it is given, and with all resources --------------------------------------------
def numbered(parameters: dict[str, Any], name: str) -> list[str]:
    """Return a list of the query protocol."""
    found = []
    while value := iam._p(parameters, f"{name}.member.{len(found) + 1}"):
        found.append(value)
    return found


def simulate(parameters: dict[str, Any]) -> Answer:
    """SimulatePrincipalPolicy: MiniStack looks at the first resource only, and at no context."""
    source, account = iam._p(parameters, "PolicySourceArn"), os.environ["MINISTACK_ACCOUNT_ID"]
    kind, name = source.split(":")[5].split("/", 1)
    policies = (iam_evaluator._gather_user_policies if kind == "user" else iam_evaluator._gather_role_policies)(name, account)
    context, number = {}, 1
    while key := iam._p(parameters, f"ContextEntries.member.{number}.ContextKeyName"):
        context[key.lower()] = iam._p(parameters, f"ContextEntries.member.{number}.ContextKeyValues.member.1")
        number += 1

    def decide(action: str, resource: str) -> str:
        asked = iam_evaluator.EvalContext(
            principal_arn=source, principal_type="User", principal_account=account, action=action, resource_arn=resource,
            region=context.get("aws:requestedregion", os.environ["MINISTACK_REGION"]), service_context=context,
            request_tags={key.split("/", 1)[1]: value for key, value in context.items() if key.startswith("aws:requesttag/")},
        )  # fmt: skip
        decisions = {"Allow": "allowed", "Deny": "explicitDeny"}
        return decisions.get(iam_evaluator.evaluate(asked, policies).decision, "implicitDeny") if policies else "implicitDeny"

    resources = numbered(parameters, "ResourceArns") or ["*"]
    members = ""
    for action in numbered(parameters, "ActionNames"):
        each = {resource: decide(action, resource) for resource in resources}
        whole = next((decision for decision in each.values() if decision != "allowed"), "allowed")
        parts = "".join(f"<member><EvalResourceName>{r}</EvalResourceName><EvalResourceDecision>{d}</EvalResourceDecision></member>" for r, d in each.items())
        members += (f"<member><EvalActionName>{action}</EvalActionName><EvalDecision>{whole}</EvalDecision>"
                    f"<ResourceSpecificResults>{parts}</ResourceSpecificResults></member>")  # fmt: skip
    result = f"<EvaluationResults>{members}</EvaluationResults><IsTruncated>false</IsTruncated>"
    return iam._xml(200, "SimulatePrincipalPolicyResponse", f"<SimulatePrincipalPolicyResult>{result}</SimulatePrincipalPolicyResult>", ns="iam")


iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = simulate


# --- The server -------------------------------------------------------------------------------------------------------------
def noting(send: Callable[..., Any], service: str, operation: str, parameters: dict[str, Any]) -> Callable[..., Any]:
    """Return ``send``, which also notes what a call that goes well makes."""

    async def sending(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] < 300:
            lag.note(service, operation, parameters, "")
        await send(message)

    return sending


def with_record(app: Callable[..., Any]) -> Callable[..., Any]:
    """Return MiniStack's ``app`` with a record of its calls, and with the faults that a test wants; EKS has its own (above)."""

    async def asgi(scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        messages: list[dict[str, Any]] = []
        while not messages or messages[-1].get("more_body"):
            messages.append(await receive())
        body = b"".join(message.get("body", b"") for message in messages)  # an image's layer has a thousand parts

        async def again() -> Any:
            return messages.pop(0) if messages else await receive()

        headers = {key.decode("latin1").lower(): value.decode("latin1") for key, value in scope["headers"]}
        service, operation, parameters = calls.read(scope["method"], scope["path"], scope["query_string"].decode(), headers, body)
        calls.record(service, operation, parameters)
        injected = (control.fault(service, operation) or lag.refusal(service, operation, parameters)) if service != "eks" else None
        if not injected:
            return await app(scope, again, noting(send, service, operation, parameters))
        if service in ("iam", "sts"):
            kind, text = b"text/xml", f"<ErrorResponse><Error><Code>{injected['code']}</Code><Message>{injected['message']}</Message></Error></ErrorResponse>"
        else:
            kind, text = b"application/x-amz-json-1.1", json.dumps({"__type": injected["code"], "message": injected["message"]})
        await send({"type": "http.response.start", "status": injected["status"], "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": text.encode()})

    return asgi


if __name__ == "__main__":
    import ministack.app

    ministack.app.app = with_record(ministack.app.app)
    ministack.app.main()
