"""Give a service account of an EKS cluster an IAM role."""

from __future__ import annotations

DOCUMENTATION = """
module: eks_pod_identity_association
short_description: Give a service account of an EKS cluster an IAM role
description:
  - Manages the Pod Identity association of a service account, which has at most one.
  - Options that are omitted are not changed.
options:
  cluster_name: {description: The cluster's name., type: str, required: true}
  namespace: {description: The service account's namespace., type: str, required: true}
  service_account: {description: The service account., type: str, required: true}
  state:
    description: Whether the association exists.
    type: str
    choices: [present, absent]
    default: present
  role_arn:
    description: The IAM role, which must trust C(pods.eks.amazonaws.com). Needed for O(state=present).
    type: str
  target_role_arn: {description: "A role that O(role_arn) then assumes, possibly in another account.", type: str}
  disable_session_tags: {description: "Whether to omit the session tags for cluster, namespace and service account.", type: bool}
attributes:
  check_mode: {support: full, description: Says what would change.}
  diff_mode: {support: full, description: Shows the options that change.}
extends_documentation_fragment: [amazon.aws.tags, amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Let the app read its secret
  berth.platform.eks_pod_identity_association:
    cluster_name: polls-prod
    namespace: polls
    service_account: polls
    role_arn: arn:aws:iam::123456789012:role/polls-prod-app
"""

RETURN = """
association:
  description: The association as EKS describes it, in snake_case.
  returned: when O(state=present)
  type: dict
  contains:
    association_id: {description: Its id; empty in check mode before it is created., type: str}
    association_arn: {description: Its ARN; empty in check mode before it is created., type: str}
    role_arn: {description: The IAM role., type: str}
    namespace: {description: The service account's namespace., type: str}
    service_account: {description: The service account., type: str}
    tags: {description: Its tags., type: dict}
"""

from typing import Any

from ..module_utils.aws.session import TAG_OPTIONS, Aws, Refused, differences, run, snake, strings

OPTIONS: dict[str, Any] = {
    "cluster_name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "service_account": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "role_arn": {"type": "str"},
    "target_role_arn": {"type": "str"},
    "disable_session_tags": {"type": "bool"},
    **TAG_OPTIONS,
}

SETTINGS = {"role_arn": "roleArn", "target_role_arn": "targetRoleArn", "disable_session_tags": "disableSessionTags"}
"""Our name of each setting, and EKS's."""


def main() -> None:
    """Run the module."""
    subject = "EKS Pod Identity association {cluster_name}/{namespace}/{service_account}"
    run(work, "eks", subject, OPTIONS, required_if=[("state", "present", ("role_arn",))])


def work(aws: Aws) -> dict[str, Any]:
    """Create, change or delete the association."""
    key = {"clusterName": aws.options["cluster_name"], "namespace": aws.options["namespace"], "serviceAccount": aws.options["service_account"]}
    listed = aws.list("list_pod_identity_associations", "associations", **key)
    identifier = {"clusterName": key["clusterName"], "associationId": listed[0]["associationId"]} if listed else {}
    live = aws.find("describe_pod_identity_association", "association", **identifier) if identifier else None
    if live and live.get("ownerArn"):
        raise Refused(f"it belongs to the add-on {live['ownerArn']}. Change it with pod_identity_associations of eks_addon.")
    if aws.options["state"] == "absent":
        if live:
            aws.note({"state": ("present", "absent")})
            aws.change("delete_pod_identity_association", **identifier)
        return {}
    wanted = {name: aws.options[name] for name in SETTINGS if aws.options[name] is not None}
    if live:
        now = {"role_arn": live["roleArn"], "target_role_arn": live.get("targetRoleArn", ""), "disable_session_tags": live.get("disableSessionTags", False)}
        found = differences(now, wanted)
        aws.note(found)
        if found:
            aws.change("update_pod_identity_association", **identifier, **{SETTINGS[name]: then for name, (_, then) in found.items()})
        aws.retag(live["associationArn"], live.get("tags"))
        described = aws.find("describe_pod_identity_association", "association", **identifier) or live
    else:
        tags = strings(aws.options["tags"] or {})
        aws.note({name: (None, value) for name, value in {**wanted, "tags": tags}.items() if value})
        request = key | {SETTINGS[name]: value for name, value in wanted.items()} | ({"tags": tags} if tags else {})
        described = aws.change("create_pod_identity_association", **request).get("association")
        described = described or {"associationId": "", "associationArn": ""} | request
    return {"association": snake(described)}


if __name__ == "__main__":
    main()
