"""Provide a cluster's binaries and images in a cache: the Ansible module."""

from __future__ import annotations

DOCUMENTATION = r"""
module: artifacts
short_description: Provide pinned binaries and container images in a cache
description:
  - Downloads each artifact from its official release and checks the pinned checksum or digest, else the published one; or builds it from Go
    modules and Debian packages, which are verified by C(go.sum) and Debian's signatures.
  - The cache holds complete artifacts only. The next run resumes an interrupted one, and concurrent runs wait for each
    other.
  - In check mode it reports what would be made and from where, and changes nothing.
options:
  cache_dir:
    description: The cache. It is created if missing. A directory with other content is refused.
    type: path
    required: true
  state:
    description: C(absent) removes the cache, if this module made it.
    type: str
    choices: [present, absent]
    default: present
  source:
    description:
      - Where artifacts come from. C(auto) uses what is in the cache, else C(download) if every release host
        that it needs answers within O(probe_timeout), else C(build).
    type: str
    choices: [auto, download, build]
    default: auto
  binaries:
    description: The binaries, in the order in which they are built.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The file's name.
        type: str
        required: true
      version:
        description: The pinned version.
        type: str
        required: true
      package:
        description: The Go package to build, from O(go_dir) itself or from a module that its C(go.mod) pins.
        type: str
        required: true
      variables:
        description: Go variables for the linker to set, by full name.
        type: dict
      go_dir:
        description: The directory with this binary's C(go.mod) and C(go.sum), if it is not O(go_dir).
        type: path
      cgo:
        description: Whether to build with cgo, which needs a C compiler.
        type: bool
      tags:
        description: Build tags.
        type: list
        elements: str
      url:
        description:
          - The release's file; C({arch}) stands for C(amd64) or C(arm64), C({os}) for C(linux) or C(darwin). Without it
            C(download) leaves the binary out.
        type: str
      checksum:
        description: The URL of the published sha256, used if O(sha256) does not have the file.
        type: str
      member:
        description: The binary's path within the file, if the file is an archive.
        type: str
  images:
    description: The images.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The full name with its tag.
        type: str
        required: true
      short:
        description: What RV(refs) and O(wanted) call it.
        type: str
        required: true
      build:
        description: How to build the image without a registry.
        type: dict
        required: true
        suboptions:
          packages:
            description: Debian packages to install in a root file system.
            type: list
            elements: str
          unpack:
            description: Debian packages to extract O(images[].build.files) from.
            type: list
            elements: str
          files:
            description: Maps each path in the image to a path in the unpacked packages.
            type: dict
          applets:
            description: The path of a busybox binary. Links to its applets are created next to it.
            type: str
          exclude:
            description: Paths that dpkg leaves out.
            type: list
            elements: str
          prepare:
            description: Shell lines before the packages are installed. C($1) is the root file system.
            type: list
            elements: str
          setup:
            description: Shell lines after the packages are installed. C($1) is the root file system.
            type: list
            elements: str
          binary:
            description: The name of one of O(binaries) to put into the image.
            type: str
          path:
            description: The binary's path in the image.
            type: str
          config:
            description: Entrypoint, Cmd, User, Env and the like, as the image specification names them.
            type: dict
  sha256:
    description:
      - The sha256 of released files, by C(linux/amd64) and the like, by the binary's name and version.
      - Any other version is checked against the published one at O(binaries[].checksum).
    type: dict
    default: {}
  digests:
    description:
      - The digest of each image's index, by its full name.
      - Without one, the digest of the tag at the first pull is recorded and used from then on.
    type: dict
    default: {}
  wanted:
    description: Names of the binaries and images to provide. Empty means all.
    type: list
    elements: str
    default: []
  go_dir:
    description: The directory with C(go.mod) and C(go.sum).
    type: path
  debian:
    description:
      - The Debian release that root file systems are built from. C(suite), C(exclude) (paths that dpkg leaves
        out) and C(clean) (shell lines that end each build, with C($1) as the root).
      - A Debian machine's own mirror, proxy and apt credentials are used, but not stored.
    type: dict
    default: {}
  mirrors:
    description:
      - Replacement addresses by prefix, for releases and registries. A registry mirror that
        starts with C(http://) is used without TLS. A release mirror may be a directory, such as C(file:///...).
    type: dict
    default: {}
  probe_timeout:
    description: How long C(auto) waits for the release hosts, in seconds.
    type: float
    default: 5
"""

