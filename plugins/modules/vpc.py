"""Create, change or delete the network of an environment."""

from __future__ import annotations

DOCUMENTATION = """
module: vpc
short_description: Create, change or delete the network of an environment
description:
  - A VPC with its subnets, internet gateway, NAT gateways with their addresses, route tables and endpoints, in one task. It reads everything
    with a few calls and makes what is missing, so a run after an interruption continues where that one stopped.
  - The tag C(berth:environment), never the name, identifies what belongs to the environment. Nothing without that tag is changed or deleted,
    except what EKS leaves in the VPC.
  - Tags that others add, such as load balancers, are not changed.
options:
  environment: {description: "The environment; the value of the tag C(berth:environment).", type: str, required: true}
  name: {description: "The VPC's name, and the beginning of all others.", type: str, required: true}
  state:
    description: Whether the network exists.
    type: str
    choices: [present, absent]
    default: present
  vpc_id:
    description:
      - With O(state=absent), a VPC that is managed outside Berth. Only the environment's security groups, and what its cluster has left there, are deleted.
    type: str
  cidr: {description: The VPC's network. Cannot be changed., type: str}
  subnets:
    description: The subnets. Existing ones that are not in the list are kept.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: "The subnet's name, which follows the VPC's.", type: str, required: true}
      zone: {description: The availability zone. Cannot be changed., type: str, required: true}
      cidr: {description: The network., type: str, required: true}
      public: {description: "Whether it routes to the internet gateway, and instances get public addresses.", type: bool, required: true}
      tags: {description: Tags in addition to the common ones., type: dict, default: {}}
  nat:
    description: NAT gateways for the private subnets. V(one) is the cheapest and fails with its zone; V(zone) means one in each zone.
    type: str
    choices: [none, one, zone]
    default: one
  endpoints:
    description: AWS services that are reached without NAT. V(s3) is free of charge, all others are billed by zone and hour.
    type: list
    elements: str
    choices: [s3, ecr.api, ecr.dkr, sts, logs]
    default: []
  tags: {description: Tags for everything., type: dict, default: {}}
  wait:
    description: Whether to wait until NAT gateways answer, or are gone.
    type: bool
    default: true
  wait_timeout: {description: Seconds to wait., type: int, default: 600}
attributes:
  check_mode: {support: full, description: Reports what would change. Words in brackets stand for the ids of what does not exist yet.}
  diff_mode: {support: full, description: Shows what is made.}
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Provide the network
  berth.platform.vpc:
    environment: prod
    name: polls-prod
    cidr: 10.60.0.0/16
    subnets:
      - {name: private-eu-central-1a, zone: eu-central-1a, cidr: 10.60.0.0/19, public: false}
      - {name: private-eu-central-1b, zone: eu-central-1b, cidr: 10.60.32.0/19, public: false}
      - {name: public-eu-central-1a, zone: eu-central-1a, cidr: 10.60.224.0/22, public: true}
    nat: one
    endpoints: [s3]

- name: Remove the network
  berth.platform.vpc:
    environment: prod
    name: polls-prod
    state: absent
"""

RETURN = """
vpc_id: {description: The VPC., type: str, returned: when O(state=present)}
cidr: {description: Its network., type: str, returned: when O(state=present)}
private_subnet_ids: {description: The private subnets in the order of O(subnets)., type: list, elements: str, returned: when O(state=present)}
public_subnet_ids: {description: The public subnets in the order of O(subnets)., type: list, elements: str, returned: when O(state=present)}
nat_addresses: {description: The addresses from which the private subnets reach the internet., type: list, elements: str, returned: when O(state=present)}
"""

import contextlib
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ..module_utils.aws.session import Aws, Refused, cluster_tags, run, strings, wait_options
from ..module_utils.progress import report

with contextlib.suppress(ImportError):  # AnsibleAWSModule says that boto3 is missing.
    from botocore.exceptions import ClientError

OWNER = "berth:environment"
EVERYWHERE = "0.0.0.0/0"
LIVE_NAT = ("pending", "available")
PAUSE = 3.0
"""Seconds between two attempts."""

SOMEBODY_ELSES = 120
"""Seconds after which someone else's interface is reported instead of waited for: nobody removes it."""
Resource = dict[str, Any]

