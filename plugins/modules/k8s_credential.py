"""Documentation of the action plugin plugins/action/k8s_credential.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_credential
short_description: Give an environment a kubeconfig with a token for its own account
description:
  - Requests the token with TokenRequest, so it is stored in the kubeconfig only. Deleting the account revokes it.
  - Writes the kubeconfig again if less than a third of the token's lifetime is left, if the API server no longer accepts it, or if it is any other
    kubeconfig, such as an administrator's.
options:
  kubeconfig: {description: "The environment's own kubeconfig, written with mode 0600.", type: path, required: true}
  administrator: {description: "The kubeconfig of the cluster's administrator, which is only read.", type: path, required: true}
  account_namespace: {description: The namespace of the ServiceAccount., type: str, required: true}
  account: {description: "The name of the ServiceAccount, which must exist.", type: str, required: true}
  days: {description: The lifetime of a token in days., type: int, required: true}
attributes:
  check_mode: {support: full, description: "Says whether the kubeconfig would be written; needs no cluster."}
  diff_mode: {support: none, description: The file holds a token.}
"""

EXAMPLES = """
- name: Give the environment its kubeconfig
  berth.platform.k8s_credential:
    kubeconfig: .cache/dev/kubeconfig
    administrator: /etc/kubernetes/admin.conf
    account_namespace: berth-accounts
    account: dev
    days: 365
"""

RETURN = """
reason: {description: "Why it was written, as a phrase; empty if it was not.", type: str, returned: success}
"""