EXAMPLES = r"""
- name: Provide kubectl and the pause image
  berth.platform.artifacts:
    cache_dir: ~/.cache/berth/artifacts
    source: download
    go_dir: "{{ role_path }}/files/go"
    binaries:
      - name: kubectl
        version: v1.36.3
        package: k8s.io/kubernetes/cmd/kubectl
        url: https://dl.k8s.io/release/v1.36.3/bin/linux/{arch}/kubectl
        checksum: https://dl.k8s.io/release/v1.36.3/bin/linux/{arch}/kubectl.sha256
    sha256:
      kubectl v1.36.3:
        linux/amd64: ebbd080e7c2e275093b55915722043257eb24004363e20acb3c4d71919f88336
    images:
      - name: registry.k8s.io/pause:3.10.2
        short: pause
        build:
          unpack: [catatonit]
          files: {/pause: /usr/bin/catatonit}
          config: {Entrypoint: [/pause, -P]}
    digests:
      registry.k8s.io/pause:3.10.2: sha256:f548e0e8e3dc1896ca956272154dde3314e8cc4fde0a57577ee9fa1c63f5baf4

- name: Use a mirror of the release host and of Docker Hub
  berth.platform.artifacts:
    cache_dir: ~/.cache/berth/artifacts
    mirrors:
      https://dl.k8s.io: https://mirror.example.org/k8s
      docker.io: registry.example.org/hub

- name: Take minikube from files, without a network
  berth.platform.artifacts:
    cache_dir: ~/.cache/berth/artifacts
    mirrors:
      https://github.com/kubernetes/minikube/releases/download: file:///srv/minikube # v1.38.1/minikube-linux-amd64 and its .sha256

- name: Remove the cache
  berth.platform.artifacts:
    cache_dir: ~/.cache/berth/artifacts
    state: absent
"""

RETURN = r"""
source:
  description: Where the artifacts come from.
  type: str
  returned: state is present
  sample: build
reason:
  description: Why that source was chosen.
  type: str
  returned: state is present
  sample: dl.k8s.io does not answer within 5 s
directory:
  description: A directory with a link to every binary, by its plain name.
  type: str
  returned: state is present
  sample: /home/me/.cache/berth/artifacts/bin-0123456789
binaries:
  description: The path of each binary, including those that are not made yet.
  type: dict
  returned: state is present
  sample: {kubectl: /home/me/.cache/berth/artifacts/binaries/kubectl-v1.36.3-build-0123456789/kubectl}
images:
  description: The path of each image's docker-archive by its full name, including those that are not made yet.
  type: dict
  returned: state is present
  sample: {"registry.k8s.io/pause:3.10.2": /home/me/.cache/berth/artifacts/images/pause-3.10.2-build-0123/image.tar}
refs:
  description: The full name of each image, by its short name.
  type: dict
  returned: state is present
  sample: {pause: "registry.k8s.io/pause:3.10.2"}
pullable:
  description: The reference that nodes pull each image by, by its short name. It uses a mirror if there is one, and the digest if it is pinned.
  type: dict
  returned: state is present
  sample: {pause: "registry.k8s.io/pause:3.10.2@sha256:f548e0e8e3dc1896ca956272154dde3314e8cc4fde0a57577ee9fa1c63f5baf4"}
present:
  description: The path of each binary that exists now.
  type: dict
  returned: state is present
made:
  description: What was made, or would be in check mode.
  type: list
  elements: str
  returned: state is present
missing:
  description: The artifacts that do not exist now.
  type: list
  elements: str
  returned: state is present
packages:
  description: Debian packages that are needed to make the missing artifacts, and are not installed.
  type: list
  elements: str
  returned: state is present
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.machine.artifacts import (
    OPTIONS,
    ArtifactError,
    Settings,
    facts,
    from_cache,
    make_plan,
    missing_packages,
    remove,
    settings_of,
    which,
)
from ..module_utils.machine.artifacts_make import make
from ..module_utils.progress import report


def present(module: AnsibleModule, settings: Settings) -> dict[str, Any]:
    """Provide the artifacts, or in check mode report what that would take."""
    if answer := from_cache(settings):
        return answer
    plan = make_plan(settings)
    packages = missing_packages(settings, plan)
    if module.check_mode:
        if packages and not which("apt-get"):
            raise ArtifactError(f"Missing tools, and this machine has no apt-get. Install them first; their Debian packages are {', '.join(packages)}.")
        if packages and os.geteuid() != 0:
            raise ArtifactError(f"Missing tools, which only root can install. Run: sudo apt-get install {' '.join(packages)}")
        made = [entry.name for entry in plan.missing]
        report(f"artifacts: {len(made)} of {len(plan.entries)} are missing; {plan.source}, because {plan.reason}")
    elif packages:
        raise ArtifactError(f"Missing tools. Run: apt-get install {' '.join(packages)}")
    else:
        made = make(settings, plan)
    return {"changed": True, "made": made, "packages": packages, **facts(settings, plan)}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    settings = settings_of(module.params)
    try:
        if module.params["state"] == "absent":
            module.exit_json(changed=remove(settings.cache_dir, module.check_mode))
        module.exit_json(**present(module, settings))
    except ArtifactError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
