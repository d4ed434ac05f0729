"""What AWS knows about an environment that is about to be created or changed, and what is wrong with it.

All requests of a round run in parallel, in at most three rounds: who we are and where, what exists, and, if something still has to be created, quotas
and permissions. Nothing is changed: calls that would create something use DryRun.
"""

from __future__ import annotations

import contextlib
import difflib
import ipaddress
import os
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from .databases import databases
from .eks import minor
from .session import DENIED, EXPIRED, MISSING, NOT_ACCEPTED, THROTTLED, Refused, connect, explain

try:
    import boto3
    from botocore import exceptions as boto
    from botocore.parsers import ResponseParserError
except ImportError:
    pass  # AnsibleAWSModule says that boto3 is missing.

Path = tuple[str | int, ...]
Problem = tuple[Path, str]
"""A variable with its keys and indexes, and a phrase that says what is wrong and what to do."""

WORKERS = 16
SETTINGS = {"connect_timeout": 3, "read_timeout": 15, "max_pool_connections": WORKERS}
ATTEMPTS = 3
OWNER = "berth:environment"
RUNBOOK = "playbooks/ops/upgrade.yml"
RUNBOOK_PERMISSIONS = "playbooks/ops/permissions.yml"
PAGE = "playbooks/ops/permissions.md"

# What the role eks runs on nodes (roles/eks/tasks/nodes.yml: ami_type).
ARCHITECTURE = "x86_64"
# docs.aws.amazon.com/eks/latest/userguide/network-reqs.html: zones in which EKS has no control planes, and the free addresses that a subnet needs.
NO_CONTROL_PLANE = ("use1-az3", "usw1-az2", "cac1-az3")
FREE_ADDRESSES = 6

# Quotas by service and code; used if Service Quotas itself may not be asked: docs.aws.amazon.com/general/latest/gr/aws-service-information.html
QUOTAS = {
    "vpcs": ("vpc", "L-F678F1CE", "VPCs"),
    "addresses": ("ec2", "L-0263D0A3", "elastic IP addresses"),
    "clusters": ("eks", "L-1194D53C", "EKS clusters"),
}
OPTIONAL = ("servicequotas:GetServiceQuota", "iam:SimulatePrincipalPolicy", "iam:GetRole")
"""Permissions that only the checks need; without them a check is skipped."""

SENT = {"kms:CreateGrant": {"kms:GrantIsForAWSResource": ("boolean", "false")}}
"""The context that AWS's own calls send, by action: type and value of a key, if a statement does not ask for it.

EKS's grant is not for an AWS resource: docs.aws.amazon.com/eks/latest/userguide/enable-kms.html.
"""


@dataclass(frozen=True)
class Question:
    """One call to AWS.

    Args:
        service, operation: boto3's names.
        result: The key of the answer; a list of all pages if the operation is paginated.
        parameters: The parameters of the call.
    """

    service: str
    operation: str
    result: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """AWS's answer: a value, or why there is none."""

    value: Any = None
    error: Exception | None = None

    @property
    def code(self) -> str:
        """AWS's error code; empty if there is none."""
        return self.error.response["Error"]["Code"] if isinstance(self.error, boto.ClientError) else ""


class Asker:
    """Asks AWS many questions in parallel.

    Args:
        module: The module that asks.
        region: The region to ask.
    """

    def __init__(self, module: AnsibleAWSModule, region: str) -> None:
        self.module, self.region = module, region
        self.clients: dict[str, Any] = {}
        self.denied: set[str] = set()

    def all(self, questions: Mapping[str, Question]) -> dict[str, Answer]:
        """Return the answers by the questions' names.

        Raises:
            Refused: AWS cannot be asked at all: credentials, throttling, the network. Its text is a complete message.
        """
        for service in dict.fromkeys(question.service for question in questions.values()):
            if service not in self.clients:  # here, because making one is not thread-safe
                self.clients[service] = connect(self.module, service, region=self.region, attempts=ATTEMPTS, **SETTINGS)
        with ThreadPoolExecutor(WORKERS) as pool:
            answers = dict(zip(questions, pool.map(self._ask, questions.values()), strict=True))
        for name, answer in answers.items():
            if answer.error and (not isinstance(answer.error, boto.ClientError) or answer.code in (*EXPIRED, *NOT_ACCEPTED, *THROTTLED)):
                raise Refused(explain(answer.error, questions[name].service, ATTEMPTS)) from answer.error
            if answer.code in DENIED:
                self.denied.add(f"{questions[name].service.replace('-', '')}:{getattr(answer.error, 'operation_name', '')}")
        return answers

    def _ask(self, question: Question) -> Answer:
        client = self.clients[question.service]
        try:
            if question.result and client.can_paginate(question.operation):
                pages = client.get_paginator(question.operation).paginate(**question.parameters)
                return Answer(pages.build_full_result().get(question.result, []))
            answer = getattr(client, question.operation)(**question.parameters)
            return Answer(answer.get(question.result) if question.result else answer)
        except (boto.BotoCoreError, boto.ClientError, ResponseParserError) as error:
            return Answer(error=error)


# --- Who and where ---------------------------------------------------------------------------------------------------


