"""Documentation of the action plugin plugins/action/k8s_objects_info.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_objects_info
short_description: Read objects of several kinds
description:
  - Runs in Ansible's own process, with one request for each kind. C(kubernetes.core.k8s_info) reads one kind and takes a second longer.
  - Omits objects that do not exist, and kinds that the cluster does not serve.
options:
  kubeconfig: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: "A context in it, empty for its current one.", type: str, default: ""}
  namespace: {description: The namespace to read in., type: str, required: true}
  kinds: {description: "The kinds to read, except C(Secret).", type: list, elements: str, required: true}
  name: {description: "Name of the object to read of each kind; empty for all objects.", type: str, default: ""}
  selector: {description: "Labels that the objects must all have; ignored with O(name).", type: dict, default: {}}
attributes:
  check_mode: {support: full, description: Reads only. Returns nothing if the cluster does not answer.}
"""

EXAMPLES = """
- name: Read the Deployment and the Service
  berth.platform.k8s_objects_info:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    kinds: [Deployment, Service]
    name: polls
"""

RETURN = """
objects: {description: "The objects, in the order of the kinds.", type: list, elements: dict, returned: success}
"""
