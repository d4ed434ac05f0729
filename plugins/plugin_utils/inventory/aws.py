"""Check the inventory of an environment in AWS, without asking AWS."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ...module_utils import formats
from .variables import Problem, nearest

NEEDED = ("berth_aws_account", "berth_aws_region", "berth_aws_zones", "berth_eks_version")

# docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html: networks that a VPC cannot use.
NO_VPC = [ipaddress.IPv4Network(network) for network in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4")]
ENDPOINTS = ("s3", "ecr.api", "ecr.dkr", "sts", "logs")
POLICIES = ("cluster-admin", "admin", "edit", "view")
# docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
MOST_PUBLIC_NETWORKS = 40  # docs.aws.amazon.com/eks/latest/userguide/service-quotas.html
LONGEST_ROLE = 64  # docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
# Nodes in Auto Mode's built-in pool (docs.aws.amazon.com/eks/latest/userguide/set-builtin-node-pools.html), and in a group (roles/eks/tasks/nodes.yml).
NODES = ("amd64",)
MOST_STORAGE = 65536  # GiB of gp3, docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html
LEAST_STORAGE = 20
VOLUMES = "aws-ebs-csi-driver"
"""The add-on that provides volumes without Auto Mode."""
MOST_BACKUP_DAYS = 35
MOST_SNAPSHOTS = 100

Get = Callable[[str], Any]
"""Returns a variable's value, or its documented default."""


def problems(get: Get, environment: str, suspect: set[str]) -> list[Problem]:
    """Return all problems.

    Args:
        get: Reads a variable. Its type is right, unless it is in ``suspect``.
        environment: The environment's name.
        suspect: Variables that are known to be wrong. Checks that need them are skipped.
    """
    found = [Problem((name,), "is missing; berth_provider: eks needs it") for name in NEEDED if name not in suspect and not get(name)]
    for needs, check in CHECKS:
        if not (suspect | {problem.variable for problem in found}) & set(needs):
            found += check(get, environment)
    return found


def environment_name(get: Get, environment: str) -> str:
    """Return the name of the environment's resources in AWS (the role eks calls it C(eks_name))."""
    return get("berth_aws_name") or f"{get('berth_app_name')}-{environment}"


def partition(region: str) -> str:
    """Return the partition of a region, the second field of every ARN (docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html)."""
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")


def minor(version: str) -> tuple[int, int]:
    """Return the numbers of a well-formed Kubernetes version."""
    major, _, rest = version.partition(".")
    return int(major), int(rest)


def _account(get: Get, environment: str) -> list[Problem]:
    account = get("berth_aws_account")
    return [] if re.fullmatch(r"\d{12}", account) else [Problem(("berth_aws_account",), f"{account!r} is not an AWS account; write its 12 digits in quotes")]


def _region(get: Get, environment: str) -> list[Problem]:
    region = get("berth_aws_region")
    good = re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-\d", region)
    return [] if good else [Problem(("berth_aws_region",), f"{region!r} is not an AWS region; write it like eu-central-1")]


def _zones(get: Get, environment: str) -> list[Problem]:
    zones, region, name = get("berth_aws_zones"), get("berth_aws_region"), "berth_aws_zones"
    found = [
        Problem((name, number), f"{zone!r} is not a zone of {region}; write it like {region}a")
        for number, zone in enumerate(zones)
        if not re.fullmatch(rf"{re.escape(region)}[a-z]", zone)
    ]
    found += [Problem((name, number), f"{zone} is listed twice") for number, zone in enumerate(zones) if zone in zones[:number]]
    if not 2 <= len(zones) <= 3:
        found.append(Problem((name,), f"has {len(zones)}, but must have two or three: EKS and RDS need at least two, and the network has room for three"))
    return found


def _version(get: Get, environment: str) -> list[Problem]:
    version = get("berth_eks_version")
    good = re.fullmatch(r"\d+\.\d+", version)
    return [] if good else [Problem(("berth_eks_version",), f'{version!r} is not an EKS version; write major and minor, like "1.35"')]


def _network(get: Get, environment: str) -> list[Problem]:
    name, value = "berth_aws_network", get("berth_aws_network")
    if get("berth_aws_vpc"):
        return []  # not used
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError as error:
        return [Problem((name,), f"{error}; write it like 10.60.0.0/16")]
    if not 16 <= network.prefixlen <= 22:
        size = "large for a VPC" if network.prefixlen < 16 else "small for nodes and pods in three zones"
        return [Problem((name,), f"a /{network.prefixlen} is too {size}; choose one from /16 (65536 addresses) to /22 (1024)")]
    clash = next((taken for taken in NO_VPC if network.overlaps(taken)), None)
    return [Problem((name,), f"{network} overlaps {clash}, which a VPC cannot use; choose a private network, like 10.60.0.0/16")] if clash else []


