"""Create, change or delete an EKS add-on."""

from __future__ import annotations

DOCUMENTATION = """
module: eks_addon
short_description: Create, change or delete an EKS add-on
description:
  - Options that are omitted are not changed.
  - An add-on whose creation failed is deleted and created again. If a wait fails, the message contains EKS's reason, if there is one.
options:
  name: {description: "The add-on's name, such as V(vpc-cni).", type: str, required: true}
  cluster_name: {description: The cluster's name., type: str, required: true}
  state:
    description: Whether the add-on exists.
    type: str
    choices: [present, absent]
    default: present
  version:
    description: The add-on's version, such as V(v1.20.4-eksbuild.2). A new add-on gets EKS's default for the cluster if omitted.
    type: str
  resolve_conflicts:
    description:
      - What to do with settings in the cluster that differ from the add-on's own.
      - V(NONE) fails on a conflict, V(OVERWRITE) resets them, V(PRESERVE) keeps them in an update.
    type: str
    choices: [NONE, OVERWRITE, PRESERVE]
    default: NONE
  configuration_values: {description: "The add-on's own settings, according to its schema.", type: dict}
  service_account_role_arn: {description: The IAM role of its service account through OIDC (IRSA)., type: str}
  pod_identity_associations:
    description: The IAM roles of its service accounts through Pod Identity; other associations of the add-on are removed.
    type: list
    elements: dict
    suboptions:
      service_account: {description: The service account., type: str, required: true}
      role_arn: {description: The IAM role., type: str, required: true}
  preserve:
    description: Whether its objects stay in the cluster when the add-on is deleted.
    type: bool
    default: false
  degraded_grace:
    description: Seconds for which the add-on may be C(DEGRADED) before that is a failure. It is degraded while its pods still wait for a node.
    type: int
    default: 120
  wait:
    description: Whether to wait until the add-on is active.
    type: bool
    default: true
  wait_timeout: {description: Total seconds to wait., type: int, default: 900}
attributes:
  check_mode: {support: full, description: Says what would change.}
  diff_mode: {support: full, description: Shows the options that change.}
extends_documentation_fragment: [amazon.aws.tags, amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Install the network add-on
  berth.platform.eks_addon:
    cluster_name: polls-prod
    name: vpc-cni
    version: v1.20.4-eksbuild.2
    resolve_conflicts: OVERWRITE
    configuration_values: {enableNetworkPolicy: "true"}

- name: Install the volume driver
  berth.platform.eks_addon:
    cluster_name: polls-prod
    name: aws-ebs-csi-driver
    version: v1.52.1-eksbuild.1
    pod_identity_associations:
      - {service_account: ebs-csi-controller-sa, role_arn: "arn:aws:iam::123456789012:role/polls-prod-ebs"}
"""

RETURN = """
addon:
  description: The add-on as EKS describes it, in snake_case.
  returned: when O(state=present)
  type: dict
  contains:
    addon_name: {description: Its name., type: str}
    addon_arn: {description: Its ARN; empty in check mode before it is created., type: str}
    addon_version: {description: Its version., type: str}
    status:
      description: "C(CREATING), C(ACTIVE), C(UPDATING), C(DELETING), C(DEGRADED) or C(..._FAILED); C(ABSENT) in check mode before it is created."
      type: str
    health: {description: "C(issues) lists what is wrong, each with C(code), C(message) and C(resource_ids).", type: dict}
    configuration_values: {description: "Its settings, as JSON.", type: str}
    tags: {description: Its tags., type: dict}
"""

import json
from typing import Any

from ..module_utils.aws.eks import Resource
from ..module_utils.aws.session import TAG_OPTIONS, Aws, Refused, differences, run, snake, strings, wait_options

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "cluster_name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "version": {"type": "str"},
    "resolve_conflicts": {"type": "str", "choices": ["NONE", "OVERWRITE", "PRESERVE"], "default": "NONE"},
    "configuration_values": {"type": "dict"},
    "service_account_role_arn": {"type": "str"},
    "pod_identity_associations": {
        "type": "list",
        "elements": "dict",
        "options": {"service_account": {"type": "str", "required": True}, "role_arn": {"type": "str", "required": True}},
    },
    "preserve": {"type": "bool", "default": False},
    "degraded_grace": {"type": "int", "default": 120},
    **TAG_OPTIONS,
    **wait_options(900),
}

SETTINGS = ("version", "configuration_values", "service_account_role_arn", "pod_identity_associations")


