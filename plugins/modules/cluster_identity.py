"""Bind an environment to its own cluster."""

from __future__ import annotations

DOCUMENTATION = """
module: cluster_identity
short_description: Bind an environment to its own cluster
description:
  - Records next to the kubeconfig which cluster it points to and which environment it is for, and refuses any other cluster from then on.
  - The identity is the UID of the namespace C(kube-system) and the fingerprint of the CA that the kubeconfig trusts (without a CA, the
    address). The UID is compared first if it is known, because the CA may be renewed. For a user who may not read the UID, or no longer may,
    the CA is compared.
  - Runs in Ansible's own process.
  - Every Berth module that talks to a cluster checks the record before its first request.
options:
  kubeconfig: {description: The environment's own kubeconfig., type: path, required: true}
  environment: {description: The environment's name., type: str, required: true}
  provider: {description: What provides the cluster., type: str, required: true}
  step:
    description:
      - C(compare) only refuses a kubeconfig that points to another cluster than the recorded one. If no cluster answers, it passes, because nothing can be
        changed with it.
      - C(claim) compares, and records which environment the kubeconfig will belong to before a provider writes it, so that an interrupted run can
        be repeated.
      - C(record) compares, and records what is new.
    type: str
    choices: [compare, claim, record]
    default: record
  accept:
    description: >-
      Identity of the cluster to accept for the environment from now on, instead of the recorded one: the UID, or the CA if the
      user may not read the UID.
    type: str
    default: ""
  vouched:
    description: The provider itself created the cluster for this environment, so a new identity means that it created the cluster again.
    type: bool
    default: false
  patience:
    description: With O(step=record), seconds to wait for a cluster to admit a user that was only just given access. Check mode does not wait.
    type: int
    default: 0
attributes:
  check_mode: {support: full, description: Compares, and records nothing.}
"""

EXAMPLES = """
- name: Record which cluster belongs to the environment
  berth.platform.cluster_identity:
    kubeconfig: .cache/staging/kubeconfig
    environment: staging
    provider: existing

- name: Refuse a kubeconfig that points to another cluster, before anything is deleted with it
  berth.platform.cluster_identity:
    kubeconfig: .cache/staging/kubeconfig
    environment: staging
    provider: existing
    step: compare
"""

RETURN = """
cluster: {description: "The UID, else the CA; empty if no cluster answers and that is not a failure.", type: str, returned: always}
"""