def _vpc(get: Get, environment: str) -> list[Problem]:
    name, vpc = "berth_aws_vpc", get("berth_aws_vpc")
    if not vpc:
        return []
    found = [Problem((name, key), "is missing; a VPC that is managed outside Berth needs it") for key in ("id", "private_subnet_ids") if not vpc.get(key)]
    if vpc.get("id") and not re.fullmatch(r"vpc-[0-9a-f]+", vpc["id"]):
        found.append(Problem((name, "id"), f"{vpc['id']!r} is not a VPC ID; it starts with vpc-"))
    subnets = vpc.get("private_subnet_ids") or []
    found += [
        Problem((name, "private_subnet_ids", number), f"{subnet!r} is not a subnet ID; it starts with subnet-")
        for number, subnet in enumerate(subnets)
        if not re.fullmatch(r"subnet-[0-9a-f]+", subnet)
    ]
    if len(subnets) == 1:
        found.append(Problem((name, "private_subnet_ids"), "has one subnet; EKS and RDS need at least two, in different zones"))
    return found


def _endpoints(get: Get, environment: str) -> list[Problem]:
    return [
        Problem(("berth_aws_endpoints", number), f"{one!r} is not one of: {', '.join(ENDPOINTS)}{nearest(one, ENDPOINTS)}")
        for number, one in enumerate(get("berth_aws_endpoints"))
        if one not in ENDPOINTS
    ]


def _public_access(get: Get, environment: str) -> list[Problem]:
    name, networks = "berth_eks_public_access", get("berth_eks_public_access")
    found = []
    for number, value in enumerate(networks):
        wrong = formats.network(value)
        if wrong:
            found.append(Problem((name, number), wrong))
        elif ipaddress.ip_network(value).prefixlen == 0 and not boolean(get("berth_eks_public_to_world")):
            text = f"{value} opens the API server to the whole internet; name your networks, or set berth_eks_public_to_world: true"
            found.append(Problem((name, number), text))
    if len(networks) > MOST_PUBLIC_NETWORKS:
        found.append(Problem((name,), f"has {len(networks)} networks, but EKS allows {MOST_PUBLIC_NETWORKS}; merge some"))
    return found


def _access(get: Get, environment: str) -> list[Problem]:
    found = []
    for number, entry in enumerate(get("berth_eks_access")):
        path = ("berth_eks_access", number)
        principal, policy = entry["principal"], entry.get("policy")
        if ":assumed-role/" in principal:
            found.append(Problem((*path, "principal"), f"{principal} is a session; use the role itself: arn:aws:iam::ACCOUNT:role/NAME"))
        elif not re.fullmatch(r"arn:aws[\w-]*:iam::\d{12}:(user|role)/[\w+=,.@/-]+", principal):
            found.append(Problem((*path, "principal"), f"{principal!r} is not an IAM user or role; write it like arn:aws:iam::123456789012:role/deployer"))
        if policy and policy not in POLICIES:
            found.append(Problem((*path, "policy"), f"{policy!r} is not one of: {', '.join(POLICIES)}{nearest(policy, POLICIES)}"))
        if not policy and not entry.get("groups"):
            found.append(Problem(path, f"grants {principal} nothing; give it a policy or groups"))
    return found


def _log_days(get: Get, environment: str) -> list[Problem]:
    days = int(get("berth_eks_log_days"))
    if days in LOG_DAYS:
        return []
    text = f"{days} is not a retention that CloudWatch supports; choose one of: {', '.join(map(str, LOG_DAYS))}"
    return [Problem(("berth_eks_log_days",), text)]


