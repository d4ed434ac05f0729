"""Documentation of the action plugin plugins/action/k8s_claim.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_claim
short_description: Expand an existing volume claim, or say why that is not possible
description:
  - Expands a claim if its storage class allows it. Refuses to shrink a claim or to change its class, and names the variable that asks for it.
  - A volume of the local-path provisioner is a directory without a size. If its class allows expansion, only the recorded size changes.
  - A StatefulSet's claim template cannot be changed. If it differs, the StatefulSet is deleted, but its pod is kept;
    the next apply creates it again, and it adopts the pod.
options:
  kubeconfig: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: "A context in it, empty for its current one.", type: str, default: ""}
  namespace: {description: The namespace of the claim., type: str, required: true}
  name: {description: "The claim. If it does not exist yet, nothing is done.", type: str, required: true}
  size: {description: "Its size, such as C(1Gi).", type: str, required: true}
  storage_class: {description: "Its storage class; empty to keep the current one.", type: str, default: ""}
  size_variable: {description: "The inventory variable of O(size), for messages.", type: str, required: true}
  class_variable: {description: "The inventory variable of O(storage_class), for messages.", type: str, required: true}
  statefulset: {description: "The StatefulSet whose first claim template created the claim; empty for none.", type: str, default: ""}
  timeout: {description: Seconds to wait until the volume has grown., type: int, default: 300}
attributes:
  check_mode: {support: full, description: "Says whether the claim would be expanded, or why it cannot be."}
  diff_mode: {support: full, description: "Shows the sizes."}
"""

EXAMPLES = """
- name: Expand the database's volume
  berth.platform.k8s_claim:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    name: data-database-0
    size: 2Gi
    size_variable: berth_database_storage
    class_variable: berth_database_storage_class
    statefulset: database
"""

RETURN = """
before: {description: "The size that the claim requested; empty if there is no claim.", type: str, returned: success}
recreated: {description: "Whether the StatefulSet must be created again.", type: bool, returned: success}
"""
