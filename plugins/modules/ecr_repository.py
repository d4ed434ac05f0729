"""Create, change or delete an ECR repository, and log in to it."""

from __future__ import annotations

DOCUMENTATION = """
module: ecr_repository
short_description: Create, change or delete an ECR repository, and log in to it
description:
  - By default, tags are immutable, images are scanned when they are pushed, and old images expire.
  - The login is an ECR token that is valid for twelve hours. It is returned, but not stored anywhere. Set C(no_log) on the task.
options:
  name: {description: The repository's name., type: str, required: true}
  state:
    description: Whether the repository exists. V(absent) deletes its images too.
    type: str
    choices: [present, absent]
    default: present
  registry_id: {description: The account of the registry; the credentials' account if omitted., type: str}
  immutable: {description: Whether an existing tag cannot be pushed again., type: bool, default: true}
  scan_on_push: {description: Whether images are scanned when they are pushed., type: bool, default: true}
  kms_key: {description: "The ARN of the KMS key that encrypts images; ECR's own key if omitted. Cannot be changed.", type: str}
  keep: {description: "How many of the newest images to keep; 0 keeps all.", type: int, default: 50}
  keep_untagged_days: {description: Days until an untagged image expires., type: int, default: 14}
  login: {description: Whether to return a login., type: bool, default: false}
attributes:
  check_mode: {support: full, description: Says what would change.}
  diff_mode: {support: full, description: Shows the options that change.}
extends_documentation_fragment: [amazon.aws.tags, amazon.aws.common.modules, amazon.aws.region.modules, amazon.aws.boto3]
"""

EXAMPLES = """
- name: Provide the repository
  berth.platform.ecr_repository:
    name: polls
    login: true
    tags: {team: web}
  register: ecr
  no_log: true
"""

RETURN = """
exists: {description: Whether the repository exists., type: bool, returned: always}
host: {description: "The registry, C(host[:port]); empty in check mode if there is neither a login nor a repository yet.", type: str, returned: always}
arn: {description: The repository's ARN., type: str, returned: always}
username: {description: The user name for the login., type: str, returned: when O(login=true)}
password: {description: The token for the login., type: str, returned: when O(login=true)}
"""

import base64
import json
from typing import Any
from urllib.parse import urlsplit

from ..module_utils.aws.session import TAG_OPTIONS, Aws, Refused, differences, run, strings, tag_changes

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "registry_id": {"type": "str"},
    "immutable": {"type": "bool", "default": True},
    "scan_on_push": {"type": "bool", "default": True},
    "kms_key": {"type": "str"},
    "keep": {"type": "int", "default": 50},
    "keep_untagged_days": {"type": "int", "default": 14},
    "login": {"type": "bool", "default": False},
    **TAG_OPTIONS,
}


def main() -> None:
    """Run the module."""
    run(work, "ecr", "ECR repository {name}", OPTIONS)


def work(aws: Aws) -> dict[str, Any]:
    """Create, change or delete the repository."""
    names = {"repositoryName": aws.options["name"]} | ({"registryId": aws.options["registry_id"]} if aws.options["registry_id"] else {})
    live = find(aws)
    if aws.options["state"] == "absent":
        if live:
            aws.note({"state": ("present", "absent")})
            aws.change("delete_repository", force=True, **names)
        return {"exists": False, "host": "", "arn": ""}
    if live:
        change(aws, names, live)
    else:
        live = create(aws, names)
    lifecycle(aws, names, bool(live))
    answer = {"exists": bool(live), "host": live.get("repositoryUri", "").removesuffix(f"/{aws.options['name']}"), "arn": live.get("repositoryArn", "")}
    if aws.options["login"]:
        data = aws.client.get_authorization_token()["authorizationData"][0]
        username, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        answer |= {"username": username, "password": password, "host": answer["host"] or urlsplit(data["proxyEndpoint"]).netloc}
    return answer


