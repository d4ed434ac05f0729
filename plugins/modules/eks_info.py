"""Read an EKS cluster and everything that belongs to it."""

from __future__ import annotations

DOCUMENTATION = """
module: eks_info
short_description: Read an EKS cluster and everything that belongs to it
description: Reads a cluster, its node groups, add-ons, access entries with their policies, and Pod Identity associations. Changes nothing.
options:
  name: {description: The cluster's name., type: str, required: true}
attributes:
  check_mode: {support: full, description: Changes nothing.}
  diff_mode: {support: none, description: Changes nothing.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Read the cluster
  berth.platform.eks_info:
    name: polls-prod
  register: eks
"""

RETURN = """
cidr_blocks: {description: The networks (CIDR) of the cluster's VPC., returned: always, type: list, elements: str}
exists: {description: Whether there is such a cluster., returned: always, type: bool}
cluster: {description: "The cluster as M(eks_cluster) returns it, empty if there is none.", returned: always, type: dict}
node_groups: {description: The node groups as M(eks_node_group) returns them., returned: always, type: list, elements: dict}
addons: {description: The add-ons as M(eks_addon) returns them., returned: always, type: list, elements: dict}
access_entries: {description: The access entries as M(eks_access_entry) returns them., returned: always, type: list, elements: dict}
pod_identity_associations:
  description: The associations as M(eks_pod_identity_association) returns them, those of add-ons included.
  returned: always
  type: list
  elements: dict
"""

from typing import Any

from ..module_utils.aws.eks import shown_cluster
from ..module_utils.aws.session import Aws, connect, run, snake

OPTIONS: dict[str, Any] = {"name": {"type": "str", "required": True}}


def main() -> None:
    """Run the module."""
    run(work, "eks", "EKS cluster {name}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Read everything."""
    name = aws.options["name"]
    cluster = aws.find("describe_cluster", "cluster", name=name)
    return {
        "exists": bool(cluster),
        "cidr_blocks": cidr_blocks(aws, cluster["resourcesVpcConfig"].get("vpcId", "")) if cluster else [],
        "cluster": shown_cluster(cluster) if cluster else {},
        "node_groups": each(aws, "list_nodegroups", "nodegroups", "describe_nodegroup", "nodegroup", "nodegroupName"),
        "addons": each(aws, "list_addons", "addons", "describe_addon", "addon", "addonName"),
        "access_entries": access_entries(aws),
        "pod_identity_associations": each(
            aws, "list_pod_identity_associations", "associations", "describe_pod_identity_association", "association", "associationId"
        ),
    }


def cidr_blocks(aws: Aws, vpc: str) -> list[str]:
    """Return the networks of a VPC; none if there is no VPC (yet)."""
    if not vpc:
        return []
    found = connect(aws.module, "ec2").describe_vpcs(VpcIds=[vpc])["Vpcs"]
    return [block["CidrBlock"] for block in found[0]["CidrBlockAssociationSet"] if block["CidrBlockState"]["State"] == "associated"]


def each(aws: Aws, listing: str, listed: str, describing: str, described: str, key: str) -> list[dict[str, Any]]:
    """Return the descriptions of all listed items, without those that were deleted in between."""
    cluster = {"clusterName": aws.options["name"]}
    found = aws.list(listing, listed, **cluster)
    identifiers = sorted(one[key] if isinstance(one, dict) else one for one in found)
    resources = [aws.find(describing, described, **cluster, **{key: identifier}) for identifier in identifiers]
    return [snake(resource) for resource in resources if resource]


def access_entries(aws: Aws) -> list[dict[str, Any]]:
    """Return the access entries with their policies; none if the cluster's authentication mode does not support them."""
    try:
        entries = each(aws, "list_access_entries", "accessEntries", "describe_access_entry", "accessEntry", "principalArn")
    except aws.client.exceptions.InvalidRequestException:
        return []
    for entry in entries:
        key = {"clusterName": aws.options["name"], "principalArn": entry["principal_arn"]}
        entry["policies"] = [snake(policy) for policy in aws.list("list_associated_access_policies", "associatedAccessPolicies", **key)]
    return entries


if __name__ == "__main__":
    main()