def home(region: str) -> str:
    """Return a region that is enabled in every account of the region's partition."""
    return {"cn": "cn-north-1", "us-gov": "us-gov-west-1"}.get(region.rsplit("-", 2)[0], "us-east-1")


def identity(asker: Callable[[str], Asker], wanted: Mapping[str, Any]) -> tuple[str, list[Problem]]:
    """Return whose credentials these are (an ARN), and what is wrong with account and region.

    Raises:
        Refused: AWS cannot be asked.
    """
    region = wanted["region"]
    known = region in boto3.Session().get_available_regions("ec2", home_partition(region))
    questions = {"caller": Question("sts", "get_caller_identity"), "regions": Question("ec2", "describe_regions", "Regions", {"AllRegions": True})}
    try:
        answers = asker(region if known else home(region)).all(questions)
    except Refused as refusal:
        cause = refusal.__cause__
        code = cause.response["Error"]["Code"] if isinstance(cause, boto.ClientError) else ""
        # A region that is not enabled accepts nobody's credentials.
        if code not in NOT_ACCEPTED or region == home(region):
            raise
        answers = asker(home(region)).all(questions)
    caller = answers["caller"].value
    problems: list[Problem] = []
    if answers["caller"].error:
        raise Refused(explain(answers["caller"].error, "sts", ATTEMPTS))
    if caller["Account"] != wanted["account"]:
        text = f"is {wanted['account']}, but the credentials are those of {caller['Arn']} in account {caller['Account']}"
        problems.append((("berth_aws_account",), f"{text}; set AWS_PROFILE or the keys in the environment to this account's, or correct the variable"))
    if answers["regions"].value is not None:
        problems += region_problems(region, answers["regions"].value)
    return caller["Arn"], problems


def home_partition(region: str) -> str:
    """Return the partition of a region."""
    return {"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"}.get(home(region), "aws")


def region_problems(region: str, regions: list[dict[str, Any]]) -> list[Problem]:
    """Return whether the region does not exist, or is not enabled."""
    status = {one["RegionName"]: one.get("OptInStatus") for one in regions}
    if region not in status:
        near = difflib.get_close_matches(region, status, n=1, cutoff=0.6)
        return [(("berth_aws_region",), f"AWS has no region {region}{f', did you mean {near[0]}?' if near else ''}")]
    if status[region] == "not-opted-in":
        return [(("berth_aws_region",), f"{region} is not enabled in the account; enable it in AWS's account settings, or use another region")]
    return []


# --- Who comes in ----------------------------------------------------------------------------------------------------


def principal(entry: str, caller: str) -> bool:
    """Whether an access entry's principal is the caller: a user, or the role of the caller's session. A session's ARN lacks the role's path.

    >>> principal("arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/admin", "arn:aws:sts::1:assumed-role/admin/me")
    True
    """
    if ":assumed-role/" not in caller:
        return entry == caller
    _, partition, _, _, account, resource = caller.split(":", 5)
    return entry.startswith(f"arn:{partition}:iam::{account}:role/") and entry.rpartition("/")[2] == resource.split("/")[1]


def locked_out(caller: str, access: list[Mapping[str, Any]]) -> list[Problem]:
    """Return that the caller could not work in the cluster that it creates.

    Creating a cluster gives no access to it (C(bootstrapClusterCreatorAdminPermissions), which Berth leaves off), and Berth creates namespaces.
    """
    variable = "berth_eks_access"
    if caller.endswith(":root"):
        text = "EKS gives no access to an account's root user, whose credentials these are (docs.aws.amazon.com/eks/latest/userguide/access-entries.html)"
        return [(("berth_aws_account",), f"{text}; use those of an IAM role or user")]
    mine = [number for number, entry in enumerate(access) if principal(entry["principal"], caller)]
    if not mine:
        who = "arn:...:role/NAME of the session " + caller if ":assumed-role/" in caller else caller
        text = f"gives no access to {who}, who runs this, and creating an EKS cluster does not give access either"
        return [((variable,), f"{text}; add this user or role with policy: cluster-admin")]
    if any(access[number].get("policy") == "cluster-admin" and not access[number].get("namespaces") for number in mine):
        return []
    text = f"is not cluster-admin everywhere, but {caller}, who runs this, has to create namespaces and other cluster-wide objects"
    return [((variable, mine[0], "policy"), f"{text}; set it to cluster-admin, without namespaces")]


def unreachable(networks: list[str], address: str) -> list[Problem]:
    """Return that nothing can reach the API server of a cluster in a VPC that does not exist yet, because nobody can be in that VPC.

    Args:
        networks: Those that may reach its public endpoint.
        address: This machine's public address; empty if it is not known.
    """
    name = "berth_eks_public_access"
    example = f"{address}/32" if address else "203.0.113.7/32"
    if not networks:
        text = "is empty, so the API server answers within the VPC only, which does not exist yet, so nobody can be in it"
        return [((name,), f"{text}; name the network that you connect from, like {example}, or run this in an existing VPC (berth_aws_vpc)")]
    if address and not any(ipaddress.ip_address(address) in ipaddress.ip_network(one, strict=False) for one in networks):
        return [((name,), f"does not include {address}, this machine's public address; add {example}")]
    return []


