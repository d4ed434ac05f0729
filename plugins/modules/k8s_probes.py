"""Documentation of the action plugin plugins/action/k8s_probes.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_probes
short_description: Check the probes of a Deployment's newest pod, more strictly than the kubelet
description:
  - Sends the requests of the pod's startup, readiness and liveness probes to a ready pod of the newest revision, through the API server.
  - Any status outside 200 to 299 is a failure. The kubelet accepts a redirect, and would notice a wrong liveness path only after the release.
  - If the user may not connect to ports of pods (C(pods/portforward)), it only warns.
options:
  kubeconfig: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: "A context in it, empty for its current one.", type: str, default: ""}
  namespace: {description: Namespace of the Deployment., type: str, required: true}
  name: {description: Name of the Deployment., type: str, required: true}
attributes:
  check_mode: {support: full, description: Reads only.}
  diff_mode: {support: none, description: Nothing is changed.}
"""

EXAMPLES = """
- name: Check the probes of the new pods
  berth.platform.k8s_probes:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    name: polls
"""

RETURN = """
answers: {description: "The status of each requested path, by path.", type: dict, returned: success}
"""
