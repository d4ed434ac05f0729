"""Find out whether an image must be built at all."""

from __future__ import annotations

DOCUMENTATION = """
module: image_info
short_description: Identify the image of a source tree, and find out whether it exists
description:
  - Hashes everything that goes into the build, and looks for the tag C(content-HASH) in the registry, or for an archive of that name, so that unchanged
    content is recognised before a build starts. Changes nothing except O(users).
  - With a loopback registry, it trusts no tags, only what Berth itself recorded when it pushed.
options:
  source: {description: The build context., type: path, required: true}
  dockerfile: {description: The Dockerfile., type: path, required: true}
  inputs: {description: Build arguments, and anything else that changes the result., type: dict, default: {}}
  registry: {description: "The registry, C(host[:port][/path]).", type: str}
  username: {description: The user name for the registry., type: str, default: ""}
  password: {description: The password for the registry., type: str, default: ""}
  archives: {description: "The directory of image archives, for nodes that do not pull from a registry.", type: path}
  repository: {description: The repository in the registry., type: str, required: true}
  directory: {description: "Where a loopback registry keeps its images, with the environments' claims on them.", type: str, default: ""}
  environment: {description: The environment that the image is for., type: str, default: ""}
  engine: {description: The engine that builds the image., type: str, choices: [auto, buildah, docker], default: auto}
  users:
    description: "The file that records which image runs as which user; empty if that is not needed."
    type: path
    default: ""
attributes:
  check_mode: {support: full, description: Reads only.}
"""

EXAMPLES = """
- name: Look the image up
  berth.platform.image_info:
    source: .
    dockerfile: ./Dockerfile
    registry: localhost:5001
    repository: polls
"""

RETURN = """
content_tag: {description: The tag of the content., type: str, returned: always}
version: {description: The tag of the release., type: str, returned: always}
digest: {description: "The digest; empty if the registry does not have the content.", type: str, returned: always}
tagged: {description: Whether the release's tag points to that digest., type: bool, returned: always}
ref: {description: "What pods run, C(registry/repository@digest), or C(registry/repository:content_tag) before it is built.", type: str, returned: always}
archive: {description: "The image's archive; empty with a registry.", type: str, returned: always}
complete: {description: "Whether there is nothing to build, push, tag or claim.", type: bool, returned: always}
engine: {description: "The engine that can build it, C(docker) or C(buildah); empty if there is none.", type: str, returned: when it must be built}
user:
  description:
    - The numeric user and group that the image runs as, such as C(1000:1000); C(0:0) is root.
    - For an image that is not built yet, those of the previous one. Empty if they are not known or not needed.
  type: str
  returned: always
registry_answers: {description: Whether the registry answered., type: bool, returned: always}
"""

from functools import partial
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.image import user as users
from ..module_utils.image.claims import Claims, built
from ..module_utils.image.context import content_hash
from ..module_utils.image.registry import ImageError, Registry, engine, version


def in_registry(module: AnsibleModule, content: str, release: str) -> dict[str, Any]:
    """Return the state of an image in a registry.

    Raises:
        ImageError: The registry does not answer, unless this is a check and the machine has no registry yet.
    """
    options, repository, content_tag = module.params, module.params["repository"], f"content-{content}"
    registry = Registry(options["registry"], username=options["username"], password=options["password"])
    claims = Claims(Path(options["directory"]), repository, options["environment"]) if options["directory"] else None
    digest, tagged, answers = "", False, True
    try:
        digest = built(registry, repository, content_tag, claims)
        named = registry.digest(repository, release)
        if named and named != digest:  # a release's tag never moves
            release = f"{release}-{content[:12]}"
            named = registry.digest(repository, release)
        tagged = bool(digest) and named == digest
    except ImageError:
        answers = False
        if not module.check_mode:
            raise
    name = f"{registry.host}/{repository}"
    ref = f"{name}@{digest}" if digest else f"{name}:{content_tag}"
    complete = tagged and (claims is None or digest in claims.own())
    return {"version": release, "digest": digest, "tagged": tagged, "ref": ref, "registry_answers": answers, "archive": "", "complete": complete}


def in_archive(options: dict[str, Any], content: str, release: str) -> dict[str, Any]:
    """Return the state of an image in the directory of archives. Pods run it by its content tag, because an archive has no registry digest."""
    name = f"{options['repository']}-content-{content}.tar"
    archive = Path(options["archives"]) / name
    ref = f"localhost/{options['repository']}:content-{content}"
    there = archive.is_file()
    return {"version": release, "digest": "", "tagged": there, "ref": ref, "registry_answers": False, "archive": str(archive), "complete": there}


def user(options: dict[str, Any], found: dict[str, Any], content: str) -> str:
    """Return the image's numeric user and group, as ``user`` in RETURN.

    Raises:
        ImageError: They cannot be determined.
    """
    if not options["users"]:
        return ""
    known = users.Known(Path(options["users"]))
    if found["digest"]:
        registry = Registry(options["registry"], username=options["username"], password=options["password"])
        contents = partial(users.of_registry, registry, options["repository"], found["digest"])
    elif found["complete"]:
        contents = partial(users.of_archive, Path(found["archive"]))
    else:
        return known.last()
    return known.get(found["digest"] or content, lambda: users.of(found["ref"], contents))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "dockerfile": {"type": "path", "required": True},
            "inputs": {"type": "dict", "default": {}},
            "registry": {"type": "str"},
            "username": {"type": "str", "default": ""},
            "password": {"type": "str", "default": "", "no_log": True},
            "archives": {"type": "path"},
            "repository": {"type": "str", "required": True},
            "directory": {"type": "str", "default": ""},
            "environment": {"type": "str", "default": ""},
            "engine": {"type": "str", "choices": ["auto", "buildah", "docker"], "default": "auto"},
            "users": {"type": "path", "default": ""},
        },
        mutually_exclusive=[("registry", "archives")],
        required_one_of=[("registry", "archives")],
        supports_check_mode=True,
    )
    source = Path(module.params["source"])
    try:
        content = content_hash(source, Path(module.params["dockerfile"]), module.params["inputs"])
        release = version(source, content)
        found = in_registry(module, content, release) if module.params["registry"] else in_archive(module.params, content, release)
        found["user"] = user(module.params, found, content)
    except (ImageError, OSError) as error:
        module.fail_json(msg=str(error))
    builder = "" if found["digest"] or found["complete"] else engine(module.params["engine"])
    module.exit_json(changed=False, content_tag=f"content-{content}", engine=builder, **found)


if __name__ == "__main__":
    main()
