"""The IAM roles of an environment, the policies of its deployer, and the permissions boundaries of both."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from typing import Any

from ..module_utils.formats import ZONE_ID
from .inventory.aws import LONGEST_ROLE, partition

Names = Mapping[str, str | list[str]]
"""What is filled into policies."""


def service_principal(service: str, region: str) -> str:
    """Return IAM's name of an AWS service; in China, only EC2 has a name of its own.

    >>> service_principal("ec2", "cn-north-1"), service_principal("eks", "cn-north-1")
    ('ec2.amazonaws.com.cn', 'eks.amazonaws.com')
    """
    return f"{service}.amazonaws.com{'.cn' if service == 'ec2' and partition(region) == 'aws-cn' else ''}"


def trust_policy(services: list[str], actions: list[str] | None = None, region: str = "") -> str:
    """Return the policy that allows AWS services to assume a role; ``eks`` stands for eks.amazonaws.com.

    >>> trust_policy(["ec2"])
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": ["ec2.amazonaws.com"]}, "Action": ["sts:AssumeRole"]}]}'
    """
    principal = {"Service": [service_principal(service, region) for service in services]}
    statement = {"Effect": "Allow", "Principal": principal, "Action": actions or ["sts:AssumeRole"]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def boundary(account: str, region: str, name: str) -> str:
    """Return the ARN of the policy that bounds every role of an environment (its permissions boundary).

    >>> boundary("123456789012", "eu-central-1", "polls-prod")
    'arn:aws:iam::123456789012:policy/polls-prod-boundary'
    """
    return f"arn:{partition(region)}:iam::{account}:policy/{name}-boundary"


def eks_roles(compute: str, identities: list[dict[str, Any]], name: str, account: str, region: str) -> list[dict[str, Any]]:
    """Return the IAM roles of a cluster: for its control plane, its nodes and the pods that need AWS.

    Each has ``key`` (``cluster``, ``node`` or ``namespace/service account``), ``name``, ``arn``, ``trust`` (a document), ``policies`` (ARNs) and ``boundary``
    (an ARN). The managed policies are those of docs.aws.amazon.com/eks/latest/userguide: "Amazon EKS cluster IAM role", "Auto Mode node IAM role" and "node
    IAM role".

    Raises:
        ValueError: A name is too long.

    >>> [role["arn"] for role in eks_roles("auto", [], "polls-prod", "123456789012", "eu-central-1")]
    ['arn:aws:iam::123456789012:role/polls-prod-cluster', 'arn:aws:iam::123456789012:role/polls-prod-node']
    >>> eks_roles("nodes", [], "polls-prod", "123456789012", "eu-central-1")[1]["name"]
    'polls-prod-node-group'
    """
    automatic = compute == "auto"
    more = ["AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy"] if automatic else []
    node = ["AmazonEKSWorkerNodeMinimalPolicy"] if automatic else ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy"]
    tagged = ["sts:AssumeRole", "sts:TagSession"]
    wanted = [
        ("cluster", "cluster", trust_policy(["eks"], tagged if automatic else None), ["AmazonEKSClusterPolicy", *more]),
        # Separate roles: the access entry that EKS makes for a node group's role is of another kind than Auto Mode's, and stays while old nodes still run.
        ("node", "node" if automatic else "node-group", trust_policy(["ec2"], region=region), [*node, "AmazonEC2ContainerRegistryPullOnly"]),
    ]
    for identity in identities:
        account_of_pods = f"{identity['namespace']}/{identity['service_account']}"
        wanted.append((account_of_pods, account_of_pods.replace("/", "-"), trust_policy(["pods.eks"], tagged), identity.get("policies") or []))
    roles = []
    for key, suffix, trust, policies in wanted:
        full = f"{name}-{suffix}"
        if len(full) > LONGEST_ROLE:
            raise ValueError(f"The IAM role {full} would have more than 64 characters. Shorten berth_aws_name or the service account's name.")
        arns = [policy if policy.startswith("arn:") else f"arn:{partition(region)}:iam::aws:policy/{policy}" for policy in policies]
        arn = f"arn:{partition(region)}:iam::{account}:role/{full}"
        roles.append({"key": key, "name": full, "arn": arn, "trust": trust, "policies": arns, "boundary": boundary(account, region, name)})
    return roles


def pod_identities(wanted: list[dict[str, Any]], compute: str, addons: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the service accounts that get an IAM role: those of the inventory, and the volume driver's if it is one of our add-ons.

    >>> pod_identities([], "nodes", {"aws-ebs-csi-driver": ""})[0]["service_account"]
    'ebs-csi-controller-sa'
    """
    driver = {"namespace": "kube-system", "service_account": "ebs-csi-controller-sa", "policies": ["service-role/AmazonEBSCSIDriverPolicy"]}
    return [*([driver] if compute == "nodes" and "aws-ebs-csi-driver" in addons else []), *wanted]


