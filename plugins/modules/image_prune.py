"""Remove images that are no longer needed."""

from __future__ import annotations

DOCUMENTATION = """
module: image_prune
short_description: Remove an app's images that are no longer needed
description:
  - Keeps the newest images, those that an object in the cluster refers to (including revisions to roll back to), and those of other environments.
  - Prunes the loopback registry, the storage of the build engine, and containerd if this machine is a node.
  - A separate process prunes the storage after the module has ended.
  - Removes nothing from the registry or the node if the cluster cannot be asked, and nothing from where a build is running.
options:
  kubeconfig: {description: The cluster's kubeconfig., type: path, required: true}
  registry: {description: "The registry, C(host[:port]).", type: str, required: true}
  repository: {description: The repository in the registry., type: str, required: true}
  environment: {description: The environment that prunes., type: str, required: true}
  keep: {description: How many of the newest images to keep., type: int, required: true}
  directory: {description: "Where the loopback registry keeps its images; empty for another registry.", type: str, default: ""}
  engine: {description: The engine that has built the images., type: str, choices: [buildah, docker, ""], default: ""}
  storage: {description: Where buildah keeps layers between builds., type: path, required: true}
  ctr: {description: The ctr program of the node's containerd., type: path, required: true}
  address: {description: "The socket of that containerd. Without one, this machine is not a node.", type: path, required: true}
attributes:
  check_mode: {support: full, description: "Says what would be removed from the registry, but removes nothing."}
"""

EXAMPLES = """
- name: Remove images that are no longer needed
  berth.platform.image_prune:
    kubeconfig: .cache/dev/kubeconfig
    registry: localhost:5001
    repository: polls
    environment: dev
    keep: 10
    directory: /var/lib/berth/registry
    engine: buildah
    storage: ~/.cache/berth/buildah
    ctr: /var/lib/berth/bin/ctr
    address: /run/berth/containerd/containerd.sock
"""

RETURN = """
removed: {description: The digests that were removed from the registry., type: list, elements: str, returned: always}
node: {description: The digests that were removed from the node., type: list, elements: str, returned: always}
reason: {description: "Why something was not pruned, or empty.", type: str, returned: always}
"""

import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.image import prune
from ..module_utils.image.claims import Busy, Claims, lock
from ..module_utils.kube.client import Cluster, KubeError


def registry(options: dict[str, Any], check: bool) -> dict[str, Any]:
    """Prune the loopback registry and the node; return what was removed."""
    answer: dict[str, Any] = {"removed": [], "node": [], "reason": ""}
    if not options["directory"]:
        return answer
    directory, name = Path(options["directory"]), options["repository"]
    full_name = f"{options['registry']}/{name}"
    repository, claims = prune.Repository(directory, name), Claims(directory, name, options["environment"])
    if not repository.pushed():
        return answer  # without a registry, not even a lock is created
    try:
        with lock(directory / "berth/lock", alone=True):
            pushed, now = repository.pushed(), time.time()
            if len(pushed) <= options["keep"]:
                return answer
            tags = repository.tags()
            references = {tags.get(found, found) for found in prune.referred(Cluster(options["kubeconfig"], None), full_name)}
            stays = prune.needed(pushed, claims, references, options["keep"], now)
            answer["removed"] = sorted(pushed.keys() - stays)
            if answer["removed"] and not check:
                repository.remove(answer["removed"], now)
                claims.keep({digest: when for digest, when in claims.own().items() if digest in stays})
                claims.forget(answer["removed"])
    except Busy:
        answer["reason"] = "another run pushes to the registry"
    except KubeError as error:
        answer["reason"] = str(error)
    except (OSError, ValueError) as error:
        answer["reason"] = f"the registry in {directory} cannot be pruned: {error}"
    else:
        if not check and Path(options["address"]).exists():
            answer["node"] = prune.prune_node([options["ctr"], "--address", options["address"], "--namespace", "k8s.io"], full_name, stays)
    return answer


def layers(options: dict[str, Any]) -> None:
    """Prune the builder's storage."""
    name = f"{options['registry']}/{options['repository']}"
    match options["engine"]:
        case "buildah":
            prune.prune_buildah(Path(options["storage"]), name)
        case "docker":
            prune.prune_docker(Path(options["storage"]), name)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "kubeconfig": {"type": "path", "required": True},
            "registry": {"type": "str", "required": True},
            "repository": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True},
            "keep": {"type": "int", "required": True},
            "directory": {"type": "str", "default": ""},
            "engine": {"type": "str", "choices": ["buildah", "docker", ""], "default": ""},
            "storage": {"type": "path", "required": True},
            "ctr": {"type": "path", "required": True},
            "address": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    options = module.params
    if options["engine"] and not module.check_mode:
        prune.in_background(lambda: layers(options))  # removing takes seconds if the disk is busy
    answer = registry(options, module.check_mode)
    module.exit_json(changed=bool(answer["removed"] or answer["node"]), **answer)


if __name__ == "__main__":
    main()