def main() -> None:
    """Run the module."""
    run(work, "eks", "EKS add-on {cluster_name}/{name}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Create, change or delete the add-on."""
    cluster, name = aws.options["cluster_name"], aws.options["name"]
    names = {"clusterName": cluster, "addonName": name}
    addon = Resource(aws, "describe_addon", "addon", names, {"name": cluster, "addonName": name}, aws.options["degraded_grace"])
    if aws.options["state"] == "absent":
        addon.remove("delete_addon", preserve=aws.options["preserve"])
        return {}
    live = addon.without_remains("delete_addon")
    try:
        if live:
            change(aws, addon, live)
            described = addon.look() or live
        else:
            described = create(aws, names)
    except aws.client.exceptions.InvalidParameterException as error:
        raise Refused(refusal(aws, error.response["Error"]["Message"])) from None
    return {"addon": snake(addon.waited(described))}


def wanted(aws: Aws) -> dict[str, Any]:
    """Return the settings in the options, in the form used for comparison."""
    settings = {name: aws.options[name] for name in SETTINGS if aws.options[name] is not None}
    if "pod_identity_associations" in settings:
        settings["pod_identity_associations"] = sorted(settings["pod_identity_associations"], key=lambda one: one["service_account"])
    return settings


def settings_of(aws: Aws, addon: dict[str, Any]) -> dict[str, Any]:
    """Return the settings by option of an add-on as EKS describes it."""
    try:
        values = json.loads(addon.get("configurationValues") or "{}")
    except ValueError:
        values = addon["configurationValues"]  # YAML that was not written by Berth; it is replaced by JSON if the options have settings.
    return {
        "version": addon.get("addonVersion"),
        "configuration_values": values,
        "service_account_role_arn": addon.get("serviceAccountRoleArn") or "",
        "pod_identity_associations": associations(aws, addon),
    }


def associations(aws: Aws, addon: dict[str, Any]) -> list[dict[str, str]]:
    """Return the roles of an add-on's service accounts. EKS describes only the ARNs of the associations."""
    if aws.options["pod_identity_associations"] is None:
        return []
    identifiers = [arn.rsplit("/", 1)[-1] for arn in addon.get("podIdentityAssociations") or []]
    found = [
        aws.find("describe_pod_identity_association", "association", clusterName=aws.options["cluster_name"], associationId=identifier)
        for identifier in identifiers
    ]
    roles = [{"service_account": one["serviceAccount"], "role_arn": one["roleArn"]} for one in found if one]
    return sorted(roles, key=lambda one: one["service_account"])


def parameters(aws: Aws, settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings as the parameters of CreateAddon and UpdateAddon."""
    request: dict[str, Any] = {"resolveConflicts": aws.options["resolve_conflicts"]}
    if settings.get("version"):
        request["addonVersion"] = settings["version"]
    if settings.get("service_account_role_arn"):
        request["serviceAccountRoleArn"] = settings["service_account_role_arn"]
    if settings.get("configuration_values") is not None:
        values = settings["configuration_values"]
        request["configurationValues"] = values if isinstance(values, str) else json.dumps(values, sort_keys=True)
    if settings.get("pod_identity_associations") is not None:
        request["podIdentityAssociations"] = [
            {"serviceAccount": one["service_account"], "roleArn": one["role_arn"]} for one in settings["pod_identity_associations"]
        ]
    return request


def create(aws: Aws, names: dict[str, str]) -> dict[str, Any]:
    """Start creating the add-on, and return its description; in check mode, what is known of it in advance."""
    settings = wanted(aws)
    tags = strings(aws.options["tags"] or {})
    aws.note({name: (None, value) for name, value in settings.items()} | ({"tags": (None, tags)} if tags else {}) | {"state": ("absent", "present")})
    request = names | parameters(aws, settings) | ({"tags": tags} if tags else {})
    return aws.change("create_addon", **request).get("addon") or {"addonArn": "", "addonVersion": "", "status": "ABSENT"} | request


def change(aws: Aws, addon: Resource, live: dict[str, Any]) -> None:
    """Start updating the add-on."""
    now, settings = settings_of(aws, live), wanted(aws)
    found = differences(now, settings)
    aws.note(found)
    # Even if nothing differs any more: only another update clears a failed one.
    if found or live["status"] == "UPDATE_FAILED":
        # EKS may reset settings that an update omits to their defaults. It keeps associations that an update omits.
        kept = {name: value for name, value in now.items() if name != "pod_identity_associations" and (name != "configuration_values" or value)}
        addon.update("update_addon", **addon.names, **parameters(aws, kept | settings))
    aws.retag(live["addonArn"], live.get("tags"))


def refusal(aws: Aws, message: str) -> str:
    """Return why EKS rejects the add-on, and which versions it has for the cluster if that can be read."""
    message = f"EKS rejects it: {' '.join(message.split()).rstrip('.')}."
    try:
        version = aws.client.describe_cluster(name=aws.options["cluster_name"])["cluster"]["version"]
        offered = aws.list("describe_addon_versions", "addons", addonName=aws.options["name"], kubernetesVersion=version)
    except aws.client.exceptions.ClientError:
        return message
    versions = [one["addonVersion"] for addon in offered for one in addon["addonVersions"]]
    return f"{message} Versions for Kubernetes {version}: {', '.join(versions[:10]) or 'none'}."


if __name__ == "__main__":
    main()
