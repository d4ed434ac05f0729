"""Create, change, upgrade or delete a managed node group of an EKS cluster."""

from __future__ import annotations

DOCUMENTATION = """
module: eks_node_group
short_description: Create, change, upgrade or delete a managed node group of an EKS cluster
description:
  - Creates a node group, and changes every setting that AWS allows to change. A change that AWS does not allow is refused, with
    the current value, the wanted value and advice.
  - Options that are omitted are not changed.
  - A node group whose creation failed is deleted and created again. If a wait fails, the message contains EKS's reason, if there is one.
options:
  name: {description: The node group's name., type: str, required: true}
  cluster_name: {description: The cluster's name., type: str, required: true}
  state:
    description: Whether the node group exists.
    type: str
    choices: [present, absent]
    default: present
  node_role_arn: {description: The IAM role of the nodes. Needed for a new node group; cannot be changed., type: str}
  subnet_ids:
    description: Subnets of the nodes. Needed for a new node group; cannot be changed.
    type: list
    elements: str
  ami_type:
    description:
      - The nodes' operating system. A new node group without a launch template gets V(AL2023_x86_64_STANDARD). Cannot be changed.
      - V(CUSTOM) is EKS's name for a launch template with its own image. Do not set it; omit the option.
    type: str
    choices:
      - AL2023_x86_64_STANDARD
      - AL2023_ARM_64_STANDARD
      - AL2023_x86_64_NEURON
      - AL2023_x86_64_NVIDIA
      - AL2023_ARM_64_NVIDIA
      - BOTTLEROCKET_x86_64
      - BOTTLEROCKET_ARM_64
      - BOTTLEROCKET_x86_64_FIPS
      - BOTTLEROCKET_ARM_64_FIPS
      - BOTTLEROCKET_x86_64_NVIDIA
      - BOTTLEROCKET_ARM_64_NVIDIA
      - CUSTOM
  instance_types:
    description: Instance types, in order of preference. Cannot be changed.
    type: list
    elements: str
  capacity_type:
    description: How instances are bought. Cannot be changed.
    type: str
    choices: [ON_DEMAND, SPOT]
  disk_size: {description: "Size of a node's disk in GiB, without a launch template. Cannot be changed.", type: int}
  launch_template:
    description:
      - The EC2 launch template for settings that a node group itself has no option for, such as IMDSv2 and its hop limit.
      - The version can be changed, which replaces the nodes. The template itself cannot.
    type: dict
    suboptions:
      id: {description: The template's ID; either this or the name., type: str}
      name: {description: The template's name; either this or the ID., type: str}
      version: {description: The template's version; its default version for a new node group., type: str}
  scaling:
    description: The number of nodes.
    type: dict
    suboptions:
      min_size: {description: Minimum number of nodes., type: int, required: true}
      max_size: {description: Maximum number of nodes., type: int, required: true}
      desired_size:
        description:
          - The number of nodes to run now.
          - If omitted, a new node group starts with the minimum, and later an autoscaler's choice is kept as long as
            it is between the minimum and the maximum.
        type: int
  update_config:
    description: How many nodes may be unavailable during an update.
    type: dict
    suboptions:
      max_unavailable: {description: Number of nodes; either this or the percentage., type: int}
      max_unavailable_percentage: {description: Percentage of the nodes; either this or the number., type: int}
  version:
    description: The nodes' Kubernetes version, such as V('1.34'). Not above the cluster's, which is the default of a new node group.
    type: str
  release_version: {description: The AMI's release, such as V(1.34.2-20261101). A new version without it gets the newest release., type: str}
  force_update:
    description: Whether an update continues if a PodDisruptionBudget prevents pods from being evicted.
    type: bool
    default: false
  labels: {description: The node labels that EKS manages; others that it managed before are removed., type: dict}
  taints:
    description: The node taints that EKS manages; others that it managed before are removed.
    type: list
    elements: dict
    suboptions:
      key: {description: The taint's key., type: str, required: true}
      value: {description: The taint's value., type: str, default: ''}
      effect:
        description: The taint's effect.
        type: str
        required: true
        choices: [NO_SCHEDULE, NO_EXECUTE, PREFER_NO_SCHEDULE]
  wait:
    description: Whether to wait until the last change is complete. Earlier changes are always waited for.
    type: bool
    default: true
  wait_timeout:
    description: Total seconds to wait. A new node group takes 2 to 4 minutes, an update a few minutes per node.
    type: int
    default: 2400
attributes:
  check_mode: {support: full, description: Says what would change.}
  diff_mode: {support: full, description: Shows the options that change.}
extends_documentation_fragment: [amazon.aws.tags, amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Create the nodes
  berth.platform.eks_node_group:
    cluster_name: polls-prod
    name: general
    node_role_arn: arn:aws:iam::123456789012:role/polls-prod-node
    subnet_ids: [subnet-0a, subnet-0b]
    ami_type: AL2023_x86_64_STANDARD
    instance_types: [m7i.large]
    launch_template: {name: polls-prod-nodes, version: "1"}
    scaling: {min_size: 2, max_size: 6}
    update_config: {max_unavailable_percentage: 33}

- name: Upgrade the nodes after the control plane
  berth.platform.eks_node_group:
    cluster_name: polls-prod
    name: general
    version: "1.35"

- name: Delete the nodes
  berth.platform.eks_node_group:
    cluster_name: polls-prod
    name: general
    state: absent
"""

