"""Grant an IAM principal access to an EKS cluster."""

from __future__ import annotations

DOCUMENTATION = """
module: eks_access_entry
short_description: Grant an IAM principal access to an EKS cluster
description:
  - Creates the access entry of an IAM user or role, and associates access policies with it.
  - Options that are omitted are not changed.
options:
  cluster_name: {description: The cluster's name. Its authentication mode must support access entries., type: str, required: true}
  principal_arn: {description: The ARN of the IAM user or role (not of a session of it)., type: str, required: true}
  state:
    description: Whether the entry exists.
    type: str
    choices: [present, absent]
    default: present
  type:
    description: The type of the entry. V(EC2) is for the role of Auto Mode nodes. Cannot be changed.
    type: str
    choices: [STANDARD, EC2, EC2_LINUX, EC2_WINDOWS, FARGATE_LINUX, HYBRID_LINUX]
    default: STANDARD
  kubernetes_groups:
    description: The principal's groups in Kubernetes. Only a V(STANDARD) entry has groups.
    type: list
    elements: str
  username: {description: "The principal's user name in Kubernetes; EKS chooses one if omitted.", type: str}
  policies:
    description: The access policies of the entry; others are removed.
    type: list
    elements: dict
    suboptions:
      policy: {description: "The policy's name, such as V(AmazonEKSViewPolicy), or its ARN.", type: str, required: true}
      namespaces:
        description: The namespaces in which the policy applies; the whole cluster if omitted.
        type: list
        elements: str
        default: []
attributes:
  check_mode: {support: full, description: Says what would change.}
  diff_mode: {support: full, description: Shows the options that change.}
extends_documentation_fragment: [amazon.aws.tags, amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Grant access to the administrators
  berth.platform.eks_access_entry:
    cluster_name: polls-prod
    principal_arn: arn:aws:iam::123456789012:role/admins
    policies:
      - {policy: AmazonEKSClusterAdminPolicy}

- name: Let the developers view their namespace
  berth.platform.eks_access_entry:
    cluster_name: polls-prod
    principal_arn: arn:aws:iam::123456789012:role/developers
    kubernetes_groups: [developers]
    policies:
      - {policy: AmazonEKSViewPolicy, namespaces: [polls]}

- name: Revoke a user's access
  berth.platform.eks_access_entry:
    cluster_name: polls-prod
    principal_arn: arn:aws:iam::123456789012:user/leaver
    state: absent
"""

RETURN = """
access_entry:
  description: The entry as EKS describes it, in snake_case, with its policies.
  returned: when O(state=present)
  type: dict
  contains:
    principal_arn: {description: The IAM user or role., type: str}
    access_entry_arn: {description: Its ARN; empty in check mode before it is created., type: str}
    type: {description: The type of the entry., type: str}
    username: {description: The principal's user name in Kubernetes., type: str}
    kubernetes_groups: {description: The principal's groups in Kubernetes., type: list, elements: str}
    policies: {description: "Its policies, each with C(policy_arn) and C(access_scope).", type: list, elements: dict}
    tags: {description: Its tags., type: dict}
"""

from typing import Any

from ..module_utils.aws.session import TAG_OPTIONS, Aws, Refused, differences, refuse_fixed, run, snake, strings

OPTIONS: dict[str, Any] = {
    "cluster_name": {"type": "str", "required": True},
    "principal_arn": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "type": {
        "type": "str",
        "choices": ["STANDARD", "EC2", "EC2_LINUX", "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX"],
        "default": "STANDARD",
    },
    "kubernetes_groups": {"type": "list", "elements": "str"},
    "username": {"type": "str"},
    "policies": {
        "type": "list",
        "elements": "dict",
        "options": {"policy": {"type": "str", "required": True}, "namespaces": {"type": "list", "elements": "str", "default": []}},
    },
    **TAG_OPTIONS,
}


def main() -> None:
    """Run the module."""
    run(work, "eks", "EKS access entry {cluster_name}/{principal_arn}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Create, change or delete the entry."""
    key = {"clusterName": aws.options["cluster_name"], "principalArn": aws.options["principal_arn"]}
    live = aws.find("describe_access_entry", "accessEntry", **key)
    if aws.options["state"] == "absent":
        if live:
            aws.note({"state": ("present", "absent")})
            aws.change("delete_access_entry", **key)
        return {}
    if ":assumed-role/" in key["principalArn"]:
        raise Refused("principal_arn is the ARN of a session. Use the ARN of the role itself: arn:aws:iam::<account>:role/<name>.")
    wanted = {"type": aws.options["type"], "username": aws.options["username"], "kubernetes_groups": listed(aws.options["kubernetes_groups"])}
    if live:
        now = {"type": live["type"], "username": live.get("username"), "kubernetes_groups": sorted(live.get("kubernetesGroups") or [])}
        found = differences(now, wanted)
        refuse_fixed(found, {"type": "Remove the entry (state: absent), then create it again."})
        aws.note(found)
        if found:
            aws.change("update_access_entry", **key, **request({name: then for name, (_, then) in found.items()}))
        aws.retag(live["accessEntryArn"], live.get("tags"))
    else:
        tags = strings(aws.options["tags"] or {})
        aws.note({name: (None, value) for name, value in {**wanted, "tags": tags}.items() if value})
        aws.change("create_access_entry", **key, type=wanted["type"], **request(wanted), **({"tags": tags} if tags else {}))
    policies = associate(aws, key, bool(live))
    described = aws.find("describe_access_entry", "accessEntry", **key)
    described = described or {**key, "accessEntryArn": "", "type": wanted["type"], "username": "", "kubernetesGroups": []}
    return {"access_entry": snake({**described, "policies": policies})}


def listed(values: list[str] | None) -> list[str] | None:
    """Return a list sorted for comparison."""
    return None if values is None else sorted(set(values))


def request(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the given settings as EKS's parameters. EKS accepts groups, even an empty list, for the type STANDARD only."""
    names = {"username": "username", "kubernetes_groups": "kubernetesGroups"}
    standard = settings.get("type", "STANDARD") == "STANDARD"
    return {names[name]: value for name, value in settings.items() if name in names and (value if not standard else value is not None)}


def associate(aws: Aws, key: dict[str, str], exists: bool) -> list[dict[str, Any]]:
    """Update the entry's policies, and return them as EKS describes them."""
    operation, result = "list_associated_access_policies", "associatedAccessPolicies"
    found = aws.list(operation, result, **key) if exists else []
    live = {one["policyArn"]: scope(one["accessScope"].get("namespaces")) for one in found}
    if aws.options["policies"] is None:
        return found
    wanted = {arn(one["policy"], key["principalArn"]): scope(one["namespaces"]) for one in aws.options["policies"]}
    if live != wanted:
        aws.note({"policies": (live, wanted)})
    for policy in sorted(live.keys() - wanted.keys()):
        aws.change("disassociate_access_policy", **key, policyArn=policy)
    for policy, access in wanted.items():
        if live.get(policy) != access:
            aws.change("associate_access_policy", **key, policyArn=policy, accessScope=access)
    return found if live == wanted else aws.list(operation, result, **key)


def arn(policy: str, principal: str) -> str:
    """Return an access policy's ARN, in the principal's partition."""
    return policy if policy.startswith("arn:") else f"arn:{principal.split(':')[1]}:eks::aws:cluster-access-policy/{policy}"


def scope(namespaces: list[str] | None) -> dict[str, Any]:
    """Return a policy's scope, as EKS's parameter."""
    return {"type": "namespace", "namespaces": sorted(namespaces)} if namespaces else {"type": "cluster"}


if __name__ == "__main__":
    main()
