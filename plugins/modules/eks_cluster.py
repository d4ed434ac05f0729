"""Create, change, upgrade or delete an EKS cluster."""

from __future__ import annotations

DOCUMENTATION = """
module: eks_cluster
short_description: Create, change, upgrade or delete an EKS cluster
description:
  - Creates a cluster, and changes every setting that AWS allows to change. A change that AWS does not allow is refused, with
    the current value, the wanted value and advice.
  - Options that are omitted are not changed. A new cluster has the private endpoint only, authentication by access
    entries only, no administrator by default and standard support, unless the options say otherwise.
  - A cluster whose creation failed is deleted and created again.
options:
  name: {description: The cluster's name., type: str, required: true}
  state:
    description: Whether the cluster exists.
    type: str
    choices: [present, absent]
    default: present
  version:
    description:
      - The Kubernetes version, such as V('1.34'). A new cluster gets EKS's default if omitted.
      - Can only be raised, by one minor version at a time.
    type: str
  role_arn: {description: The IAM role of the control plane. Needed for a new cluster; cannot be changed., type: str}
  subnet_ids:
    description: Subnets of the control plane's network interfaces, in at least two zones. Needed for a new cluster.
    type: list
    elements: str
  security_group_ids:
    description: Security groups of the control plane's network interfaces, in addition to EKS's own.
    type: list
    elements: str
  endpoint_private_access: {description: Whether the API server answers within the VPC. A new cluster's does., type: bool}
  endpoint_public_access: {description: Whether the API server answers outside the VPC. A new cluster's does not., type: bool}
  public_access_cidrs:
    description: Networks (CIDR) that may reach the public endpoint.
    type: list
    elements: str
  public_to_world:
    description: Allows the public endpoint to be open to the whole internet. Without it V(0.0.0.0/0) and V(::/0) are refused.
    type: bool
    default: false
  authentication_mode:
    description: How the cluster authenticates users. Can only go from V(CONFIG_MAP) to V(API_AND_CONFIG_MAP) to V(API), one step at a time.
    type: str
    choices: [CONFIG_MAP, API_AND_CONFIG_MAP, API]
  bootstrap_cluster_creator_admin_permissions:
    description: Whether the creator of the cluster becomes its administrator. Applies to a new cluster only.
    type: bool
    default: false
  bootstrap_self_managed_addons:
    description:
      - Whether EKS installs unmanaged copies of vpc-cni, kube-proxy and coredns in a new cluster.
      - Cannot be combined with Auto Mode.
    type: bool
    default: false
  logging:
    description: The control-plane logs to send to CloudWatch, V([]) for none.
    type: list
    elements: str
    choices: [api, audit, authenticator, controllerManager, scheduler]
  kms_key_arn:
    description: The KMS key that encrypts Secrets. Can be added to a cluster that has none; cannot be changed or removed.
    type: str
  service_ipv4_cidr: {description: The network of Services. Cannot be changed., type: str}
  ip_family:
    description: The addresses of pods and Services. Cannot be changed.
    type: str
    choices: [ipv4, ipv6]
  auto_mode:
    description: Whether EKS manages nodes, load balancers and volumes (Auto Mode).
    type: bool
  auto_mode_node_pools:
    description: EKS's built-in node pools in Auto Mode. A new cluster has both.
    type: list
    elements: str
    choices: [general-purpose, system]
  auto_mode_node_role_arn:
    description:
      - The IAM role of Auto Mode's nodes. Cannot be changed while Auto Mode is on.
      - With O(state=absent), the module also waits until this role can be deleted.
    type: str
  upgrade_policy:
    description: What happens at the end of standard support. V(EXTENDED) costs 0.60 instead of 0.10 dollars an hour after that.
    type: str
    choices: [STANDARD, EXTENDED]
  deletion_protection: {description: Whether AWS refuses to delete the cluster., type: bool}
  zonal_shift: {description: Whether Application Recovery Controller may move traffic out of an impaired zone., type: bool}
  wait:
    description: Whether to wait until the last change is complete. Earlier changes are always waited for.
    type: bool
    default: true
  wait_timeout:
    description: Total seconds to wait. A new cluster takes 9 to 16 minutes, an upgrade about as long.
    type: int
    default: 2400
attributes:
  check_mode: {support: full, description: Says what would change. Values that AWS would generate for a new cluster are empty.}
  diff_mode: {support: full, description: Shows the options that change.}
extends_documentation_fragment: [amazon.aws.tags, amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Start creating the cluster
  berth.platform.eks_cluster:
    name: polls-prod
    version: "1.34"
    role_arn: arn:aws:iam::123456789012:role/polls-prod-cluster
    subnet_ids: [subnet-0a, subnet-0b]
    endpoint_public_access: true
    public_access_cidrs: [203.0.113.0/24]
    logging: [api, audit, authenticator]
    kms_key_arn: arn:aws:kms:eu-central-1:123456789012:key/1f0c
    auto_mode: true
    auto_mode_node_role_arn: arn:aws:iam::123456789012:role/polls-prod-node
    deletion_protection: true
    tags: {environment: prod}
    wait: false

- name: Upgrade by one minor version
  berth.platform.eks_cluster:
    name: polls-prod
    version: "1.35"

- name: Turn off deletion protection
  berth.platform.eks_cluster:
    name: polls-prod
    deletion_protection: false

- name: Delete the cluster
  berth.platform.eks_cluster:
    name: polls-prod
    state: absent
"""