def own_address() -> str:
    """Return this machine's public address, by a service of AWS's; empty if that does not answer."""
    if any(name.startswith("AWS_ENDPOINT_URL") for name in os.environ):
        return ""  # the endpoint is not AWS
    with contextlib.suppress(OSError, ValueError), urllib.request.urlopen("https://checkip.amazonaws.com", timeout=3) as answer:
        return str(ipaddress.ip_address(answer.read(64).decode().strip()))
    return ""


# --- What there is ---------------------------------------------------------------------------------------------------


def inventory_questions(wanted: Mapping[str, Any]) -> dict[str, Question]:
    """Return the questions that are always asked."""
    name, vpc, rds = wanted["name"], wanted["vpc"], wanted["rds"]
    own = {"Filters": [{"Name": f"tag:{OWNER}", "Values": [wanted["environment"]]}]}
    questions = {
        "zones": Question("ec2", "describe_availability_zones", "AvailabilityZones"),
        "versions": Question("eks", "describe_cluster_versions", "clusterVersions"),
        "cluster": Question("eks", "describe_cluster", "cluster", {"name": name}),
        "group": Question("eks", "describe_nodegroup", "nodegroup", {"clusterName": name, "nodegroupName": name}),
        "vpcs": Question("ec2", "describe_vpcs", "Vpcs"),
        # By a filter, because a call with identifiers fails if one of them does not exist.
        "subnets": Question("ec2", "describe_subnets", "Subnets", {"Filters": [{"Name": "subnet-id", "Values": vpc["private_subnet_ids"]}]} if vpc else own),
    }
    if vpc:
        for attribute in ("enableDnsSupport", "enableDnsHostnames"):
            questions[attribute] = Question("ec2", "describe_vpc_attribute", attribute[0].upper() + attribute[1:], {"VpcId": vpc["id"], "Attribute": attribute})
    if wanted["compute"] == "nodes":
        types = {"Filters": [{"Name": "instance-type", "Values": wanted["types"]}]}
        questions["offerings"] = Question("ec2", "describe_instance_type_offerings", "InstanceTypeOfferings", {"LocationType": "availability-zone", **types})
        questions["types"] = Question("ec2", "describe_instance_types", "InstanceTypes", types)
    if wanted["boundary"]:
        questions["boundary"] = Question("iam", "get_policy", "Policy", {"PolicyArn": wanted["boundary"]})
    if rds:
        # All of them, because a restore may have put another one in use.
        questions["instances"] = Question("rds", "describe_db_instances", "DBInstances")
        questions["engines"] = Question("rds", "describe_db_engine_versions", "DBEngineVersions", {"Engine": "postgres"})
        kind = {"Engine": "postgres", "DBInstanceClass": rds["class"], "Vpc": True}
        questions["classes"] = Question("rds", "describe_orderable_db_instance_options", "OrderableDBInstanceOptions", kind)
        if rds.get("snapshot"):
            questions["snapshot"] = Question("rds", "describe_db_snapshots", "DBSnapshots", snapshot_parameters(rds["snapshot"], wanted["account"]))
    return questions


