"""Derive the AWS roles' values from the inventory."""

from __future__ import annotations

import ipaddress
import itertools
import json
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils import iam
from ..plugin_utils.iam import pod_identities, trust_policy
from ..plugin_utils.inventory import aws as aws_variables

# Short names of the managed access policies (docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html).
ACCESS_POLICIES = {
    "cluster-admin": "AmazonEKSClusterAdminPolicy",
    "admin": "AmazonEKSAdminPolicy",
    "edit": "AmazonEKSEditPolicy",
    "view": "AmazonEKSViewPolicy",
}

# The baseline of a gp3 volume of RDS for PostgreSQL from a given size in GiB on (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html).
FASTER_FROM = 400
FASTER = {"iops": 12000, "storage_throughput": 500}

# A load balancer rule can have five values: the host, two patterns that a Prefix becomes, and the remaining two for networks
# (docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html).
NETWORKS_A_RULE = 2
ALB = "alb.ingress.kubernetes.io"


def aws_partition(region: str) -> str:
    """Return the partition of a region, the second field of every ARN (docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html).

    >>> aws_partition("eu-central-1"), aws_partition("cn-north-1")
    ('aws', 'aws-cn')
    """
    return aws_variables.partition(region)


def rds_authorities(region: str) -> str:
    """Return the URL of the CAs of RDS's certificates (docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html, also at amazonaws.cn).

    >>> rds_authorities("us-gov-east-1")
    'https://truststore.pki.us-gov-west-1.rds.amazonaws.com/us-gov-east-1/us-gov-east-1-bundle.pem'
    """
    hosts = {"aws-cn": "rds-truststore.s3.cn-north-1.amazonaws.com.cn", "aws-us-gov": "truststore.pki.us-gov-west-1.rds.amazonaws.com"}
    return f"https://{hosts.get(aws_partition(region), 'truststore.pki.rds.amazonaws.com')}/{region}/{region}-bundle.pem"


def dns_networks(service_network: str) -> list[str]:
    """Return the DNS address that pods use in addition to the DNS pods. Auto Mode runs DNS on its nodes, at the tenth address of the Service network.

    docs.aws.amazon.com/eks/latest/userguide/auto-networking.html; why a policy must name the address: github.com/aws/containers-roadmap/issues/2552.

    >>> dns_networks("172.20.0.0/16"), dns_networks("")
    (['172.20.0.10/32'], [])
    """
    return [f"{ipaddress.ip_network(service_network)[10]}/32"] if service_network else []


def vpc_subnets(network: str, zones: list[str]) -> list[dict[str, Any]]:
    """Return a private and a public subnet for each of ``zones``, with the tags for load balancer discovery.

    A private subnet takes an eighth of the network, because each pod has its own address; each public one takes a sixty-fourth, from the
    last eighth. So adding a third zone does not move the others. An existing cluster keeps its zones.

    >>> [(s["name"], s["cidr"]) for s in vpc_subnets("10.60.0.0/16", ["eu-central-1a", "eu-central-1b"])][:2]
    [('private-eu-central-1a', '10.60.0.0/19'), ('public-eu-central-1a', '10.60.224.0/22')]
    """
    if not 2 <= len(zones) <= 3 or len(set(zones)) != len(zones):
        raise AnsibleFilterError(f"berth_aws_zones must have two or three different zones, but it has {', '.join(zones) or 'none'}.")
    try:
        whole = ipaddress.IPv4Network(network)
    except ValueError as error:
        raise AnsibleFilterError(f"berth_aws_network: {error}.") from None
    # A VPC is a /16 at most. An eighth of a /22 is the smallest subnet with enough addresses for EKS, RDS and the pods.
    if not 16 <= whole.prefixlen <= 22:
        raise AnsibleFilterError(f"berth_aws_network is a /{whole.prefixlen}. Choose one from /16 (65536 addresses) to /22 (1024).")
    eighths = list(whole.subnets(prefixlen_diff=3))
    public = list(eighths[-1].subnets(prefixlen_diff=3))
    subnets = []
    for index, zone in enumerate(zones):
        internal = {"kubernetes.io/role/internal-elb": "1"}
        subnets.append({"name": f"private-{zone}", "zone": zone, "cidr": str(eighths[index]), "public": False, "tags": internal})
        subnets.append({"name": f"public-{zone}", "zone": zone, "cidr": str(public[index]), "public": True, "tags": {"kubernetes.io/role/elb": "1"}})
    return subnets