def find(aws: Aws) -> dict[str, Any] | None:
    """Return the repository as ECR describes it, None if it does not exist."""
    account = {"registryId": aws.options["registry_id"]} if aws.options["registry_id"] else {}
    try:
        return aws.client.describe_repositories(repositoryNames=[aws.options["name"]], **account)["repositories"][0]
    except aws.client.exceptions.RepositoryNotFoundException:
        return None


def settings(live: dict[str, Any]) -> dict[str, Any]:
    """Return a described repository's settings, by option."""
    return {
        "immutable": live["imageTagMutability"] == "IMMUTABLE",
        "scan_on_push": live["imageScanningConfiguration"]["scanOnPush"],
        "kms_key": live.get("encryptionConfiguration", {}).get("kmsKey"),
    }


def create(aws: Aws, names: dict[str, str]) -> dict[str, Any]:
    """Create the repository and return its description, {} in check mode."""
    options = aws.options
    aws.note({name: (None, options[name]) for name in ("name", "immutable", "scan_on_push", "keep", "keep_untagged_days")})
    encryption = {"encryptionType": "KMS", "kmsKey": options["kms_key"]} if options["kms_key"] else {"encryptionType": "AES256"}
    tags = [{"Key": key, "Value": value} for key, value in strings(options["tags"] or {}).items()]
    return aws.change(
        "create_repository",
        imageTagMutability="IMMUTABLE" if options["immutable"] else "MUTABLE",
        imageScanningConfiguration={"scanOnPush": options["scan_on_push"]},
        encryptionConfiguration=encryption,
        tags=tags,
        **names,
    ).get("repository", {})


def change(aws: Aws, names: dict[str, str], live: dict[str, Any]) -> None:
    """Change an existing repository.

    Raises:
        Refused: Its encryption would have to change.
    """
    found = differences(settings(live), {name: aws.options[name] for name in ("immutable", "scan_on_push", "kms_key")})
    if "kms_key" in found:
        now, wanted = found["kms_key"]
        raise Refused(f"kms_key cannot be changed from {now or 'ECR’s own'} to {wanted}. Create a repository with another name, or keep the key.")
    aws.note(found)
    if "immutable" in found:
        aws.change("put_image_tag_mutability", imageTagMutability="IMMUTABLE" if aws.options["immutable"] else "MUTABLE", **names)
    if "scan_on_push" in found:
        aws.change("put_image_scanning_configuration", imageScanningConfiguration={"scanOnPush": aws.options["scan_on_push"]}, **names)
    if aws.options["tags"] is not None:
        arn = live["repositoryArn"]
        tags = {tag["Key"]: tag["Value"] for tag in aws.client.list_tags_for_resource(resourceArn=arn)["tags"]}
        to_set, to_unset = tag_changes(tags, aws.options["tags"], aws.options["purge_tags"])
        if to_set or to_unset:
            aws.note({"tags": (tags, {key: value for key, value in {**tags, **to_set}.items() if key not in to_unset})})
        if to_unset:
            aws.change("untag_resource", resourceArn=arn, tagKeys=to_unset)
        if to_set:
            aws.change("tag_resource", resourceArn=arn, tags=[{"Key": key, "Value": value} for key, value in to_set.items()])


def lifecycle(aws: Aws, names: dict[str, str], there: bool) -> None:
    """Update the lifecycle policy."""
    untagged = {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": aws.options["keep_untagged_days"]}
    rules = [{"rulePriority": 1, "description": "images without a tag", "selection": untagged, "action": {"type": "expire"}}]
    if aws.options["keep"]:
        every = {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": aws.options["keep"]}
        rules.append({"rulePriority": 2, "description": "all but the newest", "selection": every, "action": {"type": "expire"}})
    wanted, live = {"rules": rules}, None
    if there:
        try:
            live = json.loads(aws.client.get_lifecycle_policy(**names)["lifecyclePolicyText"])
        except aws.client.exceptions.LifecyclePolicyNotFoundException:
            live = None
    if live != wanted:
        aws.note({"lifecycle": (live, wanted)})
        aws.change("put_lifecycle_policy", lifecyclePolicyText=json.dumps(wanted), **names)


if __name__ == "__main__":
    main()
