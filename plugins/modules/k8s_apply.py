"""Documentation of the action plugin plugins/action/k8s_apply.py."""

from __future__ import annotations

DOCUMENTATION = """
module: k8s_apply
short_description: Apply the objects of many templates with kubernetes.core.k8s, if that changes anything
description:
  - Reads the live objects first, in Ansible's own process. Objects that an apply would not change cost one request each and no module;
    C(kubernetes.core.k8s) applies the others in one task, by server-side apply with the field manager C(berth).
  - A field that is no longer in a template is removed from the object. A field that was never in a template is left alone, such as the number
    of pods that an autoscaler sets. If another manager has set a field of a template to a different value, nothing is changed, and the message names
    the field; see O(take_over).
  - Takes over objects that an earlier version of Berth applied client-side, and removes its last-applied annotation from them.
  - Refuses to change an existing object that does not have the labels C(app.kubernetes.io/managed-by) and
    C(app.kubernetes.io/instance) of the template, so that objects that Berth did not create are never touched.
  - Values of Secrets appear in no output, diff or log.
options:
  kubeconfig: {description: The kubeconfig of the cluster., type: path, required: true}
  context: {description: "A context in it, empty for its current one.", type: str, default: ""}
  namespace: {description: The namespace of objects that do not name one., type: str, required: true}
  templates: {description: "The role's templates, in the order of application.", type: list, elements: str, default: []}
  adopt:
    description: >-
      Whether to take over an existing object without these labels, in a cluster that belongs to the environment. Only fields in the template are changed.
    type: bool
    default: false
  take_over: {description: "Whether to overwrite fields that another manager has set to different values.", type: bool, default: false}
  files: {description: "The project's own manifests; a name that ends in C(.j2) is a template.", type: list, elements: path, default: []}
  app: {description: "The app for the labels of those objects.", type: str, default: ""}
  names: {description: "Reserved names (regular expressions) that those objects must not have, by kind.", type: dict, default: {}}
attributes:
  check_mode:
    support: full
    description: Uses the API server's dry run. If that is not possible (no cluster yet, no namespace yet), the objects are reported as new.
  diff_mode: {support: full, description: "Shows a new object as in the template, and an existing one as the API server has it before and after."}
"""

EXAMPLES = """
- name: Apply the objects
  berth.platform.k8s_apply:
    kubeconfig: .cache/dev/kubeconfig
    namespace: polls-dev
    templates: [configmap.yaml.j2, secret.yaml.j2]
"""

RETURN = """
objects: {description: "The live objects, in the order of the templates; in check mode only those that exist.", type: list, elements: dict, returned: always}
names: {description: "C(kind) and C(name) of all, in the format of k8s_prune.", type: list, elements: dict, returned: always}
applied: {description: "Kind and name of the objects that were (or in check mode would be) changed.", type: list, elements: str, returned: always}
"""