def admin_rules(networks: list[str], path: str, service: str) -> dict[str, Any]:
    """Return the ``annotations`` and ``paths`` to add to an Ingress so that only ``networks`` reach ``path`` of ``service``.

    The first rule that matches applies. The controller puts longer paths first, and rules of the same path in the order here:
    https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/#traffic-routing

    >>> admin_rules([], "/admin/", "polls")
    {'annotations': {}, 'paths': []}
    """
    if not networks:
        return {"annotations": {}, "paths": []}
    exact = [str(ipaddress.ip_network(each, strict=False)) for each in networks]
    forward = {"type": "forward", "forwardConfig": {"targetGroups": [{"serviceName": service, "servicePort": "http"}]}}
    refuse = {"type": "fixed-response", "fixedResponseConfig": {"contentType": "text/plain", "statusCode": "403", "messageBody": "Forbidden"}}
    annotations = {}
    for number, some in enumerate(itertools.batched(exact, NETWORKS_A_RULE), start=1):
        annotations[f"{ALB}/actions.admin-{number}"] = json.dumps(forward)
        annotations[f"{ALB}/conditions.admin-{number}"] = json.dumps([{"field": "source-ip", "sourceIpConfig": {"values": some}}])
    annotations[f"{ALB}/actions.admin-refused"] = json.dumps(refuse)
    actions = [name.rpartition(".")[2] for name in annotations if "/actions." in name]
    where = {"path": path.rstrip("/"), "pathType": "Prefix"}
    return {"annotations": annotations, "paths": [where | {"backend": {"service": {"name": name, "port": {"name": "use-annotation"}}}} for name in actions]}


