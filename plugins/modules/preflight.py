"""The documentation of plugins/action/preflight.py, which has the code: it runs in Ansible's own process."""

from __future__ import annotations

DOCUMENTATION = """
module: preflight
short_description: Check the inventory and this machine, and decide the provider
description:
  - Checks every C(berth_*) variable against the argument specification of the role that uses it, and this machine
    if the provider is kubeadm.
  - Fails with one message that lists all problems, one per line, each with its variable and the file that sets it.
    Messages never contain values of secrets.
  - Changes nothing, and generates no secrets either.
options:
  checks: {description: Whether to check anything except the provider., type: bool, default: true}
  root: {description: The root of the machine's file system., type: path, default: /}
  memory_mb: {description: "Available memory that a new cluster needs, in MiB.", type: int, default: 0}
  disk_mb: {description: "Free disk space that a new cluster needs, in MiB.", type: int, default: 0}
  artifacts_disk_mb:
    description: Free disk space in MiB that the artifacts need if there are none yet.
    type: int
    default: 0
  artifacts_directory: {description: Where artifacts are kept., type: path}
  ports:
    description: What a new cluster listens on.
    type: list
    elements: dict
    default: []
    suboptions:
      port: {description: The port., type: int, required: true}
      address: {description: The address that it binds to., type: str, required: true}
      use: {description: What listens there., type: str, required: true}
attributes:
  check_mode: {support: full, description: Reads only.}
"""

EXAMPLES = """
- name: Check the inventory and this machine
  berth.platform.preflight:
    memory_mb: 2048
    ports:
      - {port: 6443, address: 10.245.0.1, use: the API server}
  register: __preflight
"""

RETURN = """
provider: {description: What provides the cluster., type: str, returned: success}
reason: {description: "Why, as a phrase.", type: str, returned: success}
commit: {description: "The commit of a source that is a repository, whose files were checked; empty if there is none.", type: str, returned: success}
"""
