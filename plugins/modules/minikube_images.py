"""Ensure that a minikube profile's node has images: the Ansible module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: minikube_images
short_description: Load image archives into a minikube node
description:
  - Loads images that the node lacks or has with other content, by the image's id, which is the digest of its configuration.
  - C(minikube image load) works for every driver and runtime, because it writes into the runtime of each node. The registry addon would need a
    push through a tunnel, a node that trusts it, and a copy of every image on the node's disk.
  - Checks the result, because C(minikube image load) says nothing when it fails.
options:
  binary: {description: The minikube program., type: path, required: true}
  home: {description: MINIKUBE_HOME., type: path, default: ~/.cache/berth/minikube}
  profile: {description: The profile., type: str, required: true}
  images: {description: "Archives (docker-archive) by the full name of the image in each.", type: dict, required: true}
  timeout: {description: Seconds that loading one archive may take., type: int, default: 300}
attributes:
  check_mode: {support: full, description: "Reports what would be loaded. Without a cluster, that is all images."}
"""

EXAMPLES = r"""
- name: Have the app's image in the node
  berth.platform.minikube_images:
    binary: /usr/local/bin/minikube
    profile: dev
    images:
      registry.example.org/polls:1: /var/cache/polls.tar
"""

RETURN = r"""
loaded: {description: The images that were loaded., type: list, elements: str, returned: always}
"""

import json
import tarfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.machine.minikube import MinikubeError
from ..module_utils.machine.minikube_calls import PROFILE_OPTIONS, Minikube
from ..module_utils.progress import report


def config_digest(archive: Path) -> str:
    """Return the digest of the configuration of the image in an archive, without its algorithm.

    ``Config`` in manifest.json is ``<digest>.json`` or ``blobs/sha256/<digest>``: https://github.com/moby/docker-image-spec/blob/main/spec.md

    Raises:
        MinikubeError: It is not such an archive.
    """
    try:
        with tarfile.open(archive) as content:
            member = content.extractfile("manifest.json")
            assert member is not None
            return Path(json.load(member)[0]["Config"]).name.removesuffix(".json")
    except OSError as error:
        raise MinikubeError(f"{archive} cannot be read: {error.strerror or error}") from error
    except (tarfile.TarError, KeyError, IndexError, TypeError, ValueError, AssertionError) as error:
        raise MinikubeError(f"{archive} is no image archive (docker-archive).") from error


def short(name: str) -> str:
    """Return a name as Docker shortens it: Docker's own runtime lists images that way, the others by their full names."""
    return name.removeprefix("docker.io/").removeprefix("library/")


def present(minikube: Minikube) -> dict[str, str]:
    """Return the id of each image in the node, without its algorithm, by short name; none if the cluster does not run."""
    listed = minikube.answer("image", "ls", "--format=json") if minikube.exists() else []
    return {short(tag): image["id"].removeprefix("sha256:") for image in listed for tag in image.get("repoTags") or []}


def ensure(minikube: Minikube, images: dict[str, str], timeout: int, check: bool) -> list[str]:
    """Load what is missing, and return the names of what was loaded, or would be.

    Raises:
        MinikubeError: The cluster does not run, or an archive did not provide its image.
    """
    if check and not (minikube.binary.exists() and all(Path(archive).exists() for archive in images.values())):
        return sorted(images)  # the program or the archives still have to be made
    digests = {name: config_digest(Path(archive)) for name, archive in images.items()}
    before = present(minikube)
    missing = [name for name in images if before.get(short(name)) != digests[name]]
    if not missing or check:
        return missing
    if not before:  # a running node has Kubernetes' own
        raise MinikubeError(f"The minikube profile {minikube.profile} does not run, so no image can be loaded into it.")
    for number, name in enumerate(missing, 1):
        report(f"minikube: image {number} of {len(missing)}: {name}, loading")
        minikube.act("image", "load", images[name], timeout=timeout)
    after = present(minikube)
    lost = [name for name in missing if after.get(short(name)) != digests[name]]
    if lost:
        raise MinikubeError(
            f"minikube image load said nothing, and these images are not in the node: {', '.join(lost)}. Their archives do not hold what they are "
            f"named after, or the node's disk is full: minikube --profile={minikube.profile} ssh -- df -h /var"
        )
    return missing


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **PROFILE_OPTIONS,
            "images": {"type": "dict", "required": True},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    options = module.params
    minikube = Minikube.of(options)
    try:
        loaded = ensure(minikube, options["images"], options["timeout"], module.check_mode)
        module.exit_json(changed=bool(loaded), loaded=loaded)
    except MinikubeError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