RETURN = """
cluster:
  description: The cluster as EKS describes it, in snake_case.
  returned: when O(state=present)
  type: dict
  contains:
    name: {description: Its name., type: str}
    arn: {description: Its ARN., type: str}
    status: {description: "C(CREATING), C(ACTIVE), C(UPDATING), C(DELETING) or C(FAILED); C(ABSENT) in check mode before it is created.", type: str}
    version: {description: The Kubernetes version., type: str}
    endpoint: {description: The API server's URL; empty while the cluster is being created., type: str}
    certificate_authority: {description: "C(data) is the API server's CA, in PEM and base64.", type: dict}
    identity: {description: "C(oidc.issuer) is the URL of the OIDC issuer.", type: dict}
    resources_vpc_config: {description: "Subnets, security groups, endpoint access; C(cluster_security_group_id) is EKS's own.", type: dict}
    kubernetes_network_config: {description: Networks of Services., type: dict}
    access_config: {description: The authentication mode., type: dict}
    tags: {description: Its tags., type: dict}
"""

import contextlib
import ipaddress
from collections.abc import Iterator
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ..module_utils.aws.eks import Resource, issues, minor, shown_cluster
from ..module_utils.aws.session import (
    GONE,
    MISSING,
    TAG_OPTIONS,
    Aws,
    Differences,
    Refused,
    Wait,
    connect,
    differences,
    refuse_fixed,
    run,
    strings,
    wait_options,
)

LOGS = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
MODES = ["CONFIG_MAP", "API_AND_CONFIG_MAP", "API"]
POOLS = ["general-purpose", "system"]

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "version": {"type": "str"},
    "role_arn": {"type": "str"},
    "subnet_ids": {"type": "list", "elements": "str"},
    "security_group_ids": {"type": "list", "elements": "str"},
    "endpoint_private_access": {"type": "bool"},
    "endpoint_public_access": {"type": "bool"},
    "public_access_cidrs": {"type": "list", "elements": "str"},
    "public_to_world": {"type": "bool", "default": False},
    "authentication_mode": {"type": "str", "choices": MODES},
    "bootstrap_cluster_creator_admin_permissions": {"type": "bool", "default": False},
    "bootstrap_self_managed_addons": {"type": "bool", "default": False},
    "logging": {"type": "list", "elements": "str", "choices": LOGS},
    "kms_key_arn": {"type": "str"},
    "service_ipv4_cidr": {"type": "str"},
    "ip_family": {"type": "str", "choices": ["ipv4", "ipv6"]},
    "auto_mode": {"type": "bool"},
    "auto_mode_node_pools": {"type": "list", "elements": "str", "choices": POOLS},
    "auto_mode_node_role_arn": {"type": "str"},
    "upgrade_policy": {"type": "str", "choices": ["STANDARD", "EXTENDED"]},
    "deletion_protection": {"type": "bool"},
    "zonal_shift": {"type": "bool"},
    **TAG_OPTIONS,
    **wait_options(2400),
}

