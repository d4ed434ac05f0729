"""The documentation of plugins/action/environment_audit.py, which is the code: it runs in Ansible's own process."""

from __future__ import annotations

DOCUMENTATION = """
module: environment_audit
short_description: Report what a reviewer would find in an environment
description:
  - Checks the live objects of a namespace, and reports what is wrong, why it matters and how to fix it. The rules are in
    C(plugins/module_utils/audit/), each with its source.
  - For objects that Berth created, the fix is an inventory variable, named with its file; for others it is a Kubernetes field.
  - Changes nothing, and shows no value that may be secret. It lists what the user may not read, and the checks that need it.
options:
  environment: {description: The environment's name., type: str, required: true}
  cluster: {description: "The cluster role's facts: C(provider) and C(shared_with).", type: dict, required: true}
  kubeconfig: {description: The environment's kubeconfig., type: path, required: true}
  namespace: {description: The namespace to audit., type: str, required: true}
  app: {description: "The app's name, which is the name of the Service that visitors reach.", type: str, required: true}
  level: {description: The lowest severity that counts as RV(failing)., type: str, choices: [error, warning, note], default: error}
attributes:
  check_mode: {support: full, description: Reads only.}
"""

EXAMPLES = """
- name: Audit the environment
  berth.platform.environment_audit:
    environment: dev
    cluster: "{{ cluster_facts }}"
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    app: polls
  register: __audit
"""

RETURN = """
text: {description: "The report, at most 88 columns wide unless a single word is longer.", type: str, returned: success}
findings:
  description: "check, severity, object (kind and name), says, path, value, why, mend and source of each, the worst first."
  type: list
  elements: dict
  returned: success
failing: {description: The number of findings of this level or worse., type: int, returned: success}
"""