RETURN = """
node_group:
  description: The node group as EKS describes it, in snake_case.
  returned: when O(state=present)
  type: dict
  contains:
    nodegroup_name: {description: Its name., type: str}
    nodegroup_arn: {description: Its ARN; empty in check mode before it is created., type: str}
    status:
      description: "C(CREATING), C(ACTIVE), C(UPDATING), C(DELETING), C(DEGRADED) or C(..._FAILED); C(ABSENT) in check mode before it is created."
      type: str
    version: {description: The nodes' Kubernetes version., type: str}
    release_version: {description: The AMI's release., type: str}
    scaling_config: {description: The minimum, maximum and desired number of nodes., type: dict}
    resources: {description: "C(auto_scaling_groups) lists its EC2 Auto Scaling groups.", type: dict}
    health: {description: "C(issues) lists what is wrong, each with C(code), C(message) and C(resource_ids).", type: dict}
    labels: {description: The nodes' labels., type: dict}
    tags: {description: Its tags., type: dict}
"""

from typing import Any

from ..module_utils.aws.eks import Resource, minor
from ..module_utils.aws.session import TAG_OPTIONS, Aws, Refused, differences, refuse_fixed, run, snake, strings, wait_options

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "cluster_name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "node_role_arn": {"type": "str"},
    "subnet_ids": {"type": "list", "elements": "str"},
    "ami_type": {
        "type": "str",
        "choices": [
            "AL2023_x86_64_STANDARD",
            "AL2023_ARM_64_STANDARD",
            "AL2023_x86_64_NEURON",
            "AL2023_x86_64_NVIDIA",
            "AL2023_ARM_64_NVIDIA",
            "BOTTLEROCKET_x86_64",
            "BOTTLEROCKET_ARM_64",
            "BOTTLEROCKET_x86_64_FIPS",
            "BOTTLEROCKET_ARM_64_FIPS",
            "BOTTLEROCKET_x86_64_NVIDIA",
            "BOTTLEROCKET_ARM_64_NVIDIA",
            "CUSTOM",
        ],
    },
    "instance_types": {"type": "list", "elements": "str"},
    "capacity_type": {"type": "str", "choices": ["ON_DEMAND", "SPOT"]},
    "disk_size": {"type": "int"},
    "launch_template": {
        "type": "dict",
        "options": {"id": {"type": "str"}, "name": {"type": "str"}, "version": {"type": "str"}},
        "mutually_exclusive": [("id", "name")],
        "required_one_of": [("id", "name")],
    },
    "scaling": {
        "type": "dict",
        "options": {"min_size": {"type": "int", "required": True}, "max_size": {"type": "int", "required": True}, "desired_size": {"type": "int"}},
    },
    "update_config": {
        "type": "dict",
        "options": {"max_unavailable": {"type": "int"}, "max_unavailable_percentage": {"type": "int"}},
        "mutually_exclusive": [("max_unavailable", "max_unavailable_percentage")],
        "required_one_of": [("max_unavailable", "max_unavailable_percentage")],
    },
    "version": {"type": "str"},
    "release_version": {"type": "str"},
    "force_update": {"type": "bool", "default": False},
    "labels": {"type": "dict"},
    "taints": {
        "type": "list",
        "elements": "dict",
        "options": {
            "key": {"type": "str", "required": True, "no_log": False},
            "value": {"type": "str", "default": ""},
            "effect": {"type": "str", "required": True, "choices": ["NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE"]},
        },
    },
    **TAG_OPTIONS,
    **wait_options(2400),
}

