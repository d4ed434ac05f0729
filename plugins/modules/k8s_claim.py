"""Documentation of the action plugin plugins/action/k8s_claim.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_claim
short_description: Let a volume claim that exists grow, or say why it cannot become what is wanted
description:
  - A claim grows where its storage class lets it. That it should become smaller or change its class is refused, with the variable that says so.
  - A volume of the local-path provisioner is a directory without a size of its own. Where its class allows growth, it is only written down.
  - A StatefulSet's template of the claim cannot be changed. Where it says something else, the StatefulSet is deleted and its pod left;
    the next apply makes it again, and it takes the pod over.
options:
  kubeconfig: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: "A context in it, empty for its current one.", type: str, default: ""}
  namespace: {description: The namespace of the claim., type: str, required: true}
  name: {description: "The claim. Where there is none yet, nothing is done.", type: str, required: true}
  size: {description: "Its size, as C(1Gi).", type: str, required: true}
  storage_class: {description: "Its storage class, empty for whatever it is.", type: str, default: ""}
  size_variable: {description: "The inventory's variable that says O(size), for messages.", type: str, required: true}
  class_variable: {description: "The one that says O(storage_class).", type: str, required: true}
  statefulset: {description: "The StatefulSet whose first template of a claim made it, empty for none.", type: str, default: ""}
  timeout: {description: Seconds to wait until the volume has grown., type: int, default: 300}
attributes:
  check_mode: {support: full, description: "Says whether it would grow, or why it cannot."}
  diff_mode: {support: full, description: "Shows the sizes."}
"""

EXAMPLES = """
- name: Let the database's volume grow
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
before: {description: "The size that the claim asked for; empty where there is none.", type: str, returned: success}
recreated: {description: "Whether the StatefulSet has to be made again.", type: bool, returned: success}
"""
