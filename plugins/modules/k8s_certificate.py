"""Documentation of the action plugin plugins/action/k8s_certificate.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_certificate
short_description: Provide a Secret with a certificate and the CA that signed it
description:
  - The CA signs only this certificate, and its key is discarded. Both are valid for ten years.
  - An existing Secret is not changed.
options:
  kubeconfig: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: "A context in it, empty for its current one.", type: str, default: ""}
  namespace: {description: The namespace of the Secret., type: str, required: true}
  secret: {description: "Its name. It holds C(tls.crt), C(tls.key) and C(ca.crt).", type: str, required: true}
  names: {description: The host names that clients use for the server., type: list, elements: str, required: true}
  labels: {description: The Secret's labels., type: dict, default: {}}
  make: {description: Whether to create a missing Secret., type: bool, default: false}
attributes:
  check_mode: {support: full, description: "Creates nothing, and needs no cluster."}
"""

EXAMPLES = """
- name: Provide the database's certificate
  berth.platform.k8s_certificate:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    secret: database-tls
    names: [database, database.polls-dev.svc]
    make: true
"""

RETURN = """
missing: {description: "The O(names) that the certificate does not have.", type: list, elements: str, returned: success}
authority: {description: "The CA in PEM; empty if there is none yet.", type: str, returned: success}
"""