SETTINGS = (
    "version",
    "role_arn",
    "subnet_ids",
    "security_group_ids",
    "endpoint_private_access",
    "endpoint_public_access",
    "public_access_cidrs",
    "authentication_mode",
    "logging",
    "kms_key_arn",
    "service_ipv4_cidr",
    "ip_family",
    "auto_mode",
    "auto_mode_node_pools",
    "auto_mode_node_role_arn",
    "upgrade_policy",
    "deletion_protection",
    "zonal_shift",
)
"""The options for settings that EKS describes."""

NEW = {"endpoint_private_access": True, "endpoint_public_access": False, "authentication_mode": "API", "upgrade_policy": "STANDARD"}
"""The defaults of a new cluster's options."""

LETTING_GO = 120
"""Seconds for which Auto Mode's instance profile may hold the nodes' role after the cluster is deleted: github.com/aws/containers-roadmap/issues/2531."""

NEEDED = ("role_arn", "subnet_ids")
"""The options that a new cluster needs."""

ANOTHER = "Create a cluster with another name and migrate to it, or leave the option as it is."
FIXED = {"role_arn": ANOTHER, "service_ipv4_cidr": ANOTHER, "ip_family": ANOTHER}


def main() -> None:
    """Run the module."""
    run(work, "eks", "EKS cluster {name}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Create, change or delete the cluster."""
    name = aws.options["name"]
    cluster = Resource(aws, "describe_cluster", "cluster", {"name": name}, {"name": name})
    if aws.options["state"] == "absent":
        return remove(aws, cluster)
    live = cluster.without_remains("delete_cluster", NEEDED)
    if not live:
        described = create(aws)
    else:
        change(aws, cluster, live)
        described = cluster.look() or live
    described = cluster.waited(described)
    if live and issues(described):
        aws.module.warn(f"{aws.subject}: {issues(described)}")
    return {"cluster": shown_cluster(described)}


def remove(aws: Aws, cluster: Resource) -> dict[str, Any]:
    """Delete the cluster, or refuse with the reason."""
    live = cluster.look() or {}
    if live.get("deletionProtection"):
        raise Refused("deletion protection is on. To delete the cluster, set deletion_protection to false with state: present first.")
    nodes = aws.list("list_nodegroups", "nodegroups", clusterName=aws.options["name"])
    if nodes:
        raise Refused(f"it still has node groups: {', '.join(nodes)}. Delete them first.")
    cluster.remove("delete_cluster")
    if aws.options["auto_mode_node_role_arn"] and aws.options["wait"] and not aws.check:
        let_go(aws, aws.options["auto_mode_node_role_arn"].rsplit("/", 1)[-1])
    return {}


def let_go(aws: Aws, role: str) -> None:
    """Wait for a limited time until no instance profile holds the nodes' role. The task that deletes the role removes it from the remaining profiles."""
    iam = connect(aws.module, "iam")

    def look() -> tuple[str, str]:
        try:
            held = iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]
        except is_boto3_error_code(MISSING):
            return GONE, ""
        return ("held" if held else GONE), ", ".join(profile["InstanceProfileName"] for profile in held)

    with contextlib.suppress(Refused):
        Wait(LETTING_GO).until(f"Instance profile of {role}", look, [GONE], {})


def wanted(aws: Aws) -> dict[str, Any]:
    """Return the settings in the options, with lists sorted."""
    settings = {name: aws.options[name] for name in SETTINGS if aws.options[name] is not None}
    return {name: sorted(set(value)) if isinstance(value, list) else value for name, value in settings.items()}