def access_entries(access: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the access entries of users and roles, each with its policies in the module's format.

    >>> access_entries([{"principal": "arn:aws:iam::1:role/dev", "policy": "view", "namespaces": ["polls"]}])[0]["policies"]
    [{'policy': 'AmazonEKSViewPolicy', 'namespaces': ['polls']}]
    """
    entries = []
    for entry in access:
        policy = entry.get("policy")
        if policy and policy not in ACCESS_POLICIES:
            raise AnsibleFilterError(f"berth_eks_access: policy {policy} of {entry['principal']} is not one of: {', '.join(ACCESS_POLICIES)}.")
        policies = [{"policy": ACCESS_POLICIES[policy], "namespaces": entry.get("namespaces") or []}] if policy else []
        entries.append({"principal": entry["principal"], "groups": entry.get("groups") or [], "policies": policies})
    return entries


def stale_principals(entries: list[dict[str, Any]], access: list[dict[str, Any]], tags: dict[str, str]) -> list[str]:
    """Return the principals whose access entries are ours (by ``tags``) but are no longer in ``access``.

    >>> stale_principals([{"principal_arn": "arn:aws:iam::1:role/gone", "tags": {"berth:environment": "prod"}}], [], {"berth:environment": "prod"})
    ['arn:aws:iam::1:role/gone']
    """
    named = {entry["principal"] for entry in access}
    owner = "berth:environment"
    return [e["principal_arn"] for e in entries if (e.get("tags") or {}).get(owner) == tags[owner] and e["principal_arn"] not in named]


def eks_roles(compute: str, identities: list[dict[str, Any]], name: str, account: str, region: str) -> list[dict[str, Any]]:
    """Return the IAM roles of a cluster; see :func:`iam.eks_roles`."""
    try:
        return iam.eks_roles(compute, identities, name, account, region)
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from None


def iam_names(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the values for the IAM policies of the environment whose resources are called ``name``; ``given`` has the other arguments of
    :func:`iam.names`.
    """
    try:
        return dict(iam.names(name=name, **given))
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from None


def iam_policies(text: str, names: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return IAM policies by name, filled in; see :func:`iam.policies`."""
    return iam.policies(text, names)


def iam_files(policies: dict[str, Any], directory: str) -> list[dict[str, str]]:
    """Return the files of IAM policies, for the module C(files).

    >>> iam_files({"data": {}}, "/etc/iam")
    [{'path': '/etc/iam/data.json', 'content': '{}\\n', 'mode': '0644'}]
    """
    return [{"path": f"{directory}/{name}.json", "content": json.dumps(one, indent=2) + "\n", "mode": "0644"} for name, one in policies.items()]


def upgrade_plan(version: str, live: str, node_groups: list[dict[str, str]]) -> dict[str, Any]:
    """Return how to upgrade a cluster from ``live`` to ``version``: whether the ``control_plane``, and which ``nodes``; or why it is ``refused``.

    >>> upgrade_plan("1.35", "1.34", [{"nodegroup_name": "polls", "version": "1.34"}])
    {'refused': '', 'control_plane': True, 'nodes': ['polls']}
    >>> upgrade_plan("1.36", "1.34", [])["refused"]
    'EKS goes up one minor version at a time: set berth_eks_version to "1.35" first (the cluster runs 1.34, the inventory wants 1.36).'
    """
    now, then = aws_variables.minor(live), aws_variables.minor(version)
    both = f"(the cluster runs {live}, the inventory wants {version})"
    refused = ""
    if then < now:
        refused = f'EKS does not go back to an earlier version: set berth_eks_version to "{live}" {both}.'
    elif then > (now[0], now[1] + 1):
        refused = f'EKS goes up one minor version at a time: set berth_eks_version to "{now[0]}.{now[1] + 1}" first {both}.'
    behind = [group["nodegroup_name"] for group in node_groups if aws_variables.minor(group["version"]) < then]
    return {"refused": refused, "control_plane": then > now, "nodes": behind}


def eks_addons(wanted: dict[str, str], compute: str) -> dict[str, str]:
    """Return a cluster's add-ons, each with its version or empty for EKS's choice: the inventory's, and those that node groups need to become ready.

    Auto Mode has these built in: docs.aws.amazon.com/eks/latest/userguide/eks-add-ons.html.

    >>> eks_addons({"coredns": "v1"}, "nodes")
    {'vpc-cni': '', 'kube-proxy': '', 'coredns': 'v1', 'eks-pod-identity-agent': ''}
    >>> eks_addons({"metrics-server": ""}, "auto")
    {'metrics-server': ''}
    """
    needed = ("vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent") if compute == "nodes" else ()
    return dict.fromkeys(needed, "") | wanted


def addon_plan(addons: list[dict[str, Any]], wanted: dict[str, str], version: str) -> dict[str, Any]:
    """Return the versions for add-ons that do not support a Kubernetes version (``targets``), and what blocks the upgrade (``blockers``).

    Args:
        addons: As eks_upgrade_insights_info returns them.
        wanted: The inventory's add-ons, each with its version or empty for EKS's choice.
        version: The Kubernetes version.

    >>> addon_plan([{"name": "coredns", "compatible": False, "default_version": "v2", "compatible_versions": ["v2"]}], {}, "1.35")
    {'targets': {'coredns': 'v2'}, 'blockers': []}
    """
    targets, blockers = {}, []
    for addon in addons:
        name, choices, pinned = addon["name"], addon["compatible_versions"], wanted.get(addon["name"], "")
        best = addon["default_version"] or next(iter(choices), "")
        if pinned and pinned not in choices:
            text = f"berth_eks_addons.{name}: {pinned} does not run with Kubernetes {version}"
            blockers.append(f"{text}; set it to {best}, or leave it empty for EKS's choice." if best else f"{text}, and EKS has no version of it that does.")
        elif not addon["compatible"] and not best:
            blockers.append(f"Add-on {name}: EKS has no version of it that runs with Kubernetes {version}; remove it first, or wait for one.")
        elif not addon["compatible"]:
            targets[name] = pinned or best
    return {"targets": targets, "blockers": blockers}


def upgrade_report(upgrade: dict[str, Any]) -> list[str]:
    """Return what will be upgraded and what was found, a line each; ``upgrade`` is C(eks_upgrade) of the role eks.

    >>> upgrade_report({"current": "1.35", "version": "1.35", "control_plane": False, "nodes": [], "addons": {}, "blockers": [], "warnings": []})
    ['The cluster runs 1.35, as the inventory wants: there is nothing to upgrade.']
    """
    steps = [f"the control plane from {upgrade['current']} to {upgrade['version']}"] if upgrade["control_plane"] else []
    steps += [f"the nodes of {name} to {upgrade['version']}" for name in upgrade["nodes"]]
    steps += [f"the add-on {name} to {version}" for name, version in upgrade["addons"].items()]
    nothing = f"The cluster runs {upgrade['version']}, as the inventory wants: there is nothing to upgrade."
    lines = [f"To be upgraded: {'; then '.join(steps)}." if steps else nothing]
    lines += [f"Blocks the upgrade: {sentence}" for sentence in upgrade["blockers"]]
    return lines + [f"Check before the upgrade: {sentence}" for sentence in upgrade["warnings"]]


def rds_changes(instance: dict[str, Any], version: str, storage: int) -> dict[str, Any]:
    """Return which changes of version and storage (GiB, at least) to request; for an existing instance only real differences.

    ``17`` means any 17.x, because AWS applies minor versions automatically. Storage grows automatically and cannot shrink.
    Changes that wait for the maintenance window count as done.

    >>> rds_changes({"engine_version": "17.6", "allocated_storage": 30}, "17", 20)
    {}
    >>> rds_changes({"engine_version": "16.9", "allocated_storage": 20}, "17", 40)
    {'engine_version': '17', 'allow_major_version_upgrade': True, 'allocated_storage': 40}
    """
    if not instance:
        return {"engine_version": version, "allocated_storage": storage}
    there = instance | (instance.get("pending_modified_values") or {})
    live = str(there["engine_version"])
    changes: dict[str, Any] = {}
    if live != version and not live.startswith(f"{version}."):
        changes["engine_version"] = version
        if live.split(".")[0] != version.split(".")[0]:
            changes["allow_major_version_upgrade"] = True
    if there["allocated_storage"] < storage:
        changes["allocated_storage"] = storage
        if there["allocated_storage"] < FASTER_FROM <= storage:
            changes |= FASTER
    return changes


def rds_backup_said(made: dict[str, Any], environment: str, keep: int, check: bool) -> list[str]:
    """Return the final message of a backup in RDS.

    Args:
        made: What the module rds_snapshot returned.
        environment: The environment's name.
        keep: How many snapshots are kept (berth_rds_keep_snapshots).
        check: Whether nothing was done.
    """
    name, removed = made["snapshot"], ", ".join(made["removed"])
    lines = [f"RDS would make a snapshot of {environment}, like {name}." if check else f"RDS snapshot {name} contains the data of {environment}."]
    if removed:
        lines.append(f"{'This would be removed' if check else 'Removed'}: {removed}. {keep} are kept (berth_rds_keep_snapshots).")
    if check:
        return lines
    restore = f"ansible-playbook playbooks/ops/restore.yml -i inventories/{environment} -e ops_snapshot={name}"
    return [*lines, f"{restore} restores them; a new environment gets them with berth_rds_snapshot: {name} in its inventory."]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        network = (aws_partition, vpc_subnets, dns_networks, rds_authorities)
        access = (trust_policy, access_entries, stale_principals, eks_roles, pod_identities)
        databases = (rds_changes, rds_backup_said)
        policies = (iam_names, iam_policies, iam_files)
        return {f.__name__: f for f in (*network, *access, *policies, admin_rules, upgrade_plan, eks_addons, addon_plan, upgrade_report, *databases)}