class Findings:
    """AWS's answers, and what is wrong according to them.

    Args:
        wanted: The inventory's wishes, as the module's options.
        answers: The answers to :func:`inventory_questions`.
    """

    def __init__(self, wanted: Mapping[str, Any], answers: Mapping[str, Answer]) -> None:
        self.wanted, self.answers = wanted, answers

    def get(self, name: str) -> Any:
        """Return an answer's value, None if there is none or it was not asked for."""
        return self.answers[name].value if name in self.answers else None

    def problems(self) -> list[Problem]:
        """Return everything that is wrong."""
        return [
            *self.boundary(),
            *self.zones(),
            *self.version(),
            *self.network(),
            *self.own_network(),
            *self.nodes(),
            *self.node_group(),
            *self.database(),
            *self.instance(),
            *self.snapshot(),
        ]

    def boundary(self) -> list[Problem]:
        """Return that the policy that bounds every role is missing (docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html)."""
        if "boundary" not in self.answers or self.answers["boundary"].code not in MISSING:
            return []
        command = f"ansible-playbook {RUNBOOK_PERMISSIONS} -i inventories/{self.wanted['environment']}"
        text = f"has no policy {self.wanted['boundary']}, without which no role is created; {command} writes it and says how an administrator creates it"
        return [(("berth_aws_account",), text)]

    def zones(self) -> list[Problem]:
        """Return zones that the region or EKS does not have."""
        zones = {zone["ZoneName"]: zone for zone in self.get("zones") or [] if zone.get("ZoneType", "availability-zone") == "availability-zone"}
        found: list[Problem] = []
        for number, zone in enumerate(self.wanted["zones"] if zones else []):
            path = ("berth_aws_zones", number)
            if zone not in zones:
                found.append((path, f"{self.wanted['region']} has no zone {zone} for this account; it has {', '.join(sorted(zones))}"))
            elif zones[zone]["ZoneId"] in NO_CONTROL_PLANE:
                found.append((path, f"EKS has no control planes in {zone} ({zones[zone]['ZoneId']}); use another zone"))
        return found

    # --- The control plane -------------------------------------------------------------------------------------------

    def version(self) -> list[Problem]:
        """Return what is wrong with the version: EKS does not offer it, or the cluster cannot or should not be upgraded to it now."""
        path, version, cluster = ("berth_eks_version",), self.wanted["version"], self.get("cluster")
        if cluster:
            return [(path, text)] if (text := upgrade_problem(cluster["version"], version, self.wanted["environment"])) else []
        offered = {one["clusterVersion"]: one.get("versionStatus") or one.get("status", "") for one in self.get("versions") or []}
        offered = {name: status.lower().replace("_", "-") for name, status in offered.items()}
        if not offered:
            return []
        good = [name for name, status in offered.items() if status != "unsupported"]
        if version not in good:
            return [(path, f"EKS has no version {version} in {self.wanted['region']}; it has {', '.join(sorted(good, key=minor))}")]
        return []

    # --- The network -------------------------------------------------------------------------------------------------

    def own_vpc(self) -> dict[str, Any] | None:
        """Return the VPC that Berth made for the environment."""
        tags = ((vpc, {tag["Key"]: tag["Value"] for tag in vpc.get("Tags") or []}) for vpc in self.get("vpcs") or [])
        return next((vpc for vpc, named in tags if named.get(OWNER) == self.wanted["environment"]), None)

    def network(self) -> list[Problem]:
        """Return what is wrong with a VPC that is managed outside Berth."""
        vpc, name = self.wanted["vpc"], "berth_aws_vpc"
        if not vpc:
            return []
        if self.get("vpcs") is not None and vpc["id"] not in [one["VpcId"] for one in self.get("vpcs")]:
            return [((name, "id"), f"there is no VPC {vpc['id']} in this account and region")]
        found: list[Problem] = []
        subnets = {subnet["SubnetId"]: subnet for subnet in self.get("subnets") or []}
        for number, identifier in enumerate(vpc["private_subnet_ids"] if self.get("subnets") is not None else []):
            path, subnet = (name, "private_subnet_ids", number), subnets.get(identifier)
            if not subnet:
                found.append((path, f"there is no subnet {identifier} in this account and region"))
                continue
            if subnet["VpcId"] != vpc["id"]:
                found.append((path, f"{identifier} is in {subnet['VpcId']}, not in {vpc['id']}"))
            if subnet["AvailableIpAddressCount"] < FREE_ADDRESSES and not self.get("cluster"):
                text = f"{identifier} ({subnet['CidrBlock']}) has {subnet['AvailableIpAddressCount']} free addresses, but EKS needs {FREE_ADDRESSES}"
                found.append((path, f"{text}; free some, or use a larger subnet"))
        zones = {subnet["AvailabilityZone"] for subnet in subnets.values()}
        if len(zones) == 1 and len(subnets) == len(vpc["private_subnet_ids"]):
            found.append(((name, "private_subnet_ids"), f"all of them are in {zones.pop()}; EKS and RDS need at least two zones"))
        for attribute, words in (("enableDnsSupport", "DNS resolution"), ("enableDnsHostnames", "DNS hostnames")):
            if (self.get(attribute) or {}).get("Value") is False:
                found.append(((name, "id"), f"{vpc['id']} has {words} switched off, but EKS's private endpoint needs it; switch {attribute} on"))
        return found

    def own_network(self) -> list[Problem]:
        """Return wanted changes that the existing network cannot take, whether it is Berth's or not."""
        vpc, cluster, environment = self.own_vpc(), self.get("cluster"), self.wanted["environment"]
        recreate = f"or destroy the environment and create it again (ansible-playbook playbooks/destroy.yml -i inventories/{environment})"
        there = ((cluster or {}).get("resourcesVpcConfig") or {}).get("vpcId")
        if self.wanted["vpc"]:
            if there and there != self.wanted["vpc"]["id"]:
                return [(("berth_aws_vpc", "id"), f"cannot be changed: the cluster is in {there}; change it back, {recreate}")]
            named = [one["AvailabilityZone"] for one in self.get("subnets") or [] if one["SubnetId"] in self.wanted["vpc"]["private_subnet_ids"]]
            return self.added_zones(("berth_aws_vpc", "private_subnet_ids"), named)
        if there and vpc and there != vpc["VpcId"]:
            return [(("berth_aws_vpc",), f"cannot be changed: the cluster is in {there}, which is not Berth's; change it back to that VPC, {recreate}")]
        if there and not vpc and self.get("vpcs") is not None:
            return [(("berth_aws_vpc",), f"cannot be changed: the cluster is in {there}, which Berth did not create; set it as id again, {recreate}")]
        if not vpc:
            return []
        named = {tag["Key"]: tag["Value"] for tag in vpc.get("Tags") or []}.get("berth:name", self.wanted["name"])
        if named != self.wanted["name"]:
            text = f"cannot be changed: the environment's resources are named {named}, and {self.wanted['name']} would be created next to them"
            return [(("berth_aws_name",), f"{text}; set it to {named} again, {recreate}")]
        if ipaddress.ip_network(vpc["CidrBlock"]) != ipaddress.ip_network(self.wanted["network"]):
            text = f"cannot be changed: it is {vpc['CidrBlock']}, wanted is {self.wanted['network']}"
            return [(("berth_aws_network",), f"{text}; set it to {vpc['CidrBlock']} again, {recreate}")]
        return self.moved_zones(vpc)

    def moved_zones(self, vpc: dict[str, Any]) -> list[Problem]:
        """Return zones that have changed their positions: a subnet cannot move."""
        live = {subnet["CidrBlock"]: subnet["AvailabilityZone"] for subnet in self.get("subnets") or [] if subnet["VpcId"] == vpc["VpcId"]}
        eighths = list(ipaddress.IPv4Network(self.wanted["network"]).subnets(prefixlen_diff=3))  # as the filter vpc_subnets assigns them
        order = [live[str(network)] for network in eighths if str(network) in live]
        if order and self.wanted["zones"][: len(order)] != order:
            text = f"the subnets are in {', '.join(order)}, in this order, and cannot be moved"
            return [(("berth_aws_zones",), f"{text}; name these first and in this order")]
        return self.added_zones(("berth_aws_zones",), self.wanted["zones"])

    def added_zones(self, path: Path, wanted: list[str]) -> list[Problem]:
        """Return zones that have no subnet of the cluster.

        Zones that are added must be in the same set of zones: docs.aws.amazon.com/eks/latest/userguide/network-reqs.html.
        """
        of_cluster = ((self.get("cluster") or {}).get("resourcesVpcConfig") or {}).get("subnetIds") or []
        places = {one["SubnetId"]: one["AvailabilityZone"] for one in self.get("subnets") or []}
        if not of_cluster or not set(of_cluster) <= set(places):
            return []
        has = {places[subnet] for subnet in of_cluster}
        more = sorted(set(wanted) - has)
        text = f"has {', '.join(more)}, but EKS keeps a cluster in the zones that it was created in, {', '.join(sorted(has))}"
        return [(path, f"{text}; use only these, or destroy the environment and create it again")] if more else []

    # --- Nodes -------------------------------------------------------------------------------------------------------

    def nodes(self) -> list[Problem]:
        """Return instance types that do not exist, or not here."""
        found: list[Problem] = []
        offerings, types = self.get("offerings"), self.get("types")
        if offerings is None:
            return found
        places: dict[str, set[str]] = {}
        for offering in offerings:
            places.setdefault(offering["InstanceType"], set()).add(offering["Location"])
        processors = {one["InstanceType"]: one["ProcessorInfo"]["SupportedArchitectures"] for one in types or []}
        for number, kind in enumerate(self.wanted["types"]):
            path = ("berth_eks_nodes", "types", number)
            lacking = [zone for zone in self.wanted["zones"] if zone not in places.get(kind, set())]
            if kind not in places:
                found.append((path, f"EC2 has no instance type {kind} in {self.wanted['region']}"))
            elif lacking and not self.wanted["vpc"]:
                found.append((path, f"EC2 has no {kind} in {', '.join(lacking)}; use another type, or other zones"))
            elif kind in processors and ARCHITECTURE not in processors[kind]:
                found.append((path, f"{kind} is {'/'.join(processors[kind])}, but the nodes' system is {ARCHITECTURE}; use such a type, like t3.large"))
        return found

    def node_group(self) -> list[Problem]:
        """Return wanted changes that the existing node group cannot take, and whether it lags behind the control plane."""
        group, cluster = self.get("group"), self.get("cluster")
        if not group or not cluster or self.wanted["compute"] != "nodes":
            return []
        found: list[Problem] = []
        way = "or migrate: set berth_eks_compute: auto, run site.yml, then change it and set berth_eks_compute: nodes again"
        live = group.get("instanceTypes") or []
        if live and sorted(live) != sorted(self.wanted["types"]):
            text = f"cannot be changed: a node group keeps its types, {', '.join(live)}"
            found.append((("berth_eks_nodes", "types"), f"{text}; change them back, {way}"))
        if minor(group["version"]) < minor(cluster["version"]):
            text = f"the nodes run {group['version']} and the control plane {cluster['version']}: an upgrade was interrupted. ansible-playbook {RUNBOOK}"
            found.append((("berth_eks_version",), f"{text} -i inventories/{self.wanted['environment']} continues it"))
        return found

    # --- The database ------------------------------------------------------------------------------------------------

    def database(self) -> list[Problem]:
        """Return a class or a version that RDS does not have, or not in combination."""
        rds, engines, options = self.wanted["rds"], self.get("engines"), self.get("classes")
        if not rds or engines is None or options is None:
            return []
        version, kind = rds["version"], rds["class"]
        versions = [one["EngineVersion"] for one in engines if fits(version, one["EngineVersion"])]
        found: list[Problem] = []
        if not versions:
            majors = sorted({one["EngineVersion"].split(".")[0] for one in engines}, key=int)
            exact = [one["EngineVersion"] for one in engines if one["EngineVersion"].split(".")[0] == version.split(".")[0]]
            text = f"it has {', '.join(exact or majors)}"
            found.append((("berth_rds_version",), f"RDS has no PostgreSQL {version} in {self.wanted['region']}; {text}"))
        if not options:
            return [*found, (("berth_rds_class",), f"RDS has no class {kind} for PostgreSQL in {self.wanted['region']}; use another, like db.t4g.medium")]
        suiting = [one for one in options if one["EngineVersion"] in versions and one.get("StorageType", "gp3") == "gp3"]
        if versions and not suiting:
            having = sorted({one["EngineVersion"].split(".")[0] for one in options}, key=int)
            found.append((("berth_rds_class",), f"{kind} does not run PostgreSQL {version}, only {', '.join(having)}; use another class or version"))
        elif suiting and rds["multi_az"] and not any(one.get("MultiAZCapable") for one in suiting):
            found.append((("berth_rds_multi_az",), f"{kind} cannot have a standby; use another class, or set it to false"))
        return found

    def live_database(self) -> Mapping[str, Any] | None:
        """Return the database in use, None if there is none."""
        return databases(self.get("instances") or [], self.wanted["environment"], self.wanted["name"]).serving

    def instance(self) -> list[Problem]:
        """Return wanted changes that the existing database cannot take."""
        rds, live = self.wanted["rds"], self.live_database()
        if not rds or not live:
            return []
        found: list[Problem] = []
        has, version = live["EngineVersion"], rds["version"]
        if not fits(version, has) and numbers(version) < numbers(has)[: len(numbers(version))]:
            text = f"is {version}, but the database runs {has}: RDS cannot downgrade"
            found.append((("berth_rds_version",), f'{text}; set it to "{has.split(".")[0]}", or restore a snapshot under another name'))
        elif not fits(version, has) and numbers(version)[0] > numbers(has)[0]:
            targets = next((one.get("ValidUpgradeTarget") or [] for one in self.get("engines") or [] if one["EngineVersion"] == has), [])
            if targets and not any(fits(version, one["EngineVersion"]) for one in targets):
                reachable = sorted({one["EngineVersion"].split(".")[0] for one in targets}, key=int)
                found.append((("berth_rds_version",), f"RDS cannot upgrade from {has} to {version} in one step; it can upgrade to {', '.join(reachable)}"))
        if rds["storage_max"] < live["AllocatedStorage"]:
            text = f"{rds['storage_max']} GiB is less than the database already has, {live['AllocatedStorage']} GiB, and storage cannot shrink"
            found.append((("berth_rds_storage", "max"), f"{text}; set more than that"))
        return found

    def snapshot(self) -> list[Problem]:
        """Return why a new database cannot be made from the snapshot; for an existing one it does not matter what it was made from."""
        answer = self.answers.get("snapshot")
        if answer is None or self.live_database() or (answer.error and answer.code not in MISSING):
            return []
        return snapshot_problems(self.wanted["rds"], next(iter(answer.value or []), None), self.wanted["name"], self.wanted["region"])