OPTIONS: dict[str, Any] = {
    "environment": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "vpc_id": {"type": "str"},
    "cidr": {"type": "str"},
    "subnets": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "zone": {"type": "str", "required": True},
            "cidr": {"type": "str", "required": True},
            "public": {"type": "bool", "required": True},
            "tags": {"type": "dict", "default": {}},
        },
    },
    "nat": {"type": "str", "choices": ["none", "one", "zone"], "default": "one"},
    "endpoints": {"type": "list", "elements": "str", "choices": ["s3", "ecr.api", "ecr.dkr", "sts", "logs"], "default": []},
    "tags": {"type": "dict", "default": {}},
    **wait_options(600),
}


def main() -> None:
    """Run the module."""
    run(work, "ec2", "network {name}", OPTIONS, required_if=[("state", "present", ["cidr", "subnets"])])


def work(aws: Aws) -> dict[str, Any]:
    """Create, change or delete the network."""
    network = Network(aws)
    return network.present() if aws.options["state"] == "present" else network.absent()


def where(**wanted: str | list[str]) -> list[dict[str, Any]]:
    """Return filters, as EC2 takes them; ``_`` stands for ``-``."""
    return [{"Name": name.replace("_", "-"), "Values": values if isinstance(values, list) else [values]} for name, values in wanted.items()]


def not_there(name: str) -> str:
    """Return a placeholder for the id of something that check mode does not make."""
    return f"({name})"