CREATION = {
    "nodeRole": "node_role_arn",
    "subnets": "subnet_ids",
    "amiType": "ami_type",
    "instanceTypes": "instance_types",
    "capacityType": "capacity_type",
    "diskSize": "disk_size",
    "launchTemplate": "launch_template",
    "scalingConfig": "scaling",
    "updateConfig": "update_config",
    "version": "version",
    "releaseVersion": "release_version",
    "labels": "labels",
    "taints": "taints",
}
"""EKS's name of each setting, and ours."""

NEEDED = ("node_role_arn", "subnet_ids")
"""The options that a new node group needs."""

ANOTHER = "Create a node group with another name, then delete this one; or leave the option as it is."
FIXED = dict.fromkeys(["node_role_arn", "subnet_ids", "ami_type", "instance_types", "capacity_type", "disk_size"], ANOTHER)


def main() -> None:
    """Run the module."""
    run(work, "eks", "EKS node group {cluster_name}/{name}", OPTIONS, mutually_exclusive=[("disk_size", "launch_template")])


def work(aws: Aws) -> dict[str, Any]:
    """Create, change or delete the node group."""
    cluster, name = aws.options["cluster_name"], aws.options["name"]
    names = {"clusterName": cluster, "nodegroupName": name}
    group = Resource(aws, "describe_nodegroup", "nodegroup", names, {"name": cluster, "nodegroupName": name})
    if aws.options["state"] == "absent":
        group.remove("delete_nodegroup")
        return {}
    live = group.without_remains("delete_nodegroup", NEEDED)
    if live:
        change(aws, group, live)
        described = group.look() or live
    else:
        described = create(aws, names)
    return {"node_group": snake(group.waited(described))}


def wanted(aws: Aws) -> dict[str, Any]:
    """Return the settings in the options, in the form used for comparison.

    Raises:
        Refused: The numbers of nodes contradict each other.
    """
    settings = {option: aws.options[option] for option in CREATION.values() if aws.options[option] is not None}
    for option in ("scaling", "update_config", "launch_template"):
        if option in settings:
            settings[option] = {name: value for name, value in settings[option].items() if value is not None}
    if "scaling" in settings:
        fewest, most = settings["scaling"]["min_size"], settings["scaling"]["max_size"]
        if not fewest <= settings["scaling"].get("desired_size", fewest) <= most:
            raise Refused(f"scaling contradicts itself: min_size {fewest}, desired_size {settings['scaling'].get('desired_size', '-')}, max_size {most}.")
    if settings.get("launch_template", {}).get("version", "").startswith("$"):
        raise Refused("launch_template.version must be a number: EKS does not follow $Latest and $Default, so it would be unclear what the nodes run.")
    if "subnet_ids" in settings:
        settings["subnet_ids"] = sorted(settings["subnet_ids"])
    if "labels" in settings:
        settings["labels"] = strings(settings["labels"])
    if "taints" in settings:
        settings["taints"] = sorted_taints(settings["taints"])
    return settings


def settings_of(group: dict[str, Any]) -> dict[str, Any]:
    """Return the settings by option of a node group as EKS describes it."""
    settings = {ours: group.get(theirs) for theirs, ours in CREATION.items()}
    return settings | {
        "subnet_ids": sorted(group.get("subnets") or []),
        "scaling": snake(group.get("scalingConfig") or {}),
        "update_config": snake(group.get("updateConfig") or {}),
        "labels": group.get("labels") or {},
        "taints": sorted_taints(group.get("taints") or []),
    }


