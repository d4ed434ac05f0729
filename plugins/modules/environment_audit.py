"""The documentation of plugins/action/environment_audit.py, which is the code: it runs in Ansible's own process."""

from __future__ import annotations

DOCUMENTATION = """
module: environment_audit
short_description: Say what a reviewer would find in an environment
description:
  - Looks at the live objects of a namespace, and says what is wrong with them, why that matters and how to mend it. The rules are in
    C(plugins/module_utils/audit/), each with its source.
  - What Berth made is mended with a variable of the inventory, which is named with its file; what others made with a field of Kubernetes.
  - Changes nothing, and shows no value of a setting that may be secret. What the user may not read is named, and so are the checks that need it.
options:
  environment: {description: The environment's name., type: str, required: true}
  cluster: {description: "The cluster role's facts: C(provider) and C(shared_with).", type: dict, required: true}
  kubeconfig: {description: The environment's kubeconfig., type: path, required: true}
  namespace: {description: The namespace to look at., type: str, required: true}
  app: {description: "The app's name, that of the Service by which visitors come in.", type: str, required: true}
  level: {description: The severity from which on findings count as RV(failing)., type: str, choices: [error, warning, note], default: error}
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
text: {description: "The report, at most 88 columns wide as far as words can be broken.", type: str, returned: success}
findings:
  description: "check, severity, object (kind and name), says, path, value, why, mend and source of each, the worst first."
  type: list
  elements: dict
  returned: success
failing: {description: How many are of the level or worse., type: int, returned: success}
"""