class Network:
    """The network of one environment."""

    def __init__(self, aws: Aws) -> None:
        self.aws, self.options = aws, aws.options
        self.name: str = aws.options["name"]
        self.own = [{"Name": f"tag:{OWNER}", "Values": [aws.options["environment"]]}]
        self.left = cluster_tags(self.name)
        self.common = strings(aws.options["tags"]) | {OWNER: aws.options["environment"]}

    # --- Looking -----------------------------------------------------------------------------------------------------

    def look(self, operation: str, result: str, filters: list[dict[str, Any]] | None = None) -> list[Resource]:
        """Return the environment's own resources, or those that ``filters`` find."""
        # Only DescribeNatGateways calls it Filter.
        key = "Filter" if operation == "describe_nat_gateways" else "Filters"
        return self.aws.list(operation, result, **{key: self.own if filters is None else filters})

    def vpc(self) -> Resource | None:
        """Return the environment's VPC.

        Raises:
            Refused: There are several.
        """
        found = self.look("describe_vpcs", "Vpcs")
        if len(found) > 1:
            ids = ", ".join(vpc["VpcId"] for vpc in found)
            raise Refused(f"several VPCs carry the tag {OWNER}={self.options['environment']}: {ids}. Take the tag off those that are not Berth's.")
        return found[0] if found else None

    # --- Making ------------------------------------------------------------------------------------------------------

    def tags(self, name: str, more: dict[str, Any] | None = None) -> dict[str, str]:
        """Return the tags of the resource called ``name``."""
        return self.common | strings(more or {}) | {"Name": name}

    def change(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """Make a call that changes something, repeated until everything that it names is known everywhere: it may have been made a moment ago.

        docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
        """
        return self.patiently(lambda: self.aws.change(operation, **parameters), "NotFound")

    def make(self, operation: str, kind: str, name: str, more: dict[str, Any] | None = None, **parameters: Any) -> Resource:
        """Make something with tags from the beginning, so that nothing is ever without an owner; {} in check mode."""
        self.aws.note({f"{kind} {name}": (None, {key: value for key, value in parameters.items() if key != "ClientToken"})})
        tags = [{"Key": key, "Value": value} for key, value in self.tags(name, more).items()]
        answer = self.change(operation, TagSpecifications=[{"ResourceType": kind, "Tags": tags}], **parameters)
        return next((value for value in answer.values() if isinstance(value, dict) and value is not answer.get("ResponseMetadata")), {})

    def retag(self, identifier: str, live: list[dict[str, str]] | None, name: str, more: dict[str, Any] | None = None) -> None:
        """Add the tags that are missing, and set those that differ."""
        now = {tag["Key"]: tag["Value"] for tag in live or []}
        missing = {key: value for key, value in self.tags(name, more).items() if now.get(key) != value}
        if missing:
            self.aws.note({f"tags of {name}": ({key: now.get(key) for key in missing}, missing)})
            self.change("create_tags", Resources=[identifier], Tags=[{"Key": key, "Value": value} for key, value in missing.items()])

    def present(self) -> dict[str, Any]:
        """Make what is missing and return the ids."""
        vpc = self.provide_vpc()
        there = not vpc.startswith("(")
        gateway = self.provide_internet_gateway(vpc)
        subnets = self.provide_subnets(vpc, there)
        nats = self.provide_nat_gateways(subnets)
        tables = self.provide_route_tables(vpc, there, gateway, subnets, nats)
        self.provide_endpoints(vpc, there, subnets, tables)
        self.remove_nat_gateways({nat["NatGatewayId"] for nat in nats.values()})
        if self.options["wait"] and not self.aws.check:
            for name, nat in nats.items():
                self.wait_for_nat(name, nat["NatGatewayId"])
        wanted = self.options["subnets"]
        return {
            "vpc_id": vpc,
            "cidr": self.options["cidr"],
            "private_subnet_ids": [subnets[s["name"]] for s in wanted if not s["public"]],
            "public_subnet_ids": [subnets[s["name"]] for s in wanted if s["public"]],
            "nat_addresses": sorted(a["PublicIp"] for nat in nats.values() for a in nat.get("NatGatewayAddresses", []) if a.get("PublicIp")),
        }

    def provide_vpc(self) -> str:
        """Return the VPC's id.

        Raises:
            Refused: It has another network.
        """
        live, cidr = self.vpc(), self.options["cidr"]
        if live and live["CidrBlock"] != cidr:
            raise Refused(
                f"cidr cannot be changed: it is {live['CidrBlock']}, wanted is {cidr}. Put {live['CidrBlock']} back, "
                "or destroy the environment and make it again."
            )
        if live:
            self.retag(live["VpcId"], live.get("Tags"), self.name)
            identifier = live["VpcId"]
            asked = {"EnableDnsHostnames": "enableDnsHostnames", "EnableDnsSupport": "enableDnsSupport"}
            answers = {a: self.aws.client.describe_vpc_attribute(VpcId=identifier, Attribute=name)[a]["Value"] for a, name in asked.items()}
        else:
            identifier = self.make("create_vpc", "vpc", self.name, CidrBlock=cidr).get("VpcId", not_there(self.name))
            answers = {"EnableDnsSupport": True, "EnableDnsHostnames": False}
        # EKS's private endpoint and RDS's name only resolve through the VPC's DNS.
        for attribute in [name for name, on in answers.items() if not on]:
            self.change("modify_vpc_attribute", VpcId=identifier, **{attribute: {"Value": True}})
        return identifier

    def provide_internet_gateway(self, vpc: str) -> str:
        """Return the id of the internet gateway that the VPC has."""
        found = self.look("describe_internet_gateways", "InternetGateways")
        live = found[0] if found else self.make("create_internet_gateway", "internet-gateway", self.name)
        identifier = live.get("InternetGatewayId", not_there(f"{self.name} internet gateway"))
        if found:
            self.retag(identifier, live.get("Tags"), self.name)
        if not live.get("Attachments"):
            self.change("attach_internet_gateway", InternetGatewayId=identifier, VpcId=vpc)
        return identifier

    def provide_subnets(self, vpc: str, there: bool) -> dict[str, str]:
        """Return the subnets' ids by their names.

        Raises:
            Refused: One is in another zone.
        """
        live = {subnet["CidrBlock"]: subnet for subnet in self.look("describe_subnets", "Subnets", where(vpc_id=vpc))} if there else {}
        ids = {}
        for wanted in self.options["subnets"]:
            name, found = f"{self.name}-{wanted['name']}", live.get(wanted["cidr"])
            if found and found["AvailabilityZone"] != wanted["zone"]:
                raise Refused(
                    f"the zone of subnet {wanted['cidr']} cannot be changed: it is {found['AvailabilityZone']}, wanted is {wanted['zone']}. "
                    "Keep the order of the zones, and add new ones at the end."
                )
            if found:
                self.retag(found["SubnetId"], found.get("Tags"), name, wanted["tags"])
            else:
                found = self.make("create_subnet", "subnet", name, wanted["tags"], VpcId=vpc, CidrBlock=wanted["cidr"], AvailabilityZone=wanted["zone"])
            ids[wanted["name"]] = found.get("SubnetId", not_there(name))
            if found.get("MapPublicIpOnLaunch", False) != wanted["public"]:
                self.change("modify_subnet_attribute", SubnetId=ids[wanted["name"]], MapPublicIpOnLaunch={"Value": wanted["public"]})
        return ids

    def provide_nat_gateways(self, subnets: dict[str, str]) -> dict[str, Resource]:
        """Return the wanted NAT gateways by zone; one that failed is recreated."""
        public = [subnet for subnet in self.options["subnets"] if subnet["public"]]
        wanted = {"none": [], "one": public[:1], "zone": public}[self.options["nat"]]
        live = {nat["SubnetId"]: nat for nat in self.look("describe_nat_gateways", "NatGateways") if nat["State"] in LIVE_NAT}
        nats = {}
        for subnet in wanted:
            name, identifier = f"{self.name}-{subnet['zone']}", subnets[subnet["name"]]
            if identifier in live:
                nats[subnet["zone"]] = live[identifier]
                self.retag(live[identifier]["NatGatewayId"], live[identifier].get("Tags"), name)
                continue
            made = self.make("create_nat_gateway", "natgateway", name, SubnetId=identifier, AllocationId=self.provide_address(name))
            nats[subnet["zone"]] = {"NatGatewayId": not_there(name)} | made
        return nats

    def provide_address(self, name: str) -> str:
        """Return the id of an unused address of ours; one from an interrupted run is reused."""
        for address in self.addresses():
            if not address.get("AssociationId"):
                return address["AllocationId"]
        self.aws.note({f"elastic-ip {name}": (None, {"Domain": "vpc"})})
        tags = [{"Key": key, "Value": value} for key, value in self.tags(name).items()]
        answer = self.change("allocate_address", Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags}])
        return answer.get("AllocationId", not_there(name))

    def wait_for_nat(self, zone: str, identifier: str) -> None:
        """Wait until a NAT gateway answers."""

        def status() -> tuple[str, str]:
            nat = self.aws.client.describe_nat_gateways(NatGatewayIds=[identifier])["NatGateways"][0]
            return nat["State"], nat.get("FailureMessage", "")

        self.aws.wait.until(f"NAT gateway {identifier} in {zone}", status, ["available"], {"failed": 0, "deleted": 0, "deleting": 0})

    def provide_route_tables(self, vpc: str, there: bool, gateway: str, subnets: dict[str, str], nats: dict[str, Resource]) -> list[str]:
        """Give every subnet its route table: one for all public ones, one for each private one. Return the private ones' ids."""
        live = self.look("describe_route_tables", "RouteTables", where(vpc_id=vpc)) if there else []
        named = {tag["Value"]: table for table in live for tag in table.get("Tags", []) if tag["Key"] == "Name"}
        routed = {a["SubnetId"]: (a["RouteTableAssociationId"], table["RouteTableId"]) for table in live for a in table["Associations"] if a.get("SubnetId")}
        public = [s for s in self.options["subnets"] if s["public"]]
        groups = [(f"{self.name}-public", public, {"GatewayId": gateway} if public else {})]
        only = next(iter(nats.values()), {}).get("NatGatewayId")
        for subnet in [s for s in self.options["subnets"] if not s["public"]]:
            nat = nats.get(subnet["zone"], {}).get("NatGatewayId", only)
            groups.append((f"{self.name}-{subnet['name']}", [subnet], {"NatGatewayId": nat} if nat else {}))
        ids = []
        for name, members, target in groups:
            table = named.get(name)
            if table:
                self.retag(table["RouteTableId"], table.get("Tags"), name)
            else:
                table = self.make("create_route_table", "route-table", name, VpcId=vpc)
            identifier = table.get("RouteTableId", not_there(name))
            ids += [identifier] if members and not members[0]["public"] else []
            self.provide_route(identifier, name, table.get("Routes", []), target)
            for member in members:
                self.associate(identifier, subnets[member["name"]], routed.get(subnets[member["name"]]))
        return ids

    def provide_route(self, table: str, name: str, routes: list[Resource], target: dict[str, str]) -> None:
        """Route everything that is not in the VPC to ``target``."""
        found = next((route for route in routes if route.get("DestinationCidrBlock") == EVERYWHERE), None)
        if not target:
            if found:
                self.aws.note({f"route of {name}": (found.get("NatGatewayId") or found.get("GatewayId"), None)})
                self.change("delete_route", RouteTableId=table, DestinationCidrBlock=EVERYWHERE)
            return
        ((kind, identifier),) = target.items()
        if found and found.get(kind) == identifier and found.get("State", "active") == "active":
            return
        self.aws.note({f"route of {name}": (found and (found.get("NatGatewayId") or found.get("GatewayId")), identifier)})
        operation = "replace_route" if found else "create_route"
        self.change(operation, RouteTableId=table, DestinationCidrBlock=EVERYWHERE, **target)

    def associate(self, table: str, subnet: str, now: tuple[str, str] | None) -> None:
        """Make a subnet use a route table."""
        if now is None:
            self.change("associate_route_table", RouteTableId=table, SubnetId=subnet)
        elif now[1] != table:
            self.change("replace_route_table_association", AssociationId=now[0], RouteTableId=table)

    def provide_endpoints(self, vpc: str, there: bool, subnets: dict[str, str], tables: list[str]) -> None:
        """Provide the endpoints of AWS services."""
        region = self.aws.client.meta.region_name
        found = self.look("describe_vpc_endpoints", "VpcEndpoints", where(vpc_id=vpc)) if there and self.options["endpoints"] else []
        live = {endpoint["ServiceName"]: endpoint for endpoint in found}
        private = [subnets[s["name"]] for s in self.options["subnets"] if not s["public"]]
        for service in self.options["endpoints"]:
            full, name = f"com.amazonaws.{region}.{service}", f"{self.name}-{service}"
            now = live.get(full)
            if service == "s3" and now:
                missing = sorted(set(tables) - set(now.get("RouteTableIds", [])))
                if missing:
                    self.aws.note({f"vpc-endpoint {name}": (now.get("RouteTableIds"), tables)})
                    self.change("modify_vpc_endpoint", VpcEndpointId=now["VpcEndpointId"], AddRouteTableIds=missing)
            elif service == "s3":
                self.make("create_vpc_endpoint", "vpc-endpoint", name, VpcId=vpc, ServiceName=full, VpcEndpointType="Gateway", RouteTableIds=tables)
            elif not now:
                group = self.endpoint_group(vpc)
                self.make(
                    "create_vpc_endpoint",
                    "vpc-endpoint",
                    name,
                    VpcId=vpc,
                    ServiceName=full,
                    VpcEndpointType="Interface",
                    SubnetIds=private,
                    SecurityGroupIds=[group],
                    PrivateDnsEnabled=True,
                )

    def endpoint_group(self, vpc: str) -> str:
        """Return the id of the security group that lets the VPC reach the endpoints; one from an interrupted run gets its rule."""
        name = f"{self.name}-endpoints"
        found = self.look("describe_security_groups", "SecurityGroups", [*self.own, *where(group_name=name)])
        if found and found[0].get("IpPermissions"):
            return found[0]["GroupId"]
        self.aws.note({f"security-group {name}": (None, {"ingress": f"443 from {self.options['cidr']}"})})
        if not found:
            tags = [{"Key": key, "Value": value} for key, value in self.tags(name).items()]
            specification = [{"ResourceType": "security-group", "Tags": tags}]
            found = [self.change("create_security_group", GroupName=name, Description="AWS endpoints of the VPC", VpcId=vpc, TagSpecifications=specification)]
        group = found[0].get("GroupId", not_there(name))
        rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": self.options["cidr"], "Description": "the VPC"}]}
        self.change("authorize_security_group_ingress", GroupId=group, IpPermissions=[rule])
        return group

    # --- Taking away -------------------------------------------------------------------------------------------------

    def patiently(self, call: Callable[[], Any], code: str, goes_on: Callable[[], bool] = lambda: True) -> Any:
        """Call until AWS no longer answers with an error code that contains ``code``, and return the answer; ask ``goes_on`` before each further attempt.

        Raises:
            ClientError: Another error, or still this one when the time is over or ``goes_on`` says no.
        """
        end = min(self.aws.wait.end, time.monotonic() + (60 if code == "NotFound" else self.aws.wait.seconds))
        while True:
            try:
                return call()
            except ClientError as error:
                if code not in error.response["Error"]["Code"] or time.monotonic() >= end or not goes_on():
                    raise
            time.sleep(PAUSE)

    def delete(self, operation: str, what: str, within: list[dict[str, Any]] | None = None, **names: str) -> None:
        """Delete something and report it; it may be gone already.

        Args:
            operation: The operation that deletes it.
            what: A description of it.
            within: Filters for the network interfaces that may block it; by default those of the VPC.
            names: The operation's parameters.

        Raises:
            Refused: Something still needs it when the time is over, or something of somebody else's does for two minutes.
        """
        self.aws.note({what: ("present", "absent")})
        report(f"deleting {what}")
        began = time.monotonic()

        def goes_on() -> bool:
            # Network interfaces of load balancers and of EKS disappear minutes after them; those that are left by then are the nodes'.
            found = self.interfaces(within)
            self.remove_interfaces(found)
            return time.monotonic() - began < SOMEBODY_ELSES or not any(map(self.somebody_elses, found))

        try:
            self.patiently(lambda: self.aws.change(operation, **names), "DependencyViolation", goes_on)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("DependencyViolation", "InvalidIPAddress.InUse"):
                words = f"{what} cannot be deleted, for something still uses it: {self.users(within)}"
                raise Refused(f"{words}. Delete that, then run the same command again.") from error
            if "NotFound" not in code:
                raise

    def interfaces(self, within: list[dict[str, Any]] | None) -> list[Resource]:
        """Return the network interfaces that filters find; by default those of the VPC."""
        vpc = self.vpc() if within is None else None
        filters = where(vpc_id=vpc["VpcId"]) if vpc else within
        return self.look("describe_network_interfaces", "NetworkInterfaces", filters) if filters else []

    def remove_interfaces(self, found: list[Resource]) -> None:
        """Delete the interfaces that the cluster's nodes have left behind (github.com/eksctl-io/eksctl/issues/7589)."""
        for interface in found:
            if interface["Status"] == "available" and self.of_the_cluster(interface.get("TagSet")):
                identifier = interface["NetworkInterfaceId"]
                self.aws.note({f"network interface {identifier}": ("present", "absent")})
                try:
                    self.aws.change("delete_network_interface", NetworkInterfaceId=identifier)
                except is_boto3_error_code("InvalidNetworkInterfaceID.NotFound"):
                    pass  # it is already gone

    def of_the_cluster(self, tags: list[dict[str, str]] | None) -> bool:
        """Whether tags belong to something that the cluster made, or Berth itself."""
        return any(self.left.get(tag["Key"]) == tag["Value"] or (tag["Key"], tag["Value"]) == (OWNER, self.options["environment"]) for tag in tags or [])

    def somebody_elses(self, interface: Resource) -> bool:
        """Whether nothing removes an interface automatically: neither AWS, whose services make theirs, nor the end of the cluster's instances."""
        by_aws = interface.get("RequesterManaged") or interface.get("InterfaceType", "interface") != "interface"
        return not by_aws and not interface.get("Description", "").startswith("Amazon EKS") and not self.of_the_cluster(interface.get("TagSet"))

    def users(self, within: list[dict[str, Any]] | None) -> str:
        """Return what has network interfaces there, in words; only what is somebody else's if there is any."""
        found = self.interfaces(within)
        found = [one for one in found if self.somebody_elses(one)] or found
        words = [f"{i['NetworkInterfaceId']} ({i.get('Description') or i.get('InterfaceType', 'network interface')})" for i in found]
        return ", ".join(words) or "nothing that has a network interface; look for security groups, gateways and peerings in the VPC"

    def addresses(self) -> list[Resource]:
        """Return our addresses (the only call without pages)."""
        return self.aws.client.describe_addresses(Filters=self.own)["Addresses"]

    def absent(self) -> dict[str, Any]:
        """Delete the network, each part once nothing uses it any more; of somebody else's network, only what is ours."""
        if self.options["vpc_id"]:
            self.remove_groups(where(vpc_id=self.options["vpc_id"]))
            return {}
        vpc = self.vpc()
        inside = where(vpc_id=vpc["VpcId"]) if vpc else []
        if vpc:
            for endpoint in self.look("describe_vpc_endpoints", "VpcEndpoints", inside):
                if endpoint.get("State", "").lower() not in ("deleting", "deleted"):
                    self.delete_endpoint(endpoint["VpcEndpointId"])
        self.remove_nat_gateways(set())
        if vpc:
            self.empty(vpc["VpcId"], inside)
        for gateway in self.look("describe_internet_gateways", "InternetGateways"):
            identifier = gateway["InternetGatewayId"]
            for attachment in gateway.get("Attachments", []):
                self.delete("detach_internet_gateway", f"attachment of {identifier}", InternetGatewayId=identifier, VpcId=attachment["VpcId"])
            self.delete("delete_internet_gateway", f"internet gateway {identifier}", InternetGatewayId=identifier)
        if vpc:
            self.delete("delete_vpc", f"VPC {vpc['VpcId']}", VpcId=vpc["VpcId"])
        return {}

    def remove_nat_gateways(self, wanted: set[str]) -> None:
        """Delete the NAT gateways that are not wanted (any more), then the unused addresses: both are billed by the hour."""
        nats = [nat for nat in self.look("describe_nat_gateways", "NatGateways") if nat["State"] != "deleted" and nat["NatGatewayId"] not in wanted]
        for nat in nats:
            if nat["State"] != "deleting":
                self.delete("delete_nat_gateway", f"NAT gateway {nat['NatGatewayId']}", NatGatewayId=nat["NatGatewayId"])
        if nats and not self.aws.check:
            for nat in nats:
                self.wait_until_gone(nat["NatGatewayId"])
        used = (
            {
                a.get("AllocationId")
                for nat in self.look("describe_nat_gateways", "NatGateways")
                if nat["State"] in LIVE_NAT and nat["NatGatewayId"] in wanted
                for a in nat.get("NatGatewayAddresses", [])
            }
            if wanted
            else set()
        )
        for address in self.addresses():
            if address["AllocationId"] not in used and (not address.get("AssociationId") or not wanted):
                self.delete("release_address", f"address {address['PublicIp']}", AllocationId=address["AllocationId"])

    def delete_endpoint(self, identifier: str) -> None:
        """Delete a VPC endpoint; EC2 returns the error in its answer instead of refusing."""
        self.aws.note({f"endpoint {identifier}": ("present", "absent")})
        failed = self.aws.change("delete_vpc_endpoints", VpcEndpointIds=[identifier]).get("Unsuccessful", [])
        if failed and "NotFound" not in failed[0]["Error"]["Code"]:
            raise Refused(f"endpoint {identifier} cannot be deleted: {failed[0]['Error']['Message']}.")

    def wait_until_gone(self, identifier: str) -> None:
        """Wait until a NAT gateway has released its address."""

        def status() -> tuple[str, str]:
            found = self.look("describe_nat_gateways", "NatGateways", where(nat_gateway_id=identifier))
            return found[0]["State"] if found else "deleted", ""

        self.aws.wait.until(f"NAT gateway {identifier}", status, ["deleted"], {})

    def empty(self, vpc: str, inside: list[dict[str, Any]]) -> None:
        """Delete what is in the VPC and is ours, or was left by EKS and its load balancers."""
        self.remove_groups(inside)
        for subnet in self.look("describe_subnets", "Subnets", inside):
            self.delete("delete_subnet", f"subnet {subnet['SubnetId']}", SubnetId=subnet["SubnetId"])
        for table in self.look("describe_route_tables", "RouteTables", inside):
            if not any(association.get("Main") for association in table.get("Associations", [])):
                self.delete("delete_route_table", f"route table {table['RouteTableId']}", RouteTableId=table["RouteTableId"])

    def remove_groups(self, inside: list[dict[str, Any]]) -> None:
        """Delete the security groups that are ours, or were left by EKS and its load balancers."""
        groups = [group for group in self.look("describe_security_groups", "SecurityGroups", inside) if self.of_the_cluster(group.get("Tags"))]
        for group in groups:
            # Groups whose rules name each other would block each other's deletion.
            for direction, key in (("ingress", "IpPermissions"), ("egress", "IpPermissionsEgress")):
                rules = [rule for rule in group.get(key, []) if rule.get("UserIdGroupPairs")]
                if rules:
                    self.aws.change(f"revoke_security_group_{direction}", GroupId=group["GroupId"], IpPermissions=rules)
        for group in groups:
            self.delete("delete_security_group", f"security group {group['GroupName']}", where(group_id=group["GroupId"]), GroupId=group["GroupId"])


if __name__ == "__main__":
    main()
