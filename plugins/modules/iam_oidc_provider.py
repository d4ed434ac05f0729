"""Make, change and delete an OpenID Connect provider of IAM."""

from __future__ import annotations

DOCUMENTATION = """
module: iam_oidc_provider
short_description: Make, change and delete an OpenID Connect provider of IAM
description:
  - With the issuer of an EKS cluster as provider, IAM roles can trust its service accounts (IRSA).
  - An option that is left out is left as it is.
options:
  url: {description: "The issuer's URL, as in C(cluster.identity.oidc.issuer) of M(eks_cluster).", type: str, required: true}
  state:
    description: Whether the provider is there.
    type: str
    choices: [present, absent]
    default: present
  client_ids:
    description: The audiences that tokens may have; others go. A new provider has V(sts.amazonaws.com).
    type: list
    elements: str
  thumbprints:
    description: SHA-1 fingerprints of the issuer's CA. IAM does not need them for issuers of EKS.
    type: list
    elements: str
attributes:
  check_mode: {support: full, description: Says what would change.}
  diff_mode: {support: full, description: Shows the options that change.}
extends_documentation_fragment: [amazon.aws.tags, amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Let IAM trust the cluster's service accounts
  iam_oidc_provider:
    url: "{{ eks.cluster.identity.oidc.issuer }}"
    tags: {environment: prod}
"""

RETURN = """
provider:
  description: The provider.
  returned: when O(state=present)
  type: dict
  contains:
    arn: {description: Its ARN., type: str}
    url: {description: The issuer without C(https://)., type: str}
    client_ids: {description: The audiences., type: list, elements: str}
    thumbprints: {description: The fingerprints., type: list, elements: str}
    tags: {description: Its tags., type: dict}
"""

from typing import Any

from ..module_utils.aws.session import TAG_OPTIONS, Aws, Refused, connect, differences, run, strings, tag_changes

OPTIONS: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "client_ids": {"type": "list", "elements": "str"},
    "thumbprints": {"type": "list", "elements": "str"},
    **TAG_OPTIONS,
}


def main() -> None:
    """Run the module."""
    run(work, "iam", "OIDC provider {url}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Make the provider as wanted."""
    if not aws.options["url"].startswith("https://"):
        raise Refused("url has to begin with https://.")
    url = aws.options["url"].removeprefix("https://").rstrip("/")
    providers = aws.client.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    arn = next((one["Arn"] for one in providers if one["Arn"].partition(":oidc-provider/")[2] == url), "")
    if aws.options["state"] == "absent":
        if arn:
            aws.note({"state": ("present", "absent")})
            aws.change("delete_open_id_connect_provider", OpenIDConnectProviderArn=arn)
        return {}
    if arn:
        change(aws, arn)
    else:
        arn = create(aws)
    # In check mode there may be no provider; roles can trust the ARN that it will have.
    provider = described(aws, arn) if arn else {"arn": future_arn(aws, url), "url": url, **creation(aws)}
    return {"provider": provider}


def wanted(aws: Aws) -> dict[str, list[str]]:
    """Return the settings that the options name, sorted."""
    return {name: sorted(set(aws.options[name])) for name in ("client_ids", "thumbprints") if aws.options[name] is not None}


def creation(aws: Aws) -> dict[str, Any]:
    """Return the settings of a new provider."""
    return {"client_ids": ["sts.amazonaws.com"], "thumbprints": [], **wanted(aws), "tags": strings(aws.options["tags"] or {})}


def described(aws: Aws, arn: str) -> dict[str, Any] | None:
    """Return the provider, None when there is none."""
    live = aws.find("get_open_id_connect_provider", "", OpenIDConnectProviderArn=arn)
    if not live:
        return None
    return {
        "arn": arn,
        "url": live["Url"],
        "client_ids": sorted(live.get("ClientIDList") or []),
        "thumbprints": sorted(live.get("ThumbprintList") or []),
        "tags": {tag["Key"]: tag["Value"] for tag in live.get("Tags") or []},
    }


def future_arn(aws: Aws, url: str) -> str:
    """Return the ARN that a provider of this account gets."""
    caller = connect(aws.module, "sts").get_caller_identity()["Arn"].split(":")
    return f"arn:{caller[1]}:iam::{caller[4]}:oidc-provider/{url}"


def create(aws: Aws) -> str:
    """Make the provider and return its ARN; empty in check mode."""
    settings = creation(aws)
    aws.note({name: (None, value) for name, value in settings.items() if value})
    optional = {"ThumbprintList": settings["thumbprints"], "Tags": as_list(settings["tags"])}
    request = {"Url": aws.options["url"], "ClientIDList": settings["client_ids"]} | {name: value for name, value in optional.items() if value}
    return aws.change("create_open_id_connect_provider", **request).get("OpenIDConnectProviderArn", "")


def change(aws: Aws, arn: str) -> None:
    """Make the live provider as wanted."""
    live = described(aws, arn) or {}
    found = differences(live, wanted(aws))
    aws.note(found)
    key = {"OpenIDConnectProviderArn": arn}
    if "client_ids" in found:
        now, then = map(set, found["client_ids"])
        for client in sorted(then - now):
            aws.change("add_client_id_to_open_id_connect_provider", **key, ClientID=client)
        for client in sorted(now - then):
            aws.change("remove_client_id_from_open_id_connect_provider", **key, ClientID=client)
    if "thumbprints" in found:
        aws.change("update_open_id_connect_provider_thumbprint", **key, ThumbprintList=found["thumbprints"][1])
    if aws.options["tags"] is None:
        return
    to_set, to_unset = tag_changes(live["tags"], aws.options["tags"], aws.options["purge_tags"])
    if to_set or to_unset:
        aws.note({"tags": (live["tags"], {name: value for name, value in {**live["tags"], **to_set}.items() if name not in to_unset})})
    if to_unset:
        aws.change("untag_open_id_connect_provider", **key, TagKeys=to_unset)
    if to_set:
        aws.change("tag_open_id_connect_provider", **key, Tags=as_list(to_set))


def as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as IAM takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


if __name__ == "__main__":
    main()
