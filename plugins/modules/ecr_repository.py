"""Make, change and delete a repository of ECR, and log in to it."""

from __future__ import annotations

DOCUMENTATION = """
module: ecr_repository
short_description: Make, change and delete a repository of ECR, and log in to it
description:
  - A repository whose tags never move, whose images are scanned when they are pushed, and whose old images go by themselves.
  - The login is ECR's token for twelve hours; it is returned, and written nowhere. Give the task C(no_log).
options:
  name: {description: The repository's name., type: str, required: true}
  state:
    description: Whether the repository is there. V(absent) deletes its images too.
    type: str
    choices: [present, absent]
    default: present
  registry_id: {description: The account of the registry; that of the credentials when left out., type: str}
  immutable: {description: Whether a tag that is there is refused., type: bool, default: true}
  scan_on_push: {description: Whether images are scanned when they are pushed., type: bool, default: true}
  kms_key: {description: "The KMS key that encrypts images, as ARN; ECR's own when left out. Cannot be changed.", type: str}
  keep: {description: "How many images are kept, the newest; 0 keeps all.", type: int, default: 50}
  keep_untagged_days: {description: Days until an image without a tag goes., type: int, default: 14}
  login: {description: Whether a login is returned., type: bool, default: false}
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
exists: {description: Whether the repository is there., type: bool, returned: always}
host: {description: "The registry, C(host[:port]); empty in check mode before there is a login or a repository.", type: str, returned: always}
arn: {description: The repository's ARN., type: str, returned: always}
username: {description: Who logs in., type: str, returned: when O(login=true)}
password: {description: With which token., type: str, returned: when O(login=true)}
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
    """Make the repository as wanted."""
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
    """Return the described repository, None when there is none."""
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
    """Make the repository and return it described, {} in check mode."""
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
    """Make a repository that is there as wanted.

    Raises:
        Refused: Its encryption would have to change.
    """
    found = differences(settings(live), {name: aws.options[name] for name in ("immutable", "scan_on_push", "kms_key")})
    if "kms_key" in found:
        now, wanted = found["kms_key"]
        raise Refused(f"kms_key cannot be changed: it is {now or 'ECR’s own'}, wanted is {wanted}. Make a repository of another name, or leave it as it is.")
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
    """Make the lifecycle policy as wanted."""
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
