"""Documentation of the action plugin plugins/action/k8s_fingerprint.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_fingerprint
short_description: Fingerprint contents with a key of the namespace's own
description:
  - A fingerprint changes when its content does, so a ConfigMap or Secret can be named by it.
  - A plain hash in a name, which many may read, would let a weak password be guessed. This one is an HMAC with a random key, which lies in a Secret.
options:
  kubeconfig: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: "A context in it, empty for its current one.", type: str, default: ""}
  namespace: {description: The namespace that holds the key., type: str, required: true}
  key: {description: The Secret with the key., type: str, required: true}
  labels: {description: Its labels., type: dict, default: {}}
  contents: {description: "What to fingerprint, plain data by name.", type: dict, required: true}
  make_key:
    description: Whether to make a missing key. Where it is missing and not made, nothing that is named by it exists either, and the fingerprints fit nothing.
    type: bool
    default: false
attributes:
  check_mode: {support: full, description: "Makes no key, and needs no cluster."}
"""

EXAMPLES = """
- name: Fingerprint the configuration
  berth.platform.k8s_fingerprint:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    key: polls-fingerprint-key
    contents:
      settings: {DJANGO_LOG_LEVEL: INFO}
    make_key: true
"""

RETURN = """
fingerprints: {description: "10 hexadecimal digits by name, as O(contents).", type: dict, returned: success}
"""
