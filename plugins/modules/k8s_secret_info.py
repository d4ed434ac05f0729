"""Documentation of the action plugin plugins/action/k8s_secret_info.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_secret_info
short_description: Compare a Secret with the expected data, without showing its content
options:
  kubeconfig: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: "A context in it, empty for its current one.", type: str, default: ""}
  namespace: {description: The namespace of the Secret., type: str, required: true}
  name: {description: Its name., type: str, required: true}
  data: {description: "The expected data, in base64 by key.", type: dict, required: true}
  labels: {description: "Labels of other Secrets to return the annotations of; empty for none.", type: dict, default: {}}
attributes:
  check_mode: {support: full, description: "If no cluster answers yet, the Secret does not exist."}
"""

EXAMPLES = """
- name: Find out whether the password has changed
  berth.platform.k8s_secret_info:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    name: database-login
    data: {DATABASE_PASSWORD: aHVudGVyMg==}
"""

RETURN = """
exists: {description: Whether the Secret exists., type: bool, returned: success}
matches: {description: "Whether it holds exactly O(data).", type: bool, returned: success}
annotations: {description: "Its annotations, without last-applied.", type: dict, returned: success}
labelled: {description: "The annotations of the Secrets that have all O(labels), by name.", type: dict, returned: success}
soon: {description: "The second after the API server's answer, RFC 3339; empty if no cluster answers yet.", type: str, returned: success}
"""