def settings_of(cluster: dict[str, Any]) -> dict[str, Any]:
    """Return the settings by option of a cluster as EKS describes it."""
    vpc, network = cluster.get("resourcesVpcConfig") or {}, cluster.get("kubernetesNetworkConfig") or {}
    logs, compute = (cluster.get("logging") or {}).get("clusterLogging") or [], cluster.get("computeConfig") or {}
    return {
        "version": cluster.get("version"),
        "role_arn": cluster.get("roleArn"),
        "subnet_ids": sorted(vpc.get("subnetIds") or []),
        "security_group_ids": sorted(vpc.get("securityGroupIds") or []),
        "endpoint_private_access": vpc.get("endpointPrivateAccess", False),
        "endpoint_public_access": vpc.get("endpointPublicAccess", True),
        "public_access_cidrs": sorted(vpc.get("publicAccessCidrs") or []),
        # A cluster older than access entries has no such field.
        "authentication_mode": (cluster.get("accessConfig") or {}).get("authenticationMode") or "CONFIG_MAP",
        "logging": sorted(log for setup in logs if setup.get("enabled") for log in setup.get("types") or []),
        "kms_key_arn": next((setup["provider"]["keyArn"] for setup in cluster.get("encryptionConfig") or []), ""),
        "service_ipv4_cidr": network.get("serviceIpv4Cidr"),
        "ip_family": network.get("ipFamily", "ipv4"),
        "auto_mode": compute.get("enabled", False),
        "auto_mode_node_pools": sorted(compute.get("nodePools") or []),
        "auto_mode_node_role_arn": compute.get("nodeRoleArn"),
        "upgrade_policy": (cluster.get("upgradePolicy") or {}).get("supportType") or "EXTENDED",
        "deletion_protection": cluster.get("deletionProtection", False),
        "zonal_shift": (cluster.get("zonalShiftConfig") or {}).get("enabled", False),
    }


# --- Creation --------------------------------------------------------------------------------------------------------


def create(aws: Aws) -> dict[str, Any]:
    """Start creating a cluster, and return its description; in check mode, what is known of it in advance."""
    settings = NEW | wanted(aws)
    missing = [name for name in NEEDED if not settings.get(name)]
    if missing:
        raise Refused(f"a new cluster needs {' and '.join(missing)}.")
    if "version" in settings:
        minor(str(settings["version"]))
    if settings.get("auto_mode"):
        settings = {"auto_mode_node_pools": POOLS} | settings
    refuse_auto_mode(settings)
    open_access(aws, settings)
    request = creation(aws, settings)
    aws.note({name: (None, value) for name, value in {**settings, "tags": request.get("tags", {})}.items() if value not in ([], {})})
    return aws.change("create_cluster", **request).get("cluster") or request


def creation(aws: Aws, settings: dict[str, Any]) -> dict[str, Any]:
    """Return CreateCluster's parameters."""
    network = {"serviceIpv4Cidr": settings.get("service_ipv4_cidr"), "ipFamily": settings.get("ip_family")}
    request: dict[str, Any] = {
        "name": aws.options["name"],
        "version": settings.get("version"),
        "roleArn": settings["role_arn"],
        "resourcesVpcConfig": {"subnetIds": settings["subnet_ids"], "securityGroupIds": settings.get("security_group_ids", []), **endpoints(settings)},
        "kubernetesNetworkConfig": {name: value for name, value in network.items() if value},
        "accessConfig": {
            "authenticationMode": settings["authentication_mode"],
            "bootstrapClusterCreatorAdminPermissions": aws.options["bootstrap_cluster_creator_admin_permissions"],
        },
        "bootstrapSelfManagedAddons": aws.options["bootstrap_self_managed_addons"],
        "upgradePolicy": {"supportType": settings["upgrade_policy"]},
        "tags": strings(aws.options["tags"] or {}),
    }
    if settings.get("logging"):
        request["logging"] = {"clusterLogging": [{"types": settings["logging"], "enabled": True}]}
    if settings.get("kms_key_arn"):
        request["encryptionConfig"] = encryption(settings)
    if settings.get("auto_mode"):
        auto = automation(settings)
        request |= auto | {"kubernetesNetworkConfig": request["kubernetesNetworkConfig"] | auto["kubernetesNetworkConfig"]}
    if "deletion_protection" in settings:
        request["deletionProtection"] = settings["deletion_protection"]
    if "zonal_shift" in settings:
        request["zonalShiftConfig"] = {"enabled": settings["zonal_shift"]}
    return {name: value for name, value in request.items() if value not in (None, {})}