def _nodes(get: Get, environment: str) -> list[Problem]:
    nodes, name = get("berth_eks_nodes"), "berth_eks_nodes"
    found = [
        Problem((name, "types", number), f"{kind!r} is not an instance type; write it like t3.large")
        for number, kind in enumerate(nodes.get("types") or [])
        if not re.fullmatch(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", kind)
    ]
    if "types" in nodes and not nodes["types"]:
        found.append(Problem((name, "types"), "is empty; name an instance type, or remove it"))
    numbers = {key: int(nodes[key]) for key in ("min", "max", "disk") if key in nodes}
    found += [
        Problem((name, key), f"{numbers[key]} is too few: at least {least} is needed")
        for key, least in (("min", 0), ("max", 1), ("disk", LEAST_STORAGE))
        if key in numbers and numbers[key] < least
    ]
    if "min" in numbers and "max" in numbers and numbers["min"] > numbers["max"]:
        found.append(Problem((name, "min"), f"{numbers['min']} is above max, which is {numbers['max']}"))
    return found


def _rds(get: Get, environment: str) -> list[Problem]:
    if get("berth_database") != "rds":
        return []
    found = []
    kind, version, days = get("berth_rds_class"), get("berth_rds_version"), int(get("berth_rds_backup_days"))
    if not re.fullmatch(r"db\.[a-z0-9-]+\.[a-z0-9-]+", kind):
        found.append(Problem(("berth_rds_class",), f"{kind!r} is not an RDS instance class; write it like db.t4g.medium"))
    if not re.fullmatch(r"\d+(\.\d+)?", version):
        found.append(Problem(("berth_rds_version",), f'{version!r} is not a PostgreSQL version; write it like "17" or "17.6"'))
    if not 0 <= days <= MOST_BACKUP_DAYS:
        found.append(Problem(("berth_rds_backup_days",), f"{days} is not between 0 (no backups) and {MOST_BACKUP_DAYS}"))
    keep = int(get("berth_rds_keep_snapshots"))
    if not 1 <= keep <= MOST_SNAPSHOTS:
        found.append(Problem(("berth_rds_keep_snapshots",), f"{keep} is not between 1 and {MOST_SNAPSHOTS}, the most that an account may have in a region"))
    storage = {key: int(value) for key, value in get("berth_rds_storage").items()}
    found += [
        Problem(("berth_rds_storage", key), f"{value} GiB is not between {LEAST_STORAGE} and {MOST_STORAGE}")
        for key, value in storage.items()
        if not LEAST_STORAGE <= value <= MOST_STORAGE
    ]
    if "min" in storage and "max" in storage and storage["min"] > storage["max"]:
        found.append(Problem(("berth_rds_storage", "min"), f"{storage['min']} is above max, which is {storage['max']}"))
    return found


def _volumes(get: Get, environment: str) -> list[Problem]:
    if get("berth_database") != "cluster" or get("berth_eks_compute") == "auto" or get("berth_database_storage_class"):
        return []
    if VOLUMES in get("berth_eks_addons"):
        return []
    text = f"with berth_eks_compute: nodes, nothing provides its volume without the add-on {VOLUMES}"
    return [Problem(("berth_database",), f'{text}; add {VOLUMES}: "" to berth_eks_addons, or set this to rds')]


def _name(get: Get, environment: str) -> list[Problem]:
    name = environment_name(get, environment)
    whose = "" if get("berth_aws_name") else " (berth_app_name and the environment's name)"
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        # RDS is the strictest: docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html
        return [Problem(("berth_aws_name",), f"{name!r}{whose} is not a valid name in AWS; use lowercase letters, digits and single hyphens, a letter first")]
    longest = max(["cluster", "node-group", *(f"{one['namespace']}-{one['service_account']}" for one in get("berth_eks_pod_identities"))], key=len)
    if len(f"{name}-{longest}") > LONGEST_ROLE:
        text = f"{name!r}{whose} is too long: the IAM role {name}-{longest} would have more than {LONGEST_ROLE} characters"
        return [Problem(("berth_aws_name",), text)]
    return []


def _tags(get: Get, environment: str) -> list[Problem]:
    return [
        Problem(("berth_aws_tags", key), f"tags that start with {str(key).split(':')[0]}: are {whose}; choose another name")
        for key in get("berth_aws_tags")
        for prefix, whose in (("aws:", "AWS's own"), ("berth:", "Berth's own"))
        if str(key).lower().startswith(prefix)
    ]


# The checks, each with the variables that must be right for it.
CHECKS: list[tuple[tuple[str, ...], Callable[[Get, str], list[Problem]]]] = [
    (("berth_aws_account",), _account),
    (("berth_aws_region",), _region),
    (("berth_aws_region", "berth_aws_zones"), _zones),
    (("berth_eks_version",), _version),
    (("berth_aws_network", "berth_aws_vpc"), _network),
    (("berth_aws_vpc",), _vpc),
    (("berth_aws_endpoints",), _endpoints),
    (("berth_eks_public_access", "berth_eks_public_to_world"), _public_access),
    (("berth_eks_access",), _access),
    (("berth_eks_log_days",), _log_days),
    (("berth_eks_nodes",), _nodes),
    (("berth_database", "berth_rds_class", "berth_rds_version", "berth_rds_backup_days", "berth_rds_keep_snapshots", "berth_rds_storage"), _rds),
    (("berth_database", "berth_eks_compute", "berth_eks_addons", "berth_database_storage_class"), _volumes),
    (("berth_aws_name", "berth_app_name", "berth_eks_pod_identities"), _name),
    (("berth_aws_tags",), _tags),
]
