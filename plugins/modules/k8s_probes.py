"""Documentation of the action plugin plugins/action/k8s_probes.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_probes
short_description: Ask a Deployment's newest pod for its health, and refuse what only looks like health
description:
  - Sends the requests of the pod's startup, readiness and liveness probes to a ready pod of the newest revision, through the API server.
  - Any answer but 200 to 299 is a failure. The kubelet takes a redirect for good health, and asks for a wrong liveness path only when the release is over.
  - Where the user may not reach ports of pods (C(pods/portforward)), it warns and asks nothing.
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
- name: Ask the new pods for their health
  berth.platform.k8s_probes:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    name: polls
"""

RETURN = """
answers: {description: "The status of each path that was asked, by path.", type: dict, returned: success}
"""