def refuse_auto_mode(settings: dict[str, Any]) -> None:
    """Refuse Auto Mode without what it needs.

    Raises:
        Refused: Something is missing; the text names it.
    """
    if not settings.get("auto_mode"):
        return
    if settings["authentication_mode"] == "CONFIG_MAP":
        raise Refused("Auto Mode needs access entries: set authentication_mode to API.")
    if settings["auto_mode_node_pools"] and not settings.get("auto_mode_node_role_arn"):
        raise Refused("Auto Mode's node pools need auto_mode_node_role_arn; without it set auto_mode_node_pools to [] and create your own pools.")


def endpoints(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the access to the API server, as EKS's parameter."""
    access = {"endpointPrivateAccess": settings["endpoint_private_access"], "endpointPublicAccess": settings["endpoint_public_access"]}
    return access | ({"publicAccessCidrs": settings["public_access_cidrs"]} if settings["endpoint_public_access"] else {})


def encryption(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the encryption of Secrets, as EKS's parameter."""
    return [{"resources": ["secrets"], "provider": {"keyArn": settings["kms_key_arn"]}}]


def automation(settings: dict[str, Any]) -> dict[str, Any]:
    """Return Auto Mode's three parts; EKS accepts them only together."""
    on = settings["auto_mode"]
    compute: dict[str, Any] = {"enabled": on}
    if on:
        compute["nodePools"] = settings["auto_mode_node_pools"]
        compute |= {"nodeRoleArn": settings["auto_mode_node_role_arn"]} if settings.get("auto_mode_node_role_arn") else {}
    return {
        "computeConfig": compute,
        "kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": on}},
        "storageConfig": {"blockStorage": {"enabled": on}},
    }


def open_access(aws: Aws, settings: dict[str, Any]) -> None:
    """Fill in and check the networks that may reach the public endpoint.

    Raises:
        Refused: It is open to the world without public_to_world, or a network is invalid.
    """
    if not settings["endpoint_public_access"]:
        return
    if not settings.get("public_access_cidrs"):
        settings["public_access_cidrs"] = ["0.0.0.0/0"]  # EKS's default for an empty list.
    for network in settings["public_access_cidrs"]:
        try:
            everything = ipaddress.ip_network(network).prefixlen == 0
        except ValueError as error:
            raise Refused(f"public_access_cidrs: {error}.") from None
        if everything and not aws.options["public_to_world"]:
            raise Refused(
                f"the public endpoint would be open to the whole internet ({network}). Name your networks in public_access_cidrs, or set public_to_world."
            )


# --- Changes ---------------------------------------------------------------------------------------------------------


def change(aws: Aws, cluster: Resource, live: dict[str, Any]) -> None:
    """Start the updates of the live cluster.

    Raises:
        Refused: A change is not possible.
    """
    now, settings = settings_of(live), wanted(aws)
    goal = now | settings
    if settings.keys() & {"endpoint_public_access", "public_access_cidrs"}:
        open_access(aws, goal)
        settings |= {"public_access_cidrs": goal["public_access_cidrs"]} if goal["endpoint_public_access"] else {}
    if not goal["endpoint_public_access"]:
        settings.pop("public_access_cidrs", None)
    if not goal["auto_mode"]:
        settings = {name: value for name, value in settings.items() if not name.startswith("auto_mode_")}
    elif not now["auto_mode"] and "auto_mode_node_pools" not in settings:
        goal["auto_mode_node_pools"] = settings["auto_mode_node_pools"] = POOLS
    found = differences(now, settings)
    refuse(found, now)
    if found.keys() & {"auto_mode", "auto_mode_node_pools", "auto_mode_node_role_arn"}:
        refuse_auto_mode(goal)
    aws.note(found)
    for operation, parameters in updates(set(found), goal):
        # The only EKS operation that uses another parameter for the cluster's name.
        name = "clusterName" if operation == "associate_encryption_config" else "name"
        cluster.update(operation, **{name: live["name"]}, **parameters)
    aws.retag(live["arn"], live.get("tags"))