def names(
    environment: str,
    name: str,
    account: str,
    region: str,
    repository: str,
    identities: list[dict[str, Any]],
    addons: Mapping[str, str],
    vpc: Mapping[str, Any],
    zone: str,
    snapshot: str = "",
) -> Names:
    """Return the values to fill into an environment's policies.

    Args:
        environment, name: The environment's name, and that of its resources in AWS.
        account, region: The account and region that it is in.
        repository: The ECR repository.
        identities, addons, vpc, zone, snapshot: The values of berth_eks_pod_identities, berth_eks_addons, berth_aws_vpc, berth_entry_zone and
            berth_rds_snapshot.

    ``roles`` are the names of all roles that it may get, ``pods`` the ARNs of those for pods, ``policies`` those that are attached to them, with Auto Mode
    or with nodes. ``zones`` is empty while only the zone's name is known.
    """
    wanted = pod_identities(identities, "nodes", addons)
    roles = [role for compute in ("auto", "nodes") for role in eks_roles(compute, wanted, name, account, region)]
    return {
        "partition": partition(region),
        "ec2": service_principal("ec2", region),
        "account": account,
        "region": region,
        "environment": environment,
        "name": name,
        "repository": repository,
        "roles": sorted({role["name"] for role in roles}),
        "pods": sorted({role["arn"] for role in roles if role["key"] not in ("cluster", "node")}),
        "policies": sorted({policy for role in roles for policy in role["policies"]}),
        "vpcs": [vpc["id"]] if vpc else [],
        "snapshots": [snapshot if snapshot.startswith("arn:") else f"arn:{partition(region)}:rds:{region}:{account}:snapshot:{snapshot}"] if snapshot else [],
        "zones": [zone] if ZONE_ID.fullmatch(zone) else [],
    }


def policies(text: str, filled: Names) -> dict[str, dict[str, Any]]:
    """Return IAM policies by name, without statements that apply to nothing.

    Args:
        text: The text of roles/eks/files/iam_policies.json or iam_boundary.json.
        filled: As :func:`names` returns them.

    >>> policies('{"data": {"Statement": [{"Resource": ["arn:${partition}:rds:${roles}"]}]}}', {"partition": "aws", "roles": ["a", "b"]})
    {'data': {'Statement': [{'Resource': ['arn:aws:rds:a', 'arn:aws:rds:b']}]}}
    """
    return {name: {**document, "Statement": _statements(document["Statement"], filled)} for name, document in json.loads(text).items()}


def _statements(templates: list[dict[str, Any]], filled: Names) -> list[dict[str, Any]]:
    """Return filled-in statements; one without a resource, or with a condition that nothing can meet, is left out."""
    found = [_fill(template, filled) for template in templates]
    values = ([one.get("Resource", ["*"]), *(value for keys in one.get("Condition", {}).values() for value in keys.values())] for one in found)
    return [one for one, needed in zip(found, values, strict=True) if [] not in needed]


def _fill(value: Any, filled: Names) -> Any:
    """Return a filled-in part of a policy; in a list, a template that names a list becomes one entry for each of its elements."""
    if isinstance(value, dict):
        return {string.Template(key).safe_substitute(filled): _fill(inner, filled) for key, inner in value.items()}
    if isinstance(value, list):
        return [text for inner in value for text in (_entries(inner, filled) if isinstance(inner, str) else [_fill(inner, filled)])]
    return string.Template(value).safe_substitute(filled)


def _entries(template: str, filled: Names) -> list[str]:
    """Return a template once for each entry of the list that it names."""
    several = next((key for key in string.Template(template).get_identifiers() if isinstance(filled.get(key), list)), None)
    choices = [{**filled, several: one} for one in filled[several]] if several else [filled]
    return [string.Template(template).safe_substitute(choice) for choice in choices]