def snapshot_parameters(given: str, account: str) -> dict[str, Any]:
    """Return the parameters that find a snapshot by name or ARN; another account's is only found by its ARN, among the shared ones.

    >>> snapshot_parameters("arn:aws:rds:eu-central-1:123456789012:snapshot:a", "123456789012")
    {'DBSnapshotIdentifier': 'a'}
    """
    if given.startswith("arn:") and f":{account}:" not in given:
        return {"DBSnapshotIdentifier": given, "IncludeShared": True}
    return {"DBSnapshotIdentifier": given.rpartition(":snapshot:")[2]}


def snapshot_problems(rds: Mapping[str, Any], found: Mapping[str, Any] | None, name: str, region: str) -> list[Problem]:
    """Return why a new database cannot, or should not, be made from a snapshot.

    Restoring keeps engine, major version and encryption, and storage cannot shrink:
    docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_RestoreFromSnapshot.html

    Args:
        rds: What is wanted, as the module's option.
        found: The snapshot as RDS describes it; None if there is none.
        name: The new instance's name.
        region: The region.
    """
    path, given = ("berth_rds_snapshot",), rds["snapshot"]
    if found is None:
        command = f"aws rds describe-db-snapshots --region {region} --query 'DBSnapshots[].DBSnapshotIdentifier'"
        return [(path, f"RDS has no snapshot {given} in {region}; {command} lists the snapshots")]
    if found["Engine"] != "postgres":
        return [(path, f"{given} is from {found['Engine']}, but the database is PostgreSQL; use a PostgreSQL snapshot")]
    problems: list[Problem] = []
    if found["Status"] != "available":
        what = "it has failed: use another one" if found["Status"] == "failed" else "wait until it is available, then run the same command again"
        problems.append((path, f"{given} is {found['Status']}; {what}"))
    if not found.get("Encrypted"):
        text = f"{given} is not encrypted, so a database restored from it would not be either"
        problems.append((path, f"{text}; copy it with a KMS key (aws rds copy-db-snapshot --kms-key-id), and name the copy"))
    version, has = rds["version"], found["EngineVersion"]
    if numbers(version)[0] != numbers(has)[0]:
        after = ", and upgrade once it exists" if numbers(has)[0] < numbers(version)[0] else ""
        problems.append((("berth_rds_version",), f'is {version}, but the snapshot {given} is from {has}; set it to "{numbers(has)[0]}"{after}'))
    elif numbers(version) < numbers(has)[: len(numbers(version))]:
        problems.append((("berth_rds_version",), f'is {version}, but the snapshot {given} is from {has}: RDS cannot downgrade; set it to "{numbers(has)[0]}"'))
    if rds["storage_max"] < found["AllocatedStorage"]:
        text = f"{rds['storage_max']} GiB is less than the snapshot {given} has, {found['AllocatedStorage']} GiB, and storage cannot shrink"
        problems.append((("berth_rds_storage", "max"), f"{text}; set more than that"))
    return problems + _foreign(rds, found, name)


