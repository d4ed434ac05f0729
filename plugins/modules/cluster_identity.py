"""Hold an environment to its own cluster."""

from __future__ import annotations

DOCUMENTATION = """
module: cluster_identity
short_description: Hold an environment to its own cluster
description:
  - Records beside the kubeconfig which cluster it leads to, for which environment, and refuses any other from then on.
  - The identity is the uid of the namespace C(kube-system) and the fingerprint of the authority that the kubeconfig trusts (without one, the
    address). They are compared as far as both are known, the uid before the authority, which may be renewed; so a user who may not read the
    uid, or not any more, is held to the authority.
  - It runs in Ansible's own process.
  - Every module of Berth that talks to a cluster looks at the record before its first request.
options:
  kubeconfig: {description: The environment's own kubeconfig., type: path, required: true}
  environment: {description: The environment's name., type: str, required: true}
  provider: {description: What provides the cluster., type: str, required: true}
  step:
    description:
      - C(compare) only refuses a kubeconfig that leads to another cluster than the recorded one. One that leads nowhere passes, for nothing can be
        changed by it.
      - C(claim) compares, and notes whose the kubeconfig is going to be, before a provider writes it, so that a run which is cut off in between can
        be run again.
      - C(record) compares and records what is new.
    type: str
    choices: [compare, claim, record]
    default: record
  accept:
    description: >-
      Identity of the cluster that the environment is to live in from now on, instead of the recorded one: the uid, or the authority where the
      user may not read the uid.
    type: str
    default: ""
  vouched:
    description: The provider itself made the cluster for this environment, so a new identity is that of a cluster made again.
    type: bool
    default: false
  patience:
    description: Seconds for which a cluster that has just been told to let the user in may not do so yet, with O(step=record). A check does not wait.
    type: int
    default: 0
attributes:
  check_mode: {support: full, description: Compares, and records nothing.}
"""

EXAMPLES = """
- name: Record which cluster is the environment's
  berth.platform.cluster_identity:
    kubeconfig: .cache/staging/kubeconfig
    environment: staging
    provider: existing

- name: Refuse a kubeconfig that leads to another cluster, before anything is deleted by it
  berth.platform.cluster_identity:
    kubeconfig: .cache/staging/kubeconfig
    environment: staging
    provider: existing
    step: compare
"""

RETURN = """
cluster: {description: "The uid, else the authority; empty where no cluster answers and that is no failure.", type: str, returned: always}
"""
