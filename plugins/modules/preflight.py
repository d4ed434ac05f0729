"""The documentation of plugins/action/preflight.py, which is the code: it runs in Ansible's own process."""

from __future__ import annotations

DOCUMENTATION = """
module: preflight
short_description: Check the inventory and this machine, and decide the provider
description:
  - Checks every C(berth_*) variable by the argument specification of the role that it is called in, and this machine
    when the provider is kubeadm.
  - Fails with one message that holds all problems, one a line, each with its variable and the file that sets it.
    Values of secrets are in no message.
  - Changes nothing, also no secret is made up.
options:
  checks: {description: Whether to check anything but the provider., type: bool, default: true}
  root: {description: Where the machine's file system begins., type: path, default: /}
  memory_mb: {description: "Available memory that a new cluster needs, in MiB.", type: int, default: 0}
  disk_mb: {description: "Free disk space that a new cluster needs, in MiB.", type: int, default: 0}
  artifacts_disk_mb:
    description: Free disk space that the artifacts need while there are none, in MiB.
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
      address: {description: The address that it is bound to., type: str, required: true}
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
commit: {description: "The commit of a source that is a repository, whose files were looked at; empty where there is none.", type: str, returned: success}
"""
