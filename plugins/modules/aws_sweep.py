"""Find what an environment has left in AWS."""

from __future__ import annotations

DOCUMENTATION = """
module: aws_sweep
short_description: Find what an environment has left in AWS
description:
  - Searches every service that Berth uses, by the tag C(berth:environment) and by name, and fails if it finds anything.
  - What is kept on purpose is listed separately and is not a failure: final snapshots, and keys and secrets whose deletion is scheduled.
  - It also fails if a service cannot be searched.
options:
  environment: {description: "The environment; the value of the tag C(berth:environment).", type: str, required: true}
  name: {description: The prefix of its resource names., type: str, required: true}
  repository: {description: "The ECR repository that must be gone; empty if it outlives the environment.", type: str, default: ""}
  ignore: {description: "Kinds to skip, in the terms of C(what).", type: list, elements: str, default: []}
attributes:
  check_mode: {support: full, description: Changes nothing.}
  diff_mode: {support: none, description: Changes nothing.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Look for leftover resources
  berth.platform.aws_sweep:
    environment: prod
    name: polls-prod
    repository: polls
"""

RETURN = """
remains: {description: "What is left, each with C(what) and C(id).", type: list, elements: dict, returned: always}
kept: {description: "What is kept on purpose, each with C(what), C(id) and C(why).", type: list, elements: dict, returned: always}
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ..module_utils.aws.session import cluster_tags, explain

with contextlib.suppress(ImportError):  # AnsibleAWSModule says that boto3 is missing.
    from botocore.exceptions import BotoCoreError, ClientError

OWNER = "berth:environment"
Found = Iterator[tuple[str, str, str]]
"""What it is, its ID, and why it is kept ("" if it is not)."""

# EC2: what it is, the operation, the key of its list, the key of its ID, and the states in which it is gone.
EC2: list[tuple[str, str, str, str, tuple[str, ...]]] = [
    ("VPC", "describe_vpcs", "Vpcs", "VpcId", ()),
    ("subnet", "describe_subnets", "Subnets", "SubnetId", ()),
    ("route table", "describe_route_tables", "RouteTables", "RouteTableId", ()),
    ("internet gateway", "describe_internet_gateways", "InternetGateways", "InternetGatewayId", ()),
    ("NAT gateway", "describe_nat_gateways", "NatGateways", "NatGatewayId", ("deleted",)),
    ("address", "describe_addresses", "Addresses", "AllocationId", ()),
    ("security group", "describe_security_groups", "SecurityGroups", "GroupId", ()),
    ("network interface", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", ()),
    ("endpoint", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", ("deleted",)),
    ("network interface", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", ()),
    ("volume", "describe_volumes", "Volumes", "VolumeId", ()),
    ("instance", "describe_instances", "Reservations", "", ("terminated",)),
    ("launch template", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId", ()),
]

# The kinds that clusters leave behind.
LEFT = [kind for kind in EC2 if kind[0] in ("security group", "network interface", "volume", "instance", "launch template")]


class Sweep:
    """One search through all services."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self.module = module
        self.environment, self.name = module.params["environment"], module.params["name"]
        self.repository: str = module.params["repository"]
        self.clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return the client of a service. Creating one takes longer than most calls, so it is kept."""
        if service not in self.clients:
            self.clients[service] = self.module.client(service)
        return self.clients[service]

    def pages(self, service: str, operation: str, result: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield all items that an operation lists."""
        client = self.client(service)
        if client.can_paginate(operation):
            yield from client.get_paginator(operation).paginate(**parameters).build_full_result().get(result, [])
        else:
            yield from getattr(client, operation)(**parameters).get(result, [])

    def named(self, name: str) -> bool:
        """Whether a name is one of the environment's: the prefix itself, or the prefix followed by a hyphen."""
        return name == self.name or name.startswith(f"{self.name}-")

    def tagged(self, tags: list[dict[str, str]] | None) -> bool:
        """Whether tags name the environment."""
        return any((tag.get("Key") or tag.get("TagKey")) == OWNER and (tag.get("Value") or tag.get("TagValue")) == self.environment for tag in tags or [])

    def ec2(self) -> Found:
        """Network, instances and volumes, including those that the cluster's controllers created."""
        owner, *left = ({OWNER: self.environment} | cluster_tags(self.name)).items()
        for tag in (owner, *left):
            for what, operation, result, key, gone in EC2 if tag == owner else LEFT:
                argument = "Filter" if operation == "describe_nat_gateways" else "Filters"
                for item in self.pages("ec2", operation, result, **{argument: [{"Name": f"tag:{tag[0]}", "Values": [tag[1]]}]}):
                    for one in item.get("Instances", [item]) if not key else [item]:
                        state = one.get("State", "")
                        if (state.get("Name", "") if isinstance(state, dict) else state) not in gone:
                            yield what, one[key or "InstanceId"], ""

    def load_balancers(self) -> Found:
        """Load balancers that the cluster's controllers created."""
        client = self.client("elbv2")
        for balancer in self.pages("elbv2", "describe_load_balancers", "LoadBalancers"):
            arn = balancer["LoadBalancerArn"]
            tags = client.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"]
            owners = {f"kubernetes.io/cluster/{self.name}", "elbv2.k8s.aws/cluster", "eks:eks-cluster-name"}
            if self.tagged(tags) or any(t["Key"] in owners and t["Value"] in ("owned", self.name) for t in tags):
                yield "load balancer", arn, ""

    def eks(self) -> Found:
        """Clusters, which contain everything else in EKS."""
        for name in self.pages("eks", "list_clusters", "clusters"):
            if self.named(str(name)):
                yield "EKS cluster", str(name), ""

    def ecr(self) -> Found:
        """Repositories."""
        for repository in self.pages("ecr", "describe_repositories", "repositories"):
            if self.repository and repository["repositoryName"] == self.repository:
                yield "ECR repository", repository["repositoryName"], ""

    def rds(self) -> Found:
        """Instances with their groups; snapshots are kept."""
        for what, operation, result, key in (
            ("RDS instance", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
            ("RDS subnet group", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
            ("RDS parameter group", "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"),
        ):
            for item in self.pages("rds", operation, result):
                if self.named(item[key]):
                    yield what, item[key], ""
        for snapshot in self.pages("rds", "describe_db_snapshots", "DBSnapshots", SnapshotType="manual"):
            if self.named(snapshot["DBInstanceIdentifier"]):
                yield "RDS snapshot", snapshot["DBSnapshotIdentifier"], "the last state of the data"

    def iam(self) -> Found:
        """Roles, and the OIDC providers of clusters."""
        for role in self.pages("iam", "list_roles", "Roles"):
            if self.named(role["RoleName"]):
                yield "IAM role", role["RoleName"], ""
        client = self.client("iam")
        for provider in client.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
            if self.tagged(client.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=provider["Arn"])["Tags"]):
                yield "OIDC provider", provider["Arn"], ""

    def kms(self) -> Found:
        """Keys; one whose deletion is scheduled is kept until then."""
        client = self.client("kms")
        for alias in self.pages("kms", "list_aliases", "Aliases"):
            if not self.named(alias["AliasName"].removeprefix("alias/")) or not alias.get("TargetKeyId"):
                continue
            key = client.describe_key(KeyId=alias["TargetKeyId"])["KeyMetadata"]
            scheduled = key["KeyState"] == "PendingDeletion"
            yield "KMS key", key["KeyId"], f"goes on {key['DeletionDate']:%Y-%m-%d}" if scheduled else ""

    def logs(self) -> Found:
        """Log groups."""
        for group in self.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=f"/aws/eks/{self.name}/"):
            yield "log group", group["logGroupName"], ""

    def certificates(self) -> Found:
        """Certificates of the public entry."""
        client = self.client("acm")
        for certificate in self.pages("acm", "list_certificates", "CertificateSummaryList"):
            arn = certificate["CertificateArn"]
            if self.tagged(client.list_tags_for_certificate(CertificateArn=arn)["Tags"]):
                yield "certificate", arn, ""

    def secrets(self) -> Found:
        """Secrets; one whose deletion is scheduled is kept until then."""
        for secret in self.pages("secretsmanager", "list_secrets", "SecretList", IncludePlannedDeletion=True):
            if self.tagged(secret.get("Tags")) or secret["Name"].startswith(f"{self.name}/"):
                yield "secret", secret["Name"], "its deletion is scheduled" if secret.get("DeletedDate") else ""

    def everything(self) -> tuple[list[dict[str, str]], list[dict[str, str]], list[str]]:
        """Return what remains, what is kept, and which services could not be searched."""
        looks: list[Callable[[], Found]] = [
            self.ec2,
            self.load_balancers,
            self.eks,
            self.ecr,
            self.rds,
            self.iam,
            self.kms,
            self.logs,
            self.certificates,
            self.secrets,
        ]
        remains: dict[tuple[str, str], dict[str, str]] = {}
        kept: dict[tuple[str, str], dict[str, str]] = {}
        silent = []
        for look in looks:
            try:
                for what, identifier, why in look():
                    if why:
                        kept[what, identifier] = {"what": what, "id": identifier, "why": why}
                    elif what not in self.module.params["ignore"]:
                        remains[what, identifier] = {"what": what, "id": identifier}
            except (BotoCoreError, ClientError) as error:
                silent.append(f"{look.__name__.replace('_', ' ')} could not be searched: {explain(error, look.__name__)}")
        return list(remains.values()), list(kept.values()), silent


def main() -> None:
    """Run the module."""
    module = AnsibleAWSModule(
        argument_spec={
            "environment": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "repository": {"type": "str", "default": ""},
            "ignore": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    remains, kept, silent = Sweep(module).everything()
    if remains or silent:
        lines = [f"{len(remains)} resources of {module.params['name']} are left in AWS:", *(f"{item['what']} {item['id']}" for item in remains), *silent]
        module.fail_json(
            msg="\n".join([*lines, "Run the same command again, then remove by hand what is still left."]),
            remains=remains,
            kept=kept,
        )
    module.exit_json(changed=False, remains=[], kept=kept)


if __name__ == "__main__":
    main()