def _foreign(rds: Mapping[str, Any], found: Mapping[str, Any], name: str) -> list[Problem]:
    tags = {tag["Key"]: tag["Value"] for tag in found.get("TagList") or []}
    source = found["DBInstanceIdentifier"]
    own = source == name or (source == tags.get("berth:name") and source == f"{rds['app']}-{tags.get(OWNER, '')}")
    if own or rds["snapshot"].startswith("arn:"):  # an ARN is not written by accident
        return []
    text = f"{rds['snapshot']} is from {source}, which is not known to be a database of {rds['app']}"
    return [(("berth_rds_snapshot",), f"{text}; if it is intended, name it by its ARN, {found['DBSnapshotArn']}")]


def numbers(version: str) -> list[int]:
    """Return the numbers of a PostgreSQL version."""
    return [int(part) for part in version.split("-")[0].split(".") if part.isdigit()]


def fits(wanted: str, version: str) -> bool:
    """Whether ``version`` is the wanted one; ``17`` matches every 17.x."""
    return version == wanted or version.startswith(f"{wanted}.")


def upgrade_problem(live: str, version: str, environment: str) -> str:
    """Return why site.yml does not upgrade a cluster that runs ``live`` to ``version``; empty if it runs that already.

    An upgrade cannot be undone and replaces every node, so it has a runbook of its own, even if it is only to the next minor version.
    """
    now, then = minor(live), minor(version)
    if then == now:
        return ""
    if then < now:
        return f'is {version}, but the cluster runs {live}: EKS does not go back; set it to "{live}", or recreate the environment'
    if then > (now[0], now[1] + 1):
        return f'is {version}, but the cluster runs {live}: EKS goes up one minor version at a time; set it to "{now[0]}.{now[1] + 1}" first'
    command = f"ansible-playbook {RUNBOOK} -i inventories/{environment}"
    return f"is {version}, but the cluster runs {live}: an upgrade cannot be undone, so {command} shows what blocks it, asks for confirmation, and does it"


