"""Documentation of the action plugin plugins/action/k8s_fingerprint.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_fingerprint
short_description: Fingerprint contents with the namespace's own key
description:
  - A fingerprint changes with its content, so it can be part of the name of a ConfigMap or Secret.
  - Names are widely readable, and a plain hash would allow a weak password to be guessed. This is an HMAC with a random key, which is kept in a Secret.
options:
  kubeconfig: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: "A context in it, empty for its current one.", type: str, default: ""}
  namespace: {description: The namespace that holds the key., type: str, required: true}
  key: {description: The Secret with the key., type: str, required: true}
  labels: {description: Its labels., type: dict, default: {}}
  contents: {description: "The contents to fingerprint: plain data by name.", type: dict, required: true}
  make_key:
    description: Whether to create a missing key. Without a key, the fingerprints match nothing, because nothing that uses them exists yet.
    type: bool
    default: false
attributes:
  check_mode: {support: full, description: "Creates no key, and needs no cluster."}
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
fingerprints: {description: "10 hexadecimal digits for each name in O(contents).", type: dict, returned: success}
"""
