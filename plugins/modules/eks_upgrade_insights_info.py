"""Report what blocks the upgrade of an EKS cluster to the next Kubernetes version."""

from __future__ import annotations

DOCUMENTATION = """
module: eks_upgrade_insights_info
short_description: Report what blocks the upgrade of an EKS cluster to the next Kubernetes version
description:
  - Reads EKS's upgrade insights, the add-on versions that support the next Kubernetes version, and the versions of the node groups.
  - Changes nothing.
options:
  name: {description: The cluster's name., type: str, required: true}
  version: {description: "The Kubernetes version to upgrade to; the next one if omitted.", type: str}
attributes:
  check_mode: {support: full, description: Changes nothing.}
  diff_mode: {support: none, description: Changes nothing.}
notes:
  - EKS updates its insights once a day, so they can be a day old; C(last_refresh_time) says when it last did.
extends_documentation_fragment: [amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Check before the upgrade
  berth.platform.eks_upgrade_insights_info:
    name: polls-prod
  register: upgrade

- name: Refuse the upgrade while something blocks it
  ansible.builtin.assert:
    that: upgrade.blockers == []
    fail_msg: "{{ upgrade.blockers | join('\\n') }}"
"""

RETURN = """
current: {description: The cluster's Kubernetes version., returned: always, type: str}
version: {description: The version to upgrade to., returned: always, type: str}
blockers:
  description: What must be fixed before the upgrade, a sentence each.
  returned: always
  type: list
  elements: str
warnings_found:
  description: What to check before the upgrade, a sentence each.
  returned: always
  type: list
  elements: str
insights:
  description: EKS's insights for the version, in snake_case, with the affected resources.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: What the insight checks., type: str}
    insight_status: {description: "C(status) is C(PASSING), C(WARNING), C(ERROR) or C(UNKNOWN); C(reason) says why.", type: dict}
    recommendation: {description: What to do., type: str}
    last_refresh_time: {description: When EKS last updated it., type: str}
    resources: {description: The affected resources., type: list, elements: dict}
addons:
  description: The cluster's add-ons and their versions.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: The add-on's name., type: str}
    version: {description: Its version., type: str}
    compatible: {description: Whether this version supports the Kubernetes version to upgrade to., type: bool}
    default_version: {description: "EKS's choice for that Kubernetes version, or empty.", type: str}
    compatible_versions: {description: "All versions that support it, the newest first.", type: list, elements: str}
node_groups:
  description: The node groups, each with C(name) and C(version).
  returned: always
  type: list
  elements: dict
"""

from typing import Any

from ..module_utils.aws.eks import minor
from ..module_utils.aws.session import Aws, Refused, run, snake

OPTIONS: dict[str, Any] = {"name": {"type": "str", "required": True}, "version": {"type": "str"}}


def main() -> None:
    """Run the module."""
    run(work, "eks", "EKS cluster {name}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Read everything."""
    name = aws.options["name"]
    cluster = aws.find("describe_cluster", "cluster", name=name)
    if not cluster:
        raise Refused("there is no such cluster in this region and account. Check the name and the region.")
    major, now = minor(cluster["version"])
    version = aws.options["version"] or f"{major}.{now + 1}"
    if minor(version) != (major, now + 1):
        raise Refused(f"version is {cluster['version']}, and EKS goes up one minor version at a time: check {major}.{now + 1} first, not {version}.")
    insights, addons = read_insights(aws, version), read_addons(aws, version)
    node_groups = read_node_groups(aws)
    blockers = [sentence(insight) for insight in insights if insight["insight_status"]["status"] == "ERROR"]
    # The kubelet may be three minor versions behind the API server (Kubernetes' version skew policy).
    blockers += [
        f"Node group {group['name']} runs {group['version']}, which an API server of version {version} no longer supports. Upgrade it first."
        for group in node_groups
        if minor(group["version"]) < (major, now - 2)
    ]
    doubtful = [sentence(insight) for insight in insights if insight["insight_status"]["status"] in ("WARNING", "UNKNOWN")]
    doubtful += [
        f"Add-on {addon['name']} {addon['version']} does not run with Kubernetes {version}. {replacement(addon)}" for addon in addons if not addon["compatible"]
    ]
    return {
        "current": cluster["version"],
        "version": version,
        "blockers": blockers,
        "warnings_found": doubtful,
        "insights": insights,
        "addons": addons,
        "node_groups": node_groups,
    }


def read_insights(aws: Aws, version: str) -> list[dict[str, Any]]:
    """Return EKS's insights on the upgrade, with all details of those that do not pass."""
    name = aws.options["name"]
    found = []
    for insight in aws.list("list_insights", "insights", clusterName=name, filter={"categories": ["UPGRADE_READINESS"], "kubernetesVersions": [version]}):
        passing = insight["insightStatus"]["status"] == "PASSING"
        found.append(snake(insight if passing else aws.find("describe_insight", "insight", clusterName=name, id=insight["id"]) or insight))
    return found


def read_node_groups(aws: Aws) -> list[dict[str, str]]:
    """Return the cluster's node groups with their versions."""
    cluster = {"clusterName": aws.options["name"]}
    names = aws.list("list_nodegroups", "nodegroups", **cluster)
    groups = [aws.find("describe_nodegroup", "nodegroup", **cluster, nodegroupName=name) for name in names]
    return [{"name": group["nodegroupName"], "version": group["version"]} for group in groups if group]


def read_addons(aws: Aws, version: str) -> list[dict[str, Any]]:
    """Return the cluster's add-ons with the versions that support a Kubernetes version."""
    found = []
    for name in aws.list("list_addons", "addons", clusterName=aws.options["name"]):
        addon = aws.find("describe_addon", "addon", clusterName=aws.options["name"], addonName=name)
        offered = aws.list("describe_addon_versions", "addons", addonName=name, kubernetesVersion=version)
        versions = {
            one["addonVersion"]: any(fit.get("defaultVersion") and fit.get("clusterVersion") == version for fit in one["compatibilities"])
            for offer in offered
            for one in offer["addonVersions"]
            if any(fit.get("clusterVersion") == version for fit in one["compatibilities"])
        }
        if addon:
            found.append(
                {
                    "name": name,
                    "version": addon["addonVersion"],
                    "compatible": addon["addonVersion"] in versions,
                    "default_version": next((one for one, default in versions.items() if default), ""),
                    "compatible_versions": list(versions),
                }
            )
    return found


def replacement(addon: dict[str, Any]) -> str:
    """Return what to do about an incompatible add-on."""
    version = addon["default_version"] or next(iter(addon["compatible_versions"]), "")
    return f"Change it to {version}." if version else "EKS has no version of it that does."


def sentence(insight: dict[str, Any]) -> str:
    """Return an insight's text, with the affected resources."""
    about = [resource.get("kubernetes_resource_uri") or resource.get("arn") for resource in insight.get("resources") or []]
    about = [one for one in about if one]
    parts = [insight["name"], insight["insight_status"].get("reason") or insight.get("description") or "", insight.get("recommendation") or ""]
    text = ". ".join(" ".join(part.split()).rstrip(".") for part in parts if part)
    return f"{text} ({', '.join(about[:10])})." if about else f"{text}."


if __name__ == "__main__":
    main()
