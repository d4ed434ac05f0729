"""Documentation of the action plugin plugins/action/k8s_credential.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_credential
short_description: Give an environment a kubeconfig with a token of its own account
description:
  - The token is asked for with TokenRequest, so nothing but the kubeconfig holds it. Whoever deletes the account takes it back.
  - Written again when less than a third of the token's life is left, when the API server does not accept it any more, and in the place of any other
    kubeconfig, such as an administrator's.
options:
  kubeconfig: {description: "The environment's own kubeconfig, written with mode 0600.", type: path, required: true}
  administrator: {description: "The kubeconfig of the cluster's administrator, which is read.", type: path, required: true}
  account_namespace: {description: The namespace of the ServiceAccount., type: str, required: true}
  account: {description: "Its name. It is there already.", type: str, required: true}
  days: {description: How long a token lasts., type: int, required: true}
attributes:
  check_mode: {support: full, description: "Says whether it would be written; needs no cluster."}
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
reason: {description: "Why it was written, as a phrase; empty where it was not.", type: str, returned: success}
"""