# --- What is yet to be made ------------------------------------------------------------------------------------------


def creation_questions(wanted: Mapping[str, Any], findings: Findings) -> dict[str, Question]:
    """Return the questions to ask if something still has to be created: quotas, what counts against them, and dry runs."""
    questions: dict[str, Question] = {}
    if findings.answers["cluster"].code in MISSING:
        questions["clusters"] = Question("eks", "list_clusters", "clusters")
    if not wanted["vpc"] and findings.get("vpcs") is not None and not findings.own_vpc():
        tags = [{"Key": OWNER, "Value": wanted["environment"]}, {"Key": "berth:name", "Value": wanted["name"]}]  # as the policy requires them
        for operation, kind, parameters in (
            ("create_vpc", "vpc", {"CidrBlock": wanted["network"]}),
            ("create_internet_gateway", "internet-gateway", {}),
            *([("allocate_address", "elastic-ip", {"Domain": "vpc"})] if wanted["nat"] != "none" else []),
        ):
            specification = [{"ResourceType": kind, "Tags": tags}]
            questions[operation] = Question("ec2", operation, "", {**parameters, "DryRun": True, "TagSpecifications": specification})
        questions["vpcs"] = Question("ec2", "describe_vpcs", "Vpcs")
        if wanted["nat"] != "none":
            questions["addresses"] = Question("ec2", "describe_addresses", "Addresses")
    for name in [name for name in QUOTAS if name in questions]:
        service, code, _ = QUOTAS[name]
        questions[f"quota of {name}"] = Question("service-quotas", "get_service_quota", "Quota", {"ServiceCode": service, "QuotaCode": code})
    return questions


def quota_problems(wanted: Mapping[str, Any], answers: Mapping[str, Answer]) -> list[Problem]:
    """Return quotas that leave no room for what is to be created."""
    found: list[Problem] = []
    needs = {"vpcs": ("berth_aws_network", 1), "clusters": ("berth_aws_name", 1)}
    needs["addresses"] = ("berth_aws_nat", 1 if wanted["nat"] == "one" else len(wanted["zones"]))
    for name, (service, code, words) in QUOTAS.items():
        quota = (answers[f"quota of {name}"].value if f"quota of {name}" in answers else None) or {}
        have = answers[name].value if name in answers else None
        if have is None or "Value" not in quota:
            continue
        variable, more = needs[name]
        used = sum(1 for one in have if not (isinstance(one, dict) and owned(one, wanted["environment"])))
        if used + more > quota["Value"]:
            text = f"the account's quota of {words} has no room for {more} more: {used} of {quota['Value']:g} in {wanted['region']} are in use"
            found.append(((variable,), f"{text}; request an increase of the quota {code} of {service} in Service Quotas, or remove what is not needed"))
    return found


