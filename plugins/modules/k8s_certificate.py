"""Documentation of the action plugin plugins/action/k8s_certificate.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_certificate
short_description: Provide a Secret with a certificate and the authority that signed it
description:
  - The authority signs this one certificate, and its key is thrown away. Both are valid for ten years.
  - A Secret that is there stays as it is.
options:
  kubeconfig: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: "A context in it, empty for its current one.", type: str, default: ""}
  namespace: {description: The namespace of the Secret., type: str, required: true}
  secret: {description: "Its name. It holds C(tls.crt), C(tls.key) and C(ca.crt).", type: str, required: true}
  names: {description: The names by which clients know the server., type: list, elements: str, required: true}
  labels: {description: The Secret's labels., type: dict, default: {}}
  make: {description: Whether to make a Secret that is missing., type: bool, default: false}
attributes:
  check_mode: {support: full, description: "Makes nothing, and needs no cluster."}
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
missing: {description: "Those of O(names) that the certificate does not have.", type: list, elements: str, returned: success}
authority: {description: "The authority in PEM, empty where there is none yet.", type: str, returned: success}
"""
