"""Documentation of the action plugin plugins/action/k8s_secret_info.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_secret_info
short_description: Compare a Secret with what it should hold, without showing what it holds
options:
  kubeconfig: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: "A context in it, empty for its current one.", type: str, default: ""}
  namespace: {description: The namespace of the Secret., type: str, required: true}
  name: {description: Its name., type: str, required: true}
  data: {description: "What it should hold, in base64 by key.", type: dict, required: true}
  labels: {description: "Labels of other Secrets to tell of; none tells of none.", type: dict, default: {}}
attributes:
  check_mode: {support: full, description: "Where no cluster answers yet there is no Secret."}
"""

EXAMPLES = """
- name: See whether the password has changed
  berth.platform.k8s_secret_info:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    name: database-login
    data: {DATABASE_PASSWORD: aHVudGVyMg==}
"""

RETURN = """
exists: {description: Whether there is such a Secret., type: bool, returned: success}
matches: {description: "Whether it holds O(data), and nothing else.", type: bool, returned: success}
annotations: {description: "Its annotations, without that of the last apply.", type: dict, returned: success}
labelled: {description: "The annotations of the Secrets that carry all of O(labels), by name.", type: dict, returned: success}
soon: {description: "The second after the API server's answer, RFC 3339; empty where no cluster answers yet.", type: str, returned: success}
"""