def owned(resource: Mapping[str, Any], environment: str) -> bool:
    """Whether something already belongs to the environment, such as an address from an interrupted run."""
    return any(tag["Key"] == OWNER and tag["Value"] == environment for tag in resource.get("Tags") or [])


def simulation_questions(caller: str, role: str, statements: list[Mapping[str, Any]], region: str) -> dict[str, Question]:
    """Return the questions whether IAM allows the caller each of the policy's statements.

    Args:
        caller: An ARN as STS returns it.
        role: The ARN of the role if the caller is a session of one, else empty.
        statements: The statements of the policy that Berth needs (roles/eks/files/iam_policies.json), filled in.
        region: The region.
    """
    source = role or caller
    if source.endswith(":root") or ":assumed-role/" in source or ":federated-user/" in source:
        return {}
    questions = {}
    for number, statement in enumerate(statements):
        context = simulated(statement, region)
        resources = {} if statement["Resource"] == ["*"] else {"ResourceArns": [arn.replace("*", "x") for arn in statement["Resource"]]}
        parameters = {"PolicySourceArn": source, "ActionNames": statement["Action"], "ContextEntries": context, **resources}
        questions[f"simulation {number}"] = Question("iam", "simulate_principal_policy", "EvaluationResults", parameters)
    return questions


def simulated(statement: Mapping[str, Any], region: str) -> list[dict[str, Any]]:
    """Return the context of a real call in the form of a simulation's parameters: what a statement's conditions ask for, and :data:`SENT`.

    Keys that they want to be absent, or only different from something, are left out.
    """
    conditions = statement.get("Condition") or {}
    given: dict[str, tuple[str, Any]] = {"aws:RequestedRegion": ("string", region)}
    given |= {key: ("stringList", "x") for key, absent in conditions.get("Null", {}).items() if absent == "false"}
    for operator, keys in conditions.items():
        wants = operator.split(":")[-1]
        if wants == "Null" or wants.endswith("IfExists") or "Not" in wants:
            continue
        kind = {"Bool": "boolean"}.get(wants, "stringList" if ":" in operator else "string")
        given |= {key: (kind, value[0] if isinstance(value, list) else value) for key, value in keys.items()}
    given = {key: sent for action in statement["Action"] for key, sent in SENT.get(action, {}).items()} | given
    return [{"ContextKeyName": key, "ContextKeyType": kind, "ContextKeyValues": [value.replace("*", "x")]} for key, (kind, value) in given.items()]


def refused_actions(answers: Mapping[str, Answer]) -> set[str]:
    """Return the actions that a simulation definitely refuses; if it lacks context, it may be wrong.

    An action is called the way each statement that names it describes: being allowed in another way is not enough.
    """
    results = [result for name, answer in answers.items() if name.startswith("simulation ") for result in answer.value or []]
    return {one["EvalActionName"] for one in results if not possible(one)}


def possible(result: Mapping[str, Any]) -> bool:
    """Whether a simulation does not refuse an action. One of a statement's resources is enough, because an action is on a cluster or on a node group."""
    parts = [(one["EvalResourceDecision"], one.get("MissingContextValues")) for one in result.get("ResourceSpecificResults") or []]
    return any(decision == "allowed" or missing for decision, missing in [(result["EvalDecision"], result.get("MissingContextValues")), *parts])


# --- All of it -------------------------------------------------------------------------------------------------------


def look(module: AnsibleAWSModule, wanted: Mapping[str, Any]) -> tuple[list[Problem], list[str]]:
    """Return what is wrong, and what could not be checked.

    Raises:
        Refused: AWS cannot be asked, or not now.
    """
    askers: dict[str, Asker] = {}

    def asker(region: str) -> Asker:
        return askers.setdefault(region, Asker(module, region))

    caller, problems = identity(asker, wanted)
    if problems:
        return problems, []
    here = asker(wanted["region"])
    findings = Findings(wanted, here.all(inventory_questions(wanted)))
    problems = findings.problems()
    creation = creation_questions(wanted, findings)
    if creation:
        role = ""
        if ":assumed-role/" in caller:
            name = caller.split("/")[1]
            answer = here.all({"role": Question("iam", "get_role", "Role", {"RoleName": name})})["role"]
            role = (answer.value or {}).get("Arn", "")
        answers = here.all(creation | simulation_questions(caller, role, wanted["statements"], wanted["region"]))
        if wanted["access"] is not None and "clusters" in creation:
            problems += locked_out(caller, wanted["access"])
            problems += [] if wanted["vpc"] or findings.own_vpc() else unreachable(wanted["public_access"], own_address())
        problems += quota_problems(wanted, answers)
        here.denied |= refused_actions(answers)
    missing = sorted(here.denied - set(OPTIONAL))
    if missing:
        text = f"{caller} is not allowed to {', '.join(missing)}; add {'this' if len(missing) == 1 else 'these'} to its IAM policy ({PAGE})"
        problems.append((("berth_aws_account",), text))
    return problems, [f"preflight skips a check, because {caller} is not allowed to {action}" for action in sorted(here.denied & set(OPTIONAL))]
