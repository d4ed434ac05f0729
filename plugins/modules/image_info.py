"""Whether an image has to be built at all."""

from __future__ import annotations

DOCUMENTATION = """
module: image_info
short_description: Tell what image a source tree gives, and whether the registry has it
description:
  - Hashes what goes into the build
    and asks the registry for the tag C(content-HASH), so that unchanged content is known before a build starts. Changes nothing.
options:
  source: {description: The build context., type: path, required: true}
  dockerfile: {description: The Dockerfile., type: path, required: true}
  inputs: {description: Build arguments and whatever else changes the result., type: dict, default: {}}
  registry: {description: "The registry, C(host[:port]).", type: str, required: true}
  repository: {description: The repository in it., type: str, required: true}
  engine: {description: What shall build., type: str, choices: [auto, buildah, docker], default: auto}
attributes:
  check_mode: {support: full, description: Reads only.}
"""

EXAMPLES = """
- name: Look the image up
  image_info:
    source: .
    dockerfile: ./Dockerfile
    registry: localhost:5001
    repository: polls
"""

RETURN = """
content_tag: {description: The tag that names the content., type: str, returned: always}
version: {description: The tag that names the release., type: str, returned: always}
digest: {description: "The digest, empty when the registry does not have the content.", type: str, returned: always}
tagged: {description: Whether the release's tag leads to that digest., type: bool, returned: always}
ref: {description: "What pods run, C(registry/repository@digest), or C(registry/repository:content_tag) before it is built.", type: str, returned: always}
engine: {description: "What can build it: C(docker), C(buildah), or empty when nothing can.", type: str, returned: when it has to be built}
registry_answers: {description: Whether the registry answered., type: bool, returned: always}
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.berth_image import ImageError, Registry, content_hash, engine, version


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "dockerfile": {"type": "path", "required": True},
            "inputs": {"type": "dict", "default": {}},
            "registry": {"type": "str", "required": True},
            "repository": {"type": "str", "required": True},
            "engine": {"type": "str", "choices": ["auto", "buildah", "docker"], "default": "auto"},
        },
        supports_check_mode=True,
    )
    source, repository = Path(module.params["source"]), module.params["repository"]
    registry = Registry(module.params["registry"])
    digest, tagged, answers = "", False, True
    try:
        content = content_hash(source, Path(module.params["dockerfile"]), module.params["inputs"])
        release, content_tag = version(source, content), f"content-{content}"
        try:
            digest = registry.digest(repository, content_tag) or ""
            named = registry.digest(repository, release)
            if digest and named and named != digest:  # a release's tag never moves
                release = f"{release}-{content[:12]}"
                named = registry.digest(repository, release)
            tagged = bool(digest) and named == digest
        except ImageError:
            answers = False
            if not module.check_mode:
                raise
    except ImageError as error:
        module.fail_json(msg=str(error))
    name = f"{registry.host}/{repository}"
    module.exit_json(
        changed=False,
        content_tag=content_tag,
        version=release,
        digest=digest,
        tagged=tagged,
        ref=f"{name}@{digest}" if digest else f"{name}:{content_tag}",
        registry_answers=answers,
        engine=engine(module.params["engine"]) if not digest else "",
    )


if __name__ == "__main__":
    main()