def refuse(found: Differences, now: dict[str, Any]) -> None:
    """Refuse changes that EKS does not support.

    Raises:
        Refused: There are some; the text names the options.
    """
    fixed = dict(FIXED)
    if now["kms_key_arn"]:
        fixed["kms_key_arn"] = ANOTHER
    if now["auto_mode"] and now["auto_mode_node_role_arn"]:
        fixed["auto_mode_node_role_arn"] = "Turn auto_mode off and on again with the other role (its nodes are replaced), or leave it as it is."
    refuse_fixed(found, fixed)
    if "authentication_mode" in found:
        refuse_mode(*found["authentication_mode"])
    if "version" in found:
        refuse_version(*found["version"])


def refuse_mode(live: str, wanted: str) -> None:
    """Refuse an authentication mode that is not the next one."""
    step = MODES.index(wanted) - MODES.index(live)
    if step < 0:
        raise Refused(f"authentication_mode is {live}, and EKS does not go back to {wanted}. Leave it at {live}, or create a cluster with another name.")
    if step > 1:
        raise Refused(
            f"authentication_mode goes from {live} to {wanted} in two steps. Set API_AND_CONFIG_MAP first, create the access entries, then set {wanted}."
        )


def refuse_version(live: str, wanted: str) -> None:
    """Refuse a Kubernetes version that is not the next one."""
    (major, now), (wanted_major, then) = minor(live), minor(wanted)
    if (wanted_major, then) < (major, now):
        raise Refused(f"version is {live}, and EKS does not go back to {wanted}. Leave version at {live} or above, or create a cluster with another name.")
    if wanted_major != major or then > now + 1:
        raise Refused(
            f"version is {live}, and EKS goes up one minor version at a time. "
            f"Set version to {major}.{now + 1} first, upgrade the nodes, then continue to {wanted}."
        )


def updates(names: set[str], goal: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the calls for the settings that differ; UpdateClusterConfig accepts one kind of change at a time.

    Args:
        names: The settings that differ.
        goal: All settings as they should be.
    """
    config = "update_cluster_config"
    if names & {"subnet_ids", "security_group_ids"}:
        yield config, {"resourcesVpcConfig": {"subnetIds": goal["subnet_ids"], "securityGroupIds": goal["security_group_ids"]}}
    if names & {"endpoint_private_access", "endpoint_public_access", "public_access_cidrs"}:
        yield config, {"resourcesVpcConfig": endpoints(goal)}
    if "authentication_mode" in names:
        yield config, {"accessConfig": {"authenticationMode": goal["authentication_mode"]}}
    if "logging" in names:
        on, off = goal["logging"], [log for log in LOGS if log not in goal["logging"]]
        yield config, {"logging": {"clusterLogging": [{"types": types, "enabled": enabled} for types, enabled in ((on, True), (off, False)) if types]}}
    if "upgrade_policy" in names:
        yield config, {"upgradePolicy": {"supportType": goal["upgrade_policy"]}}
    if "deletion_protection" in names:
        yield config, {"deletionProtection": goal["deletion_protection"]}
    if "zonal_shift" in names:
        yield config, {"zonalShiftConfig": {"enabled": goal["zonal_shift"]}}
    if names & {"auto_mode", "auto_mode_node_pools", "auto_mode_node_role_arn"}:
        yield config, automation(goal)
    if "kms_key_arn" in names:
        yield "associate_encryption_config", {"encryptionConfig": encryption(goal)}
    if "version" in names:
        yield "update_cluster_version", {"version": goal["version"]}


if __name__ == "__main__":
    main()
