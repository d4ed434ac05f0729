"""Documentation of the action plugin plugins/action/k8s_objects_info.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_objects_info
short_description: Read objects of several kinds
description:
  - Reads in Ansible's own process, a request for each kind; C(kubernetes.core.k8s_info) reads one kind and takes a second longer.
  - What does not exist is left out, and so is a kind that the cluster does not serve.
options:
  kubeconfig: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: "A context in it, empty for its current one.", type: str, default: ""}
  namespace: {description: The namespace to read in., type: str, required: true}
  kinds: {description: "The kinds to read, not C(Secret).", type: list, elements: str, required: true}
  name: {description: "Name of the one object of each kind, empty for all.", type: str, default: ""}
  selector: {description: "Labels that the objects carry, all of them; not together with O(name).", type: dict, default: {}}
attributes:
  check_mode: {support: full, description: Reads only. Of a cluster that does not answer it finds nothing.}
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