def sorted_taints(taints: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return taints sorted, with all keys."""
    full = [{"key": taint["key"], "value": taint.get("value") or "", "effect": taint["effect"]} for taint in taints]
    return sorted(full, key=lambda taint: (taint["key"], taint["effect"], taint["value"]))


def scaling(settings: dict[str, int]) -> dict[str, int]:
    """Return the numbers of nodes, as EKS's parameter."""
    return {"minSize": settings["min_size"], "maxSize": settings["max_size"], "desiredSize": settings["desired_size"]}


def update_config(settings: dict[str, int]) -> dict[str, int]:
    """Return how many nodes may be unavailable, as EKS's parameter."""
    names = {"max_unavailable": "maxUnavailable", "max_unavailable_percentage": "maxUnavailablePercentage"}
    return {names[name]: value for name, value in settings.items() if name in names}


def create(aws: Aws, names: dict[str, str]) -> dict[str, Any]:
    """Start creating a node group, and return its description; in check mode, what is known of it in advance."""
    settings = wanted(aws)
    missing = [name for name in NEEDED if not settings.get(name)]
    if missing:
        raise Refused(f"a new node group needs {' and '.join(missing)}.")
    if "launch_template" not in settings:
        settings = {"ami_type": "AL2023_x86_64_STANDARD"} | settings
    if settings.get("ami_type") == "CUSTOM":
        raise Refused("ami_type CUSTOM is EKS's name for the image of a launch template. Omit ami_type, and name the image in the template.")
    tags = strings(aws.options["tags"] or {})
    aws.note({name: (None, value) for name, value in {**settings, "tags": tags}.items() if value not in ([], {})})
    if "scaling" in settings:
        settings["scaling"] = scaling({"desired_size": settings["scaling"]["min_size"]} | settings["scaling"])
    if "update_config" in settings:
        settings["update_config"] = update_config(settings["update_config"])
    request = names | {theirs: settings[ours] for theirs, ours in CREATION.items() if ours in settings} | {"tags": tags}
    request = {name: value for name, value in request.items() if value not in ({}, [])}
    answer = aws.change("create_nodegroup", **request).get("nodegroup")
    return answer or {"nodegroupArn": "", "status": "ABSENT"} | request


def change(aws: Aws, group: Resource, live: dict[str, Any]) -> None:
    """Start the updates of the live node group.

    Raises:
        Refused: A change is not possible.
    """
    now, settings = settings_of(live), wanted(aws)
    if "scaling" in settings:
        fewest, most = settings["scaling"]["min_size"], settings["scaling"]["max_size"]
        settings["scaling"] = {"desired_size": min(max(now["scaling"].get("desired_size", fewest), fewest), most)} | settings["scaling"]
    if "update_config" in settings:
        # EKS's description has more fields than the option.
        now["update_config"] = {name: value for name, value in now["update_config"].items() if name in aws.options["update_config"]}
    if "launch_template" in settings:
        settings["launch_template"] = (now["launch_template"] or {}) | settings["launch_template"]
    found = differences(now, settings)
    refuse(found)
    aws.note(found)
    if found.keys() & {"labels", "taints", "scaling", "update_config"}:
        group.update("update_nodegroup_config", **group.names, **configuration(found))
    if found.keys() & {"version", "release_version", "launch_template"}:
        parameters = {theirs: found[ours][1] for theirs, ours in CREATION.items() if ours in found and ours in ("version", "release_version")}
        if "launch_template" in found:
            template = found["launch_template"][1]
            # EKS accepts either the ID or the name.
            parameters["launchTemplate"] = {name: value for name, value in template.items() if name != "name" or "id" not in template}
        group.update("update_nodegroup_version", **group.names, **parameters, force=aws.options["force_update"])
    aws.retag(live["nodegroupArn"], live.get("tags"))


def refuse(found: dict[str, tuple[Any, Any]]) -> None:
    """Refuse changes that EKS does not support.

    Raises:
        Refused: There are some; the text names the options.
    """
    fixed = dict(FIXED)
    if "launch_template" in found:
        live, then = found["launch_template"]
        if not live or any(live.get(name) != then.get(name) for name in ("id", "name")):
            fixed["launch_template"] = ANOTHER
    refuse_fixed(found, fixed)
    if "version" in found:
        live, then = found["version"]
        if minor(then) < minor(live):
            raise Refused(f"version is {live}, and EKS cannot downgrade nodes to {then}. Create a node group with another name, then delete this one.")


def configuration(found: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
    """Return UpdateNodegroupConfig's parameters for the settings that differ."""
    parameters: dict[str, Any] = {}
    if "labels" in found:
        live, then = found["labels"]
        parameters["labels"] = {
            "addOrUpdateLabels": {key: value for key, value in then.items() if live.get(key) != value},
            "removeLabels": [key for key in live if key not in then],
        }
    if "taints" in found:
        live, then = found["taints"]
        # EKS identifies a taint by key and effect, so a taint whose value changes must not be in the list to remove.
        kept = {(taint["key"], taint["effect"]) for taint in then}
        parameters["taints"] = {
            "addOrUpdateTaints": [taint for taint in then if taint not in live],
            "removeTaints": [taint for taint in live if (taint["key"], taint["effect"]) not in kept],
        }
    if "scaling" in found:
        parameters["scalingConfig"] = scaling(found["scaling"][1])
    if "update_config" in found:
        parameters["updateConfig"] = update_config(found["update_config"][1])
    return {name: {key: inner for key, inner in value.items() if inner not in ({}, [])} for name, value in parameters.items()}


if __name__ == "__main__":
    main()
